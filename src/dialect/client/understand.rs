//! Understanding: an upstream's complete reply becomes an outcome.
//!
//! A reply is a success only if its status is right, its constants are all there and something else of it is; it is a
//! refusal if a fault of the mapping fits or the status says so; everything else is unclear and is told as such.

use std::cell::OnceCell;

use http::StatusCode;

use super::{Call, Heard, Understood};
use crate::dialect::exchange::*;
use crate::dialect::read::{Field, Fit, Reader, anything_of, matches};
use crate::dialect::tape::{Leaf, Tape};
use crate::dialect::template::Target;
use crate::model::{Command, Details, Fault, Kind, OneMessage, Outcome, Reply, Text};

impl Dialect {
    /// Understands an upstream's complete reply to an exchange.
    pub fn understand(&self, index: usize, call: &Call<'_>, heard: &Heard<'_>) -> Understood {
        let status = heard.status;
        let Some(exchange) = self.exchanges.get(index) else {
            return Understood::Unclear("no such exchange".into());
        };
        let body = Body::of(heard.body);
        let good = exchange
            .reply
            .status
            .map_or(status.is_success(), |wanted| wanted == status.as_u16())
            || (status.is_success()
                && exchange
                    .reply
                    .status
                    .is_some_and(|wanted| (200..300).contains(&wanted)));
        if good && let Some(reply) = self.understand_success(exchange, call, &body) {
            return Understood::Done(reply);
        }
        match self.understand_fault(exchange, call, heard, &body) {
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
        body: &Body<'_>,
    ) -> Option<Reply> {
        let own = match &exchange.reply.body {
            ReplyBody::Empty => return Some(Reply::prefilled(call.command)),
            ReplyBody::Json(template) | ReplyBody::Text(template) => template,
        };
        let field = body.field(&exchange.reply.body);
        let found = field?;
        let template = std::iter::once(own)
            .chain(&exchange.also)
            .find(|template| {
                matches(template, field, Fit::Structure)
                    && anything_of(template, &self.shapes, found)
            })?;
        let mut reply = Reply::prefilled(call.command);
        let mut reader = Reader::new(&self.shapes, false);
        let _ = reader.read(template, field, &mut Target::new(reply.slot_mut()));
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
        heard: &Heard<'_>,
        body: &Body<'_>,
    ) -> Option<Fault> {
        let status = heard.status;
        let on = exchange.operation();
        let fits = |form: &&FaultForm| {
            let (ReplyBody::Json(template) | ReplyBody::Text(template)) = &form.body else {
                return form.status == Some(status.as_u16()) && heard.body.is_empty();
            };
            let field = body.field(&form.body);
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
        let mut reader = Reader::new(&self.shapes, false);
        let mut nothing = crate::model::Done::default();
        let mut target = Target {
            fault: Some(&mut details),
            ..Target::new(&mut nothing)
        };
        for header in &form.header {
            let value = heard.fields.get(&header.name);
            let _ = reader.place(&header.template, value, &mut target);
        }
        if let ReplyBody::Json(template) | ReplyBody::Text(template) = &form.body {
            let _ = reader.read(template, body.field(&form.body), &mut target);
        }
        Some(Fault {
            kind: form.kind,
            origin: crate::model::Origin::Upstream,
            details: Box::new(details),
        })
    }
}

/// A reply's body, read once as JSON and once as text where a template wants it so.
struct Body<'a> {
    text: Option<&'a str>,
    leaf: Option<Leaf<'a>>,
    json: OnceCell<Option<Tape<'a>>>,
}

impl<'a> Body<'a> {
    fn of(bytes: &'a [u8]) -> Body<'a> {
        let text = std::str::from_utf8(bytes).ok();
        Body {
            text,
            leaf: text.map(Leaf::text),
            json: OnceCell::new(),
        }
    }

    fn field(&self, wanted: &ReplyBody) -> Option<Field<'_>> {
        match wanted {
            ReplyBody::Empty => None,
            ReplyBody::Text(_) => self.leaf.as_ref().map(Field::leaf),
            ReplyBody::Json(_) => {
                let read = || Tape::json_text(self.text?).ok();
                let at = self.json.get_or_init(read).as_ref()?.root()?;
                Some(Field { at, textual: false })
            }
        }
    }
}

impl Reply {
    /// A reply with what the command itself says: servers do not repeat everything.
    pub fn prefilled(command: &Command) -> Reply {
        if let Command::Send(message) | Command::Edit(message) = command {
            let message = Box::new(message.clone());
            return Reply::OneMessage(OneMessage { message });
        }
        let mut reply = command.operation().reply();
        match (&mut reply, command) {
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
                done.action = "delete_message".into();
                done.channel = asked.channel.clone();
            }
            (Reply::Moderation(done), Command::Moderate(asked)) => {
                done.action = asked.deed().unwrap_or_default().into();
                done.channel = asked.channel.clone();
                done.person.id = asked.person.clone();
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
