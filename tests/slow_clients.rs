//! Slow, silent and greedy clients, and whether anybody else notices.
//!
//! The program runs by itself, so that its memory and its descriptors can be counted. Each attack is made for as long
//! as the limits need to answer it; meanwhile honest clients ask. Then: every honest request was answered, the places
//! came back, and memory stayed within what the limits allow. The short form runs with every test; the full one, which
//! also holds times to account, with `make soak`, which says how many clients in `SOAK_CLIENTS`. Both print what they
//! measured.

use std::cell::Cell;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rlimit::Resource;
use socket2::{Domain, Socket, Type};

const ASK: &str =
    "GET /chat-messages?room=lobby HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n";
/// The program that attacks in the four classic ways.
const SLOW: &str = "slowhttptest";

/// How much of everything.
struct Scale {
    /// Connections of one attack.
    attackers: usize,
    /// Connections that say nothing at all.
    silent: usize,
    /// The limits of time: first byte, head, body, idle.
    limits: [u64; 4],
    /// What an honest client may have to wait at the 99th percentile, where the machine is known to be free.
    p99: Option<Duration>,
}

#[test]
fn slow_clients_take_nothing_from_others() {
    let clients = std::env::var("SOAK_CLIENTS").ok();
    prove(&match clients.and_then(|clients| clients.parse().ok()) {
        Some(silent) => Scale {
            attackers: silent / 10,
            silent,
            limits: [5, 5, 10, 15],
            p99: Some(Duration::from_millis(50)),
        },
        None => Scale {
            attackers: 150,
            silent: 1500,
            limits: [1, 1, 1, 1],
            p99: None,
        },
    });
}

fn prove(scale: &Scale) {
    let files = 2 * scale.silent as u64 + 4 * scale.attackers as u64 + 4096;
    let (_, hard) = Resource::NOFILE.get().unwrap();
    let raised = Resource::NOFILE.set(files, hard.max(files));
    raised.expect("this many files may be open: run it as root, or raise the limit");
    let server = Server::start(scale);
    println!("attack         p50 ms  p99 ms  asked  most places  most resident MiB");
    let alone = server.under("none", scale, |_| sleep(Duration::from_secs(2)));
    assert!(alone.asked > 50, "{alone:?}");
    for (name, mode) in [
        ("slow head", "-H"),
        ("slow body", "-B"),
        ("ranges", "-R"),
        ("slow read", "-X"),
    ] {
        let seen = server.under(name, scale, |server| server.attack(mode, scale));
        // Ranges are answered at once, and their clients gone.
        let some = mode == "-R" || seen.places > scale.attackers / 2;
        assert!(some, "{name}: {seen:?}");
    }
    let seen = server.under("silence", scale, |server| {
        let silent: Vec<_> = (0..scale.silent).map(|_| server.connect()).collect();
        sleep(Duration::from_secs(scale.limits[0] + 1));
        drop(silent);
    });
    assert!(seen.places > scale.silent * 9 / 10, "{seen:?}");
    server.under("a byte a time", scale, |server| {
        dribble(server, scale.attackers, scale.limits[1]);
    });
    server.under("pipelining", scale, |server| {
        pipeline(server, scale.attackers / 2, scale.limits[2]);
    });
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
}

impl Server {
    fn start(scale: &Scale) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let [first, head, body, idle] = scale.limits;
        let config = format!(
            "[listen]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
             limits = {{ first_byte_s = {first}, header_s = {head}, body_s = {body}, \
             idle_s = {idle}, connections = 1000000 }}\n\
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
    fn under(&self, name: &str, scale: &Scale, attack: impl FnOnce(&Server)) -> Seen {
        let over = Arc::new(AtomicBool::new(false));
        let honest = [true, false].map(|keeps| ask_until(self.address, keeps, over.clone()));
        let watch = {
            let (pid, over) = (self.child.id(), over.clone());
            std::thread::spawn(move || watch(pid, &over))
        };
        attack(self);
        over.store(true, Ordering::SeqCst);
        let mut took: Vec<Duration> = Vec::new();
        for client in honest {
            let asked = client.join().unwrap();
            took.extend(asked.unwrap_or_else(|why| panic!("{name}: an honest client: {why}")));
        }
        let (places, resident) = watch.join().unwrap();
        took.sort();
        let at = |percent: usize| took[took.len() * percent / 100];
        let places = places.saturating_sub(self.places);
        println!(
            "{name:<14}{:>7.1}{:>8.1}{:>7}{places:>13}{:>19.1}",
            at(50).as_secs_f64() * 1000.0,
            at(99).as_secs_f64() * 1000.0,
            took.len(),
            resident as f64 / f64::from(1 << 20)
        );
        if let Some(most) = scale.p99 {
            assert!(at(99) < most, "{name}: {:?}", at(99));
        }
        // The buffers of a connection are below this; what is not bounded is soon beyond it.
        self.most.set(self.most.get().max(places));
        let most = self.resident + (32 << 20) + self.most.get() as u64 * (64 << 10);
        assert!(resident < most, "{name}: {resident} bytes, {most} at most");
        self.wait_for_places(name, scale);
        Seen {
            asked: took.len(),
            places,
        }
    }

    fn attack(&self, mode: &str, scale: &Scale) {
        let longest = scale.limits.into_iter().max().unwrap_or(0);
        let (count, lasts) = (scale.attackers.to_string(), (longest + 4).to_string());
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

    fn wait_for_places(&self, name: &str, scale: &Scale) {
        let start = Instant::now();
        let longest = scale.limits.into_iter().max().unwrap_or(0);
        loop {
            let open = descriptors(self.child.id());
            if open <= self.places + 4 {
                return;
            }
            let waited = start.elapsed();
            let taken = open - self.places;
            assert!(
                waited < Duration::from_secs(longest + 30),
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
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
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

/// Asks again and again, on one connection or on one for each request, and says how long each took.
fn ask_until(
    address: SocketAddr,
    keeps: bool,
    over: Arc<AtomicBool>,
) -> JoinHandle<std::io::Result<Vec<Duration>>> {
    std::thread::spawn(move || {
        let mut took = Vec::new();
        let mut kept = TcpStream::connect(address)?;
        while !over.load(Ordering::SeqCst) {
            let start = Instant::now();
            match keeps {
                true => ask(&mut kept, "")?,
                false => ask_once(address)?,
            }
            took.push(start.elapsed());
            sleep(Duration::from_millis(5));
        }
        Ok(took)
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
