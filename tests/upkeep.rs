//! What Sabir does for its store without being asked.

mod support;

use std::time::{Duration, Instant};

use rusqlite::Connection;
use support::running::Sabir;

const ALICE: &str = "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n";

fn send(sabir: &Sabir, text: &str) -> u16 {
    let headers = [
        ("Authorization", "Bearer token-of-alice"),
        ("Content-Type", "application/json"),
    ];
    let body = format!(r#"{{"room":"den","text":"{text}"}}"#);
    sabir.ask("POST", "/chat-messages", &headers, &body).status
}

fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_store_that_failed_comes_back_by_itself() {
    let sabir = Sabir::start(ALICE);
    assert_eq!(send(&sabir, "before"), 200);
    // A row that nothing stands behind is found out only by the commit.
    let outside = Connection::open(sabir.store()).unwrap();
    let poison = "CREATE TABLE poison (number INTEGER REFERENCES native (number) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER bad AFTER INSERT ON message BEGIN INSERT INTO poison VALUES (-1); END";
    outside.execute_batch(poison).unwrap();
    let failed = send(&sabir, "lost");
    assert!(failed >= 500, "{failed}");
    outside
        .execute_batch("DROP TRIGGER bad; DROP TABLE poison;")
        .unwrap();
    soon("nothing is taken again", || send(&sabir, "after") == 200);
    let texts = "SELECT count(*) FROM message WHERE record LIKE '%lost%'";
    let lost: i64 = outside.query_row(texts, [], |row| row.get(0)).unwrap();
    assert_eq!(lost, 0, "what was not acknowledged is not there");
}

#[test]
fn what_has_run_out_is_forgotten() {
    let mut sabir = Sabir::start(ALICE);
    let outside = Connection::open(sabir.store()).unwrap();
    outside.busy_timeout(Duration::from_secs(5)).unwrap();
    let row = "INSERT INTO session VALUES ('old', 'session', 'alice', '', '{}', 1, 2)";
    outside.execute(row, []).unwrap();
    // What is there at the start goes soon after it.
    sabir.restart();
    soon("an old session is kept", || {
        let count = "SELECT count(*) FROM session WHERE id = 'old'";
        outside.query_row(count, [], |row| row.get(0)) == Ok(0)
    });
}
