//! A store that cannot keep a message: nobody is told that it was sent, and what is told has the dialect's own words.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::PEOPLE;
use crate::clients::{CLIENTS, Client, Ending};
use crate::support::running::{Answer, ask};
use crate::support::server::Server;

/// A channel that Sabir keeps.
const DEN: &str = r#"
[[channel]]
name  = "den"
owner = "alice"
ids   = { glimesh = 6, chats = 6, slack = "C0DENDEN", discord = "10002", matrix = "!denden:here" }
"#;

fn den(client: &Client) -> &'static str {
    match client.name {
        "glimesh" | "glimesh-old" | "chats" => "6",
        "slack" => "C0DENDEN",
        "discord" => "10002",
        "matrix" => "!denden:here",
        _ => "den",
    }
}

struct Kept {
    server: Server,
    sessions: Vec<String>,
}

impl Kept {
    fn start() -> Kept {
        let server = Server::start(&format!("{PEOPLE}{DEN}"));
        let sessions = CLIENTS.iter().map(|one| one.session(&server)).collect();
        Kept { server, sessions }
    }

    /// Every client sends, and is told of this ending.
    #[track_caller]
    fn send(&self, text: &str, ending: Ending) {
        for (client, session) in CLIENTS.iter().zip(&self.sessions) {
            let text = format!("{text}-{}", client.name);
            let reply = client.send(&self.server, session, den(client), &text);
            client.check(&reply, ending, &text);
        }
    }

    /// Every client sends once this goes again.
    fn send_again(&self, text: &str) {
        while self.readiness().status != 200 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        self.send(text, Ending::Done);
    }

    fn readiness(&self) -> Answer {
        ask(self.server.sabir.admin, "GET", "/readyz", &[], "")
    }

    fn file(&self) -> PathBuf {
        self.server.sabir.store()
    }

    fn count(&self, text: &str) -> i64 {
        count(&self.file(), text)
    }
}

/// How many messages are in a store whose text begins so.
fn count(store: &Path, text: &str) -> i64 {
    let outside = Connection::open(store).unwrap();
    let sql = "SELECT count(*) FROM message WHERE record LIKE '%\"text\":\"' || ? || '-%'";
    outside.query_row(sql, [text], |row| row.get(0)).unwrap()
}

fn log(store: &Path) -> PathBuf {
    store.with_extension("db-wal")
}

/// A table whose numbers have run out is full to SQLite, in the way in which a disk is.
#[test]
fn a_full_disk_is_told_in_each_dialect_until_there_is_room() {
    let kept = Kept::start();
    kept.send("before", Ending::Done);
    let outside = Connection::open(kept.file()).unwrap();
    let full = "CREATE TABLE full (number INTEGER PRIMARY KEY AUTOINCREMENT);
        INSERT INTO full VALUES (9223372036854775807);
        CREATE TRIGGER no_room AFTER INSERT ON message BEGIN INSERT INTO full VALUES (NULL); END";
    outside.execute_batch(full).unwrap();
    kept.send("full", Ending::Unavailable);
    // What is there can be read, and there is nothing to mend.
    assert_eq!(kept.readiness().status, 200);
    outside
        .execute_batch("DROP TRIGGER no_room; DROP TABLE full")
        .unwrap();
    kept.send("after", Ending::Done);
    let found = ["before", "full", "after"].map(|text| kept.count(text));
    let all = CLIENTS.len() as i64;
    assert_eq!(found, [all, 0, all]);
}

#[test]
fn a_file_that_is_gone_is_told_in_each_dialect_until_it_is_back() {
    let kept = Kept::start();
    kept.send("before", Ending::Done);
    let (file, away) = (kept.file(), kept.file().with_extension("away"));
    std::fs::rename(&file, &away).unwrap();
    kept.send("gone", Ending::Unavailable);
    let readiness = kept.readiness();
    assert_eq!(readiness.status, 503);
    for words in [&*file.to_string_lossy(), "put it back, or restart Sabir"] {
        assert!(readiness.body.contains(words), "{}", readiness.body);
    }
    std::fs::rename(&away, &file).unwrap();
    kept.send_again("after");
    let found = ["before", "gone", "after"].map(|text| kept.count(text));
    let all = CLIENTS.len() as i64;
    assert_eq!(found, [all, 0, all]);
}

/// Messages that were committed lately stand in the log alone.
#[test]
fn a_log_that_is_deleted_stops_the_store_and_an_end_keeps_what_was_in_it() {
    let mut kept = Kept::start();
    kept.send("before", Ending::Done);
    std::fs::remove_file(log(&kept.file())).unwrap();
    kept.send("gone", Ending::Unavailable);
    let readiness = kept.readiness();
    assert!(
        readiness.body.contains(".db-wal was deleted"),
        "{}",
        readiness.body
    );
    kept.server.sabir.restart();
    kept.send("after", Ending::Done);
    let found = ["before", "gone", "after"].map(|text| kept.count(text));
    let all = CLIENTS.len() as i64;
    assert_eq!(found, [all, 0, all]);
}

/// A backup that is put in the place of the file is not gone over to while Sabir runs, and not written to.
#[test]
fn a_file_that_is_replaced_waits_for_a_restart() {
    let mut kept = Kept::start();
    kept.send("early", Ending::Done);
    let (file, backup) = (kept.file(), kept.file().with_extension("backup"));
    let outside = Connection::open(&file).unwrap();
    let copy = format!("VACUUM INTO '{}'", backup.display());
    outside.execute_batch(&copy).unwrap();
    drop(outside);
    kept.send("late", Ending::Done);
    std::fs::rename(&backup, &file).unwrap();
    kept.send("replaced", Ending::Unavailable);
    std::thread::sleep(std::time::Duration::from_secs(3));
    kept.send("replaced", Ending::Unavailable);
    assert_eq!(kept.readiness().status, 503);
    kept.server.sabir.restart();
    kept.send("after", Ending::Done);
    let found = ["early", "late", "replaced", "after"].map(|text| kept.count(text));
    let all = CLIENTS.len() as i64;
    assert_eq!(found, [all, 0, 0, all]);
}
