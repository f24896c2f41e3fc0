//! Opening a database: the lock beside it, the settings that the promises rest on, and the migrations.
//!
//! Every setting is read back, because SQLite answers a pragma that it cannot obey with silence.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OpenFlags};

use super::{Config, Durability};
use crate::store::StoreError;

/// Older ones can corrupt a database when its log is reset under several connections.
const SQLITE_FLOOR: i32 = 3_051_003;

/// `Sabr`, in the file's header: this is a database of ours.
const APPLICATION_ID: i64 = 0x5361_6272;

/// Statements kept ready on each connection; about twice as many as there are.
const STATEMENTS: usize = 128;

/// Each brings a database from its own place in this list to the next. Never edited once released, only added to.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_start.sql"),
    include_str!("../../../migrations/sqlite/0002_moderation.sql"),
    include_str!("../../../migrations/sqlite/0003_provisional.sql"),
    include_str!("../../../migrations/sqlite/0004_sender.sql"),
];

/// Takes the lock that keeps a second Sabir away from the same file. It is let go when the file is dropped.
pub fn lock(path: &Path) -> Result<File, StoreError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let file = private(OpenOptions::new().create(true).write(true)).open(&beside);
    let file = file.map_err(|error| refused(&beside, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: path.display().to_string(),
        }),
        Err(TryLockError::Error(error)) => Err(refused(&beside, &error)),
    }
}

/// The one connection that writes, with the schema up to date.
pub fn writer(config: &Config) -> Result<Connection, StoreError> {
    let path = &config.path;
    if rusqlite::version_number() < SQLITE_FLOOR {
        return Err(refused(
            path,
            &format!(
                "SQLite {} is too old; 3.51.3 is needed",
                rusqlite::version()
            ),
        ));
    }
    make(path).map_err(|error| refused(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| refused(path, &error))?;
    recognise(&connection, path)?;
    shared_settings(&connection, path)?;
    let synchronous = match config.durability {
        Durability::Full => 2,
        Durability::Relaxed => 1,
    };
    setting(&connection, path, "synchronous", synchronous)?;
    setting(&connection, path, "foreign_keys", 1)?;
    // The writer thread moves the log into the database itself, after the waiting calls are answered.
    setting(&connection, path, "wal_autocheckpoint", 0)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// A connection that reads.
pub fn reader(config: &Config) -> Result<Connection, StoreError> {
    let path = &config.path;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| refused(path, &error))?;
    shared_settings(&connection, path)?;
    setting(&connection, path, "query_only", 1)?;
    Ok(connection)
}

pub fn refused(path: &Path, reason: &impl ToString) -> StoreError {
    StoreError::Open {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

/// Makes the file here and not in SQLite, so that nobody else may read it; the log's files take over its permissions.
///
/// One that is there is not opened: closing it would take off the locks that this process's readers have on it.
fn make(path: &Path) -> std::io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    private(OpenOptions::new().create(true).append(true))
        .open(path)
        .map(|_| ())
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Refuses a database of another program: its tables must not get ours beside them.
fn recognise(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let id: i64 = pragma(connection, path, "application_id")?;
    let empty = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    });
    if id == APPLICATION_ID || (id == 0 && empty.map_err(|error| refused(path, &error))?) {
        return Ok(());
    }
    Err(refused(path, &"it is not a database of Sabir's"))
}

fn shared_settings(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    setting(connection, path, "busy_timeout", 5_000)?;
    if !connection
        .is_readonly("main")
        .map_err(|error| refused(path, &error))?
    {
        let set = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()));
        set.map_err(|error| refused(path, &error))?;
    }
    let mode: String = pragma(connection, path, "journal_mode")?;
    if mode != "wal" {
        return Err(refused(
            path,
            &format!("its journal mode stays {mode}; a local disk is needed"),
        ));
    }
    setting(connection, path, "mmap_size", 0)
}

fn setting(
    connection: &Connection,
    path: &Path,
    name: &str,
    wanted: i64,
) -> Result<(), StoreError> {
    let set = connection.pragma_update(None, name, wanted);
    set.map_err(|error| refused(path, &error))?;
    match pragma::<Value>(connection, path, name)? {
        Value::Integer(found) if found == wanted => Ok(()),
        found => Err(refused(
            path,
            &format!("{name} is {found:?} where {wanted} is needed"),
        )),
    }
}

fn pragma<T: FromSql>(connection: &Connection, path: &Path, name: &str) -> Result<T, StoreError> {
    let value = connection.pragma_query_value(None, name, |row| row.get(0));
    value.map_err(|error| refused(path, &error))
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = pragma(connection, path, "user_version")?;
    let done = usize::try_from(found)
        .ok()
        .filter(|done| *done <= MIGRATIONS.len());
    let Some(done) = done else {
        let words = format!(
            "it has version {found}, made by a newer Sabir; this one knows {}",
            MIGRATIONS.len()
        );
        return Err(refused(path, &words));
    };
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        apply(connection, migration, index + 1).map_err(|error| {
            let words = format!("migration {:04} failed: {error}", index + 1);
            refused(path, &words)
        })?;
    }
    Ok(())
}

/// One migration and its number in one transaction, so that it is there wholly or not at all.
fn apply(connection: &mut Connection, migration: &str, number: usize) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(migration)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", number as i64)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sqlite_built_in_is_new_enough() {
        assert!(
            rusqlite::version_number() >= SQLITE_FLOOR,
            "{}",
            rusqlite::version()
        );
    }

    #[test]
    fn settings_are_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(folder.path().join("sabir.db"));
        let connection = writer(&config).unwrap();
        let value = |name: &str| pragma::<Value>(&connection, &config.path, name).unwrap();
        assert_eq!(value("journal_mode"), Value::Text("wal".into()));
        assert_eq!(value("synchronous"), Value::Integer(2));
        assert_eq!(value("foreign_keys"), Value::Integer(1));
        assert_eq!(value("busy_timeout"), Value::Integer(5000));
        assert_eq!(
            value("user_version"),
            Value::Integer(MIGRATIONS.len() as i64)
        );
        let reader = reader(&config).unwrap();
        assert!(reader.execute("DELETE FROM message", []).is_err());
    }
}
