//! The client role: a command becomes a request to an upstream, and the upstream's reply becomes an outcome.
//!
//! A reply is a success only if it is complete, its status is right and its constants are all there; it is a refusal if
//! a fault of the mapping fits or the status says so; everything else is unclear and is told as such.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};

use super::exchange::*;
use super::read::{Field, Fit, Reader, matches};
use super::tape::Tape;
use super::template::{Scope, Target, Template};
use super::write::{Pairs, Writer};
use crate::model::record::{Slot, Value};
use crate::model::{
    App, Arrival, Command, Credential, Details, Fault, Kind, OneMessage, Operation, Outcome, Reply,
    Text,
};

/// A request to be sent, and the exchange that will read the reply.
#[derive(Debug)]
pub struct Outgoing {
    pub exchange: usize,
    /// Its URI is a path and a query.
    pub request: Request<Bytes>,
}

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
    ) -> Result<Request<Bytes>, Unsayable> {
        let auth = self
            .auth
            .iter()
            .filter(|_| !exchange.carries_credential())
            .find(|auth| auth.role.calls() && can_write(&auth.parts, scope));
        let parts: Vec<&Parts> = [
            Some(&exchange.parts),
            Some(&exchange.shared),
            auth.map(|auth| &auth.parts),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut writer = Writer::new(&self.shapes, super::escape::Style::Plain);
        let method = exchange.methods.first().cloned().unwrap_or(Method::POST);
        let target = self.write_target(&mut writer, exchange, door, &parts, &method, scope)?;
        let mut request = Request::builder().method(method.clone()).uri(target);
        let (body, kind) = self.write_body(&mut writer, &parts, &method, scope);
        for (name, template) in parts.iter().flat_map(|parts| &parts.header) {
            if let Some(value) = write_header(&mut writer, name, template, scope)? {
                request = request.header(name, value);
            }
        }
        if let Some(kind) = kind
            && !request
                .headers_ref()
                .is_some_and(|headers| headers.contains_key(header::CONTENT_TYPE))
        {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(missing) = writer.missing {
            return Err(Unsayable::Field(missing.to_owned()));
        }
        request
            .body(body)
            .map_err(|error| Unsayable::Place(error.to_string()))
    }

    fn write_target<'d>(
        &'d self,
        writer: &mut Writer<'d>,
        exchange: &'d Exchange,
        door: usize,
        parts: &[&'d Parts],
        method: &Method,
        scope: &Scope<'_>,
    ) -> Result<String, Unsayable> {
        let mut target = self
            .doors
            .get(door)
            .map(|door| door.path.to_string())
            .unwrap_or_default();
        for segment in &exchange.path {
            target.push('/');
            match segment {
                Segment::Literal(literal) => target.push_str(literal),
                Segment::Template(template) => {
                    let mut text = String::new();
                    writer.text(template, scope, &mut text);
                    if matches!(text.as_str(), "" | "." | "..") {
                        return Err(Unsayable::Place(format!("`{text}` cannot stand in a path")));
                    }
                    let mut escaped = Vec::new();
                    super::escape::percent(&text, &mut escaped);
                    target.push_str(&String::from_utf8(escaped).unwrap_or_default());
                }
            }
        }
        if target.is_empty() {
            target.push('/');
        }
        let pairs = match self.query {
            QueryKind::Plain => Pairs::Query,
            QueryKind::Feathers => Pairs::Feathers,
        };
        for query in parts.iter().filter_map(|parts| parts.query.as_ref()) {
            writer.pairs(query, scope, pairs);
        }
        if *method == Method::GET {
            for params in parts.iter().filter_map(|parts| parts.params.as_ref()) {
                writer.pairs(params, scope, pairs);
            }
        }
        for (name, template) in parts.iter().filter_map(|parts| parts.query_json.as_ref()) {
            let mut text = String::new();
            writer.text(template, scope, &mut text);
            writer.pair(name, &text, Pairs::Query);
        }
        let query = String::from_utf8(std::mem::take(&mut writer.out)).unwrap_or_default();
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        Ok(target)
    }

    fn write_body<'d>(
        &'d self,
        writer: &mut Writer<'d>,
        parts: &[&'d Parts],
        method: &Method,
        scope: &Scope<'_>,
    ) -> (Bytes, Option<HeaderValue>) {
        if *method == Method::GET {
            return (Bytes::new(), None);
        }
        let form_first = matches!(
            self.bodies.first(),
            Some(BodyKind::Form | BodyKind::Multipart)
        );
        let params: Vec<&Template> = parts
            .iter()
            .filter_map(|parts| parts.params.as_ref())
            .collect();
        let json: Vec<&Template> = parts
            .iter()
            .filter_map(|parts| parts.json.as_ref())
            .collect();
        let form: Vec<&Template> = parts
            .iter()
            .filter_map(|parts| parts.form.as_ref())
            .collect();
        let in_member: Vec<&(Box<str>, Template)> = parts
            .iter()
            .flat_map(|parts| [parts.form_json.as_ref(), parts.params_json.as_ref()])
            .flatten()
            .collect();
        let as_form = !form.is_empty() || !in_member.is_empty() || (form_first && json.is_empty());
        if as_form {
            for template in form
                .iter()
                .chain(params.iter().filter(|_| form_first || json.is_empty()))
            {
                writer.pairs(template, scope, Pairs::Form);
            }
            for (name, template) in in_member {
                let mut text = String::new();
                writer.text(template, scope, &mut text);
                writer.pair(name, &text, Pairs::Form);
            }
        } else {
            let templates: Vec<&Template> = json.into_iter().chain(params).collect();
            if templates.is_empty() {
                return (Bytes::new(), None);
            }
            writer.object(&templates, scope);
        }
        let body = Bytes::from(std::mem::take(&mut writer.out));
        let kind = match (as_form, body.is_empty()) {
            (true, true) => return (body, None),
            (true, false) => HeaderValue::from_static("application/x-www-form-urlencoded"),
            (false, _) => HeaderValue::from_static("application/json"),
        };
        (body, Some(kind))
    }

    /// Understands an upstream's complete reply to an exchange.
    pub fn understand(
        &self,
        index: usize,
        call: &Call<'_>,
        status: StatusCode,
        body: &[u8],
    ) -> Understood {
        let Some(exchange) = self.exchanges.get(index) else {
            return Understood::Unclear("no such exchange".into());
        };
        let text_wanted = matches!(exchange.reply.body, ReplyBody::Text(_));
        let tape = if text_wanted {
            std::str::from_utf8(body).ok().map(Tape::of_text)
        } else {
            Tape::json(body).ok()
        };
        let field = tape.as_ref().and_then(Tape::root).map(|at| Field {
            at,
            textual: text_wanted,
        });
        let good = exchange
            .reply
            .status
            .map_or(status.is_success(), |wanted| wanted == status.as_u16())
            || (status.is_success()
                && exchange
                    .reply
                    .status
                    .is_some_and(|wanted| (200..300).contains(&wanted)));
        if good && let Some(reply) = self.understand_success(exchange, call, field) {
            return Understood::Done(reply);
        }
        match self.understand_fault(exchange, call, status, body) {
            Some(fault) => Understood::Rejected(fault),
            None => Understood::Unclear(format!(
                "a reply that this dialect does not have, with status {status}"
            )),
        }
    }

    fn understand_success(
        &self,
        exchange: &Exchange,
        call: &Call<'_>,
        field: Option<Field<'_>>,
    ) -> Option<Reply> {
        let own = match &exchange.reply.body {
            ReplyBody::Empty => return Some(Reply::prefilled(call.command)),
            ReplyBody::Json(template) | ReplyBody::Text(template) => template,
        };
        let template = std::iter::once(own)
            .chain(&exchange.also)
            .find(|template| field.is_some() && matches(template, field, Fit::Structure))?;
        let mut reply = Reply::prefilled(call.command);
        let mut spare = Spare::default();
        let mut reader = Reader::new(&self.shapes, false);
        let _ = reader.read(template, field, &mut spare.target(reply.slot_mut()));
        self.turn(Some(call.command), &mut reply);
        if let Some(channel) = channel_of(call.command) {
            name_channel(&mut reply, channel);
        }
        Some(reply)
    }

    fn understand_fault(
        &self,
        exchange: &Exchange,
        call: &Call<'_>,
        status: StatusCode,
        body: &[u8],
    ) -> Option<Fault> {
        let json = Tape::json(body).ok();
        let text = std::str::from_utf8(body).ok().map(Tape::of_text);
        let on = exchange.operation();
        let fits = |form: &&FaultForm| {
            let field = match &form.body {
                ReplyBody::Empty => return form.status == Some(status.as_u16()) && body.is_empty(),
                ReplyBody::Json(_) => json
                    .as_ref()
                    .and_then(Tape::root)
                    .map(|at| Field { at, textual: false }),
                ReplyBody::Text(_) => text
                    .as_ref()
                    .and_then(Tape::root)
                    .map(|at| Field { at, textual: true }),
            };
            let (ReplyBody::Json(template) | ReplyBody::Text(template)) = &form.body else {
                return false;
            };
            form.role.calls()
                && (form.constants > 0 || form.status.is_some() || form.evident)
                && form.status.unwrap_or(200) == status.as_u16()
                && (form.on.is_empty() || on.is_some_and(|on| form.on.contains(&on)))
                && (form.doors.is_empty() || form.doors.contains(&call.door))
                && field.is_some()
                && matches(template, field, Fit::Structure)
        };
        let form = self
            .faults
            .iter()
            .filter(fits)
            .rev()
            .max_by_key(|form| (form.constants, !form.on.is_empty(), form.kind.depth()));
        let Some(form) = form else {
            return by_status(status);
        };
        let mut details = Details::default();
        let mut spare = Spare::default();
        let mut reader = Reader::new(&self.shapes, false);
        let (field, textual) = match &form.body {
            ReplyBody::Text(_) => (text.as_ref().and_then(Tape::root), true),
            _ => (json.as_ref().and_then(Tape::root), false),
        };
        if let ReplyBody::Json(template) | ReplyBody::Text(template) = &form.body {
            let mut nothing = crate::model::Done::default();
            let mut target = Target {
                fault: &mut details,
                ..spare.target(&mut nothing)
            };
            let _ = reader.read(template, field.map(|at| Field { at, textual }), &mut target);
        }
        Some(Fault {
            kind: form.kind,
            origin: crate::model::Origin::Upstream,
            details: Box::new(details),
        })
    }
}

/// Records that a reply is read into and nobody asks for.
#[derive(Default)]
struct Spare {
    arrival: Arrival,
    app: App,
    credential: Credential,
    details: Details,
}

impl Spare {
    fn target<'a>(&'a mut self, this: &'a mut dyn Slot) -> Target<'a> {
        Target {
            this,
            item: None,
            arrival: &mut self.arrival,
            app: &mut self.app,
            credential: &mut self.credential,
            fault: &mut self.details,
        }
    }
}

impl Reply {
    /// A reply with what the command itself says: servers do not repeat everything.
    pub fn prefilled(command: &Command) -> Reply {
        let mut reply = command.operation().reply();
        match (&mut reply, command) {
            (Reply::OneMessage(one), Command::Send(message) | Command::Edit(message)) => {
                one.message = message.clone()
            }
            (Reply::OneMessage(one), Command::Get(asked)) => {
                one.message.channel = asked.channel.clone()
            }
            (Reply::OneMessage(one), Command::MarkSeen(asked)) => {
                one.message.id = asked.id.clone();
                one.message.channel = asked.channel.clone();
            }
            (Reply::OneMessage(one), Command::ToggleStar(asked)) => {
                one.message.id = asked.id.clone();
                one.message.channel = asked.channel.clone();
            }
            (Reply::Messages(list), Command::SendMany(many)) => list.messages = many.sends.clone(),
            (Reply::Moderation(done), Command::Delete(asked)) => {
                done.channel = asked.channel.clone()
            }
            (Reply::Moderation(done), Command::Moderate(asked)) => {
                done.channel = asked.channel.clone()
            }
            _ => {}
        }
        reply
    }
}

/// The one channel that a command is about.
fn channel_of(command: &Command) -> Option<&Text> {
    match command {
        Command::List(asked) => Some(&asked.channel),
        Command::Search(asked) => Some(&asked.channel),
        Command::Get(asked) => Some(&asked.channel),
        _ => None,
    }
}

/// Messages of one channel name it even where the wire does not.
fn name_channel(reply: &mut Reply, channel: &Text) {
    match reply {
        Reply::Messages(list) => {
            for message in &mut list.messages {
                if message.channel.is_empty() {
                    message.channel = channel.clone();
                }
            }
        }
        Reply::OneMessage(OneMessage { message }) if message.channel.is_empty() => {
            message.channel = channel.clone()
        }
        _ => {}
    }
}

/// Is every credential that these parts write at hand?
fn can_write(parts: &Parts, scope: &Scope<'_>) -> bool {
    let mut placeholders = Vec::new();
    parts.placeholders(&mut placeholders);
    placeholders.iter().all(|placeholder| {
        !matches!(placeholder.absence, super::template::Absence::Required)
            || !matches!(scope.value(&placeholder.source), Value::Absent)
    })
}

fn write_header<'d>(
    writer: &mut Writer<'d>,
    name: &HeaderName,
    template: &'d Template,
    scope: &Scope<'_>,
) -> Result<Option<HeaderValue>, Unsayable> {
    let mut text = String::new();
    if !writer.text(template, scope, &mut text) {
        return Ok(None);
    }
    HeaderValue::from_str(&text)
        .map(Some)
        .map_err(|_| Unsayable::Place(format!("the header {name} cannot carry what was asked")))
}

/// What a status alone says, when no fault of the mapping fits (design R6).
fn by_status(status: StatusCode) -> Option<Fault> {
    let kind = match status.as_u16() {
        400 | 413 | 422 => Kind::Invalid,
        401 | 302 => Kind::Unauthenticated,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        429 => Kind::TooFast,
        405 => Kind::Method,
        400..500 => Kind::Invalid,
        _ => return None,
    };
    Some(Fault::upstream(
        kind,
        format!("the upstream answered {status}"),
    ))
}

/// The outcome that a reply stands for.
impl From<Understood> for Outcome {
    fn from(understood: Understood) -> Outcome {
        match understood {
            Understood::Done(reply) => Ok(reply),
            Understood::Rejected(fault) => Err(fault),
            Understood::Unclear(why) => Err(Fault::upstream(Kind::OutcomeUnknown, why)),
        }
    }
}
