//! The parts, built: what lasts as long as the process, and what one configuration makes of it.
//!
//! A [`Snapshot`] is whole before anybody sees it and never changes after. What has a memory (the store, sessions, ids,
//! paces, counters) is [`Lasting`], and stands behind each snapshot in turn; so does an upstream with its connections,
//! its breaker and its grant, as long as the configuration goes on calling it in the same way.

use std::cell::LazyCell;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};

use super::certificates;
use crate::auth::{Auth, Sessions};
use crate::config::{Config, Upstream};
use crate::dialect::Dialect;
use crate::dialect::directory::Directory;
use crate::gateway::guard::Guard;
use crate::gateway::{Pace, Rules};
use crate::ingress::capacity::Capacity;
use crate::ingress::exchange::Doors;
use crate::metrics::Metrics;
use crate::model::{Operation, Text};
use crate::relay::{self, Bars, Ids, Local, Marks, Numbers, Relay, Shared, upstream};
use crate::route::Routes;
use crate::store::{Config as StoreConfig, Sqlite, Store};
use crate::tls::client::System;

/// What no configuration changes.
pub struct Lasting {
    pub store: Arc<dyn Store>,
    pub metrics: Arc<Metrics>,
    pub sessions: Arc<Sessions>,
    numbers: Arc<Numbers>,
    marks: Arc<Marks>,
    pace: Arc<Pace>,
    guard: Arc<Guard>,
    bars: Arc<Bars>,
}

impl Lasting {
    /// Opens the store and takes up what it remembers.
    ///
    /// # Errors
    /// The store cannot be opened or read.
    pub async fn open(config: &Config) -> Result<Lasting> {
        let url = &config.store.url;
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let metrics = Arc::new(Metrics::new()?);
        let store = Sqlite::open(StoreConfig::new(path))?.metered(metrics.store());
        Lasting::with(Arc::new(store), metrics).await
    }

    /// Takes up what a store remembers that is open already.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn on(store: Arc<dyn Store>) -> Result<Lasting> {
        Lasting::with(store, Arc::new(Metrics::new()?)).await
    }

    async fn with(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Result<Lasting> {
        Ok(Lasting {
            guard: Arc::new(Guard::new(metrics.clone())),
            metrics,
            sessions: Arc::new(Sessions::open(store.clone()).await?),
            numbers: Arc::new(Numbers::open(store.clone()).await?),
            marks: Arc::new(Marks::open(store.clone()).await?),
            pace: Arc::default(),
            bars: Arc::new(Bars::open(&*store).await?),
            store,
        })
    }
}

/// Everything that one configuration decides, shared by all threads.
pub struct Snapshot {
    pub config: Config,
    pub shared: Arc<Shared>,
    pub rules: Arc<Rules>,
    pub doors: Arc<Doors>,
}

impl Snapshot {
    /// Builds all of it, with those upstreams of the snapshot before it that are called as they were.
    ///
    /// # Errors
    /// Two parts of the configuration do not go together.
    pub fn build(
        config: Config,
        dialects: Vec<Dialect>,
        lasting: &Lasting,
        before: Option<&Snapshot>,
    ) -> Result<Snapshot> {
        let dialects: Arc<[Dialect]> = dialects.into();
        let auth = Auth::new(
            config.accounts.clone(),
            config.applications.clone(),
            lasting.sessions.clone(),
        );
        let upstreams = upstreams(&config, &dialects, lasting, before)?;
        one_session(&config, &dialects)?;
        let channels = config.channels.clone();
        let (store, bars) = (lasting.store.clone(), lasting.bars.clone());
        let local = Local::new(store, auth.people(), channels, bars);
        let ids = Ids::new(lasting.numbers.clone(), &config.channels);
        let marks = lasting.marks.clone();
        let shared = Shared::new(dialects.clone(), upstreams, local, ids, marks);
        let shared = Arc::new(shared);
        // Tried once here, so that an address that cannot be called is found before anything runs.
        Relay::new(shared.clone(), None)?;
        let capacity = capacity(&config, before);
        let doors = Arc::new(doors(&config, dialects, &lasting.metrics, capacity)?);
        let rules = Arc::new(Rules {
            auth,
            routes: Routes::new(config.routes.clone()),
            pace: lasting.pace.clone(),
            limits: config.limits.callers.clone(),
            guard: lasting.guard.clone(),
        });
        Ok(Snapshot {
            config,
            shared,
            rules,
            doors,
        })
    }

    /// The upstream, if this snapshot calls it just so.
    fn upstream(&self, wanted: &Upstream) -> Option<Arc<relay::Upstream>> {
        let same = self.config.upstreams.get(&wanted.name) == Some(wanted);
        let at = self.shared.find(&wanted.name).filter(|_| same)?;
        Some(self.shared.upstreams[at].clone())
    }
}

/// The places of requests; those that are taken stay taken, unless their number changes.
fn capacity(config: &Config, before: Option<&Snapshot>) -> Arc<Capacity> {
    let wanted = &config.limits.capacity;
    match before.filter(|before| before.config.limits.capacity == *wanted) {
        Some(before) => before.doors.capacity.clone(),
        None => Arc::new(Capacity::new(wanted)),
    }
}

fn doors(
    config: &Config,
    dialects: Arc<[Dialect]>,
    metrics: &Metrics,
    capacity: Arc<Capacity>,
) -> Result<Doors> {
    let listen = &config.listen;
    let names: Vec<&str> = dialects
        .iter()
        .map(|dialect| dialect.name.as_str())
        .collect();
    let offered: Vec<usize> = (0..dialects.len())
        .filter(|at| listen.dialects.has(names[*at]))
        .collect();
    Ok(Doors {
        directory: Directory::new(&dialects, &offered)?,
        hosts: names
            .iter()
            .map(|name| listen.hosts.get(*name).cloned())
            .collect(),
        metrics: metrics.requests(&names),
        body_bytes: listen.limits.body_bytes,
        capacity,
        dialects,
    })
}

/// A service that opens sessions has one for a program and its address: whoever signed in beside the upstream's own
/// credential would speak for all who use it.
fn one_session(config: &Config, dialects: &[Dialect]) -> Result<()> {
    let opens = |name: &Text| {
        let dialect = config.upstreams.get(name).map_or(name, |far| &far.dialect);
        let mut known = dialects.iter().filter(|known| known.name == *dialect);
        known.any(|dialect| dialect.calls(Operation::OpenSession))
    };
    for account in &config.accounts {
        if let Some(name) = account.credentials.keys().find(|name| opens(name)) {
            bail!(
                "account {}: `as.{name}` cannot be: the service has one session for a program, and all share it; \
                 take it away",
                account.person.name
            );
        }
    }
    Ok(())
}

/// The upstreams of the configuration; those that were called in just the same way before go on as they are.
fn upstreams(
    config: &Config,
    dialects: &[Dialect],
    lasting: &Lasting,
    before: Option<&Snapshot>,
) -> Result<Vec<Arc<relay::Upstream>>> {
    let system = LazyCell::new(System::read as fn() -> System);
    let upstreams = config.upstreams.values().map(|upstream| {
        let (dialect, door) = place(upstream, dialects)?;
        let kept = before.and_then(|before| before.upstream(upstream));
        let same = |kept: &Arc<relay::Upstream>| {
            (kept.config.dialect, kept.config.door) == (dialect, door)
        };
        Ok(match kept.filter(same) {
            Some(kept) => kept,
            None => {
                let config = called(upstream, dialect, door, &system)?;
                Arc::new(relay::Upstream::new(config, &lasting.metrics))
            }
        })
    });
    upstreams.collect()
}

/// The dialect and the door that an upstream is called by.
fn place(upstream: &Upstream, dialects: &[Dialect]) -> Result<(usize, usize)> {
    let name = &upstream.name;
    let dialect = dialects
        .iter()
        .position(|dialect| dialect.name == upstream.dialect)
        .ok_or_else(|| anyhow!("upstream.{name}: there is no dialect {}", upstream.dialect))?;
    let Some(wanted) = &upstream.door else {
        return Ok((dialect, 0));
    };
    let doors = &dialects[dialect].doors;
    match doors.iter().position(|door| door.name == *wanted) {
        Some(door) => Ok((dialect, door)),
        None => {
            let known: Vec<&str> = doors.iter().map(|door| door.name.as_str()).collect();
            bail!(
                "upstream.{name}: {} has no door {wanted}; it has {}",
                upstream.dialect,
                known.join(", ")
            )
        }
    }
}

/// How an upstream of the configuration is called.
fn called(
    upstream: &Upstream,
    dialect: usize,
    door: usize,
    system: &LazyCell<System>,
) -> Result<relay::Config> {
    let client = upstream::Config {
        tls: certificates::believed(upstream, system)?,
        connect_ms: upstream.connect.as_millis() as u64,
        pool_idle_ms: upstream.idle.as_millis() as u64,
        pool_size: upstream.stack.limit.in_flight,
        ..upstream::Config::new(upstream.url.clone())
    };
    Ok(relay::Config {
        name: upstream.name.clone(),
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
