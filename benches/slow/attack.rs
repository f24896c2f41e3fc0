//! An attacker: many connections in one thread, in a process of its own.
//!
//! It does as it is told until its standard input ends. Then it holds what it has and is silent: that the places come
//! back is for the server to see to.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{ASK, raise_files};

/// Parts of a round: what all connections do is spread over it.
const PARTS: u32 = 100;

/// What each connection does.
struct Manner {
    /// Once, after connecting.
    opening: String,
    /// Each round.
    again: String,
    round: Duration,
    /// Takes what it is sent.
    reads: bool,
    /// Leaves after each round by itself.
    leaves: bool,
}

impl Manner {
    fn of(name: &str) -> Manner {
        let second = Duration::from_secs(1);
        let manner = |opening: &str, again: &str, round| Manner {
            opening: opening.into(),
            again: again.into(),
            round,
            reads: true,
            leaves: false,
        };
        let many = format!("{ASK}\r\n").repeat(100);
        let posted = ASK.replace("GET", "POST") + "Content-Length: 60000\r\n\r\n";
        match name {
            "silence" => manner("", "", second),
            "idle" => manner(&format!("{ASK}\r\n"), "", second),
            "a byte a second" => manner(&ASK[..1], "x", second),
            "a body's byte a second" => manner(&posted, "x", second),
            "pipelining" => manner("", &many, second / 20),
            "pipelining, untaken" => Manner {
                reads: false,
                ..manner("", &many, second / 20)
            },
            "coming and going" => Manner {
                leaves: true,
                ..manner("", "", second / 20)
            },
            _ => unreachable!("no attack is called {name}"),
        }
    }
}

/// Attacks until the standard input ends, then holds still until it is killed.
pub fn run(name: &str, address: SocketAddr, clients: usize) {
    raise_files();
    let over = Arc::new(AtomicBool::new(false));
    let told = over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        told.store(true, Ordering::SeqCst);
    });
    let manner = Manner::of(name);
    let mut open: Vec<Option<TcpStream>> = (0..clients).map(|_| None).collect();
    let size = clients.div_ceil(PARTS as usize);
    let mut next = Instant::now();
    loop {
        for part in open.chunks_mut(size) {
            if over.load(Ordering::SeqCst) {
                // Who takes its replies is owed those that it has asked for, however many these are.
                let holds = !(manner.reads && manner.again.len() > 1);
                sleep(Duration::from_secs(if holds { 3600 } else { 0 }));
                return;
            }
            for place in part {
                attend(place, &manner, address);
            }
            next += manner.round / PARTS;
            sleep(next.saturating_duration_since(Instant::now()));
        }
        // What it did not manage is not made up for.
        next = next.max(Instant::now());
    }
}

/// One connection's part of a round. One that is gone is opened anew.
fn attend(place: &mut Option<TcpStream>, manner: &Manner, address: SocketAddr) {
    match place {
        None => *place = connect(address, manner),
        Some(_) if manner.leaves => *place = None,
        Some(stream) => {
            if !goes_on(stream, manner) {
                *place = None;
            }
        }
    }
}

fn goes_on(stream: &mut TcpStream, manner: &Manner) -> bool {
    let lives = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    if manner.reads {
        let mut waste = [0; 64 << 10];
        match stream.read(&mut waste) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if lives(&error) => {}
            Err(_) => return false,
        }
    }
    match stream.write(manner.again.as_bytes()) {
        Ok(written) => written > 0 || manner.again.is_empty(),
        Err(error) => lives(&error),
    }
}

/// Nothing is waited for: a server that is slow to accept slows nobody down here.
fn connect(address: SocketAddr, manner: &Manner) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    if !manner.reads {
        socket.set_recv_buffer_size(4096).ok()?;
    }
    socket.set_nonblocking(true).ok()?;
    let _ = socket.connect(&address.into());
    let mut stream: TcpStream = socket.into();
    let _ = stream.write_all(manner.opening.as_bytes());
    Some(stream)
}
