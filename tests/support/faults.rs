//! A proxy before an upstream that breaks exchanges as it is told to, byte for byte.
//!
//! What is to happen stands in the request itself, `zz-KIND-NUMBER-zz` in any part of it, so that requests with
//! different faults can be under way at once, in whatever dialect they came.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the proxy says in the upstream's place, by its number, after the upstream has had the request. After what is
/// whole the connection stays open.
#[derive(Default)]
pub struct Words {
    pub head: String,
    pub body: String,
    pub whole: bool,
}

/// What happens to one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Milliseconds.
    Late(usize),
    /// So many bytes of the request go on to the upstream, then both sides are closed.
    CutRequest(usize),
    /// The same, and the client's side is reset.
    ResetRequest(usize),
    CutReply(usize),
    ResetReply(usize),
    /// Silence after so many bytes.
    Stall(usize),
    /// The proxy shuts its sending side, and goes on reading.
    Half,
    /// The same, but only to the first such request.
    Once,
    Say(usize),
    /// The same head, and its body again and again without end.
    Flood(usize),
}

impl Fault {
    fn of(request: &[u8]) -> Fault {
        let text = String::from_utf8_lossy(request);
        let marked = text
            .split_once("zz-")
            .and_then(|(_, rest)| rest.split_once("-zz"));
        let Some((name, _)) = marked else {
            return Fault::None;
        };
        let (kind, number) = name.rsplit_once('-').unwrap();
        let number = number.parse().unwrap();
        match kind {
            "none" => Fault::None,
            "late" => Fault::Late(number),
            "cut-request" => Fault::CutRequest(number),
            "reset-request" => Fault::ResetRequest(number),
            "cut-reply" => Fault::CutReply(number),
            "reset-reply" => Fault::ResetReply(number),
            "stall" => Fault::Stall(number),
            "half" => Fault::Half,
            "once" => Fault::Once,
            "say" => Fault::Say(number),
            "flood" => Fault::Flood(number),
            _ => panic!("no such fault: {name}"),
        }
    }
}

/// Runs before an upstream; says where.
pub fn before(upstream: SocketAddr, words: Vec<Words>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Arc::new(Proxy {
        upstream,
        words,
        happened: Mutex::default(),
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let proxy = proxy.clone();
            std::thread::spawn(move || while proxy.exchange(&stream).is_some() {});
        }
    });
    address
}

struct Proxy {
    upstream: SocketAddr,
    words: Vec<Words>,
    /// Requests to which something happened that happens once.
    happened: Mutex<HashSet<Vec<u8>>>,
}

impl Proxy {
    /// One exchange; nothing when the connection is over.
    fn exchange(&self, mut client: &TcpStream) -> Option<()> {
        let length = peeked(client)?;
        let mut request = vec![0; length];
        let seen = client.peek(&mut request).ok()?;
        assert_eq!(seen, length, "a request is one write");
        let fault = Fault::of(&request);
        if let Fault::CutRequest(bytes) | Fault::ResetRequest(bytes) = fault {
            // What is not read makes the kernel reset the connection, as a server that dies does.
            let bytes = bytes.min(length);
            client.read_exact(&mut request[..bytes]).ok()?;
            TcpStream::connect(self.upstream)
                .ok()?
                .write_all(&request[..bytes])
                .ok()?;
            if fault == Fault::ResetRequest(bytes) {
                reset(client);
            }
            return None;
        }
        client.read_exact(&mut request).ok()?;
        if let Fault::Late(ms) = fault {
            std::thread::sleep(Duration::from_millis(ms as u64));
        }
        let reply = forwarded(&request, self.upstream)?;
        match fault {
            Fault::None | Fault::Late(_) => client.write_all(&reply).ok(),
            Fault::CutReply(bytes) | Fault::ResetReply(bytes) => {
                client.write_all(&reply[..bytes.min(reply.len())]).ok()?;
                if let Fault::ResetReply(_) = fault {
                    // Time for what was written to arrive: a reset overtakes it otherwise.
                    std::thread::sleep(Duration::from_millis(1));
                    reset(client);
                }
                None
            }
            Fault::Stall(bytes) => {
                client.write_all(&reply[..bytes.min(reply.len())]).ok()?;
                let _ = client.read(&mut [0]);
                None
            }
            Fault::Once if !self.is_first(&request) => client.write_all(&reply).ok(),
            Fault::Half | Fault::Once => {
                client.shutdown(Shutdown::Write).ok()?;
                let _ = client.read(&mut [0]);
                None
            }
            Fault::Say(number) => {
                let words = &self.words[number];
                client.write_all(words.head.as_bytes()).ok()?;
                words.whole.then_some(())
            }
            Fault::Flood(number) => {
                client.write_all(self.words[number].head.as_bytes()).ok()?;
                while client.write_all(self.words[number].body.as_bytes()).is_ok() {}
                None
            }
            Fault::CutRequest(_) | Fault::ResetRequest(_) => unreachable!("they have no reply"),
        }
    }

    fn is_first(&self, request: &[u8]) -> bool {
        self.happened.lock().unwrap().insert(request.to_vec())
    }
}

/// The length of the request that waits to be read.
fn peeked(client: &TcpStream) -> Option<usize> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let seen = client.peek(&mut bytes).ok().filter(|seen| *seen > 0)?;
        if let Some(length) = whole(&bytes[..seen]) {
            return Some(length);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// How long the message is that begins here, if all of it is here.
fn whole(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = head.len() + 4 + length.map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= length).then_some(length)
}

fn forwarded(request: &[u8], upstream: SocketAddr) -> Option<Vec<u8>> {
    let mut upstream = TcpStream::connect(upstream).ok()?;
    upstream.write_all(request).ok()?;
    let mut reply = Vec::new();
    while whole(&reply).is_none() {
        let mut bytes = [0; 4096];
        let read = upstream.read(&mut bytes).ok().filter(|read| *read > 0)?;
        reply.extend_from_slice(&bytes[..read]);
    }
    Some(reply)
}

fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}
