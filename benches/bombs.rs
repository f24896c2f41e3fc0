//! What hostile GraphQL requests cost: the time from the first byte sent to the last byte read, over real HTTP.
//!
//! `cargo bench --bench bombs`; the numbers that we keep stand in `docs/performance.md`. A running Sabir is asked, in
//! this process. That each is an error and reaches no upstream is for `tests/glimesh_bombs.rs`.

#[path = "../tests/support/bombs.rs"]
mod bombs;
#[path = "../tests/support/running.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod running;

use std::time::Instant;

use bombs::{CALLER, CONFIG, DOOR};
use running::Sabir;

/// Each is thrown so often; the worst counts.
const ROUNDS: usize = 5;

fn main() {
    let sabir = Sabir::start(CONFIG);
    for round in 0..10 {
        let answer = sabir.ask("POST", DOOR, &[CALLER], &bombs::filling(round));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let mut bombs = bombs::bombs();
    bombs.extend(bombs::nested_lists());
    println!(
        "{:<32} {:>9} {:>9} {:>9} {:>6}",
        "bomb", "worst ms", "sent", "answered", "status"
    );
    for bomb in &bombs {
        let kind = bomb.kind.map(|kind| ("Content-Type", kind));
        let headers: Vec<_> = [CALLER].into_iter().chain(kind).collect();
        let (mut worst, mut size, mut status) = (0.0_f64, 0, 0);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let answer = sabir.ask("POST", DOOR, &headers, &bomb.body);
            worst = worst.max(start.elapsed().as_secs_f64() * 1e3);
            (size, status) = (answer.body.len(), answer.status);
        }
        println!(
            "{:<32} {worst:>9.2} {:>9} {size:>9} {status:>6}",
            bomb.name,
            bomb.body.len()
        );
    }
}
