//! Clients that ask without pause and look at every answer.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is asked, and the answers that are right, each under a name to count it by.
#[derive(Clone)]
pub struct Question {
    pub request: Vec<u8>,
    pub right: Vec<(&'static str, String)>,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

#[derive(Debug, Default)]
pub struct Tally {
    /// Right answers by their names.
    pub right: BTreeMap<&'static str, usize>,
    pub wrong: Vec<String>,
}

impl Load {
    /// Half of the clients keep their connection, the others have one for each question. They end when they are told
    /// to, or when nobody listens any more.
    pub fn start(address: SocketAddr, clients: usize, questions: &[Question]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let (stop, questions) = (stop.clone(), questions.to_vec());
            let keep = number % 2 == 0;
            std::thread::spawn(move || work(address, keep, number, &questions, &stop))
        });
        Load {
            clients: clients.collect(),
            stop,
        }
    }

    /// Tells the clients to end, and gathers what they saw.
    pub fn end(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for client in self.clients {
            let tally = client.join().unwrap();
            for (name, count) in tally.right {
                *all.right.entry(name).or_default() += count;
            }
            all.wrong.extend(tally.wrong);
        }
        all
    }
}

impl Tally {
    pub fn of(&self, name: &str) -> usize {
        self.right.get(name).copied().unwrap_or_default()
    }
}

fn work(
    address: SocketAddr,
    keep: bool,
    first: usize,
    questions: &[Question],
    stop: &AtomicBool,
) -> Tally {
    let mut tally = Tally::default();
    let mut line = None;
    for question in questions.iter().cycle().skip(first % questions.len()) {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let mut open = match line.take() {
            Some(open) => open,
            None => match TcpStream::connect(address) {
                Ok(open) => open,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                Err(error) => {
                    tally.wrong.push(format!("no connection: {error}"));
                    break;
                }
            },
        };
        let answer = match ask(&mut open, &question.request) {
            Ok(answer) => answer,
            Err(error) => {
                tally.wrong.push(format!("no answer: {error}"));
                continue;
            }
        };
        match question
            .right
            .iter()
            .find(|(_, right)| answer.contains(right))
        {
            Some((name, _)) => *tally.right.entry(name).or_default() += 1,
            None => tally.wrong.push(answer.clone()),
        }
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        if keep && !head.to_ascii_lowercase().contains("connection: close") {
            line = Some(open);
        } else {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    tally
}

/// Sends one request and reads one whole reply.
fn ask(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut held = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        held.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&held);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if body.len() >= length {
            return Ok(text.into_owned());
        }
    }
}
