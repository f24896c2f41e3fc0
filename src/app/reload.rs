//! Another configuration while Sabir runs: read whole, built whole, and only then answered by.
//!
//! [`Reloader`] reads anew what the program was started with, when it is told to or when one of the files has changed
//! and come to rest. Files are looked at again and again, not watched by the kernel: that finds the same change in a
//! renamed file, a swapped link and a network's disk (see docs/decisions). What goes wrong is told and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tracing::{error, info, warn};

use super::{Running, certificates, explained, read};
use crate::config::{Config, Draft};
use crate::ingress::arrival;
use crate::metrics::Metrics;

/// Keeps a running Sabir as its files say.
pub struct Reloader<'r> {
    running: &'r Running,
    /// The file that is needed: it was named at start, or found then or later.
    named: Option<PathBuf>,
    watch: Watch,
}

impl<'r> Reloader<'r> {
    /// For a Sabir that was started with what was named so, and that took in these files.
    pub fn new(running: &'r Running, named: Option<PathBuf>, watch: Watch) -> Reloader<'r> {
        Reloader {
            running,
            named,
            watch,
        }
    }

    /// Reads everything anew if a file has changed and is not being written any more.
    pub fn look(&mut self) {
        if self.watch.changed() {
            info!("a file of the configuration has changed");
            self.reload();
        }
    }

    /// Reads everything anew, and takes it if it is right.
    pub fn reload(&mut self) {
        // Before anything is read, so that what changes meanwhile is a change.
        self.watch.settle();
        let outcome = self.attempt();
        match &outcome {
            Ok(kept) if kept.is_empty() => info!("the configuration is reloaded"),
            Ok(kept) => warn!(
                keys = kept.join(", "),
                "the configuration is reloaded, but for keys that need a restart"
            ),
            Err(error) => error!(
                "the configuration is not reloaded and stays as it was:\n{}",
                explained(error, false)
            ),
        }
        self.running.reloads.tell(outcome);
    }

    fn attempt(&mut self) -> Result<Vec<&'static str>> {
        let draft = Draft::open(self.named.as_deref())?;
        let read = read(&draft);
        let kept = read.and_then(|(config, dialects)| {
            let expiry = certificates::expiry_warning(&config.listen);
            for warning in config.warnings.iter().chain(&expiry) {
                warn!("{warning}");
            }
            self.running.reload(config, dialects)
        });
        // A file may be what is wrong, so its change is waited for too; those in force are known already.
        match kept {
            Ok(_) => {
                self.named = self.named.take().or_else(|| draft.found());
                self.watch.turn_to(draft.files());
            }
            Err(_) => self.watch.add(draft.files()),
        }
        kept
    }
}

/// Takes over from the configuration before what cannot change while Sabir runs, and says what that was.
pub(super) fn keep_fixed(before: &Config, config: &mut Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    let (old, new) = (&before.listen, &mut config.listen);
    keep(&mut kept, "listen.public", &old.public, &mut new.public);
    keep(&mut kept, "listen.admin", &old.admin, &mut new.admin);
    if old.tls.is_some() != new.tls.is_some() {
        keep(&mut kept, "listen.tls", &old.tls, &mut new.tls);
    }
    keep(&mut kept, "store", &before.store, &mut config.store);
    keep(&mut kept, "log", &before.log, &mut config.log);
    keep(&mut kept, "watch_ms", &before.watch, &mut config.watch);
    if before.demonstration && config.demonstration {
        // Nobody wrote them, so nobody has changed them.
        config.accounts = before.accounts.clone();
        config.applications = before.applications.clone();
    }
    kept
}

fn keep<T: Clone + PartialEq>(
    kept: &mut Vec<&'static str>,
    key: &'static str,
    old: &T,
    new: &mut T,
) {
    if new != old {
        *new = old.clone();
        kept.push(key);
    }
}

/// What is told of the configuration: counted, and in words for the operator's door.
pub(super) struct Reloads {
    metrics: Arc<Metrics>,
    words: Mutex<Words>,
}

struct Words {
    in_force: String,
    /// Empty unless the last reload failed.
    failed: String,
}

impl Reloads {
    pub fn new(metrics: Arc<Metrics>) -> Reloads {
        metrics.configured(arrival::now());
        let words = Words {
            in_force: format!("configuration: in force since {}\n", now()),
            failed: String::new(),
        };
        Reloads {
            metrics,
            words: Mutex::new(words),
        }
    }

    fn tell(&self, outcome: Result<Vec<&'static str>>) {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        self.metrics.reloaded(outcome.is_ok());
        match outcome {
            Ok(kept) => {
                self.metrics.configured(arrival::now());
                words.in_force = format!("configuration: in force since {}\n", now());
                if !kept.is_empty() {
                    let keys = kept.join(", ");
                    words.in_force += &format!("changed, and needs a restart: {keys}\n");
                }
                words.failed.clear();
            }
            Err(error) => {
                let report = explained(&error, false);
                words.failed = format!("a reload failed at {}:\n{report}\n", now());
            }
        }
    }

    pub fn words(&self) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}{}", words.in_force, words.failed)
    }
}

fn now() -> String {
    let now = jiff::Timestamp::from_second(arrival::now().seconds());
    now.map(|now| now.to_string()).unwrap_or_default()
}

/// What a file looks like from outside. A link is what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
}

type Prints = BTreeMap<PathBuf, Option<Print>>;

/// Files that are looked at.
#[derive(Debug)]
pub struct Watch {
    files: BTreeSet<PathBuf>,
    /// As they were read last.
    read: Prints,
    /// As they were when last looked at.
    seen: Prints,
}

impl Watch {
    /// For files that have just been read: what changes while Sabir starts is a change.
    pub fn new(files: Vec<PathBuf>) -> Watch {
        let mut watch = Watch {
            files: BTreeSet::new(),
            read: Prints::new(),
            seen: Prints::new(),
        };
        watch.turn_to(files);
        watch
    }

    /// Have they changed since they were read, and not since they were last looked at?
    fn changed(&mut self) -> bool {
        let now = prints(&self.files);
        let changed = now != self.read && now == self.seen;
        self.seen = now;
        changed
    }

    /// What is there now is about to be read.
    fn settle(&mut self) {
        self.read = prints(&self.files);
        self.seen = self.read.clone();
    }

    fn turn_to(&mut self, files: Vec<PathBuf>) {
        self.files.clear();
        self.read
            .retain(|path, _| files.iter().any(|file| path.starts_with(file)));
        self.add(files);
    }

    /// Those that were not looked at before are taken for as they were read.
    fn add(&mut self, files: Vec<PathBuf>) {
        self.files.extend(files);
        for (path, print) in prints(&self.files) {
            self.read.entry(path).or_insert(print);
        }
        self.seen = self.read.clone();
    }
}

/// The prints of files, and of the mappings in folders; whatever else is there may change as it likes.
fn prints(files: &BTreeSet<PathBuf>) -> Prints {
    let mut prints = Prints::new();
    for path in files {
        if path.is_dir() {
            prints.extend(mappings(path).map(|path| print(&path)));
        } else {
            let (path, print) = print(path);
            prints.insert(path, print);
        }
    }
    prints
}

fn mappings(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| {
        let kind = path.extension().unwrap_or_default();
        kind == "toml" || kind == "graphql"
    })
}

fn print(path: &Path) -> (PathBuf, Option<Print>) {
    let found = path.metadata().ok();
    let print = found.map(|found| Print {
        device: found.dev(),
        inode: found.ino(),
        bytes: found.len(),
        written: (found.mtime(), found.mtime_nsec()),
    });
    (path.to_owned(), print)
}
