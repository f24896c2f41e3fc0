//! The whole: parts are built from the configuration, bound, run, and stopped in reverse.
//!
//! One current-thread runtime per core, each with a listener, a gateway and upstream connections of its own; shared are
//! only what was decided at start, the store and the sessions. The operator's door has a thread of its own, so that it
//! answers when the others are busy.

mod certificates;
mod descriptors;
pub mod operate;

use std::cell::LazyCell;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow, bail};
use rustls::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::admin::Admin;
use crate::auth::Auth;
use crate::config::{Config, Upstream};
use crate::dialect::directory::Directory;
use crate::dialect::{Dialect, builtin, mapping};
use crate::gateway::{Gateway, Rules};
use crate::ingress::exchange::{Doors, Exchange};
use crate::ingress::listener::{self, Handler};
use crate::log::{Lines, Log};
use crate::metrics::Metrics;
use crate::relay::{self, Ids, Local, Relay, Shared, upstream};
use crate::route::{RouteRule, Routes};
use crate::store::{Health, Sqlite, Store};
use crate::tls::client::System;

/// Connections of operators at once; they do not count as clients.
const OPERATORS: usize = 64;

/// Compiles the built-in mappings and those of a folder, which replace built-in ones of the same name.
///
/// # Errors
/// A mapping that cannot be read, or what is wrong in it.
pub fn dialects(folder: Option<&Path>) -> Result<Vec<Dialect>> {
    let mut dialects: Vec<Dialect> = Vec::new();
    for (name, source, schema) in builtin::BUILTIN {
        let own = folder
            .map(|folder| folder.join(format!("{name}.toml")))
            .filter(|path| path.is_file());
        dialects.push(match own {
            Some(path) => from_file(name, &path)?,
            None => {
                builtin::compile(name, source, *schema).map_err(|problems| anyhow!("{problems}"))?
            }
        });
    }
    let Some(folder) = folder else {
        return Ok(dialects);
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the mappings in {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !dialects.iter().any(|dialect| dialect.name == name) {
            dialects.push(from_file(&name, &path)?);
        }
    }
    Ok(dialects)
}

fn from_file(name: &str, path: &Path) -> Result<Dialect> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the mapping {}", path.display()))
    };
    let schema = path.with_extension("graphql");
    let schema = if schema.is_file() {
        Some(read(&schema)?)
    } else {
        None
    };
    mapping::load(
        name,
        &path.display().to_string(),
        &read(path)?,
        schema.as_deref(),
    )
    .map_err(|problems| anyhow!("{problems}"))
}

/// Everything that all threads share, built and not yet running.
pub struct Parts {
    pub shared: Arc<Shared>,
    pub rules: Arc<Rules>,
    pub doors: Arc<Doors>,
    pub store: Arc<dyn Store>,
    pub metrics: Arc<Metrics>,
}

pub use certificates::expiry_warning;

/// Builds the parts.
///
/// # Errors
/// The store cannot be opened, or two parts of the configuration do not go together.
pub async fn build(config: &Config, dialects: Vec<Dialect>) -> Result<Parts> {
    let store: Arc<dyn Store> = Arc::new(open_store(&config.store.url)?);
    build_on(store, config, dialects).await
}

/// Builds the parts on a store that is open already.
///
/// # Errors
/// As [`build`].
pub async fn build_on(
    store: Arc<dyn Store>,
    config: &Config,
    dialects: Vec<Dialect>,
) -> Result<Parts> {
    for rule in &config.routes {
        promised(rule)?;
    }
    let dialects: Arc<[Dialect]> = dialects.into();
    let names: Vec<&str> = dialects
        .iter()
        .map(|dialect| dialect.name.as_str())
        .collect();
    let metrics = Arc::new(Metrics::new(&names)?);
    let auth = Auth::open(
        config.accounts.clone(),
        config.applications.clone(),
        store.clone(),
    )
    .await?;
    let system = LazyCell::new(System::read as fn() -> System);
    let upstreams: Vec<relay::Config> = config
        .upstreams
        .values()
        .map(|upstream| called(upstream, &dialects, &system))
        .collect::<Result<_>>()?;
    let local = Local::open(store.clone(), auth.people(), config.channels.clone()).await?;
    let ids = Ids::new(store.clone(), &config.channels);
    let shared = Arc::new(Shared::new(
        dialects.clone(),
        upstreams,
        local,
        ids,
        &metrics,
    ));
    // Tried once here, so that an address that cannot be called is found before anything runs.
    Relay::new(shared.clone())?;
    let rules = Arc::new(Rules::new(auth, Routes::new(config.routes.clone())));
    let offered: Vec<usize> = (0..dialects.len())
        .filter(|at| config.listen.dialects.has(&dialects[*at].name))
        .collect();
    let doors = Arc::new(Doors {
        directory: Directory::new(&dialects, &offered)?,
        hosts: dialects
            .iter()
            .map(|dialect| config.listen.hosts.get(&dialect.name).cloned())
            .collect(),
        metrics: metrics.clone(),
        body_bytes: config.listen.limits.body_bytes,
        dialects,
    });
    Ok(Parts {
        shared,
        rules,
        doors,
        store,
        metrics,
    })
}

/// A key that is understood and cannot be kept must not be taken for one that is.
fn promised(rule: &RouteRule) -> Result<()> {
    let asked = [
        (!rule.copies.is_empty(), "copy"),
        (rule.split_long, "too_long = \"split\""),
        (rule.accept_stored, "accept = \"stored\""),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, key)) => {
            bail!(
                "a route to {} says `{key}`, which Sabir cannot do yet; take it away",
                rule.to.upstream
            )
        }
        None => Ok(()),
    }
}

fn open_store(url: &str) -> Result<Sqlite> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    Ok(Sqlite::open(crate::store::Config::new(path))?)
}

/// How an upstream of the configuration is called.
fn called(
    upstream: &Upstream,
    dialects: &[Dialect],
    system: &LazyCell<System>,
) -> Result<relay::Config> {
    let name = &upstream.name;
    let dialect = dialects
        .iter()
        .position(|dialect| dialect.name == upstream.dialect)
        .ok_or_else(|| anyhow!("upstream.{name}: there is no dialect {}", upstream.dialect))?;
    let doors = &dialects[dialect].doors;
    let door = match &upstream.door {
        None => 0,
        Some(door) => doors
            .iter()
            .position(|known| known.name == *door)
            .ok_or_else(|| {
                let known: Vec<&str> = doors.iter().map(|door| door.name.as_str()).collect();
                anyhow!(
                    "upstream.{name}: {} has no door {door}; it has {}",
                    upstream.dialect,
                    known.join(", ")
                )
            })?,
    };
    let client = upstream::Config {
        tls: certificates::believed(upstream, system)?,
        connect_ms: upstream.connect.as_millis() as u64,
        pool_size: upstream.stack.limit.in_flight,
        ..upstream::Config::new(upstream.url.clone())
    };
    Ok(relay::Config {
        name: name.clone(),
        dialect,
        door,
        credential: upstream.credential.clone(),
        app: upstream.app.clone(),
        app_secret: upstream.app_secret.clone(),
        credit: upstream.credit.clone(),
        deadline: upstream.deadline,
        stack: upstream.stack.clone(),
        client,
    })
}

/// Sabir, running.
pub struct Running {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    /// Is TLS spoken at the public door?
    pub tls: bool,
    ready: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    store: Arc<dyn Store>,
    log: Option<Log>,
}

/// Builds, binds and runs.
///
/// # Errors
/// What cannot be built or bound.
pub fn start(config: &Config, dialects: Vec<Dialect>) -> Result<Running> {
    let starting = Builder::new_current_thread().enable_all().build()?;
    let parts = starting.block_on(build(config, dialects))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let secured = certificates::open(&config.listen)?;
    let publics = listener::bind_each(config.listen.public, cores)
        .with_context(|| format!("cannot listen at {}", config.listen.public))?;
    let admin = listener::bind(config.listen.admin)
        .with_context(|| format!("cannot listen at {}", config.listen.admin))?;
    let (stop, stopped) = watch::channel(false);
    let ready = Arc::new(AtomicBool::new(false));
    let log = Log::start(&config.log, parts.metrics.clone())?;
    let Some(first) = publics.first() else {
        bail!("no listener could be made")
    };
    let mut running = Running {
        public: first.local_addr()?,
        admin: admin.local_addr()?,
        ready: ready.clone(),
        stop,
        tls: secured.is_some(),
        threads: Vec::new(),
        store: parts.store.clone(),
        log,
    };
    let tls = secured.as_ref().map(|secured| secured.acceptor.clone());
    running.threads = serve_clients(config, &parts, publics, tls, running.log.as_ref(), &stopped)?;
    let store = parts.store.clone();
    let healthy = move || store.health() == Health::Ok;
    let door = Admin {
        ready: ready.clone(),
        store_healthy: Arc::new(healthy),
        metrics: parts.metrics.clone(),
    };
    running.threads.push(serve(
        "admin".into(),
        admin,
        listener::Config {
            connections: OPERATORS,
            ..listener::Config::default()
        },
        None,
        || {
            if let Some(secured) = secured {
                tokio::task::spawn_local(secured.keep_fresh());
            }
            Ok(door)
        },
        stopped,
    )?);
    ready.store(true, Ordering::Release);
    Ok(running)
}

/// Runs the public door, with a thread for each of its sockets.
fn serve_clients(
    config: &Config,
    parts: &Parts,
    sockets: Vec<TcpListener>,
    tls: Option<Arc<ServerConfig>>,
    log: Option<&Log>,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>> {
    let limits = &config.listen.limits;
    let limits = listener::Config {
        connections: descriptors::bearable(limits.connections).div_ceil(sockets.len()),
        ..limits.clone()
    };
    let threads = sockets.into_iter().enumerate().map(|(number, socket)| {
        let name = format!("public-{number}");
        serve(
            name,
            socket,
            limits.clone(),
            tls.clone(),
            exchange(parts, log.map(Log::lines)),
            stopped.clone(),
        )
    });
    threads.collect()
}

/// Makes what answers on one thread, on that thread.
fn exchange(
    parts: &Parts,
    log: Option<Lines>,
) -> impl FnOnce() -> Result<Exchange> + Send + 'static {
    let (rules, shared) = (parts.rules.clone(), parts.shared.clone());
    let doors = parts.doors.clone();
    move || {
        let relay = Relay::new(shared)?;
        Ok(Exchange {
            doors,
            gateway: Gateway { rules, relay },
            plans: Default::default(),
            log,
        })
    }
}

/// Runs one listener on a thread and a runtime of its own. The handler is made there: its connections cannot move.
fn serve<H: Handler>(
    name: String,
    socket: TcpListener,
    limits: listener::Config,
    tls: Option<Arc<ServerConfig>>,
    make: impl FnOnce() -> Result<H> + Send + 'static,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let local = LocalSet::new();
        local.block_on(&runtime, async move {
            let ready = make()
                .and_then(|handler| Ok((tokio::net::TcpListener::from_std(socket)?, handler)));
            match ready {
                Ok((socket, handler)) => {
                    listener::serve(socket, &limits, tls, Rc::new(handler), stopped).await
                }
                Err(error) => tracing::error!(%error, "the listener cannot run"),
            }
        });
    })?;
    Ok(thread)
}

impl Running {
    /// Asks everything to stop: new work is refused, what has begun is finished.
    pub fn stop(&self) {
        self.ready.store(false, Ordering::Release);
        let _ = self.stop.send(true);
    }

    /// Waits until everything has stopped, and closes the store and the log.
    ///
    /// # Errors
    /// A thread panicked, or the store could not be closed.
    pub fn wait(self) -> Result<()> {
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow!("a thread of Sabir panicked"))?;
        }
        let closing = Builder::new_current_thread().enable_all().build()?;
        closing.block_on(self.store.close())?;
        // Last, so that every line is written.
        drop(self.log);
        Ok(())
    }
}
