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
use crate::model::{App, Arrival, Command, Credential, Details, Fault, Kind, Operation};

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
        let certain = self.read_auth(&mut reader, incoming, None, &mut draft);
        let parsed = match incoming.parse(self) {
            Ok(parsed) => parsed,
            Err(why) => {
                return Err(draft.refuse(
                    Fault::client(Kind::Malformed, why.0),
                    candidates.first().copied(),
                ));
            }
        };
        if !certain {
            self.read_auth(&mut reader, incoming, Some(&parsed), &mut draft);
        }
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
        self.read_exchange(index, &mut reader, incoming, &parsed, draft)
    }

    /// Who a request's headers say is calling.
    pub(super) fn caller(&self, incoming: &Incoming<'_>) -> Credential {
        let mut draft = Draft::default();
        let mut reader = Reader::new(&self.shapes, true);
        self.read_auth(&mut reader, incoming, None, &mut draft);
        draft.credential
    }

    /// Reads what the exchange that was chosen asks for.
    fn read_exchange(
        &self,
        index: usize,
        reader: &mut Reader<'_>,
        incoming: &Incoming<'_>,
        parsed: &Parsed<'_>,
        mut draft: Draft,
    ) -> Result<Job, Box<Refusal>> {
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
        let read = read_segments(reader, exchange, incoming, &mut draft.target()).and_then(|()| {
            read_parts(
                reader,
                &exchange.parts,
                incoming,
                parsed,
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

    /// Reads the first proof of identity that the request has; without a parsed body, only from the headers. True if no
    /// other can be meant, whatever the body holds.
    fn read_auth(
        &self,
        reader: &mut Reader<'_>,
        incoming: &Incoming<'_>,
        parsed: Option<&Parsed<'_>>,
        draft: &mut Draft,
    ) -> bool {
        let mut certain = true;
        for auth in self.auth.iter().filter(|auth| auth.role.serves()) {
            certain &= auth.in_headers;
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
