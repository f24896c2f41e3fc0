//! The embedded engine: SQLite in WAL mode, one thread that writes and a few that read.
//!
//! The handle is what the rest of Sabir holds. It turns each call into a closure over owned values, queues it, and
//! waits without blocking its own thread. The calls stand in [`calls`], their SQL in one file per subject;
//! the threads ([`writer`], [`reader`]) know nothing of either. Nothing here decides what a call means.

mod calls;
mod channels;
mod connect;
mod files;
mod ids;
mod lists;
mod marks;
mod messages;
mod moderation;
mod provisional;
mod reader;
mod sessions;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Health, StoreError};
use crate::metrics::StoreMeter;
use files::Files;

/// How the engine is opened.
#[derive(Clone, Debug)]
pub struct Config {
    pub path: PathBuf,
    pub durability: Durability,
    /// Threads that read.
    pub readers: usize,
    /// Calls that may wait; further ones wait for their turn to wait.
    pub queue: usize,
    /// A commit takes in at most so many calls,
    pub group: usize,
    /// and at most so much time, and never waits for more to come.
    pub group_time: Duration,
    /// The longest page of a list.
    pub page_max: u32,
}

/// What an answered change survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut.
    Full,
    /// The end of the process. A power cut takes everything since the last checkpoint.
    Relaxed,
}

impl Config {
    pub fn new(path: impl Into<PathBuf>) -> Config {
        Config {
            path: path.into(),
            durability: Durability::Full,
            readers: 2,
            queue: 4096,
            group: 256,
            group_time: Duration::from_millis(2),
            page_max: 1_000,
        }
    }
}

/// A handle to an open database. Dropping it ends the threads too, but does not wait for them.
pub struct Sqlite {
    page_max: i64,
    state: Arc<State>,
    writer: mpsc::Sender<writer::Order>,
    reader: mpsc::Sender<reader::Order>,
    meter: Option<StoreMeter>,
    threads: Mutex<Vec<Worker>>,
}

/// A thread, and a receiver that wakes when the thread has ended.
struct Worker {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

/// What every thread may see and change: is the store well?
struct State {
    health: Mutex<Health>,
    files: Files,
}

impl Sqlite {
    /// Opens the database, making it or bringing it up to date first. Blocks.
    ///
    /// # Errors
    /// `Locked` where another Sabir has it open, `Open` with the reason otherwise.
    pub fn open(config: Config) -> Result<Sqlite, StoreError> {
        let lock = connect::lock(&config.path)?;
        let connection = connect::writer(&config)?;
        sessions::lose_open_claims(&connection)?;
        let state = Arc::new(State {
            health: Mutex::new(Health::Ok),
            files: Files::opened(&config.path)?,
        });
        let (writer, orders) = mpsc::channel(config.queue.max(1));
        let (reader, queries) = mpsc::channel(config.queue.max(1));
        let queries = Arc::new(Mutex::new(queries));
        let mut threads = Vec::new();
        for _ in 0..config.readers.max(1) {
            let (connection, queries, state) =
                (connect::reader(&config)?, queries.clone(), state.clone());
            threads.push(worker(&config, move || {
                reader::run(connection, &queries, &state)
            })?);
        }
        let (page_max, thread_state, thread_config) =
            (i64::from(config.page_max), state.clone(), config.clone());
        let run = move || {
            writer::run(writer::Writer::new(
                connection,
                orders,
                thread_state,
                thread_config,
                lock,
            ))
        };
        threads.push(worker(&config, run)?);
        Ok(Sqlite {
            page_max,
            state,
            writer,
            reader,
            meter: None,
            threads: Mutex::new(threads),
        })
    }

    /// Has its calls counted.
    pub fn metered(self, meter: StoreMeter) -> Sqlite {
        Sqlite {
            meter: Some(meter),
            ..self
        }
    }

    /// Queues a change and waits until it is committed.
    fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.timed(true, async move {
            let (task, answer) = writer::task(change);
            let queued = self.writer.send(writer::Order::Work(task)).await;
            queued.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Queues a question and waits for its answer. Every question sees one state of the data.
    fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.timed(false, async move {
            let (query, answer) = reader::query(question);
            let queued = self.reader.send(reader::Order::Query(query)).await;
            queued.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn timed<'a, T>(
        &'a self,
        writes: bool,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let Some(meter) = &self.meter else {
                return call.await;
            };
            let since = Instant::now();
            let answer = call.await;
            meter.answered(writes, since);
            answer
        })
    }

    async fn close_all(&self) -> Result<(), StoreError> {
        // Readers first: the last checkpoint empties the log only when nobody reads it.
        if self.reader.send(reader::Order::Close).await.is_err() {
            return Ok(());
        }
        let mut threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let writer = threads.pop();
        for reader in threads {
            reader.end().await;
        }
        let (reply, answer) = oneshot::channel();
        let queued = self.writer.send(writer::Order::Close(reply)).await;
        let outcome = match queued {
            Ok(()) => answer.await.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Closed),
        };
        if let Some(writer) = writer {
            writer.end().await;
        }
        outcome
    }
}

impl Worker {
    async fn end(self) {
        // The sender is dropped as the thread's last act, so that joining it does not block.
        let _ = self.ended.await;
        let _ = self.thread.join();
    }
}

fn worker(config: &Config, run: impl FnOnce() + Send + 'static) -> Result<Worker, StoreError> {
    let (last_act, ended) = oneshot::channel::<()>();
    let body = move || {
        run();
        drop(last_act);
    };
    let thread = std::thread::Builder::new()
        .name("sabir-store".into())
        .spawn(body);
    let thread = thread.map_err(|error| connect::refused(&config.path, &error))?;
    Ok(Worker { thread, ended })
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> Health {
        let _ = self.look();
        self.lock().clone()
    }

    /// What is closed stays so.
    fn set(&self, health: Health) {
        let mut now = self.lock();
        if *now != Health::Closed {
            *now = health;
        }
    }

    /// Lets a change pass only while the store is well, and will be found where it was opened.
    fn look(&self) -> Result<(), StoreError> {
        self.check()?;
        self.files.in_place().inspect_err(|error| self.note(error))
    }

    /// Lets a call pass only while the store is well.
    fn check(&self) -> Result<(), StoreError> {
        match &*self.lock() {
            Health::Ok => Ok(()),
            Health::Faulted(reason) => Err(StoreError::Faulted(reason.clone())),
            Health::Closed => Err(StoreError::Closed),
        }
    }

    /// Stops the store if the error means that the data can no longer be trusted.
    fn note(&self, error: &StoreError) {
        if matches!(
            error,
            StoreError::Commit(_) | StoreError::Medium(_) | StoreError::Displaced { .. }
        ) {
            self.set(Health::Faulted(error.to_string()));
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory,
            ) => StoreError::Medium(error.to_string()),
            _ => StoreError::Refused(error.to_string()),
        }
    }
}
