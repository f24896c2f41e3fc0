//! The whole: parts are built from the configuration, bound, run, and stopped in reverse.
//!
//! One current-thread runtime per core, each with a listener, a gateway and upstream connections of its own; shared are
//! only what the configuration decided, the store and the sessions. The operator's door has a thread of its own, so that
//! it answers when the others are busy.

mod build;
mod certificates;
mod descriptors;
mod dialects;
pub mod operate;
mod serve;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow, bail};
use rustls::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::admin::Admin;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::ingress::listener;
use crate::log::Log;
use crate::store::Health;
use build::{Lasting, Snapshot};
use serve::{Current, Door};

pub use certificates::expiry_warning;
pub use dialects::dialects;

/// Connections of operators at once; they do not count as clients.
const OPERATORS: usize = 64;

/// Sabir, running.
pub struct Running {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    /// Is TLS spoken at the public door?
    pub tls: bool,
    ready: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    lasting: Lasting,
    snapshot: watch::Sender<Arc<Snapshot>>,
    log: Option<Log>,
}

/// Builds, binds and runs.
///
/// # Errors
/// What cannot be built or bound.
pub fn start(config: &Config, dialects: Vec<Dialect>) -> Result<Running> {
    let starting = Builder::new_current_thread().enable_all().build()?;
    let lasting = starting.block_on(Lasting::open(config))?;
    let snapshot = Snapshot::build(config.clone(), dialects, &lasting, None)?;
    let (snapshot, _) = watch::channel(Arc::new(snapshot));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let secured = certificates::open(&config.listen)?;
    let publics = listener::bind_each(config.listen.public, cores)
        .with_context(|| format!("cannot listen at {}", config.listen.public))?;
    let admin = listener::bind(config.listen.admin)
        .with_context(|| format!("cannot listen at {}", config.listen.admin))?;
    let (stop, stopped) = watch::channel(false);
    let ready = Arc::new(AtomicBool::new(false));
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
        log: Log::start(&config.log, lasting.metrics.clone())?,
        lasting,
        snapshot,
    };
    let tls = secured.as_ref().map(|secured| secured.acceptor.clone());
    running.serve_clients(&config.listen.limits, publics, tls, &stopped)?;
    let store = running.lasting.store.clone();
    let healthy = move || store.health() == Health::Ok;
    let handler = Admin {
        ready: ready.clone(),
        store_healthy: Arc::new(healthy),
        metrics: running.lasting.metrics.clone(),
    };
    let door = Door {
        name: "admin".into(),
        socket: admin,
        limits: listener::Config {
            connections: OPERATORS,
            ..listener::Config::default()
        },
        tls: None,
        stopped,
    };
    running.threads.push(door.serve(|| {
        if let Some(secured) = secured {
            tokio::task::spawn_local(secured.keep_fresh());
        }
        Ok(Rc::new(handler))
    })?);
    ready.store(true, Ordering::Release);
    Ok(running)
}

impl Running {
    /// Opens the public door, with a thread for each of its sockets.
    fn serve_clients(
        &mut self,
        limits: &listener::Config,
        sockets: Vec<TcpListener>,
        tls: Option<Arc<ServerConfig>>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<()> {
        let limits = listener::Config {
            connections: descriptors::bearable(limits.connections).div_ceil(sockets.len()),
            ..limits.clone()
        };
        for (number, socket) in sockets.into_iter().enumerate() {
            let door = Door {
                name: format!("public-{number}"),
                socket,
                limits: limits.clone(),
                tls: tls.clone(),
                stopped: stopped.clone(),
            };
            let (news, log) = (self.snapshot.subscribe(), self.log.as_ref().map(Log::lines));
            self.threads
                .push(door.serve(|| Current::follow(news, log))?);
        }
        Ok(())
    }

    /// Builds what another configuration asks for, and has it answer every request from now on. Requests that have
    /// begun are finished as they were begun. If it fails, nothing has changed.
    ///
    /// # Errors
    /// Two parts of the configuration do not go together.
    pub fn reload(&self, config: Config, dialects: Vec<Dialect>) -> Result<()> {
        let before = self.snapshot.borrow().clone();
        let snapshot = Snapshot::build(config, dialects, &self.lasting, Some(&before))?;
        self.snapshot.send_replace(Arc::new(snapshot));
        Ok(())
    }

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
        closing.block_on(self.lasting.store.close())?;
        // Last, so that every line is written.
        drop(self.log);
        Ok(())
    }
}
