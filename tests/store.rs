//! The store: the contract that every engine must hold, and what only SQLite can show: that nothing answered is lost
//! when the process dies, that a failed commit stops the store, and that two Sabirs never share a file.

#[path = "store/contract.rs"]
mod contract;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use contract::{at, kept, mark, native, said, say, texts};
use futures_util::future::join_all;
use sabir::model::Window;
use sabir::store::*;
use tempfile::TempDir;

/// Tells the test binary, run again by itself, where to write.
const CHILD: &str = "SABIR_STORE_CHILD";

fn open(path: &Path) -> Sqlite {
    Sqlite::open(Config::new(path)).unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sabir.db");
    (folder, path)
}

async fn listed(store: &dyn Store, channel: &str) -> Page {
    store
        .list(LOCAL, channel, &Filter::default(), &Window::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn sqlite_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    contract::hold(|| {
        count += 1;
        Box::new(open(&folder.path().join(format!("{count}.db"))))
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let (_folder, path) = place();
    let store = open(&path);
    let message = say(&store, LOCAL, said("a", "x", "hi")).await;
    let number = store.mint(vec![native("m-1", Some(at(0)))]).await.unwrap();
    store
        .mark(mark("x", Some("1"), MarkKind::Starred), Change::Toggle)
        .await
        .unwrap();
    store
        .put_session(SessionRow {
            id: "s".into(),
            ..SessionRow::default()
        })
        .await
        .unwrap();
    store.claim("alice", "open", b"", at(0)).await.unwrap();
    store.claim("alice", "done", b"", at(0)).await.unwrap();
    store.settle("alice", "done", Some(vec![1])).await.unwrap();
    store.close().await.unwrap();
    assert!(
        !path.with_extension("db-wal").exists(),
        "closing leaves one file"
    );

    let store = open(&path);
    assert_eq!(
        store.get(LOCAL, Some("a"), &message.id).await.unwrap(),
        Some(message)
    );
    assert_eq!(
        store.known(&[native("m-1", None)]).await.unwrap(),
        [Some(number[0].number)]
    );
    assert_eq!(
        store
            .marks(None, LOCAL, "a", &["1".into()])
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.sessions().await.unwrap().len(), 1);
    assert_eq!(
        store.claim("alice", "open", b"", at(1)).await,
        Ok(Claim::Lost)
    );
    assert_eq!(
        store.claim("alice", "done", b"", at(1)).await,
        Ok(Claim::Done(vec![1]))
    );
    store.settle("alice", "open", Some(vec![2])).await.unwrap();
    assert_eq!(
        store.claim("alice", "open", b"", at(1)).await,
        Ok(Claim::Done(vec![2]))
    );
}

#[tokio::test]
async fn what_is_answered_survives_a_kill() {
    let (_folder, path) = place();
    let mut answered = 0;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "child_that_is_killed",
                "--nocapture",
            ])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut ids = lines.filter_map(|line| line.strip_prefix("kept ").map(str::to_owned));
        let seen: Vec<_> = ids.by_ref().take(20 + 17 * round).collect();
        child.kill().unwrap();
        let rest: Vec<_> = ids.collect();
        child.wait().unwrap();

        let store = open(&path);
        for id in seen.iter().chain(&rest) {
            assert!(
                store.get(LOCAL, Some("a"), id).await.unwrap().is_some(),
                "{id} was answered and is gone"
            );
        }
        assert!(seen.len() >= 20, "the child was alive and writing");
        answered += seen.len() + rest.len();
        assert!(listed(&store, "a").await.window.total >= Some(answered as i64));
        store.close().await.unwrap();
    }
}

/// Not a test of its own: the child that `what_is_answered_survives_a_kill` starts and kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = open(Path::new(&path));
    loop {
        let group = (0..8).map(|index| say(&store, LOCAL, said("a", "x", &index.to_string())));
        for message in join_all(group).await {
            println!("kept {}", message.id);
        }
    }
}

#[tokio::test]
async fn a_call_that_fails_leaves_the_others_of_its_group_alone() {
    let (_folder, path) = place();
    let store = open(&path);
    let outside = rusqlite::Connection::open(&path).unwrap();
    let sql = "CREATE TRIGGER bad BEFORE INSERT ON presence WHEN new.person = 'bad' \
        BEGIN SELECT raise(ABORT, 'no'); END";
    outside.execute_batch(sql).unwrap();
    let people: Vec<_> = (0..60)
        .map(|index| if index % 7 == 3 { "bad" } else { "good" })
        .collect();
    let outcomes = join_all(
        people
            .iter()
            .map(|person| store.set_presence("far", person, "online")),
    )
    .await;
    for (person, outcome) in people.iter().zip(outcomes) {
        assert_eq!(outcome.is_ok(), *person == "good", "{outcome:?}");
    }
    assert_eq!(store.health(), Health::Ok);
}

#[tokio::test]
async fn a_failed_commit_stops_the_store_until_it_is_reopened() {
    let (_folder, path) = place();
    let store = open(&path);
    say(&store, LOCAL, said("a", "x", "before")).await;
    // A row that nothing stands behind is found out only by the commit.
    let outside = rusqlite::Connection::open(&path).unwrap();
    let sql = "CREATE TABLE poison (number INTEGER REFERENCES native (number) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER bad AFTER INSERT ON presence WHEN new.person = 'bad' \
        BEGIN INSERT INTO poison VALUES (-1); END";
    outside.execute_batch(sql).unwrap();
    let store = &store;
    let sends = (0..200).map(|index| async move {
        if index == 100 {
            store
                .set_presence("far", "bad", "online")
                .await
                .map(|()| Default::default())
        } else {
            store
                .append(vec![kept(LOCAL, said("a", "x", "around"))])
                .await
                .map(|mut one| one.remove(0))
        }
    });
    let outcomes = join_all(sends).await;
    assert!(
        matches!(outcomes[100], Err(StoreError::Commit(_))),
        "{:?}",
        outcomes[100]
    );
    let kept: Vec<_> = outcomes.into_iter().flatten().collect();
    assert!(matches!(store.health(), Health::Faulted(_)));
    assert!(matches!(
        store.channels(LOCAL).await,
        Err(StoreError::Faulted(_))
    ));
    assert!(matches!(
        store.purge(at(0)).await,
        Err(StoreError::Faulted(_))
    ));

    outside
        .execute_batch("DROP TRIGGER bad; DROP TABLE poison;")
        .unwrap();
    drop(outside);
    store.reopen().await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    let page = listed(store, "a").await;
    assert_eq!(
        page.messages.len(),
        kept.len() + 1,
        "what failed is gone, what was answered is there"
    );
    say(store, LOCAL, said("a", "x", "after")).await;
    assert_eq!(
        texts(&listed(store, "a").await.messages).last(),
        Some(&"after")
    );
}

/// Locks of a process go when it closes the file, by whatever handle. Without them an older SQLite that looks in takes
/// itself for the last one, and takes the log away.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_store_that_was_reopened_has_its_locks() {
    use std::os::unix::fs::MetadataExt as _;
    let (_folder, path) = place();
    let store = open(&path);
    let file = format!(":{} ", path.metadata().unwrap().ino());
    let locked = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let process = format!(" {} ", std::process::id());
        let ours = |line: &&str| line.contains(&process) && line.contains(&file);
        locks.lines().filter(ours).count() == 1
    };
    // The list is read in pieces, and what others lock and unlock meanwhile may move a line out of them. A lock that is
    // gone does not come back.
    let seen = || (0..100).any(|_| locked());
    listed(&store, "a").await;
    assert!(seen());
    store.reopen().await.unwrap();
    assert!(seen());
}

#[tokio::test]
async fn one_file_has_one_sabir() {
    let (_folder, path) = place();
    let store = open(&path);
    assert!(matches!(
        Sqlite::open(Config::new(&path)),
        Err(StoreError::Locked { .. })
    ));
    store.close().await.unwrap();
    open(&path).close().await.unwrap();
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let (folder, path) = place();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    let Err(StoreError::Open { reason, .. }) = Sqlite::open(Config::new(&path)) else {
        panic!("it was opened")
    };
    assert_eq!(reason, "it is not a database of Sabir's");

    let path = folder.path().join("newer.db");
    open(&path).close().await.unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 999)
        .unwrap();
    let Err(StoreError::Open { reason, .. }) = Sqlite::open(Config::new(&path)) else {
        panic!("it was opened")
    };
    assert!(reason.contains("newer"), "{reason}");

    let path = folder.path().join("text.db");
    std::fs::write(
        &path,
        "not a database, but long enough to be looked at as if it were one. ".repeat(20),
    )
    .unwrap();
    assert!(matches!(
        Sqlite::open(Config::new(&path)),
        Err(StoreError::Open { .. })
    ));
}

/// A change that is queued is made, even when nobody waits for it any more.
#[tokio::test]
async fn leaving_does_not_stop_a_change() {
    let (_folder, path) = place();
    let store = open(&path);
    {
        let mut append = store.append(vec![kept(LOCAL, said("a", "x", "hi"))]);
        let once =
            std::future::poll_fn(|context| std::task::Poll::Ready(append.as_mut().poll(context)));
        let _ = once.await;
    }
    store.purge(at(0)).await.unwrap();
    assert_eq!(listed(&store, "a").await.messages.len(), 1);
}

/// The log is moved into the database as it grows; otherwise it would grow for as long as Sabir runs.
#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let (_folder, path) = place();
    let store = Sqlite::open(Config {
        durability: Durability::Relaxed,
        ..Config::new(&path)
    })
    .unwrap();
    let long = "x".repeat(20_000);
    for _ in 0..800 {
        say(&store, LOCAL, said("a", "x", &long)).await;
    }
    let log = path.with_extension("db-wal").metadata().unwrap().len();
    assert!(log < 12_000_000, "{log} bytes");
}
