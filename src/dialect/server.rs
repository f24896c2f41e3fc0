//! The server role: a client's request becomes a command, and an outcome becomes its reply.
//!
//! Understanding can fail, rendering cannot. A request that cannot be understood is a [`Refusal`], which still carries
//! what was read of who is calling: a caller that nobody knows is told so before it is told of its mistakes.

mod parts;
pub(super) mod render;

use parts::{Bodies, read_headers, read_parts, read_segments};
pub use render::{Rendered, Told};

use super::exchange::*;
use super::read::{Miss, Reader};
use super::template::Target;
use super::wire::{Incoming, Parsed};
use crate::model::{App, Arrival, Command, Credential, Details, Fault, Kind, Operation, Text};

/// Where what is read of a request is put: into the caller's records, which are large and are not moved.
pub struct Draft<'a> {
    command: &'a mut Command,
    app: &'a mut App,
    credential: &'a mut Credential,
    arrival: Arrival,
    details: Details,
}

impl<'a> Draft<'a> {
    pub fn new(
        command: &'a mut Command,
        app: &'a mut App,
        credential: &'a mut Credential,
    ) -> Draft<'a> {
        Draft {
            command,
            app,
            credential,
            arrival: Arrival::default(),
            details: Details::default(),
        }
    }

    /// What the request itself brought of the arrival: its idempotency key, perhaps.
    pub fn key(self) -> Text {
        self.arrival.key
    }

    fn target(&mut self) -> Target<'_> {
        Target {
            this: self.command.slot_mut(),
            item: None,
            arrival: Some(&mut self.arrival),
            app: Some(self.app),
            credential: Some(self.credential),
            fault: Some(&mut self.details),
        }
    }
}

/// A request, understood. What it says is in the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// The exchange that it is, by its index.
    pub exchange: usize,
    pub ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Command,
    /// A fixed reply, once the caller is known.
    Answer,
}

/// A request that was not understood. What was read of its caller is in the draft, and no command.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub fault: Fault,
    /// The exchange that it would have been.
    pub exchange: Option<usize>,
    /// What is missing is the proof of who is calling: there is nobody to be told of other mistakes.
    pub unproven: bool,
}

impl Refusal {
    fn new(fault: Fault, exchange: Option<usize>) -> Refusal {
        Refusal {
            fault,
            exchange,
            unproven: false,
        }
    }

    /// Who brings no session where one is needed is told of nothing else.
    fn of_exchange(miss: Miss, exchange: &Exchange, index: usize, by: &Credential) -> Refusal {
        let session = exchange.session_member();
        match session.filter(|_| by.session.0.is_empty()) {
            None => Refusal::new(missed(miss), Some(index)),
            Some(name) => Refusal {
                unproven: true,
                ..Refusal::new(missed(Miss::Blank(name.into())), Some(index))
            },
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
        draft: &mut Draft<'_>,
    ) -> Result<Job, Refusal> {
        let job = self.read(incoming, candidates, draft);
        let asked = |job: &Job| job.ask == Ask::Command;
        if !job.as_ref().is_ok_and(asked) {
            *draft.command = Operation::CheckSession.command();
        }
        job
    }

    fn read(
        &self,
        incoming: &Incoming<'_>,
        candidates: &[usize],
        draft: &mut Draft<'_>,
    ) -> Result<Job, Refusal> {
        let mut reader = Reader::new(&self.shapes, true);
        // Headers may know the caller although the body cannot be read.
        let certain = self.read_auth(&mut reader, incoming, None, draft);
        let parsed = incoming.parse(self).map_err(|why| {
            let fault = Fault::client(Kind::Malformed, why.0);
            Refusal::new(fault, candidates.first().copied())
        })?;
        if !certain {
            self.read_auth(&mut reader, incoming, Some(&parsed), draft);
        }
        let every = read_parts(
            &mut reader,
            &self.every,
            incoming,
            &parsed,
            &mut draft.target(),
        );
        if let Err(miss) = every {
            // What the request says of its program is not to be trusted to name one.
            *draft.app = App::default();
            return Err(Refusal::new(missed(miss), None));
        }
        let chosen = self
            .choose(incoming, &parsed, candidates, Bodies::AsSent)
            .or_else(|| self.choose(incoming, &parsed, candidates, Bodies::Forgotten));
        let Some(index) = chosen else {
            let fault = self.nothing_chosen(incoming, &parsed, candidates);
            return Err(Refusal::new(fault, None));
        };
        self.read_exchange(index, &mut reader, incoming, &parsed, draft)
    }

    /// Reads what the exchange that was chosen asks for.
    fn read_exchange(
        &self,
        index: usize,
        reader: &mut Reader<'_>,
        incoming: &Incoming<'_>,
        parsed: &Parsed<'_>,
        draft: &mut Draft<'_>,
    ) -> Result<Job, Refusal> {
        let exchange = &self.exchanges[index];
        let ask = match &exchange.action {
            Action::Command(operation) => {
                *draft.command = operation.command();
                Ask::Command
            }
            Action::Answer => Ask::Answer,
            Action::Refuse { kind, message } => {
                return Err(Refusal::new(Fault::client(*kind, &**message), Some(index)));
            }
        };
        let mut target = draft.target();
        let read = read_segments(reader, exchange, incoming, &mut target)
            .and_then(|()| read_parts(reader, &exchange.unread, incoming, parsed, &mut target));
        if let Err(miss) = read {
            let by = &draft.credential;
            return Err(Refusal::of_exchange(miss, exchange, index, by));
        }
        for (source, given) in &exchange.given {
            if let Some(record) = target.record(source.root) {
                // The loader has checked that the value fits the field.
                let _ = record.set(&source.path, given.value());
            }
        }
        reader.derive(&exchange.derive, &mut target);
        Ok(Job {
            exchange: index,
            ask,
        })
    }

    /// The proof of identity that a request has in its headers, where it can be read before the body is.
    pub fn proof(&self, incoming: &Incoming<'_>) -> Credential {
        let mut command = Operation::CheckSession.command();
        let (mut app, mut credential) = Default::default();
        let mut draft = Draft::new(&mut command, &mut app, &mut credential);
        let mut reader = Reader::new(&self.shapes, true);
        self.read_auth(&mut reader, incoming, None, &mut draft);
        credential
    }

    /// Reads the first proof of identity that the request has; without a parsed body, only from the headers. True if no
    /// other can be meant, whatever the body holds.
    fn read_auth(
        &self,
        reader: &mut Reader<'_>,
        incoming: &Incoming<'_>,
        parsed: Option<&Parsed<'_>>,
        draft: &mut Draft<'_>,
    ) -> bool {
        let mut certain = true;
        for auth in self.auth.iter().filter(|auth| auth.role.serves()) {
            certain &= auth.in_headers;
            let mut credential = Credential::default();
            let mut target = Target {
                credential: Some(&mut credential),
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
                *draft.credential = credential;
                return certain;
            }
        }
        false
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
}

fn missed(miss: Miss) -> Fault {
    match miss {
        Miss::Blank(name) => Fault::client(Kind::Blank, format!("{name} is required")).field(name),
        Miss::IllTyped(name) => {
            Fault::client(Kind::Field, format!("{name} is not of the right kind")).field(name)
        }
    }
}
