//! What slow, silent and greedy clients do to an honest one: its times, Sabir's memory, and when the places come back.
//!
//! `make soak`, or `cargo bench --bench slow -- [CLIENTS [ATTACK…]]`; the numbers that we keep stand in
//! `docs/performance.md`. Sabir runs on one core. On the other one are the honest clients and, at the lowest priority and in
//! processes of their own, the attackers: so their own work is not what is measured.

mod attack;
mod honest;
mod server;

use std::thread::sleep;
use std::time::{Duration, Instant};

use honest::Honest;
use server::Server;

/// The limits of time in seconds: first byte, head, body, idle.
const LIMITS: [u64; 4] = [5, 5, 10, 15];
/// How long each attack goes on.
const LASTS: Duration = Duration::from_secs(15);
/// A question of an honest client, but for the line that ends it.
const ASK: &str =
    "GET /chat-messages?room=lobby HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n";

/// The attacks of our own, and which part of the clients makes each.
const OWN: [(&str, usize); 7] = [
    ("silence", 1),
    ("idle", 1),
    ("a byte a second", 1),
    ("a body's byte a second", 1),
    ("pipelining", 20),
    ("pipelining, untaken", 20),
    ("coming and going", 50),
];
/// Those of the program slowhttptest, with a tenth of the clients.
const SLOWHTTPTEST: [(&str, &[&str]); 4] = [
    ("slow head", &["-H", "-x", "10"]),
    ("slow body", &["-B", "-s", "8192", "-x", "10"]),
    ("ranges", &["-R", "-a", "5", "-b", "2000"]),
    (
        "slow read",
        &[
            "-X", "-w", "1", "-y", "16", "-z", "4", "-n", "1", "-k", "10",
        ],
    ),
];

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["attack", name, address, clients] => attack::run(
            name,
            address.parse().expect("an address"),
            clients.parse().expect("a number"),
        ),
        [] => measure(10_000, &[]),
        [clients, ref only @ ..] => measure(clients.parse().expect("a number"), only),
    }
}

fn measure(clients: usize, only: &[&str]) {
    raise_files();
    server::pin(std::process::id(), "1");
    let server = Server::start(LIMITS);
    println!(
        "{clients} clients; times of an honest client in ms, on a kept connection and on new ones"
    );
    println!(
        "{:<24}{:>8}{:>7}{:>7}{:>9}{:>7}{:>7}{:>8}{:>8}{:>9}{:>7}",
        "attack", "kept 50", "99", "max", "new 50", "99", "max", "places", "MiB", "CPU %", "back s"
    );
    let wanted = |name: &str| only.is_empty() || only.contains(&name);
    under("none", &server, || sleep(LASTS));
    for (name, share) in OWN.into_iter().filter(|(name, _)| wanted(name)) {
        let mut child = server.attack(name, clients / share);
        under(name, &server, || {
            sleep(LASTS);
            drop(child.stdin.take());
        });
        let _ = child.kill();
        let _ = child.wait();
        server.wait_for_places();
    }
    for (name, words) in SLOWHTTPTEST.into_iter().filter(|(name, _)| wanted(name)) {
        under(name, &server, || server.slowhttptest(words, clients / 10));
    }
}

/// Has honest clients ask for as long as the attack takes, and tells what they and the program saw.
fn under(name: &str, server: &Server, attack: impl FnOnce()) {
    let kept = Honest::start(server.address, true);
    let new = Honest::start(server.address, false);
    let watch = server.watch();
    attack();
    let seen = watch.end();
    let over = Instant::now();
    server.wait_for_places();
    let back = over.elapsed().as_secs_f64();
    let (kept, new) = (kept.end(), new.end());
    println!(
        "{name:<24}{:>8.2}{:>7.2}{:>7.1}{:>9.2}{:>7.2}{:>7.1}{:>8}{:>8.1}{:>9.0}{back:>7.1}  failed {} {}",
        kept.at(50),
        kept.at(99),
        kept.at(100),
        new.at(50),
        new.at(99),
        new.at(100),
        seen.places,
        seen.resident as f64 / f64::from(1 << 20),
        seen.busy * 100.0,
        kept.failed,
        new.failed,
    );
}

/// As the program does.
fn raise_files() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files");
}
