//! Rendering: an outcome becomes a reply. It cannot fail.
//!
//! A fault takes the form of its kind, or of the nearest kind above it that the dialect has words for.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::dialect::exchange::*;
use crate::dialect::template::{Absence, Scope, Template};
use crate::dialect::write::Writer;
use crate::model::record::Slot;
use crate::model::{App, Arrival, Command, Done, Fault, Kind, Operation, Outcome};

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

impl Dialect {
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
    pub(in crate::dialect) fn fault_form(
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

    pub(in crate::dialect) fn assemble(
        &self,
        status: u16,
        header: &[Header],
        body: &ReplyBody,
        scope: &Scope<'_>,
        seal: SealKey,
    ) -> Rendered {
        let mut writer = Writer::new(&self.shapes, self.style);
        let mut headers = HeaderMap::with_capacity(self.reply_header.len() + header.len() + 1);
        for header in self.reply_header.iter().chain(header) {
            if let Some(Ok(value)) = header.value(&mut writer, scope) {
                headers.insert(&header.name, value);
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
    pub(super) fn session_member(&self) -> Option<&str> {
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

pub(in crate::dialect) fn named<'t>(template: &'t Template, field: &str) -> Option<&'t str> {
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
