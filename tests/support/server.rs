//! Bytes to a Sabir in this process and bytes back, and an upstream that counts what reaches it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::running::Sabir;

/// Longer than any answer takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    pub sabir: Sabir,
}

impl Server {
    /// Starts with a configuration that has neither `[listen]` nor `[store]`.
    pub fn start(config: &str) -> Server {
        Server {
            sabir: Sabir::start(config),
        }
    }

    /// Sends bytes on a connection of their own and reads one whole reply.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut line = Line::open(self.sabir.public);
        line.write(bytes);
        line.reply(false)
    }

    pub fn request(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Reply {
        self.raw(request(method, target, headers, body))
    }

    pub fn get(&self, target: &str, headers: &[&str]) -> Reply {
        self.request("GET", target, headers, b"")
    }

    pub fn post_form(&self, target: &str, body: impl AsRef<[u8]>) -> Reply {
        let kind = ["Content-Type: application/x-www-form-urlencoded"];
        self.request("POST", target, &kind, body.as_ref())
    }
}

/// A request as a client writes it.
pub fn request(method: &str, target: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: sabir.test\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() || method == "POST" {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// One connection of a client.
pub struct Line {
    pub stream: TcpStream,
    held: Vec<u8>,
}

impl Line {
    pub fn open(address: SocketAddr) -> Line {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Line {
            stream,
            held: Vec::new(),
        }
    }

    /// A server that refuses early may stop reading; what it says is read all the same.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => panic!("cannot write: {error}"),
        }
    }

    /// Reads one reply; to HEAD none has a body, whatever length it tells.
    pub fn reply(&mut self, to_head: bool) -> Reply {
        let end = loop {
            if let Some(at) = find(&self.held, b"\r\n\r\n") {
                break at;
            }
            assert!(self.more(), "no reply: {:?}", self.text());
        };
        let head = String::from_utf8(self.held[..end].to_vec()).unwrap();
        self.held.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut reply = Reply {
            status: status.and_then(|status| status.parse().ok()).unwrap(),
            headers,
            body: Vec::new(),
        };
        let length = reply.header("content-length").unwrap_or("0");
        let length: usize = if to_head { 0 } else { length.parse().unwrap() };
        while self.held.len() < length {
            assert!(self.more(), "the reply ends early: {reply:?}");
        }
        reply.body = self.held.drain(..length).collect();
        reply
    }

    /// Reads until the server closes.
    pub fn drain(&mut self) {
        while self.more() {}
    }

    /// Has the server closed its side, with nothing more to say?
    pub fn closed(&mut self) -> bool {
        self.held.is_empty() && !self.more()
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(read) => {
                self.held.extend_from_slice(&bytes[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("cannot read: {error}"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        first
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {:?}", self.text()))
    }

    /// The member of the body's object, which must be a text.
    pub fn member(&self, name: &str) -> String {
        let json = self.json();
        let value = json[name].as_str();
        value
            .unwrap_or_else(|| panic!("no {name} in {}", self.text()))
            .to_owned()
    }
}

/// A chat service that answers every request with the same words, and remembers all it was asked.
pub struct Upstream {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub fn answering(body: &'static str) -> Upstream {
        Upstream::answering_after(body, Duration::ZERO)
    }

    pub fn answering_after(body: &'static str, pause: Duration) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Upstream {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (upstream.connections.clone(), upstream.requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let requests = requests.clone();
                std::thread::spawn(move || serve(stream, body, pause, &requests));
            }
        });
        upstream
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, body: &str, pause: Duration, requests: &Mutex<Vec<String>>) {
    let mut held = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(read) => held.extend_from_slice(&bytes[..read]),
        }
        let Some(end) = find(&held, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&held[..end]).to_ascii_lowercase();
        let length = head
            .split("\r\ncontent-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let whole = end + 4 + length.unwrap_or(0usize);
        if held.len() < whole {
            continue;
        }
        let request: Vec<u8> = held.drain(..whole).collect();
        let request = String::from_utf8_lossy(&request).into_owned();
        requests.lock().unwrap().push(request);
        std::thread::sleep(pause);
        if stream.write_all(reply_of(body).as_bytes()).is_err() {
            return;
        }
    }
}

/// An address that is taken, so that nobody else gets it, and where nobody listens before this is told to.
pub struct Nobody(Socket);

impl Nobody {
    pub fn bound() -> Nobody {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        Nobody(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }

    pub fn listen(self) -> TcpListener {
        self.0.listen(64).unwrap();
        self.0.into()
    }
}

/// An upstream's reply with this body, as it stands on the wire.
pub fn reply_of(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
