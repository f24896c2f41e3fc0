//! The whole: parts are built from the configuration, bound, run, and stopped in reverse.
//!
//! One current-thread runtime per core, each with a listener, a gateway and upstream connections of its own; shared are
//! only what the configuration decided, the store and the sessions. The operator's door has a thread of its own, so that
//! it answers when the others are busy.

mod build;
mod certificates;
mod descriptors;
pub mod operate;
mod reload;
mod serve;
mod signals;
mod sources;
mod upkeep;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rustls::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::info;

use crate::admin::Admin;
use crate::admin::graphiql::Graphiql;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::ingress::listener;
use crate::log::Log;
use crate::tls::server::Certificates;
use build::{Lasting, Snapshot};
use reload::Reloads;
use serve::{Current, Door};

pub use certificates::expiry_warning;
pub use reload::Watch;
pub use signals::attend;
pub use sources::{dialects, explained, read};

/// Connections of operators at once; they do not count as clients.
const OPERATORS: usize = 64;

/// Sabir, running.
pub struct Running {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    /// Is TLS spoken at the public door?
    pub tls: bool,
    ready: Arc<AtomicBool>,
    /// What those may take who come by one of the public door's sockets.
    limits: watch::Sender<listener::Config>,
    stop: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    operator: Option<JoinHandle<()>>,
    /// For what clients' handler is asked at the operator's door.
    operators: Arc<Semaphore>,
    certificates: Option<Arc<Certificates>>,
    reloads: Arc<Reloads>,
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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limits = &config.listen.limits;
    let secured = certificates::open(&config.listen)?;
    let publics = listener::bind_each(config.listen.public, cores)
        .with_context(|| format!("cannot listen at {}", config.listen.public))?;
    let admin = listener::bind(config.listen.admin)
        .with_context(|| format!("cannot listen at {}", config.listen.admin))?;
    let Some(first) = publics.first() else {
        bail!("no listener could be made")
    };
    let mut running = Running {
        public: first.local_addr()?,
        admin: admin.local_addr()?,
        tls: secured.is_some(),
        ready: Arc::default(),
        limits: watch::Sender::new(each(limits, publics.len())),
        stop: watch::Sender::new(false),
        stop_admin: watch::Sender::new(false),
        threads: Vec::new(),
        operator: None,
        operators: Arc::new(Semaphore::new(OPERATORS)),
        certificates: secured.as_ref().map(|secured| secured.certificates.clone()),
        reloads: Arc::new(Reloads::new(lasting.metrics.clone())),
        log: Log::start(&config.log, lasting.metrics.clone())?,
        lasting,
        snapshot: watch::Sender::new(Arc::new(snapshot)),
    };
    let tls = secured.map(|secured| secured.acceptor);
    running.serve_clients(publics, tls)?;
    running.serve_operator(admin)?;
    running.ready.store(true, Ordering::Release);
    Ok(running)
}

/// The limits of one of so many sockets, which share out the connections evenly.
fn each(limits: &listener::Config, sockets: usize) -> listener::Config {
    listener::Config {
        connections: descriptors::bearable(limits.connections).div_ceil(sockets),
        ..limits.clone()
    }
}

impl Running {
    /// Opens the public door, with a thread for each of its sockets.
    fn serve_clients(
        &mut self,
        sockets: Vec<TcpListener>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<()> {
        for (number, socket) in sockets.into_iter().enumerate() {
            let door = Door {
                name: format!("public-{number}"),
                socket,
                limits: self.limits.subscribe(),
                tls: tls.clone(),
                stopped: self.stop.subscribe(),
            };
            let (news, log) = (self.snapshot.subscribe(), self.log.as_ref().map(Log::lines));
            self.threads
                .push(door.serve(|| Current::follow(news, log))?);
        }
        Ok(())
    }

    /// Opens the operator's door; beside it the store is looked after.
    fn serve_operator(&mut self, socket: TcpListener) -> Result<()> {
        let (store, reloads) = (self.lasting.store.clone(), self.reloads.clone());
        let (ready, metrics) = (self.ready.clone(), self.lasting.metrics.clone());
        let (news, log) = (self.snapshot.subscribe(), self.log.as_ref().map(Log::lines));
        let in_force = self.snapshot.subscribe();
        let places = self.operators.clone();
        let handler = move || {
            let clients = Current::follow(news, log)?;
            let current = clients.clone();
            Ok(Rc::new(Admin {
                ready,
                store: Arc::new(move || store.health()),
                parts: Arc::new(move || {
                    let upstreams = in_force.borrow().shared.left_alone();
                    format!("{upstreams}{}", reloads.words())
                }),
                metrics,
                graphiql: Graphiql {
                    doors: Box::new(move || current.doors()),
                    clients,
                    places,
                },
            }))
        };
        let limits = watch::Sender::new(listener::Config {
            connections: OPERATORS,
            drain_s: 1,
            drain_idle_s: 0,
            ..listener::Config::default()
        });
        let door = Door {
            name: "admin".into(),
            socket,
            limits: limits.subscribe(),
            tls: None,
            stopped: self.stop_admin.subscribe(),
        };
        let (store, sessions) = (self.lasting.store.clone(), self.lasting.sessions.clone());
        self.operator = Some(door.serve(move || {
            tokio::task::spawn_local(upkeep::upkeep(store, sessions));
            handler()
        })?);
        Ok(())
    }

    /// Builds what another configuration asks for, and has it answer every request from now on. Requests that have
    /// begun are finished as they were begun. Tells which of the keys that differ need a restart and stay as they were.
    ///
    /// # Errors
    /// Two parts of the configuration do not go together; nothing has changed then.
    pub fn reload(&self, mut config: Config, dialects: Vec<Dialect>) -> Result<Vec<&'static str>> {
        let before = self.snapshot.borrow().clone();
        let kept = reload::keep_fixed(&before.config, &mut config);
        let snapshot = Snapshot::build(config, dialects, &self.lasting, Some(&before))?;
        if let (Some(certificates), Some(tls)) = (&self.certificates, &snapshot.config.listen.tls)
            && certificates.turn_to(&tls.files)?
        {
            info!("another certificate is shown from now on");
        }
        let limits = each(&snapshot.config.listen.limits, self.threads.len());
        self.limits.send_if_modified(|before| {
            let other = *before != limits;
            *before = limits;
            other
        });
        self.snapshot.send_replace(Arc::new(snapshot));
        Ok(kept)
    }

    /// Asks everything to stop: says so at the operator's door, and when that was to be seen for long enough, takes no
    /// new connections. What has begun is finished.
    pub fn stop(&self) {
        info!("asked to stop: what has begun is finished");
        self.ready.store(false, Ordering::Release);
        let delay = self.limits.borrow().drain_delay_s;
        std::thread::sleep(Duration::from_secs(delay));
        self.stop.send_replace(true);
    }

    /// Waits until everything has stopped, the operator's door last, and closes the store and the log.
    ///
    /// # Errors
    /// A thread panicked, or the store could not be closed.
    pub fn wait(self) -> Result<()> {
        let closing = Builder::new_current_thread().enable_all().build()?;
        let panicked = |_| anyhow!("a thread of Sabir panicked");
        // What was asked at the operator's door is finished as well, and nothing more is.
        let all = self.operators.acquire_many(OPERATORS as u32);
        let drain = Duration::from_secs(self.limits.borrow().drain_s);
        let _all = closing.block_on(async { timeout(drain, all).await });
        self.operators.close();
        for thread in self.threads {
            thread.join().map_err(panicked)?;
        }
        closing.block_on(self.lasting.store.close())?;
        self.stop_admin.send_replace(true);
        if let Some(operator) = self.operator {
            operator.join().map_err(panicked)?;
        }
        info!("stopped");
        // Last, so that every line is written.
        drop(self.log);
        Ok(())
    }
}
