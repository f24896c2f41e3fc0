//! A dialect, compiled: its doors, exchanges, shapes and faults, ready for both roles.
//!
//! Made by [`mapping`](super::mapping) once; read by [`server`](super::server) and [`client`](super::client) for every
//! request. Nothing here is looked up by name any more, and nothing here acts.

mod parts;

pub use parts::{Auth, Header, Parts};

use http::{HeaderName, HeaderValue, Method};

use super::escape::Style;
use super::template::{Derive, Root, Shape, Source, Template};
use crate::model::profile::Order;
use crate::model::record::{Slot as _, Value};
use crate::model::{Arrival, Command, Kind, Operation, Profile, Reply, Text};

#[derive(Clone, Debug, Default)]
pub struct Dialect {
    pub name: Text,
    /// What it is, in one line.
    pub about: String,
    /// Requests to try it with, `{url}` and the demonstration's names and secrets to be filled in.
    pub example: String,
    pub profile: Profile,
    pub style: Style,
    pub query: QueryKind,
    /// Body kinds that `params` are read from; a client writes the first.
    pub bodies: Vec<BodyKind>,
    pub doors: Vec<Door>,
    /// What every request carries.
    pub every: Parts,
    /// Headers of every reply, faults included.
    pub reply_header: Vec<Header>,
    pub auth: Vec<Auth>,
    pub shapes: Vec<Shape>,
    /// The names of the member by whose text alone most requests to one path are told apart; empty if there is none.
    pub tag: Vec<Box<str>>,
    pub exchanges: Vec<Exchange>,
    pub faults: Vec<FaultForm>,
    /// What its GraphQL doors answer.
    pub services: Vec<super::graphql::Service>,
}

/// A prefix of paths that the dialect answers at.
#[derive(Clone, Debug, Default)]
pub struct Door {
    pub name: Text,
    pub path: Box<str>,
    /// Prefixes below which even unknown paths are answered in this dialect.
    pub owns: Vec<Box<str>>,
    /// Replies carry a nonce.
    pub nonce: bool,
    pub seal: Option<Seal>,
    /// Headers of every reply to a document.
    pub header: Vec<(HeaderName, HeaderValue)>,
    pub schema: Option<DoorSchema>,
}

/// What a GraphQL door has of the schema beside the mapping.
#[derive(Clone, Debug, Default)]
pub struct DoorSchema {
    /// Types, and fields of types, in place of the schema's or beside them.
    pub extend: String,
    /// Fields that the door does not have.
    pub without: Vec<String>,
    /// The most fields that a document may ask for.
    pub complexity: u32,
}

/// How replies of a door are sealed against tampering.
#[derive(Clone, Debug)]
pub struct Seal {
    pub header: HeaderName,
    /// Written instead when the session brought no key.
    pub missing: Box<str>,
}

/// Which key seals a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealKey {
    /// What the client and the server made together when the session was opened.
    #[default]
    Session,
    /// The application's own secret.
    Application,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryKind {
    #[default]
    Plain,
    /// `a[b]=c` trees with typed values, as Feathers clients write them.
    Feathers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    Json,
    Form,
    Multipart,
}

/// Which role an entry is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Both,
    Server,
    Client,
}

impl Role {
    pub fn serves(self) -> bool {
        self != Role::Client
    }
    pub fn calls(self) -> bool {
        self != Role::Server
    }
}

/// What a request of an exchange means.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Command(Operation),
    /// A fixed reply.
    Answer,
    /// A fixed fault.
    Refuse {
        kind: Kind,
        message: Box<str>,
    },
}

/// One request and its reply, for both roles.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub action: Action,
    pub role: Role,
    /// Doors by index; empty means all.
    pub doors: Vec<usize>,
    /// The first is written, any is read.
    pub methods: Vec<Method>,
    pub path: Vec<Segment>,
    pub parts: Parts,
    /// What a client adds of `[every]`: all that the exchange does not write itself.
    pub shared: Box<Parts>,
    /// What a server reads of `parts`, `[every]` having been read before.
    pub unread: Box<Parts>,
    /// The fields that must be present for a client to choose this entry.
    pub when: Vec<Source>,
    /// Fields that the command must have with these values for a client to choose this entry; reading it sets them.
    pub given: Vec<(Source, Given)>,
    pub derive: Vec<Derive>,
    pub reply: ReplyForm,
    /// Shapes of the reply's body that are only read.
    pub also: Vec<Template>,
    pub seal: SealKey,
    /// Constants that select this exchange, as (place, value); more win over fewer.
    pub constants: Vec<(String, String)>,
    /// What the dialect's tag must be for this exchange to be meant.
    pub tag: Option<Box<str>>,
    /// Another entry with the same request, to be rendered when its `when` holds.
    pub twin: Option<usize>,
    /// Does the request carry a credential of its own, so that no other is to be sent with it?
    pub own_credential: bool,
    /// What the request carries of the idempotency key and what stands in for it; empty if it carries none.
    pub mark: Vec<Source>,
    /// Where in the file it stands, for messages.
    pub place: std::ops::Range<usize>,
}

impl Exchange {
    pub fn operation(&self) -> Option<Operation> {
        match self.action {
            Action::Command(operation) => Some(operation),
            _ => None,
        }
    }

    /// Notes what is known once all of its places are: whether the request brings a credential of its own, and a mark.
    pub fn settled(mut self) -> Exchange {
        let mut placeholders = Vec::new();
        self.parts.placeholders(&mut placeholders);
        for segment in &self.path {
            if let Segment::Template(template) = segment {
                template.placeholders(&mut placeholders);
            }
        }
        self.own_credential = placeholders
            .iter()
            .any(|placeholder| placeholder.source.root == Root::Credential);
        let mark = placeholders
            .iter()
            .find(|placeholder| placeholder.source.is_key())
            .map(|key| std::iter::once(&key.source).chain(&key.otherwise));
        self.mark = mark.into_iter().flatten().cloned().collect();
        self
    }

    /// Does the request, when it is made for this arrival, carry a mark by which the upstream knows a repetition?
    pub fn is_marked(&self, arrival: &Arrival) -> bool {
        let said = |source: &Source| {
            source.root == Root::Arrival && !arrival.get(&source.path).is_absent()
        };
        self.mark.iter().any(said)
    }

    pub fn at_door(&self, door: usize) -> bool {
        self.doors.is_empty() || self.doors.contains(&door)
    }
}

/// A value that an exchange stands for without spelling it.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    Text(Text),
    Int(i64),
    Bool(bool),
}

impl Given {
    pub fn value(&self) -> Value<'_> {
        match self {
            Given::Text(text) => Value::Text(text),
            Given::Int(int) => Value::Int(*int),
            Given::Bool(flag) => Value::Bool(*flag),
        }
    }

    pub fn equals(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Given::Text(text), Value::Text(other)) => text == other,
            (Given::Int(int), Value::Int(other)) => *int == other,
            (Given::Bool(flag), Value::Bool(other)) => *flag == other,
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Segment {
    Literal(Box<str>),
    Template(Template),
}

#[derive(Clone, Debug, Default)]
pub struct ReplyForm {
    /// Written: this or 200. Read: this, or any 2xx when absent.
    pub status: Option<u16>,
    pub header: Vec<Header>,
    pub body: ReplyBody,
}

#[derive(Clone, Debug, Default)]
pub enum ReplyBody {
    #[default]
    Empty,
    Json(Template),
    Text(Template),
}

/// How a fault looks on the wire.
#[derive(Clone, Debug)]
pub struct FaultForm {
    pub kind: Kind,
    /// Empty means any.
    pub on: Vec<Operation>,
    pub field: Option<Box<str>>,
    pub doors: Vec<usize>,
    pub role: Role,
    /// Was a status written down? Then reading demands it.
    pub status: Option<u16>,
    pub header: Vec<Header>,
    pub body: ReplyBody,
    pub seal: SealKey,
    /// Constants that tell it from other faults when read.
    pub constants: usize,
    /// Its structure alone tells that it is a fault.
    pub evident: bool,
}

impl Dialect {
    pub fn door(&self, name: &str) -> Option<usize> {
        self.doors.iter().position(|door| door.name == name)
    }

    /// The exchanges that carry an operation in a role, in file order.
    pub fn exchanges_of(&self, operation: Operation) -> impl Iterator<Item = (usize, &Exchange)> {
        self.exchanges
            .iter()
            .enumerate()
            .filter(move |(_, exchange)| exchange.operation() == Some(operation))
    }

    /// Turns a list between the model's order, oldest first, and the wire's: the dialect's own, or the one asked for.
    pub fn turn(&self, command: Option<&Command>, reply: &mut Reply) {
        let Reply::Messages(list) = reply else { return };
        let asked = match command {
            Some(Command::List(list)) => list.window.order,
            _ => None,
        };
        if asked.map_or(self.profile.order == Order::NewestFirst, |order| order < 0) {
            list.messages.reverse();
        }
    }

    /// Can this dialect, as an upstream, carry the operation at all?
    pub fn calls(&self, operation: Operation) -> bool {
        self.exchanges_of(operation)
            .any(|(_, exchange)| exchange.role.calls())
    }

    /// Can a client of this dialect ask for the operation?
    pub fn serves(&self, operation: Operation) -> bool {
        let entries = self.services.iter().flat_map(|service| &service.entries);
        self.exchanges_of(operation)
            .any(|(_, exchange)| exchange.role.serves())
            || entries
                .into_iter()
                .any(|entry| entry.operation == operation)
    }
}
