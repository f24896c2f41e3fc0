//! The configuration: a file, the environment over it, and plain values out.
//!
//! [`Draft::open`] takes what there is to read; [`Draft::read`] finds every mistake in it, each with its place, and
//! gives a [`Config`] in which nothing is left to check: addresses are addresses, secrets are there, names that are
//! referred to exist. Between the two the mappings are loaded, because only then are the dialects' names known.
//! The parts take their own pieces of it; none of them reads a file or sees the whole.

mod demonstration;
mod limits;
mod listen;
mod log;
mod notes;
mod people;
mod routing;
mod secret;
mod table;
mod tree;
mod upstream;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use limits::Limits;
pub use listen::{Listen, Offer, StoreConfig, Tls};
pub use upstream::Upstream;

use crate::auth::{Account, Application};
use crate::diagnose::Problems;
use crate::model::{ChannelRule, Text};
use crate::route::RouteRule;
use notes::Notes;
use table::{Names, Table, Taken};
use tree::{Node, Variables};

/// The file that is read when none is named.
const FILE: &str = "sabir.toml";

/// Far beyond any configuration; a file that is larger is the wrong one.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Everything that an operator decides.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub listen: Listen,
    pub limits: Limits,
    pub store: StoreConfig,
    pub log: crate::log::Config,
    /// A folder of mapping files that replace those of the same name or add to them.
    pub mappings: Option<PathBuf>,
    /// How often its files are looked at while Sabir runs; zero for never.
    pub watch: Duration,
    pub accounts: Vec<Account>,
    pub applications: Vec<Application>,
    pub channels: Vec<ChannelRule>,
    pub upstreams: BTreeMap<Text, Upstream>,
    /// In the order of the file. Empty means that everything goes to `local`.
    pub routes: Vec<RouteRule>,
    /// What an operator should know, one line each.
    pub warnings: Vec<String>,
    /// There was no file: the account and the application were made up at start.
    pub demonstration: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} has more than {LARGEST} bytes: is it the right file?", path.display())]
    TooLarge { path: PathBuf },
    #[error("the environment cannot be read: {0}")]
    Environment(config::ConfigError),
    /// One for the file and one for the environment, or one for a mapping, where something is wrong with it.
    #[error("{}", .0.iter().map(Problems::to_string).collect::<Vec<_>>().join("\n\n"))]
    Mistakes(Vec<Problems>),
}

/// A configuration as it was found, not yet understood.
#[derive(Debug)]
pub struct Draft {
    name: String,
    text: String,
    /// Relative paths in the file start here.
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    /// Nobody wrote a file.
    demonstration: bool,
    /// What else was read, or could not be.
    files: RefCell<Vec<PathBuf>>,
}

impl Draft {
    /// Finds the file that is named, or else `sabir.toml` if there is one, and takes the environment as it is now.
    ///
    /// # Errors
    /// The file is named and not there, cannot be read or is much too large.
    pub fn open(named: Option<&Path>) -> Result<Draft, ConfigError> {
        let environment = std::env::vars_os()
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into_owned(),
                    value.to_string_lossy().into_owned(),
                )
            })
            .collect();
        let path = named.unwrap_or(Path::new(FILE));
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                let draft = Draft::nothing(environment);
                draft.takes_in(path.to_owned());
                return Ok(draft);
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut text = String::new();
        file.take(LARGEST + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        if text.len() as u64 > LARGEST {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
            });
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let draft = Draft {
            folder,
            ..Draft::new(path.display().to_string(), text, environment)
        };
        draft.takes_in(path.to_owned());
        Ok(draft)
    }

    /// A configuration that is at hand already.
    pub fn new(
        name: impl Into<String>,
        text: impl Into<String>,
        environment: BTreeMap<String, String>,
    ) -> Draft {
        Draft {
            name: name.into(),
            text: text.into(),
            folder: PathBuf::new(),
            environment,
            demonstration: false,
            files: RefCell::default(),
        }
    }

    /// No file at all: the demonstration, changed by the environment alone.
    pub fn nothing(environment: BTreeMap<String, String>) -> Draft {
        Draft {
            demonstration: true,
            ..Draft::new(FILE, "", environment)
        }
    }

    /// The file that was found without being named, if one was.
    pub fn found(&self) -> Option<PathBuf> {
        (!self.demonstration).then(|| FILE.into())
    }

    /// Every file and folder that decides what the configuration is, whether it could be read or not.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().clone()
    }

    fn takes_in(&self, path: PathBuf) {
        self.files.borrow_mut().push(path);
    }

    /// The folder of mappings, so that they can be loaded before the rest is read.
    pub fn mappings(&self) -> Option<PathBuf> {
        // Mistakes are told by `read`, which meets them again.
        let notes = self.notes("");
        let mut tree = Node::parse(&self.text, &notes);
        if let Ok(variables) = Variables::pick(&self.environment) {
            tree.overlay(&variables, &notes);
        }
        let folder = self.folder.join(tree.child("mappings")?.text()?);
        self.takes_in(folder.clone());
        Some(folder).filter(|folder| folder.is_dir())
    }

    /// Understands the configuration, given the names of the dialects that are loaded.
    ///
    /// # Errors
    /// Every mistake in the file and in the environment.
    pub fn read(&self, dialects: &[&str]) -> Result<Config, ConfigError> {
        let variables = Variables::pick(&self.environment).map_err(ConfigError::Environment)?;
        let notes = self.notes(&variables.text);
        let mut tree = Node::parse(&self.text, &notes);
        notes.mute_if_any();
        tree.overlay(&variables, &notes);
        let reading = Reading::new(self, notes, Names::of(&tree, dialects));
        let mut config = reading.config(&tree);
        config.warnings = reading.notes.finish().map_err(ConfigError::Mistakes)?;
        if self.demonstration {
            config.demonstrate();
        }
        Ok(config)
    }

    fn notes(&self, variables: &str) -> Notes {
        Notes::new(
            Problems::new(self.name.as_str(), self.text.as_str()),
            Problems::new("environment", variables),
        )
    }
}

impl Config {
    /// What holds when nobody has written anything: every dialect, everything to `local`, and one account, one
    /// application and one channel to try it with.
    ///
    /// # Errors
    /// The system has no random bytes for the secrets.
    pub fn demonstration() -> Result<Config, ConfigError> {
        Draft::nothing(BTreeMap::new()).read(&[])
    }
}

/// What the readers of the parts share.
struct Reading<'a> {
    notes: Notes,
    names: Names,
    draft: &'a Draft,
    taken: RefCell<Taken>,
}

impl Reading<'_> {
    /// The keys of the top, in the order in which people write them.
    fn config(&self, tree: &Node) -> Config {
        let mut top = Table::open(self, tree, "the configuration");
        let config = Config {
            listen: self.listen(&mut top),
            limits: self.limits(&mut top),
            store: self.store(&mut top),
            log: self.log(&mut top),
            mappings: self.mappings(&mut top),
            watch: self.watch(&mut top),
            accounts: self.accounts(&mut top),
            applications: self.applications(&mut top),
            channels: self.channels(&mut top),
            upstreams: self.upstreams(&mut top),
            routes: self.routes(&mut top),
            warnings: Vec::new(),
            demonstration: self.draft.demonstration,
        };
        top.close();
        if !self.draft.demonstration && config.accounts.is_empty() && config.applications.is_empty()
        {
            let warning = "nobody can call: there is no [[account]] and no [[application]]";
            self.notes.warn(tree.place, warning);
        }
        config
    }
}
