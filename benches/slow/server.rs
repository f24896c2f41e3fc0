//! The program on a core of its own, those that attack it, and what it takes of the system meanwhile.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::LASTS;

/// Descriptors that two honest clients may take, with the connections that nginx has to itself for them.
const HONEST: usize = 16;
/// Clock ticks in a second, as /proc counts them.
const TICKS: f64 = 100.0;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Sabir,
    /// What another program makes of the same.
    Nginx,
    /// Sabir, while another program is attacked: what the machine makes of it.
    Elsewhere,
}

pub struct Server {
    pub subject: Subject,
    pub address: SocketAddr,
    attacked: SocketAddr,
    child: Child,
    other: Option<Child>,
    places: usize,
    most: Cell<u64>,
    _folder: tempfile::TempDir,
}

/// What was taken at most, and the part of a core that was busy.
pub struct Seen {
    pub places: usize,
    pub resident: u64,
    pub busy: f64,
}

pub struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Server {
    pub fn start(subject: Subject, limits: [u64; 4]) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let mut alone = Command::new("taskset");
        alone.args(["-c", "0"]);
        let (child, address) = match subject {
            Subject::Nginx => nginx(alone, folder.path(), limits),
            _ => sabir(alone, folder.path(), limits),
        };
        let other = (subject == Subject::Elsewhere).then(|| {
            let folder = folder.path().join("other");
            std::fs::create_dir(&folder).expect("a folder");
            sabir(beside(), &folder, limits)
        });
        let (attacked, other) = match other {
            Some((other, attacked)) => (attacked, Some(other)),
            None => (address, None),
        };
        sleep(Duration::from_millis(500));
        Server {
            subject,
            address,
            attacked,
            places: descriptors(child.id()),
            most: Cell::new(0),
            child,
            other,
            _folder: folder,
        }
    }

    /// An attacker of our own, which stops when its input is closed and is gone when it is killed.
    pub fn attack(&self, name: &str, clients: usize) -> Child {
        let myself = std::env::current_exe().expect("this program");
        beside()
            .arg(myself)
            .args([
                "attack",
                name,
                &self.attacked.to_string(),
                &clients.to_string(),
            ])
            .stdin(Stdio::piped())
            .spawn()
            .expect("an attacker")
    }

    /// The program, which has ended.
    pub fn slowhttptest(&self, words: &[&str], clients: usize) -> Child {
        let (count, lasts) = (clients.to_string(), LASTS.as_secs().to_string());
        // A path that nobody has comes back in the reply, so that there is something to read slowly.
        let path = match words.first() {
            Some(&"-X") => "x".repeat(900),
            _ => "chat-messages?room=lobby".into(),
        };
        let url = format!("http://{}/{path}", self.attacked);
        let mut child = beside()
            .args([
                "slowhttptest",
                "-c",
                &count,
                "-r",
                &count,
                "-i",
                "1",
                "-l",
                &lasts,
                "-u",
                &url,
            ])
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("slowhttptest is there");
        child.wait().expect("it ends");
        child
    }

    /// The most places that were taken so far, with these.
    pub fn most_places(&self, places: usize) -> u64 {
        self.most.set(self.most.get().max(places as u64));
        self.most.get()
    }

    pub fn watch(&self) -> Watch {
        let over = Arc::new(AtomicBool::new(false));
        let (pid, places, told) = (self.child.id(), self.places, over.clone());
        Watch {
            over,
            thread: std::thread::spawn(move || watch(pid, places, &told)),
        }
    }

    /// Waits until the places are given back, but for those of the honest clients and of what is kept to answer them.
    pub fn wait_for_places(&self) {
        let start = Instant::now();
        while descriptors(self.child.id()) > self.places + HONEST {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "places are not given back"
            );
            sleep(Duration::from_millis(100));
        }
    }
}

impl Watch {
    pub fn end(self) -> Seen {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().expect("a watch")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in std::iter::once(&mut self.child).chain(&mut self.other) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn pin(process: u32, core: &str) {
    let status = Command::new("taskset")
        .args(["-a", "-c", "-p", core, &process.to_string()])
        .stdout(Stdio::null())
        .status();
    assert!(
        status.expect("taskset is there").success(),
        "a second core is needed"
    );
}

/// Runs a program, here with the words that follow, only when the honest clients on the same core do not.
fn beside() -> Command {
    let mut command = Command::new("chrt");
    command.args(["-i", "0", "taskset", "-c", "1"]);
    command
}

fn sabir(mut command: Command, folder: &Path, limits: [u64; 4]) -> (Child, SocketAddr) {
    let [first, head, body, idle] = limits;
    let config = format!(
        "[listen]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         limits = {{ first_byte_s = {first}, header_s = {head}, body_s = {body}, idle_s = {idle} }}\n\
         [[account]]\nname = \"alice\"\ntoken = \"t\"\n"
    );
    std::fs::write(folder.join("sabir.toml"), config).expect("a file");
    let mut child = command
        .arg(env!("CARGO_BIN_EXE_sabir"))
        .current_dir(folder)
        .env("SABIR_LOG", "error")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("taskset is there");
    let mut line = String::new();
    let mut printed = BufReader::new(child.stdout.take().expect("it prints"));
    printed.read_line(&mut line).expect("a line");
    let (_, rest) = line.split_once("http://").expect("an address");
    let address = rest.split(' ').next().and_then(|text| text.parse().ok());
    (child, address.expect("an address"))
}

fn nginx(mut command: Command, folder: &Path, limits: [u64; 4]) -> (Child, SocketAddr) {
    let [_, head, body, idle] = limits;
    let sockets = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a port"));
    let [address, behind] = sockets
        .each_ref()
        .map(|socket| socket.local_addr().expect("an address"));
    drop(sockets);
    let mut config =
        include_str!("nginx.conf").replace("@folder@", folder.to_str().expect("a path"));
    for (name, value) in [
        ("@head@", head),
        ("@body@", body),
        ("@idle@", idle),
        ("@port@", u64::from(address.port())),
        ("@behind@", u64::from(behind.port())),
    ] {
        config = config.replace(name, &value.to_string());
    }
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).expect("a file");
    let child = command
        .args(["nginx", "-p"])
        .arg(folder)
        .arg("-c")
        .arg(path)
        .stderr(Stdio::null())
        .spawn()
        .expect("taskset is there");
    (child, address)
}

fn watch(pid: u32, before: usize, over: &AtomicBool) -> Seen {
    let (start, busy) = (Instant::now(), ticks(pid));
    let mut seen = Seen {
        places: 0,
        resident: 0,
        busy: 0.0,
    };
    while !over.load(Ordering::SeqCst) {
        let places = descriptors(pid).saturating_sub(before);
        seen.places = seen.places.max(places);
        seen.resident = seen.resident.max(resident_bytes(pid));
        sleep(Duration::from_millis(250));
    }
    seen.busy = (ticks(pid) - busy) / TICKS / start.elapsed().as_secs_f64();
    seen
}

fn descriptors(pid: u32) -> usize {
    // The folder's size is their number, without a look at each; older kernels say nothing there.
    let path = format!("/proc/{pid}/fd");
    match std::fs::metadata(&path).map(|folder| folder.size()) {
        Ok(size @ 1..) => size as usize,
        _ => std::fs::read_dir(&path).map_or(0, Iterator::count),
    }
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// User and system time.
fn ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    number(11).unwrap_or(0.0) + number(12).unwrap_or(0.0)
}
