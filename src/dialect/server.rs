//! The server role: a client's request becomes a command, and an outcome becomes its reply.
//!
//! Understanding can fail, rendering cannot. A request that cannot be understood is a [`Refusal`], which still carries
//! what was read of who is calling: a caller that nobody knows is told so before it is told of its mistakes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::exchange::*;
use super::read::{Field, Fit, Miss, Reader, matches, members_match};
use super::tape::Tape;
use super::template::{Absence, Scope, Target, Template};
use super::wire::{Incoming, Parsed};
use super::write::Writer;
use crate::model::record::Slot;
use crate::model::{
    App, Arrival, Command, Credential, Details, Done, Fault, Kind, Operation, Outcome,
};

/// A request, understood.
#[derive(Clone, Debug)]
pub struct Job {
    /// The exchange that it is, by its index.
    pub exchange: usize,
    pub ask: Ask,
    pub app: App,
    pub credential: Credential,
    /// What the request itself brought of the arrival: its idempotency key, perhaps.
    pub key: crate::model::Text,
}

#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every one is a command; a box would be one allocation per request"
)]
pub enum Ask {
    Command(Command),
    /// A fixed reply, once the caller is known.
    Answer,
}

/// A request that was not understood, with what was read of its caller.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub fault: Fault,
    /// The exchange that it would have been.
    pub exchange: Option<usize>,
    pub app: App,
    pub credential: Credential,
    /// What is missing is the proof of who is calling: there is nobody to be told of other mistakes.
    pub unproven: bool,
}

impl Refusal {
    /// A fault met before anything of the request was read.
    pub fn early(fault: Fault) -> Refusal {
        Refusal {
            fault,
            exchange: None,
            app: App::default(),
            credential: Credential::default(),
            unproven: false,
        }
    }
}

/// A reply as it goes out.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Which key is to seal it.
    pub seal: SealKey,
}

/// What a reply may tell besides its outcome.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    pub door: usize,
    pub exchange: Option<usize>,
    pub command: Option<&'a Command>,
    pub arrival: &'a Arrival,
    pub app: &'a App,
}

/// What is read of a request while it is being understood.
struct Draft {
    record: Command,
    arrival: Arrival,
    app: App,
    credential: Credential,
    details: Details,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft {
            record: Operation::CheckSession.command(),
            arrival: Arrival::default(),
            app: App::default(),
            credential: Credential::default(),
            details: Details::default(),
        }
    }
}

impl Draft {
    fn target(&mut self) -> Target<'_> {
        Target {
            this: self.record.slot_mut(),
            item: None,
            arrival: &mut self.arrival,
            app: &mut self.app,
            credential: &mut self.credential,
            fault: &mut self.details,
        }
    }

    fn refuse(self, fault: Fault, exchange: Option<usize>) -> Box<Refusal> {
        Box::new(Refusal {
            fault,
            exchange,
            app: self.app,
            credential: self.credential,
            unproven: false,
        })
    }

    /// Who brings no session where one is needed is told of nothing else.
    fn refuse_exchange(self, miss: Miss, exchange: &Exchange, index: usize) -> Box<Refusal> {
        let session = exchange.session_member();
        match session.filter(|_| self.credential.session.0.is_empty()) {
            None => self.refuse(missed(miss), Some(index)),
            Some(name) => Box::new(Refusal {
                unproven: true,
                ..*self.refuse(missed(Miss::Blank(name.into())), Some(index))
            }),
        }
    }
}

impl Dialect {
    /// Understands a request whose path belongs to one of the candidates, which are tried in their order.
    ///
    /// # Errors
    /// What is wrong with the request, in the model's words and the wire's names.
    pub fn decode(
        &self,
        incoming: &Incoming<'_>,
        candidates: &[usize],
    ) -> Result<Job, Box<Refusal>> {
        let mut draft = Draft::default();
        let mut reader = Reader::new(&self.shapes, true);
        // Headers may know the caller although the body cannot be read.
        self.read_auth(&mut reader, incoming, None, &mut draft);
        let parsed = match incoming.parse(self) {
            Ok(parsed) => parsed,
            Err(why) => {
                return Err(draft.refuse(
                    Fault::client(Kind::Malformed, why.0),
                    candidates.first().copied(),
                ));
            }
        };
        self.read_auth(&mut reader, incoming, Some(&parsed), &mut draft);
        if let Err(miss) = read_parts(
            &mut reader,
            &self.every,
            incoming,
            &parsed,
            &mut draft.target(),
        ) {
            // What the request says of its program is not to be trusted to name one.
            draft.app = App::default();
            return Err(draft.refuse(missed(miss), None));
        }
        let chosen = self
            .choose(incoming, &parsed, candidates, Bodies::AsSent)
            .or_else(|| self.choose(incoming, &parsed, candidates, Bodies::Forgotten));
        let Some(index) = chosen else {
            let fault = self.nothing_chosen(incoming, &parsed, candidates);
            return Err(draft.refuse(fault, None));
        };
        let exchange = &self.exchanges[index];
        let ask = match &exchange.action {
            Action::Command(operation) => {
                draft.record = operation.command();
                None
            }
            Action::Answer => Some(Ask::Answer),
            Action::Refuse { kind, message } => {
                return Err(draft.refuse(Fault::client(*kind, &**message), Some(index)));
            }
        };
        let read =
            read_segments(&mut reader, exchange, incoming, &mut draft.target()).and_then(|()| {
                read_parts(
                    &mut reader,
                    &exchange.parts,
                    incoming,
                    &parsed,
                    &mut draft.target(),
                )
            });
        if let Err(miss) = read {
            return Err(draft.refuse_exchange(miss, exchange, index));
        }
        for (source, given) in &exchange.given {
            if let Some(record) = draft.target().record(source.root) {
                // The loader has checked that the value fits the field.
                let _ = record.set(&source.path, given.value());
            }
        }
        reader.derive(&exchange.derive, &mut draft.target());
        Ok(Job {
            exchange: index,
            ask: ask.unwrap_or(Ask::Command(draft.record)),
            app: draft.app,
            credential: draft.credential,
            key: draft.arrival.key,
        })
    }

    /// The proof of identity that a request has in its headers, where it can be read before the body is.
    pub fn proof(&self, incoming: &Incoming<'_>) -> Credential {
        let mut draft = Draft::default();
        let mut reader = Reader::new(&self.shapes, true);
        self.read_auth(&mut reader, incoming, None, &mut draft);
        draft.credential
    }

    /// Reads the first proof of identity that the request has; without a parsed body, only from the headers.
    fn read_auth(
        &self,
        reader: &mut Reader<'_>,
        incoming: &Incoming<'_>,
        parsed: Option<&Parsed<'_>>,
        draft: &mut Draft,
    ) {
        for auth in self.auth.iter().filter(|auth| auth.role.serves()) {
            let mut credential = Credential::default();
            let mut target = Target {
                credential: &mut credential,
                ..draft.target()
            };
            let read = match parsed {
                Some(parsed) => read_parts(reader, &auth.parts, incoming, parsed, &mut target),
                None if !auth.parts.header.is_empty() => {
                    read_headers(reader, &auth.parts, incoming.headers, &mut target)
                }
                None => continue,
            };
            if read.is_ok() && credential != Credential::default() {
                draft.credential = credential;
                return;
            }
        }
    }

    fn choose(
        &self,
        incoming: &Incoming<'_>,
        parsed: &Parsed<'_>,
        candidates: &[usize],
        bodies: Bodies,
    ) -> Option<usize> {
        candidates.iter().copied().find(|index| {
            let parts = &self.exchanges[*index].parts;
            let place = |template: &Option<Template>, field: Option<Field<'_>>| {
                template
                    .as_ref()
                    .is_none_or(|template| matches(template, field, Fit::Constants))
            };
            place(&parts.query, parsed.query_field())
                && place(&parts.form, parsed.form_field())
                && parts
                    .json
                    .as_ref()
                    .is_none_or(|json| matches_body(json, parsed, bodies))
                && match &parts.params {
                    Some(Template::Object(members)) => {
                        members_match(members, &parsed.params(), Fit::Constants)
                    }
                    _ => true,
                }
                && parts
                    .form_json
                    .as_ref()
                    .is_none_or(|(name, _)| holds(parsed.form_field(), name))
                && parts
                    .query_json
                    .as_ref()
                    .is_none_or(|(name, _)| holds(parsed.query_field(), name))
                && parts.params_json.as_ref().is_none_or(|(name, _)| {
                    let params = parsed.params();
                    holds(params.first, name) || holds(params.then, name)
                })
                && parts.header.iter().all(|(name, template)| {
                    let text = incoming
                        .headers
                        .get(name)
                        .and_then(|value| value.to_str().ok());
                    let tape = text.map(Tape::of_text);
                    let at = tape.as_ref().and_then(Tape::root);
                    matches(
                        template,
                        at.map(|at| Field { at, textual: true }),
                        Fit::Constants,
                    )
                })
        })
    }

    /// The path is known, but no exchange was meant: either the body's shape is wrong, or there is no such thing.
    fn nothing_chosen(
        &self,
        incoming: &Incoming<'_>,
        parsed: &Parsed<'_>,
        candidates: &[usize],
    ) -> Fault {
        let shape_only = candidates.iter().any(|index| {
            self.exchanges[*index]
                .constants
                .iter()
                .all(|(place, _)| place == "body")
        });
        if shape_only && (parsed.body.is_some() || incoming.body.is_empty()) {
            return Fault::client(
                Kind::Malformed,
                "the body has not the shape that is expected here",
            );
        }
        Fault::client(Kind::Endpoint, "no such operation here")
    }

    /// Renders an outcome.
    pub fn render(&self, outcome: &mut Outcome, told: &Told<'_>) -> Rendered {
        match outcome {
            Ok(reply) => {
                self.turn(told.command, reply);
                self.render_reply(reply.slot(), told)
            }
            Err(fault) => self.render_fault(fault, told),
        }
    }

    /// Renders the reply of an exchange that carries no command.
    pub fn render_answer(&self, told: &Told<'_>) -> Rendered {
        self.render_reply(&Done::default(), told)
    }

    fn render_reply(&self, reply: &dyn Slot, told: &Told<'_>) -> Rendered {
        let request = told.command.map(Command::slot);
        let scope = Scope {
            request,
            ..Scope::new(reply, told.arrival, told.app)
        };
        let exchange = told.exchange.map(|index| self.twin_for(index, &scope));
        match exchange {
            Some(exchange) => {
                let status = exchange.reply.status.unwrap_or(200);
                self.assemble(
                    status,
                    &exchange.reply.header,
                    &exchange.reply.body,
                    &scope,
                    exchange.seal,
                )
            }
            None => self.assemble(200, &[], &ReplyBody::Empty, &scope, SealKey::None),
        }
    }

    /// The first of an exchange's twins whose `when` holds.
    fn twin_for(&self, index: usize, scope: &Scope<'_>) -> &Exchange {
        let mut exchange = &self.exchanges[index];
        while let Some(next) = exchange.twin
            && exchange
                .when
                .iter()
                .any(|source| scope.value(source).is_absent())
        {
            exchange = &self.exchanges[next];
        }
        exchange
    }

    fn render_fault(&self, fault: &mut Fault, told: &Told<'_>) -> Rendered {
        let exchange = told.exchange.map(|index| &self.exchanges[index]);
        if let Some(name) = exchange.and_then(|exchange| exchange.wire_name(&fault.details.field)) {
            fault.details.field = name.into();
        }
        let nothing = Done::default();
        let request = told.command.map_or(&nothing as &dyn Slot, Command::slot);
        let scope = Scope {
            request: Some(request),
            fault: Some(&fault.details),
            ..Scope::new(&*fault.details, told.arrival, told.app)
        };
        let operation = exchange.and_then(Exchange::operation);
        match self.fault_form(fault.kind, operation, &fault.details.field, told.door) {
            Some(form) => self.assemble(
                form.status.unwrap_or(200),
                &form.header,
                &form.body,
                &scope,
                form.seal,
            ),
            None => self.assemble(500, &[], &ReplyBody::Empty, &scope, SealKey::None),
        }
    }

    /// The most particular form for a kind of fault: up the tree, and by operation, field and door before none.
    fn fault_form(
        &self,
        kind: Kind,
        on: Option<Operation>,
        field: &str,
        door: usize,
    ) -> Option<&FaultForm> {
        let field = field.split(['[', '.']).next().unwrap_or_default();
        let mut kind = Some(kind);
        while let Some(current) = kind {
            let forms = self.faults.iter().filter(|form| {
                form.kind == current
                    && form.role.serves()
                    && (form.doors.is_empty() || form.doors.contains(&door))
                    && (form.on.is_empty() || on.is_some_and(|on| form.on.contains(&on)))
                    && form.field.as_deref().is_none_or(|named| named == field)
            });
            let particular = |form: &&FaultForm| {
                usize::from(form.field.is_some())
                    + usize::from(!form.on.is_empty())
                    + usize::from(!form.doors.is_empty())
            };
            // `max_by_key` keeps the last of equals, and the first in the file is meant.
            if let Some(form) = forms.rev().max_by_key(particular) {
                return Some(form);
            }
            kind = current.parent();
        }
        self.faults
            .iter()
            .find(|form| form.kind == Kind::Internal && form.role.serves())
    }

    fn assemble(
        &self,
        status: u16,
        header: &[(HeaderName, Template)],
        body: &ReplyBody,
        scope: &Scope<'_>,
        seal: SealKey,
    ) -> Rendered {
        let mut writer = Writer::new(&self.shapes, self.style);
        let mut headers = HeaderMap::new();
        for (name, template) in self.reply_header.iter().chain(header) {
            let mut text = String::new();
            if writer.text(template, scope, &mut text)
                && let Ok(value) = HeaderValue::from_str(&text)
            {
                headers.insert(name, value);
            }
        }
        match body {
            ReplyBody::Empty => {}
            ReplyBody::Json(template) => {
                writer.json(template, scope);
                headers
                    .entry(header::CONTENT_TYPE)
                    .or_insert(HeaderValue::from_static("application/json"));
            }
            ReplyBody::Text(template) => {
                let mut text = String::new();
                writer.text(template, scope, &mut text);
                writer.out = text.into_bytes();
                headers
                    .entry(header::CONTENT_TYPE)
                    .or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
            }
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Rendered {
            status,
            headers,
            body: Bytes::from(writer.out),
            seal,
        }
    }
}

impl Exchange {
    /// What the wire calls the session, where a request needs one.
    fn session_member(&self) -> Option<&str> {
        let parts = &self.parts;
        [&parts.query, &parts.form, &parts.json, &parts.params]
            .into_iter()
            .flatten()
            .find_map(session_in)
    }

    /// What the wire calls a field of the command.
    pub fn wire_name(&self, field: &str) -> Option<&str> {
        let parts = &self.parts;
        [&parts.query, &parts.form, &parts.json, &parts.params]
            .into_iter()
            .flatten()
            .find_map(|template| named(template, field))
    }
}

/// What the wire calls a member that must hold the session.
fn session_in(template: &Template) -> Option<&str> {
    let Template::Object(members) = template else {
        return None;
    };
    members.iter().find_map(|member| match &member.template {
        Template::Placeholder(placeholder)
            if *placeholder.path == *"credential.session"
                && matches!(placeholder.absence, Absence::Required) =>
        {
            member.names.first().map(|name| &**name)
        }
        inner => session_in(inner),
    })
}

fn named<'t>(template: &'t Template, field: &str) -> Option<&'t str> {
    let Template::Object(members) = template else {
        return None;
    };
    members.iter().find_map(|member| match &member.template {
        Template::Placeholder(placeholder) if *placeholder.path == *field => {
            member.names.first().map(|name| &**name)
        }
        inner => named(inner, field),
    })
}

fn missed(miss: Miss) -> Fault {
    match miss {
        Miss::Blank(name) => Fault::client(Kind::Blank, format!("{name} is required")).field(name),
        Miss::IllTyped(name) => {
            Fault::client(Kind::Field, format!("{name} is not of the right kind")).field(name)
        }
    }
}

/// What a request without a body is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bodies {
    AsSent,
    /// An empty object, whose missing members are then named.
    Forgotten,
}

fn matches_body(json: &Template, parsed: &Parsed<'_>, bodies: Bodies) -> bool {
    match parsed.json_field() {
        None if parsed.body.is_none() && bodies == Bodies::Forgotten => {
            !json.selects() && matches!(json, Template::Object(_))
        }
        field => field.is_some() && matches(json, field, Fit::Constants),
    }
}

fn holds(field: Option<Field<'_>>, name: &str) -> bool {
    field.is_some_and(|field| field.at.member(name).is_some())
}

fn read_segments(
    reader: &mut Reader<'_>,
    exchange: &Exchange,
    incoming: &Incoming<'_>,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    let templates = exchange.path.iter().filter_map(|segment| match segment {
        Segment::Template(template) => Some(template),
        Segment::Literal(_) => None,
    });
    for (template, raw) in templates.zip(incoming.segments) {
        let name = path_name(template);
        let Ok(text) = super::query::segment(raw) else {
            return Err(Miss::IllTyped(name.into()));
        };
        // A dot segment names another place than it seems to, in every service.
        if matches!(&*text, "." | ".." | "") {
            return Err(Miss::IllTyped(name.into()));
        }
        reader
            .place(template, Some(&text), target)
            .map_err(|miss| match miss {
                Miss::Blank(_) => Miss::Blank(name.into()),
                Miss::IllTyped(_) => Miss::IllTyped(name.into()),
            })?;
    }
    Ok(())
}

fn path_name(template: &Template) -> &str {
    match template {
        Template::Placeholder(placeholder) => &placeholder.path,
        _ => "path",
    }
}

fn read_headers(
    reader: &mut Reader<'_>,
    parts: &Parts,
    headers: &HeaderMap,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    parts.header.iter().try_for_each(|(name, template)| {
        let text = headers.get(name).and_then(|value| value.to_str().ok());
        reader
            .place(template, text, target)
            .map_err(|miss| match miss {
                Miss::Blank(_) => Miss::Blank(name.to_string()),
                Miss::IllTyped(_) => Miss::IllTyped(name.to_string()),
            })
    })
}

fn read_parts(
    reader: &mut Reader<'_>,
    parts: &Parts,
    incoming: &Incoming<'_>,
    parsed: &Parsed<'_>,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    read_headers(reader, parts, incoming.headers, target)?;
    if let Some(Template::Object(members)) = &parts.params {
        reader.members(members, &parsed.params(), target)?;
    }
    if let Some(query) = &parts.query {
        reader.read(query, parsed.query_field(), target)?;
    }
    if let Some(form) = &parts.form {
        reader.read(form, parsed.form_field(), target)?;
    }
    if let Some(json) = &parts.json {
        reader.read(json, parsed.json_field(), target)?;
    }
    for (member, field) in [
        (&parts.form_json, parsed.form_field()),
        (&parts.query_json, parsed.query_field()),
        (&parts.params_json, parsed.params().first),
        (&parts.params_json, parsed.params().then),
    ] {
        if let (Some((name, template)), Some(field)) = (member, field) {
            read_in_member(reader, name, template, field, target)?;
        }
    }
    Ok(())
}

/// Reads a member whose value is JSON, or JSON text.
fn read_in_member(
    reader: &mut Reader<'_>,
    name: &str,
    template: &Template,
    field: Field<'_>,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    let Some(at) = field.at.member(name) else {
        return Ok(());
    };
    if !field.textual {
        return reader.read(template, Some(Field { at, textual: false }), target);
    }
    let super::tape::Kind::Text(text) = at.kind() else {
        return Err(Miss::IllTyped(name.into()));
    };
    let Ok(tape) = Tape::json(text.as_bytes()) else {
        return Err(Miss::IllTyped(name.into()));
    };
    if !tape
        .root()
        .is_some_and(|at| matches(template, Some(Field { at, textual: false }), Fit::Constants))
    {
        return Err(Miss::IllTyped(name.into()));
    }
    reader.read(
        template,
        tape.root().map(|at| Field { at, textual: false }),
        target,
    )
}
