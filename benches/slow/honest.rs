//! An honest client, whose times are taken.
//!
//! It asks at fixed moments and measures from them. Those that have passed before it has its answer are left out.

use std::io::{Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::ASK;

const EVERY: Duration = Duration::from_millis(3);

pub struct Honest {
    over: Arc<AtomicBool>,
    client: JoinHandle<Times>,
}

/// In milliseconds, in order.
#[derive(Default)]
pub struct Times {
    took: Vec<f64>,
    /// The same, of each second.
    seconds: Vec<Vec<f64>>,
}

impl Honest {
    /// One that keeps its connection, or has one for each question.
    pub fn start(address: SocketAddr, keeps: bool) -> Honest {
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        Honest {
            over,
            client: std::thread::spawn(move || ask_until(address, keeps, &told)),
        }
    }

    pub fn end(self) -> Times {
        self.over.store(true, Ordering::SeqCst);
        self.client.join().expect("an honest client")
    }
}

impl Times {
    pub fn at(&self, percent: usize) -> f64 {
        at(&self.took, percent)
    }

    /// What it is in the middle one of all seconds: a crowd comes in a few of them, and then is there.
    pub fn mostly(&self, percent: usize) -> f64 {
        let mut seconds: Vec<f64> = self.seconds.iter().map(|took| at(took, percent)).collect();
        seconds.sort_by(f64::total_cmp);
        at(&seconds, 50)
    }

    fn add(&mut self, second: u64, took: f64) {
        let second = second as usize;
        self.seconds
            .resize_with(self.seconds.len().max(second + 1), Vec::new);
        self.seconds[second].push(took);
        self.took.push(took);
    }

    fn sorted(mut self) -> Times {
        let lists = self.seconds.iter_mut().chain([&mut self.took]);
        lists.for_each(|took| took.sort_by(f64::total_cmp));
        // Whoever waited for longer than a second has none of that one.
        self.seconds.retain(|took| !took.is_empty());
        self
    }
}

fn at(took: &[f64], percent: usize) -> f64 {
    let last = took.len().saturating_sub(1);
    took.get(last * percent / 100).copied().unwrap_or(f64::NAN)
}

fn ask_until(address: SocketAddr, keeps: bool, over: &AtomicBool) -> Times {
    let mut times = Times::default();
    let mut kept = None;
    let start = Instant::now();
    let mut due = start;
    while !over.load(Ordering::SeqCst) {
        due = (due + EVERY).max(Instant::now());
        sleep(due.saturating_duration_since(Instant::now()));
        match ask(address, keeps, &mut kept) {
            Ok(()) => times.add((due - start).as_secs(), due.elapsed().as_secs_f64() * 1e3),
            Err(error) => panic!("an honest client: {error}"),
        }
    }
    times.sorted()
}

fn ask(address: SocketAddr, keeps: bool, kept: &mut Option<TcpStream>) -> Result<()> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream
        }
    };
    let more = if keeps { "" } else { "Connection: close\r\n" };
    stream.write_all(format!("{ASK}{more}\r\n").as_bytes())?;
    let mut reply = Vec::new();
    // The room is empty.
    while !reply.ends_with(b"[]") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece)? {
            0 => {
                return Err(Error::other(format!(
                    "no whole reply: {}",
                    String::from_utf8_lossy(&reply)
                )));
            }
            read => reply.extend_from_slice(&piece[..read]),
        }
    }
    if !reply.starts_with(b"HTTP/1.1 200 ") {
        return Err(Error::other("refused"));
    }
    if keeps {
        *kept = Some(stream);
    }
    Ok(())
}
