//! The client role: a command becomes a request to an upstream, and the upstream's reply becomes an outcome.
//!
//! Here the request is made; [`understand`](Dialect::understand) has a part of its own below.

mod understand;

use std::ops::Range;

use http::{Method, StatusCode, header};

use super::escape::{self, Style};
use super::exchange::*;
use super::fields::{self, Fields};
use super::template::{Scope, Source};
use super::write::{Pairs, Writer};
use crate::model::{App, Arrival, Command, Credential, Fault, Operation, Reply};

/// A request to be sent, and the exchange that will read the reply.
#[derive(Debug)]
pub struct Outgoing {
    pub exchange: usize,
    pub request: Request,
}

/// A request's parts, as they are written on the wire.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// The target, the body and the fields, in one piece of memory.
    bytes: Vec<u8>,
    body: Range<usize>,
}

impl Request {
    /// A path and a query.
    pub fn target(&self) -> &[u8] {
        &self.bytes[..self.body.start]
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    /// What can be read by [`Fields`], without what tells where the request ends.
    pub fn fields(&self) -> &[u8] {
        &self.bytes[self.body.end..]
    }
}

/// What may stand in a target at most, as in other servers.
const TARGET_BYTES: usize = 65_534;

/// Why a dialect cannot say a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsayable {
    /// No entry for the operation.
    Operation(Operation),
    /// Every entry needs a field that is absent.
    Field(String),
    /// What was made is no valid request: a field holds what this place cannot carry.
    Place(String),
}

/// Room that is made for a request: about what a message and a token take.
const USUAL_BYTES: usize = 512;

/// Everything that a request is made from.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub door: usize,
    pub command: &'a Command,
    pub arrival: &'a Arrival,
    pub app: &'a App,
    pub credential: &'a Credential,
}

impl<'a> Call<'a> {
    fn scope(&self) -> Scope<'a> {
        Scope {
            request: Some(self.command.slot()),
            credential: Some(self.credential),
            ..Scope::new(self.command.slot(), self.arrival, self.app)
        }
    }
}

/// An upstream's complete reply.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    pub status: StatusCode,
    pub fields: Fields<'a>,
    pub body: &'a [u8],
}

/// What an upstream's complete reply says.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made; a box would be one allocation per reply"
)]
pub enum Understood {
    Done(Reply),
    /// A complete, understood no.
    Rejected(Fault),
    /// It may have happened: the reply is not one that this dialect has.
    Unclear(String),
}

impl Dialect {
    /// Says a command in this dialect.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn encode(&self, call: &Call<'_>) -> Result<Outgoing, Unsayable> {
        let scope = call.scope();
        let operation = call.command.operation();
        let mut unsayable = Unsayable::Operation(operation);
        for (index, exchange) in self.exchanges_of(operation) {
            if !exchange.role.calls() || !exchange.at_door(call.door) {
                continue;
            }
            if !exchange
                .given
                .iter()
                .all(|(source, given)| given.equals(scope.value(source)))
            {
                continue;
            }
            if exchange
                .when
                .iter()
                .any(|source| scope.value(source).is_absent())
            {
                unsayable = Unsayable::Field("a field that every way of asking needs".into());
                continue;
            }
            return self.encode_with(index, call);
        }
        Err(unsayable)
    }

    /// Says a command with just this exchange, whatever the others could say.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn encode_with(&self, index: usize, call: &Call<'_>) -> Result<Outgoing, Unsayable> {
        let operation = call.command.operation();
        let exchange = self
            .exchanges
            .get(index)
            .filter(|exchange| exchange.operation() == Some(operation))
            .ok_or(Unsayable::Operation(operation))?;
        self.write_request(exchange, call.door, &call.scope())
            .map(|request| Outgoing {
                exchange: index,
                request,
            })
    }

    fn write_request(
        &self,
        exchange: &Exchange,
        door: usize,
        scope: &Scope<'_>,
    ) -> Result<Request, Unsayable> {
        let known = |source: &Source| !scope.value(source).is_absent();
        let auth = self
            .auth
            .iter()
            .filter(|auth| auth.role.calls() && !exchange.own_credential)
            .find(|auth| auth.needs.iter().all(known));
        static NOTHING: Parts = Parts::nothing();
        let auth = auth.map_or(&NOTHING, |auth| &auth.parts);
        let parts = Said([&exchange.parts, &exchange.shared, auth]);
        let method = exchange.methods.first().unwrap_or(&Method::POST);
        let mut writer = Writer::with_room(&self.shapes, Style::Plain, USUAL_BYTES);
        self.write_target(&mut writer, exchange, door, &parts, method, scope)?;
        let begin = writer.out.len();
        let mut kind = self.write_body(&mut writer, &parts, method, scope);
        let end = writer.out.len();
        for one in parts.each().flat_map(|parts| &parts.header) {
            let (before, name) = (writer.out.len(), &one.name);
            if !one.write(&mut writer, scope) {
                let why = format!("the header {name} cannot carry what was asked");
                return Err(Unsayable::Place(why));
            }
            if writer.out.len() > before && *name == header::CONTENT_TYPE {
                kind = None;
            }
        }
        if let Some(kind) = kind {
            let _ = fields::add(&mut writer.out, &header::CONTENT_TYPE, kind.as_bytes());
        }
        match writer.missing {
            Some(missing) => Err(Unsayable::Field(missing.to_owned())),
            None => Ok(Request {
                method: method.clone(),
                bytes: writer.out,
                body: begin..end,
            }),
        }
    }

    fn write_target<'d>(
        &'d self,
        writer: &mut Writer<'d>,
        exchange: &'d Exchange,
        door: usize,
        parts: &Said<'d>,
        method: &Method,
        scope: &Scope<'_>,
    ) -> Result<(), Unsayable> {
        if let Some(door) = self.doors.get(door) {
            writer.out.extend_from_slice(door.path.as_bytes());
        }
        for segment in &exchange.path {
            writer.out.push(b'/');
            match segment {
                Segment::Literal(literal) => writer.out.extend_from_slice(literal.as_bytes()),
                Segment::Template(template) => {
                    let mut text = String::new();
                    writer.text(template, scope, &mut text);
                    if matches!(text.as_str(), "" | "." | "..") {
                        return Err(Unsayable::Place(format!("`{text}` cannot stand in a path")));
                    }
                    escape::percent(&text, &mut writer.out);
                }
            }
        }
        if writer.out.is_empty() {
            writer.out.push(b'/');
        }
        writer.begin_pairs("?");
        let pairs = match self.query {
            QueryKind::Plain => Pairs::Query,
            QueryKind::Feathers => Pairs::Feathers,
        };
        for query in parts.each().filter_map(|parts| parts.query.as_ref()) {
            writer.pairs(query, scope, pairs);
        }
        if *method == Method::GET {
            for params in parts.each().filter_map(|parts| parts.params.as_ref()) {
                writer.pairs(params, scope, pairs);
            }
        }
        for (name, template) in parts.each().filter_map(|parts| parts.query_json.as_ref()) {
            writer.member(name, template, scope, Pairs::Query);
        }
        let target = &writer.out;
        let plain = |all, byte: &u8| all & byte.is_ascii_graphic() & (*byte != b'#');
        match target.len() <= TARGET_BYTES && target.iter().fold(true, plain) {
            true => Ok(()),
            false => Err(Unsayable::Place(
                "the path and the query are too long, or not escaped".into(),
            )),
        }
    }

    /// Writes the body, and tells what kind it is; nothing if there is none.
    fn write_body<'d>(
        &'d self,
        writer: &mut Writer<'d>,
        parts: &Said<'d>,
        method: &Method,
        scope: &Scope<'_>,
    ) -> Option<&'static str> {
        if *method == Method::GET {
            return None;
        }
        let params = || parts.each().filter_map(|parts| parts.params.as_ref());
        let json = || parts.each().filter_map(|parts| parts.json.as_ref());
        let form = || parts.each().filter_map(|parts| parts.form.as_ref());
        let in_member = || {
            let members = parts
                .each()
                .flat_map(|parts| [&parts.form_json, &parts.params_json]);
            members.flatten()
        };
        let no_json = json().next().is_none();
        let form_first = matches!(
            self.bodies.first(),
            Some(BodyKind::Form | BodyKind::Multipart)
        );
        let explicit = form().next().is_some() || in_member().next().is_some();
        if explicit || (form_first && no_json) {
            let begin = writer.out.len();
            writer.begin_pairs("");
            for template in form().chain(params().filter(|_| form_first || no_json)) {
                writer.pairs(template, scope, Pairs::Form);
            }
            for (name, template) in in_member() {
                writer.member(name, template, scope, Pairs::Form);
            }
            let kind = "application/x-www-form-urlencoded";
            return (writer.out.len() > begin).then_some(kind);
        }
        if no_json && params().next().is_none() {
            return None;
        }
        writer.object(json().chain(params()), scope);
        Some("application/json")
    }
}

/// Everything that is said in a request: the exchange's own parts, what all share, and who is calling.
struct Said<'d>([&'d Parts; 3]);

impl<'d> Said<'d> {
    fn each(&self) -> impl Iterator<Item = &'d Parts> {
        self.0.into_iter()
    }
}
