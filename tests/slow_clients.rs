//! Slow, silent and greedy clients, and whether anybody else notices.
//!
//! The program runs by itself, so that its memory and its descriptors can be counted. Each attack is made for as long
//! as the limits need to answer it; meanwhile honest clients ask. Then: every honest request was answered, the places
//! came back, and memory stayed within what the limits allow. How long they took is for `benches/slow`, which has a
//! machine to itself.

use std::cell::Cell;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

const ASK: &str =
    "GET /chat-messages?room=lobby HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n";
/// The program that attacks in the four classic ways.
const SLOW: &str = "slowhttptest";

/// Connections of one attack.
const ATTACKERS: usize = 150;
/// Connections that say nothing at all.
const SILENT: usize = 1500;
/// Seconds for a first byte, for a head, for a body, and between requests.
const LIMIT: u64 = 1;

#[test]
fn slow_clients_take_nothing_from_others() {
    raise_files();
    let server = Server::start();
    println!("attack          asked  most places  most resident MiB");
    let alone = server.under("none", |_| sleep(Duration::from_secs(2)));
    assert!(alone.asked > 0, "{alone:?}");
    for (name, mode) in [
        ("slow head", "-H"),
        ("slow body", "-B"),
        ("ranges", "-R"),
        ("slow read", "-X"),
    ] {
        let seen = server.under(name, |server| server.attack(mode));
        // Ranges are answered at once, and their clients gone.
        let some = mode == "-R" || seen.places > ATTACKERS / 2;
        assert!(some, "{name}: {seen:?}");
    }
    let seen = server.under("silence", |server| {
        let silent: Vec<_> = (0..SILENT).map(|_| server.connect()).collect();
        sleep(Duration::from_secs(LIMIT + 1));
        drop(silent);
    });
    assert!(seen.places > SILENT * 9 / 10, "{seen:?}");
    server.under("a byte a time", |server| {
        dribble(server, ATTACKERS, LIMIT);
    });
    server.under("pipelining", |server| {
        pipeline(server, ATTACKERS / 2, LIMIT);
    });
}

/// Of memory nearly nothing; and nobody waits for the kernel to make room for another file.
#[test]
fn who_says_nothing_costs_little() {
    let files = raise_files();
    let server = Server::start();
    let room = status(server.child.id(), "FDSize:");
    assert!(room >= files.min(2 * 10_000), "{room} of {files}");
    let seen = server.under("silence alone", |server| {
        let _silent: Vec<_> = (0..SILENT).map(|_| server.connect()).collect();
        sleep(Duration::from_secs(LIMIT));
    });
    assert!(seen.places > SILENT * 9 / 10, "{seen:?}");
    let most = server.resident + (4 << 20) + seen.places as u64 * (4 << 10);
    assert!(seen.resident < most, "{seen:?}, {most} bytes at most");
}

/// As far as the program itself does.
fn raise_files() -> u64 {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(files >= 4096, "this many files may be open: {files}");
    files
}

/// Heads of which a byte comes now and then, until they are cut off.
fn dribble(server: &Server, clients: usize, header_s: u64) {
    let mut open: Vec<_> = (0..clients).map(|_| server.connect()).collect();
    let start = Instant::now();
    for byte in ASK.bytes() {
        open.retain_mut(|stream| stream.write_all(&[byte]).is_ok());
        if open.is_empty() {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(header_s + 30));
        sleep(Duration::from_millis(500));
    }
    panic!("{} heads were never cut off", open.len());
}

/// Requests without end, whose replies nobody takes, until the place is taken away.
fn pipeline(server: &Server, clients: usize, body_s: u64) {
    let many = format!("{ASK}\r\n").repeat(100);
    let mut open: Vec<_> = (0..clients).map(|_| server.connect_narrowly()).collect();
    let start = Instant::now();
    while !open.is_empty() {
        open.retain_mut(|stream| match stream.write(many.as_bytes()) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        let left = open.len();
        assert!(
            start.elapsed() < Duration::from_secs(2 * body_s + 90),
            "{left}"
        );
        sleep(Duration::from_millis(20));
    }
}

/// The program, and what it takes when nobody asks anything.
struct Server {
    child: Child,
    address: SocketAddr,
    places: usize,
    resident: u64,
    /// The most places that were taken so far. What they took of memory is not all given back to the system.
    most: Cell<usize>,
    _folder: tempfile::TempDir,
}

/// What honest clients and the program saw of an attack.
#[derive(Debug)]
struct Seen {
    asked: usize,
    places: usize,
    resident: u64,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[listen]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
             limits = {{ first_byte_s = {LIMIT}, header_s = {LIMIT}, body_s = {LIMIT}, idle_s = {LIMIT} }}\n\
             [[account]]\nname = \"alice\"\ntoken = \"t\"\n"
        );
        std::fs::write(folder.path().join("sabir.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sabir"))
            .current_dir(folder.path())
            .env("SABIR_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        let (_, rest) = line.split_once("http://").unwrap();
        let address = rest.split(' ').next().unwrap().parse().unwrap();
        // Whatever is opened and allocated with the first requests.
        for _ in 0..100 {
            ask_once(address).unwrap();
        }
        sleep(Duration::from_millis(200));
        Server {
            places: descriptors(child.id()),
            resident: resident_bytes(child.id()),
            most: Cell::new(0),
            child,
            address,
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// With so little room for replies that the server's own buffers are soon full.
    fn connect_narrowly(&self) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&self.address.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.into()
    }

    /// Makes an attack, and holds what must hold during it and after it.
    fn under(&self, name: &str, attack: impl FnOnce(&Server)) -> Seen {
        let over = Arc::new(AtomicBool::new(false));
        let honest = [true, false].map(|keeps| ask_until(self.address, keeps, over.clone()));
        let watch = {
            let (pid, over) = (self.child.id(), over.clone());
            std::thread::spawn(move || watch(pid, &over))
        };
        attack(self);
        over.store(true, Ordering::SeqCst);
        let mut answered = 0;
        for client in honest {
            let asked = client.join().unwrap();
            answered += asked.unwrap_or_else(|why| panic!("{name}: an honest client: {why}"));
        }
        let (places, resident) = watch.join().unwrap();
        let places = places.saturating_sub(self.places);
        println!(
            "{name:<14}{answered:>7}{places:>13}{:>19.1}",
            resident as f64 / f64::from(1 << 20)
        );
        // The buffers of a connection are below this; what is not bounded is soon beyond it.
        self.most.set(self.most.get().max(places));
        let most = self.resident + (32 << 20) + self.most.get() as u64 * (64 << 10);
        assert!(resident < most, "{name}: {resident} bytes, {most} at most");
        self.wait_for_places(name);
        Seen {
            asked: answered,
            places,
            resident,
        }
    }

    fn attack(&self, mode: &str) {
        let (count, lasts) = (ATTACKERS.to_string(), (LIMIT + 4).to_string());
        // A path that nobody has comes back in the reply, so that there is something to read slowly.
        let path = match mode {
            "-X" => "x".repeat(900),
            _ => "chat-messages?room=lobby".into(),
        };
        let url = format!("http://{}/{path}", self.address);
        let mut command = Command::new(SLOW);
        command.args([
            mode, "-c", &count, "-r", &count, "-i", "1", "-l", &lasts, "-u", &url,
        ]);
        match mode {
            "-B" => command.args(["-s", "8192", "-x", "10"]),
            "-R" => command.args(["-a", "5", "-b", "2000"]),
            "-X" => command.args(["-w", "1", "-y", "16", "-z", "4", "-n", "1", "-k", "10"]),
            _ => command.args(["-x", "10"]),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status();
        status.expect("slowhttptest is there: `make test` installs it");
    }

    fn wait_for_places(&self, name: &str) {
        let start = Instant::now();
        loop {
            let open = descriptors(self.child.id());
            if open <= self.places + 4 {
                return;
            }
            let waited = start.elapsed();
            let taken = open - self.places;
            assert!(
                waited < Duration::from_secs(LIMIT + 30),
                "{name}: {taken} places are not given back"
            );
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}

fn resident_bytes(pid: u32) -> u64 {
    status(pid, "VmRSS:") << 10
}

fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name));
    let value = line.unwrap().split_whitespace().nth(1).unwrap();
    value.parse().unwrap()
}

/// The most descriptors and the most memory until it is over.
fn watch(pid: u32, over: &AtomicBool) -> (usize, u64) {
    let (mut places, mut resident) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        places = places.max(descriptors(pid));
        resident = resident.max(resident_bytes(pid));
        sleep(Duration::from_millis(100));
    }
    (places, resident)
}

/// Asks again and again, on one connection or on one for each request, and says how often it was answered.
fn ask_until(
    address: SocketAddr,
    keeps: bool,
    over: Arc<AtomicBool>,
) -> JoinHandle<std::io::Result<usize>> {
    std::thread::spawn(move || {
        let mut answered = 0;
        let mut kept = TcpStream::connect(address)?;
        while !over.load(Ordering::SeqCst) {
            match keeps {
                true => ask(&mut kept, "")?,
                false => ask_once(address)?,
            }
            answered += 1;
            sleep(Duration::from_millis(5));
        }
        Ok(answered)
    })
}

fn ask_once(address: SocketAddr) -> std::io::Result<()> {
    ask(&mut TcpStream::connect(address)?, "Connection: close\r\n")
}

fn ask(stream: &mut TcpStream, more: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(format!("{ASK}{more}\r\n").as_bytes())?;
    let mut reply = Vec::new();
    // The room is empty.
    while !reply.ends_with(b"[]") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece)? {
            0 => return Err(std::io::Error::other("no whole reply")),
            read => reply.extend_from_slice(&piece[..read]),
        }
    }
    assert!(reply.starts_with(b"HTTP/1.1 200 "));
    Ok(())
}
