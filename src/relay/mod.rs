//! The way out: a command is carried out by the chat service that the route chose.
//!
//! That is `local`, or an upstream that is called in its own dialect: a grant says with which credential, a delivery
//! says the command, a stack keeps the attempts in bounds, and the upstream's client makes them. This part decides
//! neither who may ask nor where to; it knows dialects only through their mappings. After `route`, and the last stage
//! of the journey out.

pub mod breaker;
mod chunks;
mod deliver;
mod grant;
mod ids;
mod journal;
pub mod limit;
mod link;
mod local;
mod marks;
mod overlay;
mod page;
mod reply;
pub mod retry;
mod retry_after;
pub mod stack;
mod stream;
mod unnamed;
pub mod upstream;
pub mod window;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

pub use grant::Granted;
pub use ids::{Ids, Numbers, Side, unknown_message};
pub use journal::{Claimed, upstream_key};
pub use local::{Bars, Local};
pub use marks::Marks;
pub use overlay::LOOKED_THROUGH;
pub use page::page;
pub use window::BY_ID;

pub use crate::store::{Native, NativeKind, PROVISIONAL, Provisional};

use crate::dialect::Dialect;
use crate::metrics::Metrics;
use crate::model::{
    App, Arrival, Command, Credential, Credit, Fault, Kind, Message, Operation, Origin, Outcome,
    Person, Presence, Reply, SealKeys, Secret, Text,
};
use deliver::Delivery;
use grant::Grants;
use stack::Stack;
use upstream::{BadBase, Client};
use window::Askable;

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
    /// For a command as a whole: signing in, waiting for a place and retries included.
    pub deadline: Duration,
    pub stack: stack::Config,
    pub client: upstream::Config,
}

/// An upstream, shared by all threads and by all configurations that call it in the same way.
pub struct Upstream {
    pub config: Config,
    stack: Stack,
    grants: Grants,
    /// Who Sabir is there, once that was seen.
    own: RwLock<Person>,
}

/// What all threads share of one configuration.
pub struct Shared {
    pub dialects: Arc<[Dialect]>,
    pub upstreams: Vec<Arc<Upstream>>,
    by_name: HashMap<Text, usize>,
    /// What each dialect's lists can be asked for.
    askable: Vec<Askable>,
    /// Has each upstream marks of its own on messages?
    marks_itself: Vec<bool>,
    pub local: Local,
    pub ids: Ids,
    marks: Arc<Marks>,
}

impl Shared {
    pub fn new(
        dialects: Arc<[Dialect]>,
        upstreams: Vec<Arc<Upstream>>,
        local: Local,
        ids: Ids,
        marks: Arc<Marks>,
    ) -> Shared {
        let by_name = upstreams
            .iter()
            .enumerate()
            .map(|(at, upstream)| (upstream.config.name.clone(), at))
            .collect();
        let askable = dialects.iter().map(Askable::of).collect();
        let marked =
            |upstream: &Arc<Upstream>| dialects[upstream.config.dialect].calls(Operation::MarkSeen);
        let marks_itself = upstreams.iter().map(marked).collect();
        Shared {
            askable,
            marks_itself,
            dialects,
            upstreams,
            by_name,
            local,
            ids,
            marks,
        }
    }

    /// A line for each upstream that is left alone.
    pub fn left_alone(&self) -> String {
        let now = Instant::now();
        let alone = self.upstreams.iter().filter_map(|upstream| {
            let seconds = upstream.stack.left_alone(now)?.as_secs();
            let name = &upstream.config.name;
            Some(format!(
                "upstream {name}: failed too often, is left alone for {seconds} s\n"
            ))
        });
        alone.collect()
    }

    /// An upstream's number; `None` for `local`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// The relay of one thread, with connections of its own.
pub struct Relay {
    pub shared: Arc<Shared>,
    clients: Vec<Rc<Client>>,
}

/// What a caller asks of an upstream, besides the command.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub at: usize,
    pub arrival: &'a Arrival,
    pub client: &'a Presence,
    /// The person whose own state of things is shown, by its id.
    pub viewer: &'a str,
    /// The caller's own credential there.
    pub own: Option<&'a Credential>,
    /// When the client is to be told at the latest.
    pub until: Instant,
}

impl Relay {
    /// With the connections to those upstreams that the relay before it had too.
    ///
    /// # Errors
    /// An upstream's address cannot be called.
    pub fn new(shared: Arc<Shared>, before: Option<&Relay>) -> Result<Relay, BadBase> {
        let clients = shared
            .upstreams
            .iter()
            .map(
                |upstream| match before.and_then(|before| before.client(upstream)) {
                    Some(client) => Ok(client),
                    None => Client::new(upstream.config.client.clone()).map(Rc::new),
                },
            )
            .collect::<Result<_, _>>()?;
        Ok(Relay { shared, clients })
    }

    fn client(&self, wanted: &Arc<Upstream>) -> Option<Rc<Client>> {
        let mut upstreams = self.shared.upstreams.iter().zip(&self.clients);
        let found = upstreams.find(|(upstream, _)| Arc::ptr_eq(upstream, wanted));
        found.map(|(_, client)| client.clone())
    }

    pub fn dialect(&self, upstream: &Upstream) -> &Dialect {
        &self.shared.dialects[upstream.config.dialect]
    }

    /// When a request that began so is to be answered at the latest.
    pub fn until(&self, at: usize, begun: std::time::Instant) -> Instant {
        Instant::from_std(begun) + self.shared.upstreams[at].config.deadline
    }

    /// Has an upstream carry out a command, with the caller's own credential there or with Sabir's.
    pub async fn call(&self, ask: &Ask<'_>, mut command: Box<Command>) -> Outcome {
        let upstream = &self.shared.upstreams[ask.at];
        if ask.own.is_none() {
            self.credit(upstream, &mut command);
        }
        self.fits(upstream, &command)?;
        let mut reply = self.carry_out(ask, &command).await?;
        if let Some(channel) = overlay::read_in(&command)
            && self.shared.keeps_marks(ask.at)
            && self.shared.marks.any(&upstream.config.name, channel)
        {
            Box::pin(self.show_marks(ask, channel, &mut reply)).await?;
        }
        Ok(reply)
    }

    async fn carry_out(&self, ask: &Ask<'_>, command: &Command) -> Outcome {
        let dialect = self.dialect(&self.shared.upstreams[ask.at]);
        let native = dialect.calls(command.operation());
        let outcome = match command {
            Command::List(list) if native => Box::pin(self.list(ask, list)).await,
            command if native => self.ask(ask, command).await,
            command => Err(unsupported(command.operation())),
        };
        match outcome {
            // Not at all, or not with what this one names.
            Err(fault) if fault.kind.is(Kind::Unsupported) && fault.origin != Origin::Upstream => {
                let emulated = Box::pin(self.emulate(ask, command)).await;
                emulated.unwrap_or(Err(fault))
            }
            outcome => outcome,
        }
    }

    /// Asks, and reads the answer with the credits of our own posts taken off.
    async fn ask(&self, ask: &Ask<'_>, command: &Command) -> Outcome {
        let mut reply = self.granted(ask, command).await?;
        unnamed::known_by(&mut reply);
        reply.each_message(|message| {
            // Some services tell of every message when it was last changed, and mean its making, too.
            message.edited_at = message
                .edited_at
                .filter(|at| Some(*at) > message.created_at);
        });
        Ok(self.uncredit(ask, command, reply))
    }

    /// Calls with what the grant gives, and once more if the upstream has forgotten us: it understood and did nothing.
    async fn granted(&self, ask: &Ask<'_>, command: &Command) -> Outcome {
        let upstream = &self.shared.upstreams[ask.at];
        let own = ask.own.map(|own| upstream.grants.own(ask.viewer, own));
        let grant = own.as_deref().unwrap_or(&upstream.grants.ours);
        let granted = grant.get(self, ask).await?;
        if own.is_none() {
            upstream.learn(&granted.person);
        }
        let delivery = ask.with(command, &granted.credential, &granted.keys);
        match self.deliver(&delivery).await {
            Err(fault)
                if fault.kind.is(Kind::Unauthenticated)
                    && grant.renewable(self.dialect(upstream)) =>
            {
                grant.forget(&granted);
                let granted = grant.get(self, ask).await?;
                let delivery = ask.with(command, &granted.credential, &granted.keys);
                self.deliver(&delivery).await.map_err(ours)
            }
            outcome => outcome.map_err(ours),
        }
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
            Command::Send(message) | Command::Edit(message) => profile.check(message),
            Command::SendMany(many) => many
                .sends
                .iter()
                .try_for_each(|message| profile.check(message)),
            _ => Ok(()),
        }
    }

    /// Takes the credit off our own posts again, and learns from a send who we are.
    fn uncredit(&self, ask: &Ask<'_>, command: &Command, mut reply: Reply) -> Reply {
        let upstream = &self.shared.upstreams[ask.at];
        let ours = ask.own.is_none();
        if let (Command::Send(sent), Reply::OneMessage(one)) = (command, &reply)
            && ours
            && one.message.author != sent.author
        {
            upstream.learn(&one.message.author);
        }
        let Some(credit) = &upstream.config.credit else {
            return reply;
        };
        match &mut reply {
            Reply::OneMessage(one)
                if (ours && matches!(command, Command::Send(_) | Command::Edit(_)))
                    || upstream.is_own(&one.message) =>
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

impl<'a> Ask<'a> {
    fn with(
        &self,
        command: &'a Command,
        credential: &'a Credential,
        keys: &'a SealKeys,
    ) -> Delivery<'a> {
        Delivery {
            at: self.at,
            command,
            arrival: self.arrival,
            client: self.client,
            credential,
            keys,
            until: self.until,
        }
    }
}

impl Upstream {
    pub fn new(config: Config, metrics: &Metrics) -> Upstream {
        Upstream {
            stack: Stack::new(
                config.name.clone(),
                config.stack.clone(),
                metrics.upstream(&config.name),
            ),
            grants: Grants::new(config.credential.clone()),
            own: RwLock::default(),
            config,
        }
    }

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

    /// May the message have been posted by Sabir's own account?
    pub fn may_be_own(&self, message: &Message) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let unknown = own.id.is_empty() && own.name.is_empty();
        drop(own);
        unknown || self.is_own(message)
    }

    /// Was the message posted by Sabir itself?
    fn is_own(&self, message: &Message) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        (!own.id.is_empty() && own.id == message.author.id)
            || (!own.name.is_empty() && own.name == message.author.name)
    }
}

/// An upstream's dialect has no such thing.
fn unsupported(operation: Operation) -> Fault {
    let words = format!("the upstream has no {}", operation.name());
    Fault::client(Kind::Unsupported, words)
}

/// The caller proved who it is; that a credential of the configuration is not good is not the caller's to mend.
fn ours(fault: Fault) -> Fault {
    if fault.kind.is(Kind::Unauthenticated) {
        return Fault::upstream(
            Kind::Unavailable,
            format!("the upstream does not let Sabir in: {fault}"),
        );
    }
    fault
}
