//! Every input of the fuzzer's corpus, on a stable compiler: the same function, the same assertions.
//!
//! An input that once failed stays in the corpus, so that it cannot fail again; see `fuzz/README.md`.

#[path = "../fuzz/exchange.rs"]
mod exchange;
#[path = "../fuzz/reply.rs"]
mod reply;
#[path = "../fuzz/stream.rs"]
mod stream;

use std::path::Path;

/// Runs all inputs of one target; how many there are.
fn replay(target: &str, run: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in &paths {
        let data = std::fs::read(path).unwrap();
        if std::panic::catch_unwind(|| run(&data)).is_err() {
            panic!("{} fails", path.display());
        }
    }
    paths.len()
}

#[test]
fn graphql() {
    assert!(replay("graphql", exchange::graphql) >= 40);
}

#[test]
fn request() {
    assert!(replay("request", exchange::request) >= 40);
}

#[test]
fn reply() {
    assert!(replay("reply", reply::reply) >= 40);
}

#[test]
fn stream() {
    assert!(replay("stream", stream::stream) >= 60);
}
