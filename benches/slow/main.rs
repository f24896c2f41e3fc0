//! What slow, silent and greedy clients do to an honest one: its times, Sabir's memory, and when the places come back.
//!
//! `make soak`, or `cargo bench --bench slow -- [nginx|elsewhere] [CLIENTS [ATTACK…]]`; the numbers that we keep stand
//! in `docs/performance.md`. With `nginx` it is that which is asked and attacked, with `elsewhere` another program is
//! attacked: what neither can keep away, Sabir is not blamed for. Sabir runs on one core. On the other one are the honest clients and, at the lowest priority and in
//! processes of their own, the attackers: so their own work is not what is measured.

mod attack;
mod honest;
mod server;

use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use honest::{Honest, Times};
use server::{Server, Subject};

/// The limits of time in seconds: first byte, head, body, idle.
const LIMITS: [u64; 4] = [5, 5, 10, 15];
/// How long each attack goes on, and how long honest clients are alone before it.
const LASTS: Duration = Duration::from_secs(15);
const ALONE: Duration = Duration::from_secs(5);
/// What may come before a request at most, each piece no longer than it: eight who came shortly before it, four
/// requests that were sent before the reply to another.
const AHEAD: f64 = 8.0 + 4.0;
/// The buffers of a connection that has sent something, and what the program has without any.
const CONNECTION_BYTES: u64 = 64 << 10;
const PROGRAM_BYTES: u64 = 64 << 20;
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
        ["nginx", ref words @ ..] => choose(Subject::Nginx, words),
        ["elsewhere", ref words @ ..] => choose(Subject::Elsewhere, words),
        ref words => choose(Subject::Sabir, words),
    }
}

fn choose(subject: Subject, words: &[&str]) {
    match *words {
        [] => measure(subject, 10_000, &[]),
        [clients, ref only @ ..] => measure(subject, clients.parse().expect("a number"), only),
    }
}

fn measure(subject: Subject, clients: usize, only: &[&str]) {
    raise_files();
    server::pin(std::process::id(), "1");
    let server = Server::start(subject, LIMITS);
    println!(
        "{clients} clients; times of an honest client in ms, on a kept connection and on new ones: half of all, 99 % in the\n\
         middle one of all seconds, 99 % of all, all"
    );
    println!(
        "{:<24}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>7}{:>8}",
        "attack",
        "kept 50",
        "mostly",
        "99",
        "max",
        "new 50",
        "mostly",
        "99",
        "max",
        "places",
        "MiB",
        "CPU %",
        "back s"
    );
    let wanted = |name: &str| only.is_empty() || only.contains(&name);
    for (name, share) in OWN.into_iter().filter(|(name, _)| wanted(name)) {
        compare(name, &server, || {
            let mut child = server.attack(name, clients / share);
            sleep(LASTS);
            drop(child.stdin.take());
            child
        });
    }
    for (name, words) in SLOWHTTPTEST.into_iter().filter(|(name, _)| wanted(name)) {
        compare(name, &server, || server.slowhttptest(words, clients / 10));
    }
}

/// Holds what an honest client sees of an attack against what it sees without, at about the same time: other programs
/// on the machine change both.
fn compare(name: &str, server: &Server, attack: impl FnOnce() -> Child) {
    let before = under("(none)", server, || {
        sleep(ALONE);
        None
    });
    let during = under(name, server, || Some(attack()));
    if server.subject != Subject::Sabir {
        return;
    }
    for (alone, attacked) in before.into_iter().zip(during) {
        for percent in [50, 99] {
            let most = alone.at(percent) * (1.0 + AHEAD);
            let took = attacked.at(percent);
            assert!(
                took <= most,
                "{name}: {took} ms at {percent} %, {most} at most"
            );
        }
    }
}

/// Has honest clients ask for as long as the attack takes and until the places are back, and tells what they and the
/// program saw. The attacker holds what it has until then.
fn under(name: &str, server: &Server, attack: impl FnOnce() -> Option<Child>) -> [Times; 2] {
    let clients = [true, false].map(|keeps| Honest::start(server.address, keeps));
    let watch = server.watch();
    let attacker = attack();
    let seen = watch.end();
    let over = Instant::now();
    server.wait_for_places();
    let back = over.elapsed().as_secs_f64();
    let times = clients.map(Honest::end);
    if let Some(mut attacker) = attacker {
        let _ = attacker.kill();
        let _ = attacker.wait();
    }
    let [kept, new] = times.each_ref().map(|times| {
        let (half, mostly) = (times.at(50), times.mostly(99));
        let (most, all) = (times.at(99), times.at(100));
        format!("{half:>8.2}{mostly:>8.2}{most:>8.2}{all:>8.1}")
    });
    println!(
        "{name:<24}{kept}{new}{:>8}{:>8.1}{:>7.0}{back:>8.1}",
        seen.places,
        seen.resident as f64 / f64::from(1 << 20),
        seen.busy * 100.0,
    );
    // What they took of memory is not all given back to the system.
    let most = PROGRAM_BYTES + server.most_places(seen.places) * CONNECTION_BYTES;
    assert!(
        server.subject != Subject::Sabir || seen.resident < most,
        "{name}: {} bytes, {most} at most",
        seen.resident
    );
    times
}

/// As the program does.
fn raise_files() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files");
}
