//! The one thread that writes: it commits waiting calls in groups, and answers them when the commit is on disk.
//!
//! One fsync serves everybody who came while the last one ran. A group is never waited for: it takes in what is
//! queued and commits at once. Each call runs in a savepoint, so that one which fails takes only its own changes
//! with it. A commit that fails, fails its whole group and stops the store: after a failed fsync the kernel may have
//! dropped what was not written, and a second fsync that succeeds proves nothing. Reopening moves the log into the
//! database and empties it, so that nothing later stands on pages that may not be there.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Config, State, connect};
use crate::store::{Health, StoreError};

/// Pages in the log from which on it is moved into the database.
const LOG_PAGES: i64 = 1_000;

/// The log's length is looked at every so many commits.
const LOG_LOOK: u32 = 16;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub enum Order {
    Work(Box<dyn Work>),
    Reopen(Reply<()>),
    Close(Reply<()>),
}

/// A change that waits, in two steps: it is made, and it is answered once it is known to be on disk.
pub trait Work: Send {
    /// Makes the change. The error is also kept for the answer.
    fn make(&mut self, connection: &Connection) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A change, and where its caller waits.
pub fn task<T, F>(change: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (
        Box::new(Task {
            change: Some(change),
            outcome: Err(StoreError::Closed),
            reply,
        }),
        answer,
    )
}

struct Task<T, F> {
    change: Option<F>,
    outcome: Result<T, StoreError>,
    reply: Reply<T>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn make(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if let Some(change) = self.change.take() {
            self.outcome = change(connection);
        }
        self.outcome.as_ref().map(|_| ()).map_err(StoreError::clone)
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // Nobody may be waiting any more; the change stands all the same.
        let _ = self.reply.send(committed.and(self.outcome));
    }
}

pub struct Writer {
    /// `None` after a reopening that failed.
    connection: Option<Connection>,
    orders: mpsc::Receiver<Order>,
    /// Taken from the queue while a group was gathered, and not part of it.
    next: Option<Order>,
    state: Arc<State>,
    config: Config,
    commits: u32,
    /// Held as long as this thread may write.
    _lock: File,
}

/// Serves orders until it is closed or every handle is gone.
pub fn run(mut writer: Writer) {
    while let Some(order) = writer.next.take().or_else(|| writer.orders.blocking_recv()) {
        match order {
            Order::Work(first) => writer.serve(first),
            Order::Reopen(reply) => {
                let _ = reply.send(writer.reopen());
            }
            Order::Close(reply) => {
                // Said first: the log's file goes with the last connection, and is not missed then.
                writer.state.set(Health::Closed);
                let emptied = writer
                    .connection
                    .take()
                    .map_or(Ok(()), |connection| empty_log(&connection));
                let _ = reply.send(emptied);
                return;
            }
        }
    }
}

impl Writer {
    pub fn new(
        connection: Connection,
        orders: mpsc::Receiver<Order>,
        state: Arc<State>,
        config: Config,
        lock: File,
    ) -> Writer {
        Writer {
            connection: Some(connection),
            orders,
            next: None,
            state,
            config,
            commits: 0,
            _lock: lock,
        }
    }

    /// Commits a group that begins with `first`, and answers it.
    fn serve(&mut self, first: Box<dyn Work>) {
        let mut group = vec![first];
        let committed = self.state.look().and_then(|()| self.commit(&mut group));
        if let Err(error) = &committed {
            self.state.note(error);
        }
        for work in group {
            work.answer(committed.clone());
        }
        if committed.is_ok() {
            self.shorten_log();
        }
    }

    fn commit(&mut self, group: &mut Vec<Box<dyn Work>>) -> Result<(), StoreError> {
        let Writer {
            connection,
            orders,
            next,
            config,
            ..
        } = self;
        let connection = connection.as_ref().ok_or(StoreError::Closed)?;
        let began = Instant::now();
        let mut made = 0;
        run_sql(connection, "BEGIN IMMEDIATE")?;
        while let Some(work) = group.get_mut(made) {
            if let Err(error) = in_savepoint(connection, &mut **work) {
                let _ = run_sql(connection, "ROLLBACK");
                return Err(error);
            }
            made += 1;
            if made < config.group && began.elapsed() < config.group_time {
                match orders.try_recv() {
                    Ok(Order::Work(further)) => group.push(further),
                    other => *next = other.ok(),
                }
            }
        }
        run_sql(connection, "COMMIT").map_err(|error| {
            let _ = run_sql(connection, "ROLLBACK");
            match error {
                // Said when the log is written, before it is synced: nothing is in doubt, and room may come back.
                StoreError::Full => error,
                _ => StoreError::Commit(error.to_string()),
            }
        })
    }

    /// Moves a long log into the database, after the calls that made it long are answered.
    fn shorten_log(&mut self) {
        self.commits = self.commits.wrapping_add(1);
        let Some(connection) = self
            .connection
            .as_ref()
            .filter(|_| self.commits.is_multiple_of(LOG_LOOK))
        else {
            return;
        };
        let shortened = log_pages(connection, "NOOP").and_then(|pages| {
            if pages >= LOG_PAGES {
                log_pages(connection, "PASSIVE").map(|_| ())
            } else {
                Ok(())
            }
        });
        if let Err(error) = shortened {
            self.state.note(&error);
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let opened = self.open_anew();
        self.state.set(match &opened {
            Ok(()) => Health::Ok,
            Err(error) => Health::Faulted(error.to_string()),
        });
        opened
    }

    fn open_anew(&mut self) -> Result<(), StoreError> {
        // Other files are not gone over to: what is remembered of these, here and by the readers, would be wrong of them.
        self.state.files.in_place()?;
        self.state
            .set(Health::Faulted("it is being reopened".into()));
        // The old connection goes first: its memory of what is on disk is what cannot be trusted.
        drop(self.connection.take());
        let connection = connect::writer(&self.config)?;
        empty_log(&connection)?;
        check(&connection)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Makes one change. `Err` only where the whole transaction is lost; a change's own failure is its own.
fn in_savepoint(connection: &Connection, work: &mut dyn Work) -> Result<(), StoreError> {
    run_sql(connection, "SAVEPOINT work")?;
    let made = work.make(connection);
    match made {
        Ok(()) => run_sql(connection, "RELEASE work"),
        // Some failures make SQLite take back the whole transaction, and then there is no savepoint any more.
        Err(error @ (StoreError::Medium(_) | StoreError::Full)) => Err(error),
        Err(error) if connection.is_autocommit() => Err(error),
        Err(_) => run_sql(connection, "ROLLBACK TO work")
            .and_then(|()| run_sql(connection, "RELEASE work")),
    }
}

fn run_sql(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Pages in the log, after a checkpoint of this kind.
fn log_pages(connection: &Connection, kind: &str) -> Result<i64, StoreError> {
    let sql = format!("PRAGMA wal_checkpoint({kind})");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([], |row| row.get(1))?)
}

/// Moves the whole log into the database and cuts it to nothing.
fn empty_log(connection: &Connection) -> Result<(), StoreError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 {
        Ok(())
    } else {
        Err(StoreError::Refused("the log is still being read".into()))
    }
}

fn check(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(StoreError::Medium(verdict))
    }
}
