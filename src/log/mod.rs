//! The log: a line for each request, written off the hot path, and everything else that is worth a line as it happens.
//!
//! A thread that serves puts its lines into a buffer of its own; one thread writes them all, whole buffers at a time,
//! soon after they came. What cannot be written in time is dropped and counted, because a log that cannot be written
//! must not stop the chat. The line itself is made in `line`. Events of the rest of the program go through tracing to
//! the same place, each as it happens. No message's text, no channel and no secret is ever logged.

mod line;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

pub use line::Line;
use line::Stamp;

use crate::metrics::Metrics;

/// The variable that says what is logged.
pub const FILTER: &str = "SABIR_LOG";

/// Under this name requests are told of to filters: `info,sabir::request=off` leaves them out.
const REQUESTS: &str = "sabir::request";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Stderr,
    Stdout,
    /// A file, to whose end is written.
    File(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What [`FILTER`] says.
    pub wanted: String,
    pub format: Format,
    pub to: Place,
    /// How long a line waits for others, at most.
    pub wait: Duration,
    /// As much as this is written at once, without waiting.
    pub batch_bytes: usize,
    /// What one thread may have waiting; lines beyond it are dropped.
    pub waiting_bytes: usize,
    /// How long the last lines may take when Sabir stops.
    pub end: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            wanted: String::new(),
            format: Format::default(),
            to: Place::default(),
            wait: Duration::from_millis(100),
            batch_bytes: 32 << 10,
            waiting_bytes: 1 << 20,
            end: Duration::from_secs(2),
        }
    }
}

/// Has the program's events written, for as long as it runs.
///
/// # Errors
/// The file cannot be opened, or `SABIR_LOG` does not say what is logged.
pub fn events(config: &Config) -> io::Result<()> {
    let sink = Sink::open(&config.to)?;
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter(&config.wanted)?)
        .with_ansi(sink.is_terminal())
        .with_writer(move || sink.clone());
    match config.format {
        Format::Text => events.init(),
        Format::Json => events.json().flatten_event(true).init(),
    }
    Ok(())
}

/// What is logged. A word that is no level would pass for the name of a module, and silence everything else.
fn filter(wanted: &str) -> io::Result<EnvFilter> {
    let parts = wanted.split(',').map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            return Err(io::Error::other(format!(
                "{FILTER} says `{part}`, and `{level}` is no level: write off, error, warn, info, debug or trace, as in \
                 info,sabir::request=off"
            )));
        }
    }
    match wanted.trim() {
        "" => Ok(EnvFilter::new("info")),
        wanted => {
            EnvFilter::try_new(wanted).map_err(|why| io::Error::other(format!("{FILTER}: {why}")))
        }
    }
}

/// The log of requests.
pub struct Log {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    config: Config,
    metrics: Arc<Metrics>,
    threads: Mutex<Vec<Arc<Mutex<Waiting>>>>,
    due: Mutex<Due>,
    changed: Condvar,
}

/// What the writer is to do.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    something: bool,
    now: bool,
    end: bool,
    /// The writer has done its last work.
    ended: bool,
}

/// The lines of one thread that are not written yet.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    stamp: Stamp,
}

impl Log {
    /// Starts the log of requests. `None` if the filter of events leaves them out.
    ///
    /// # Errors
    /// The file cannot be opened, or there can be no thread.
    pub fn start(config: &Config, metrics: Arc<Metrics>) -> io::Result<Option<Log>> {
        if tracing::enabled!(target: REQUESTS, tracing::Level::INFO) {
            Log::of_requests(config, metrics).map(Some)
        } else {
            Ok(None)
        }
    }

    fn of_requests(config: &Config, metrics: Arc<Metrics>) -> io::Result<Log> {
        let sink = Sink::open(&config.to)?;
        let shared = Arc::new(Shared {
            config: config.clone(),
            metrics,
            threads: Mutex::default(),
            due: Mutex::default(),
            changed: Condvar::new(),
        });
        let writing = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || writing.write_to(sink))?;
        Ok(Log {
            shared,
            writer: Some(writer),
        })
    }

    /// What one thread writes with.
    pub fn lines(&self) -> Lines {
        let waiting = Arc::<Mutex<Waiting>>::default();
        held(&self.shared.threads).push(Arc::clone(&waiting));
        Lines {
            shared: Arc::clone(&self.shared),
            waiting,
        }
    }
}

impl Drop for Log {
    /// Writes what is left, for as long as that may take.
    fn drop(&mut self) {
        let shared = &self.shared;
        held(&shared.due).end = true;
        shared.changed.notify_all();
        let due = held(&shared.due);
        let ended = shared
            .changed
            .wait_timeout_while(due, shared.config.end, |due| !due.ended);
        let ended = ended.is_ok_and(|(due, _)| due.ended);
        if let Some(writer) = self.writer.take().filter(|_| ended) {
            let _ = writer.join();
        }
    }
}

/// One thread's end of the log.
#[derive(Clone)]
pub struct Lines {
    shared: Arc<Shared>,
    waiting: Arc<Mutex<Waiting>>,
}

impl Lines {
    /// Adds a line, or drops it if too many wait already.
    pub fn add(&self, line: &Line<'_>) {
        let config = &self.shared.config;
        let mut waiting = held(&self.waiting);
        let before = waiting.bytes.len();
        if before >= config.waiting_bytes {
            drop(waiting);
            self.shared.metrics.lines_dropped(1);
            return;
        }
        let Waiting { bytes, stamp } = &mut *waiting;
        line.write(config.format, stamp, bytes);
        let after = bytes.len();
        drop(waiting);
        let full = before < config.batch_bytes && after >= config.batch_bytes;
        if before == 0 || full {
            let mut due = held(&self.shared.due);
            due.something = true;
            due.now |= full;
            drop(due);
            self.shared.changed.notify_all();
        }
    }
}

impl Shared {
    /// The writer's whole life: until the end, whenever there are lines, it waits a little for more and writes them.
    fn write_to(&self, mut sink: Sink) {
        let mut batch = Vec::new();
        loop {
            let due = held(&self.due);
            let due = self
                .changed
                .wait_while(due, |due| !due.something && !due.end);
            let due = due.unwrap_or_else(PoisonError::into_inner);
            let waited = self
                .changed
                .wait_timeout_while(due, self.config.wait, |due| !due.now && !due.end);
            let mut due = waited.unwrap_or_else(PoisonError::into_inner).0;
            let end = due.end;
            (due.something, due.now) = (false, false);
            drop(due);
            let threads = held(&self.threads).clone();
            for waiting in threads {
                std::mem::swap(&mut held(&waiting).bytes, &mut batch);
                self.write(&mut sink, &mut batch);
            }
            if end {
                held(&self.due).ended = true;
                self.changed.notify_all();
                return;
            }
        }
    }

    fn write(&self, sink: &mut Sink, batch: &mut Vec<u8>) {
        if !batch.is_empty()
            && let Err(error) = sink.write_all(batch)
        {
            let lines = memchr::memchr_iter(b'\n', batch).count();
            self.metrics.lines_dropped(lines as u64);
            tracing::error!(%error, lines, "the log cannot be written");
        }
        batch.clear();
        // A burst must not be kept in memory for ever.
        batch.shrink_to(2 * self.config.batch_bytes);
    }
}

/// Where lines go. Each write is of whole lines, so those of different writers are never mixed.
#[derive(Clone)]
enum Sink {
    Stdout,
    Stderr,
    File(Arc<File>),
}

impl Sink {
    fn open(place: &Place) -> io::Result<Sink> {
        Ok(match place {
            Place::Stdout => Sink::Stdout,
            Place::Stderr => Sink::Stderr,
            Place::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let told = |error| {
                    let path = path.display();
                    io::Error::other(format!("the log {path} cannot be opened: {error}"))
                };
                Sink::File(Arc::new(file.map_err(told)?))
            }
        })
    }

    fn is_terminal(&self) -> bool {
        match self {
            Sink::Stdout => io::stdout().is_terminal(),
            Sink::Stderr => io::stderr().is_terminal(),
            Sink::File(_) => false,
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Sink::Stderr => io::stderr().lock().write_all(bytes),
            Sink::File(file) => (&**file).write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A poisoned lock means that a thread panicked between two whole values; what is there is whole.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn log(change: impl FnOnce(&mut Config)) -> (Log, Arc<Metrics>, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut config = Config {
            to: Place::File(file.path().to_owned()),
            ..Config::default()
        };
        change(&mut config);
        let metrics = Arc::new(Metrics::new().unwrap());
        let log = Log::of_requests(&config, metrics.clone()).unwrap();
        (log, metrics, file)
    }

    fn line(id: &str) -> Line<'_> {
        Line {
            at: Time(0),
            id,
            dialect: "rooms",
            command: "send",
            upstream: "far",
            outcome: "done",
            status: 201,
            micros: 1,
            why: "",
        }
    }

    #[test]
    fn every_line_of_every_thread_is_there_and_whole() {
        let (log, metrics, file) = log(|config| config.batch_bytes = 300);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let lines = log.lines();
                scope.spawn(move || {
                    for number in 0..1000 {
                        lines.add(&line(&format!("{thread}.{number}")));
                    }
                });
            }
        });
        drop(log);
        let text = std::fs::read_to_string(file.path()).unwrap();
        for thread in 0..4 {
            let begin = format!("1970-01-01T00:00:00.000000Z  INFO request id={thread}.");
            let own: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix(&begin))
                .collect();
            let rest = " dialect=rooms command=send upstream=far outcome=done status=201 micros=1";
            let right = |(number, line): (usize, &&str)| *line == format!("{number}{rest}");
            assert!(
                own.len() == 1000 && own.iter().enumerate().all(right),
                "{text}"
            );
        }
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("sabir_log_lines_dropped_total 0")
        );
    }

    #[test]
    fn a_line_comes_soon_without_others() {
        let (log, _, file) = log(|_| {});
        log.lines().add(&line("alone"));
        while std::fs::read_to_string(file.path()).unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_cannot_wait_is_dropped_and_counted() {
        let (log, metrics, file) = log(|config| {
            config.waiting_bytes = 1;
            config.wait = Duration::from_secs(3600);
        });
        let lines = log.lines();
        lines.add(&line("kept"));
        lines.add(&line("dropped"));
        drop(log);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(
            text.contains("id=kept") && text.lines().count() == 1,
            "{text}"
        );
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("sabir_log_lines_dropped_total 1")
        );
    }
}
