//! What an operator does by hand: send a message, look into a channel, see what goes with what.
//!
//! Built of the same parts as serving, without listeners. A command that concerns only upstreams keeps nothing, and so
//! runs beside a Sabir that serves: its store is a scratch one. What is printed is the command line's to say.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::runtime::Builder;

use super::build::{Lasting, Snapshot};
use crate::config::Config;
use crate::dialect::Dialect;
use crate::gateway::Carried;
use crate::ingress::arrival;
use crate::model::{
    Arrival, Command, Fault, Kind, LOCAL, List, Message, Messages, OneMessage, Operation, Outcome,
    Person, Presence, Reply, Window,
};
use crate::relay::{Ask, Relay};
use crate::store::{Config as StoreConfig, Sqlite, Store};

/// The name under which an operator speaks.
const OPERATOR: &str = "sabir";

/// Sends a text to `upstream:channel`, and says what became of it.
///
/// # Errors
/// There is no such place, or the message was not taken.
pub fn send(config: &Config, dialects: Vec<Dialect>, to: &str, text: &str) -> Result<String> {
    let message = Message {
        text: text.into(),
        created_at: Some(arrival::now()),
        ..Message::default()
    };
    let reply = carry_out(config, dialects, to, |channel| {
        Command::Send(Message {
            channel: channel.into(),
            ..message
        })
    })?;
    match reply {
        Reply::OneMessage(OneMessage { message }) if !message.id.is_empty() => {
            Ok(format!("sent, id {}", message.id))
        }
        _ => Ok("sent".into()),
    }
}

/// The newest messages of `upstream:channel`, a line each, oldest first.
///
/// # Errors
/// There is no such place, or it cannot be read.
pub fn list(
    config: &Config,
    dialects: Vec<Dialect>,
    from: &str,
    limit: u16,
) -> Result<Vec<String>> {
    let window = Window {
        limit: Some(i64::from(limit)),
        ..Window::default()
    };
    let reply = carry_out(config, dialects, from, |channel| {
        Command::List(List {
            channel: channel.into(),
            window,
            ..List::default()
        })
    })?;
    match reply {
        Reply::Messages(Messages { messages, .. }) => Ok(messages.iter().map(line).collect()),
        _ => Ok(Vec::new()),
    }
}

fn line(message: &Message) -> String {
    let at = message
        .created_at
        .and_then(|time| jiff::Timestamp::from_second(time.seconds()).ok());
    let at = at.map(|at| at.to_string()).unwrap_or_default();
    let author = if message.author.name.is_empty() {
        &message.author.id
    } else {
        &message.author.name
    };
    format!("{at}  {author}: {}", message.text)
}

/// An upstream, and what clients of each dialect can ask of it.
pub struct Place {
    pub upstream: String,
    pub pairs: Vec<Pair>,
}

/// What clients of a dialect can ask: native, emulated, refused.
pub struct Pair {
    pub dialect: String,
    pub what: String,
}

/// For `local` and each upstream: what clients of each dialect can ask of it, and what not.
///
/// # Errors
/// What serving with this configuration would fail with.
pub fn pairs(config: &Config, dialects: Vec<Dialect>) -> Result<Vec<Place>> {
    let scratch = Scratch::open()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let lasting = runtime.block_on(Lasting::on(scratch.store.clone()))?;
    let parts = Snapshot::build(config.clone(), dialects, &lasting, None)?;
    let upstreams = std::iter::once(LOCAL).chain(config.upstreams.keys().map(|name| name.as_str()));
    let places = upstreams.map(|upstream| {
        let served = parts.doors.dialects.iter().filter(|dialect| {
            config.listen.dialects.has(&dialect.name) && dialect.serves(Operation::Send)
        });
        let pairs = served.map(|dialect| Pair {
            dialect: dialect.name.to_string(),
            what: pair(&parts, dialect, upstream),
        });
        Place {
            upstream: upstream.to_owned(),
            pairs: pairs.collect(),
        }
    });
    Ok(places.collect())
}

fn pair(parts: &Snapshot, dialect: &Dialect, upstream: &str) -> String {
    let mut told = Vec::new();
    for way in [Carried::Native, Carried::Emulated, Carried::Refused] {
        let names: Vec<&str> = Operation::ALL
            .iter()
            .filter(|operation| dialect.serves(**operation))
            .filter(|operation| Carried::of(&parts.shared, upstream, **operation) == Some(way))
            .map(|operation| operation.name())
            .collect();
        if !names.is_empty() {
            told.push(format!("{}: {}", way.name(), names.join(" ")));
        }
    }
    told.join("; ")
}

/// Carries out one command for the operator.
fn carry_out(
    config: &Config,
    dialects: Vec<Dialect>,
    place: &str,
    command: impl FnOnce(&str) -> Command,
) -> Result<Reply> {
    let (upstream, channel) = place
        .split_once(':')
        .ok_or_else(|| anyhow!("`{place}` is not UPSTREAM:CHANNEL"))?;
    let told = |fault: Fault| anyhow!("{place}: {fault}");
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if upstream == LOCAL {
            let lasting = Lasting::open(config).await?;
            let parts = Snapshot::build(config.clone(), dialects, &lasting, None)?;
            // Who comes as a client is told so by the gateway.
            let outcome = match parts.shared.local.has(channel) {
                true => in_local(&parts, command(channel)).await,
                false => Err(Fault::client(Kind::Channel, "no such channel")),
            };
            lasting.store.close().await?;
            return outcome.map_err(told);
        }
        let scratch = Scratch::open()?;
        let lasting = Lasting::on(scratch.store.clone()).await?;
        let parts = Snapshot::build(config.clone(), dialects, &lasting, None)?;
        let Some(at) = parts.shared.find(upstream) else {
            let known: Vec<&str> = config.upstreams.keys().map(|name| name.as_str()).collect();
            bail!(
                "there is no upstream {upstream}; known: {LOCAL} {}",
                known.join(" ")
            )
        };
        let now = arrival::now();
        let arrival = Arrival {
            id: arrival::id(now),
            now: Some(now),
            ..Arrival::default()
        };
        let relay = Relay::new(parts.shared.clone(), None)?;
        let ask = Ask {
            at,
            arrival: &arrival,
            client: &Presence::default(),
            viewer: OPERATOR,
            own: None,
            until: relay.until(at, Instant::now()),
        };
        let outcome = relay.call(&ask, Box::new(command(channel))).await;
        outcome.map_err(told)
    })
}

async fn in_local(parts: &Snapshot, mut command: Command) -> Outcome {
    let operator = Person {
        id: OPERATOR.into(),
        name: OPERATOR.into(),
        ..Person::default()
    };
    if let Command::Send(message) = &mut command {
        message.author = operator.clone();
    }
    parts
        .shared
        .local
        .carry_out(&command, &operator, arrival::now())
        .await
}

/// A store for a command that keeps nothing; it is gone afterwards.
struct Scratch {
    store: Arc<dyn Store>,
    folder: PathBuf,
}

impl Scratch {
    fn open() -> Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("sabir-{}", arrival::id(arrival::now())));
        std::fs::create_dir(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let store: Arc<dyn Store> =
            Arc::new(Sqlite::open(StoreConfig::new(folder.join("scratch.db")))?);
        Ok(Scratch { store, folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is a few kilobytes in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
