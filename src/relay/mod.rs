//! The way out: a command is carried out by the chat service that the route chose.
//!
//! That is `local`, or an upstream that is called in its own dialect. Each attempt at an upstream ends in a class that
//! is exact about whether anything was sent, and that decides what the client is told. This part decides neither who
//! may ask nor where to; it knows dialects only through their mappings. After `route`, and the last stage of the
//! journey out.

mod grant;
mod ids;
mod journal;
mod link;
mod local;
mod overlay;
mod page;
pub mod upstream;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http_body_util::Full;
use tokio::time::Instant;

pub use grant::Granted;
pub use ids::{Ids, Side, unknown_message};
pub use journal::{Claimed, upstream_key};
pub use local::Local;
pub use page::page;

pub use crate::store::NativeKind;

use crate::dialect::client::{Call, Understood, Unsayable};
use crate::dialect::{Dialect, exchange::SealKey};
use crate::metrics::{Class, Metrics};
use crate::model::{
    App, Arrival, Command, Credential, Credit, Effect, Fault, Kind, Message, Operation, Outcome,
    Person, Reply, SealKeys, Secret, Text,
};
use grant::Grant;
use upstream::{BadBase, Client, Failure};

/// How one upstream is called.
#[derive(Clone, Debug)]
pub struct Config {
    pub name: Text,
    /// Its dialect, by index.
    pub dialect: usize,
    pub door: usize,
    pub credential: Credential,
    pub app: App,
    pub app_secret: Secret,
    pub credit: Option<Credit>,
    pub deadline: Duration,
    pub client: upstream::Config,
}

/// An upstream, shared by all threads.
pub struct Upstream {
    pub config: Config,
    grant: Grant,
    /// Who Sabir is there, once that was seen.
    own: RwLock<Person>,
}

/// What all threads share.
pub struct Shared {
    pub dialects: Arc<[Dialect]>,
    pub upstreams: Vec<Upstream>,
    by_name: HashMap<Text, usize>,
    pub local: Local,
    pub ids: Ids,
    pub metrics: Arc<Metrics>,
}

impl Shared {
    pub fn new(
        dialects: Arc<[Dialect]>,
        upstreams: Vec<Config>,
        local: Local,
        ids: Ids,
        metrics: Arc<Metrics>,
    ) -> Shared {
        let by_name = upstreams
            .iter()
            .enumerate()
            .map(|(at, config)| (config.name.clone(), at))
            .collect();
        let upstreams = upstreams
            .into_iter()
            .map(|config| Upstream {
                config,
                grant: Grant::default(),
                own: RwLock::default(),
            })
            .collect();
        Shared {
            dialects,
            upstreams,
            by_name,
            local,
            ids,
            metrics,
        }
    }

    /// An upstream's number; `None` for `local`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// The relay of one thread, with connections of its own.
pub struct Relay {
    pub shared: Arc<Shared>,
    clients: Vec<Client>,
}

/// What a caller asks of an upstream, besides the command.
struct Ask<'a> {
    at: usize,
    arrival: &'a Arrival,
    /// The person whose own state of things is shown, by its id.
    viewer: &'a str,
    /// The caller's own credential there.
    own: Option<&'a Credential>,
    until: Instant,
}

/// One call of an upstream.
pub struct Attempt<'a> {
    pub at: usize,
    pub command: &'a Command,
    pub arrival: &'a Arrival,
    pub credential: &'a Credential,
    pub keys: &'a SealKeys,
    pub until: Instant,
}

impl Relay {
    /// # Errors
    /// An upstream's address cannot be called.
    pub fn new(shared: Arc<Shared>) -> Result<Relay, BadBase> {
        let clients = shared
            .upstreams
            .iter()
            .map(|upstream| Client::new(upstream.config.client.clone()))
            .collect::<Result<_, _>>()?;
        Ok(Relay { shared, clients })
    }

    pub fn dialect(&self, upstream: &Upstream) -> &Dialect {
        &self.shared.dialects[upstream.config.dialect]
    }

    /// Has an upstream carry out a command, with the caller's own credential there or with Sabir's.
    pub async fn call(
        &self,
        at: usize,
        mut command: Command,
        arrival: &Arrival,
        viewer: &str,
        own: Option<&Credential>,
    ) -> Outcome {
        let upstream = &self.shared.upstreams[at];
        let until = Instant::now() + upstream.config.deadline;
        let ask = Ask {
            at,
            arrival,
            viewer,
            own,
            until,
        };
        if own.is_none() {
            self.credit(upstream, &mut command);
        }
        self.fits(upstream, &command)?;
        if self.dialect(upstream).calls(command.operation()) {
            return self.ask(&ask, &command).await;
        }
        match Box::pin(self.emulate(&ask, &command)).await {
            Some(outcome) => outcome,
            None => self.ask(&ask, &command).await,
        }
    }

    /// Asks, and reads the answer with the credits of our own posts taken off.
    async fn ask(&self, ask: &Ask<'_>, command: &Command) -> Outcome {
        let reply = self.granted(ask, command).await?;
        Ok(self.uncredit(&self.shared.upstreams[ask.at], command, reply))
    }

    /// Calls with what the grant gives, and once more if the upstream has forgotten us: it understood and did nothing.
    async fn granted(&self, ask: &Ask<'_>, command: &Command) -> Outcome {
        let Ask {
            at, arrival, until, ..
        } = *ask;
        let upstream = &self.shared.upstreams[at];
        if let Some(credential) = ask.own {
            let keys = SealKeys::default();
            return self
                .attempt(&Attempt {
                    at,
                    command,
                    arrival,
                    credential,
                    keys: &keys,
                    until,
                })
                .await;
        }
        let granted = upstream.grant.get(self, at, arrival, until).await?;
        upstream.learn(&granted.person);
        let attempt = Attempt {
            at,
            command,
            arrival,
            credential: &granted.credential,
            keys: &granted.keys,
            until,
        };
        match self.attempt(&attempt).await {
            Err(fault) if fault.kind.is(Kind::Unauthenticated) && upstream.renewable(self) => {
                upstream.grant.forget(&granted).await;
                let granted = upstream.grant.get(self, at, arrival, until).await?;
                let credential = &granted.credential;
                let attempt = Attempt {
                    at,
                    command,
                    arrival,
                    credential,
                    keys: &granted.keys,
                    until,
                };
                self.attempt(&attempt).await.map_err(ours)
            }
            outcome => outcome.map_err(ours),
        }
    }

    /// One attempt, and what it came to.
    async fn attempt(&self, attempt: &Attempt<'_>) -> Outcome {
        let upstream = &self.shared.upstreams[attempt.at];
        let dialect = self.dialect(upstream);
        let call = Call {
            door: upstream.config.door,
            command: attempt.command,
            arrival: attempt.arrival,
            app: &upstream.config.app,
            credential: attempt.credential,
        };
        let outgoing = dialect.encode(&call).map_err(unsayable)?;
        let request = outgoing.request.map(Full::new);
        let (class, outcome) = match self.clients[attempt.at].call(request, attempt.until).await {
            Ok(reply) => {
                let seal = dialect
                    .doors
                    .get(call.door)
                    .and_then(|door| door.seal.as_ref());
                let key = dialect.exchanges[outgoing.exchange].seal;
                let sealed = seal.and_then(|seal| reply.headers().get(&seal.header)?.to_str().ok());
                match dialect.understand(outgoing.exchange, &call, reply.status(), reply.body()) {
                    Understood::Done(_)
                        if seal.is_some() && !genuine(attempt.keys, key, reply.body(), sealed) =>
                    {
                        unclear(
                            attempt.command,
                            "the reply's seal is wrong or missing".into(),
                        )
                    }
                    Understood::Done(reply) => (Class::Done, Ok(reply)),
                    Understood::Rejected(fault) => (Class::Rejected, Err(fault)),
                    Understood::Unclear(why) => unclear(attempt.command, why),
                }
            }
            Err(Failure::NotSent(why)) => (
                Class::NotSent,
                Err(Fault::upstream(
                    Kind::Unavailable,
                    format!("nothing was sent: {why}"),
                )),
            ),
            Err(Failure::Unknown(why)) => unclear(attempt.command, why.to_string()),
        };
        self.shared.metrics.attempted(attempt.at, class);
        outcome
    }

    /// Names the author in each text that Sabir's own credential speaks.
    fn credit(&self, upstream: &Upstream, command: &mut Command) {
        let Some(credit) = &upstream.config.credit else {
            return;
        };
        match command {
            Command::Send(message) | Command::Edit(message) => credit.put_on(message),
            Command::SendMany(many) => many
                .sends
                .iter_mut()
                .for_each(|message| credit.put_on(message)),
            _ => {}
        }
    }

    /// Checks each message against the upstream's facts, as it will be sent.
    fn fits(&self, upstream: &Upstream, command: &Command) -> Result<(), Fault> {
        let profile = &self.dialect(upstream).profile;
        match command {
            Command::Send(message) => profile.check(message),
            Command::SendMany(many) => many
                .sends
                .iter()
                .try_for_each(|message| profile.check(message)),
            _ => Ok(()),
        }
    }

    /// Takes the credit off our own posts again, and learns from a send who we are.
    fn uncredit(&self, upstream: &Upstream, command: &Command, mut reply: Reply) -> Reply {
        if let (Command::Send(sent), Reply::OneMessage(one)) = (command, &reply)
            && one.message.author != sent.author
        {
            upstream.learn(&one.message.author);
        }
        let Some(credit) = &upstream.config.credit else {
            return reply;
        };
        match &mut reply {
            Reply::OneMessage(one)
                if matches!(command, Command::Send(_)) || upstream.is_own(&one.message) =>
            {
                credit.take_off(&mut one.message);
            }
            Reply::Messages(list) => {
                list.messages
                    .iter_mut()
                    .filter(|message| upstream.is_own(message))
                    .for_each(|message| credit.take_off(message));
            }
            _ => {}
        }
        reply
    }
}

impl Upstream {
    /// Remembers who Sabir is at this upstream.
    fn learn(&self, person: &Person) {
        let known = |own: &Person| own.id == person.id && own.name == person.name;
        if (person.id.is_empty() && person.name.is_empty())
            || known(&self.own.read().unwrap_or_else(PoisonError::into_inner))
        {
            return;
        }
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = person.clone();
    }

    /// Was the message posted by Sabir itself?
    fn is_own(&self, message: &Message) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        (!own.id.is_empty() && own.id == message.author.id)
            || (!own.name.is_empty() && own.name == message.author.name)
    }
}

/// Where no secret is configured, nothing can be verified.
fn genuine(keys: &SealKeys, key: SealKey, body: &[u8], seal: Option<&str>) -> bool {
    keys.application.0.is_empty()
        || key == SealKey::None
        || seal.is_some_and(|seal| keys.verify(key, body, seal))
}

/// It may have happened. A read that may have happened has simply failed.
fn unclear(command: &Command, why: String) -> (Class, Outcome) {
    let kind = match command.operation().effect() {
        Effect::Write => Kind::OutcomeUnknown,
        Effect::Read | Effect::Session => Kind::Unavailable,
    };
    (Class::Unknown, Err(Fault::upstream(kind, why)))
}

/// The caller proved who it is; that our credential is not good is ours to mend, not the caller's.
fn ours(fault: Fault) -> Fault {
    if fault.kind.is(Kind::Unauthenticated) {
        return Fault::upstream(
            Kind::Unavailable,
            format!("the upstream does not let Sabir in: {fault}"),
        );
    }
    fault
}

fn unsayable(why: Unsayable) -> Fault {
    let words = match why {
        Unsayable::Operation(operation) => {
            format!("the upstream has no {}", Operation::name(operation))
        }
        Unsayable::Field(field) => {
            format!("the upstream needs {field}, which this request does not have")
        }
        Unsayable::Place(why) => return Fault::client(Kind::Field, why),
    };
    Fault::client(Kind::Unsupported, words)
}
