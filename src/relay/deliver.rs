//! A delivery: one command said to one upstream, and what came of it in exact words.
//!
//! The mapping makes the request and understands the reply; the stack decides how often it is tried. Each attempt ends
//! in a class that is exact about whether anything was sent, and that decides what the client is told. Whose
//! credential is used, and what is done when it is not good, is decided before; the network comes after.

use http::StatusCode;
use tokio::time::Instant;

use super::stack::{Ended, Errand, Repeat};
use super::upstream::{Failure, NotSent, Reply, Request, Unknown};
use super::{Relay, Upstream, retry_after, unsupported};
use crate::dialect::Dialect;
use crate::dialect::client::{Call, Heard, Outgoing, Understood, Unsayable};
use crate::dialect::exchange::{Seal, SealKey};
use crate::dialect::fields::Fields;
use crate::metrics::Class;
use crate::model::{
    Arrival, Command, Credential, Effect, Fault, Kind, Outcome, Presence, SealKeys,
};

/// A command on its way to an upstream.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    pub at: usize,
    pub command: &'a Command,
    pub arrival: &'a Arrival,
    pub client: &'a Presence,
    pub credential: &'a Credential,
    pub keys: &'a SealKeys,
    pub until: Instant,
}

impl Relay {
    /// Delivers a command by as many attempts as it may have.
    pub(super) async fn deliver(&self, delivery: &Delivery<'_>) -> Outcome {
        let upstream = &self.shared.upstreams[delivery.at];
        let dialect = self.dialect(upstream);
        let call = delivery.call(upstream);
        let outgoing = dialect.encode(&call).map_err(unsayable)?;
        let errand = Errand {
            until: delivery.until,
            repeat: repeat(dialect, outgoing.exchange, &call),
            client: delivery.client,
        };
        let attempt = async |now, until| self.attempt(delivery, &outgoing, now, until).await;
        upstream.stack.carry(&errand, attempt).await
    }

    /// One attempt, and what it came to.
    async fn attempt(
        &self,
        delivery: &Delivery<'_>,
        outgoing: &Outgoing,
        now: Instant,
        until: Instant,
    ) -> Ended {
        let client = &self.clients[delivery.at];
        let request = Request {
            method: &outgoing.request.method,
            target: outgoing.request.target(),
            fields: outgoing.request.fields(),
            body: outgoing.request.body(),
        };
        match client.call(&request, now, until).await {
            Ok((reply, at)) => {
                let ended = self.heard(delivery, outgoing.exchange, &reply, at);
                client.reuse(reply);
                ended
            }
            Err(failure) => delivery.failed(failure, until),
        }
    }

    /// A complete reply.
    fn heard(&self, delivery: &Delivery<'_>, exchange: usize, reply: &Reply, at: Instant) -> Ended {
        let upstream = &self.shared.upstreams[delivery.at];
        let dialect = self.dialect(upstream);
        let call = delivery.call(upstream);
        let heard = Heard {
            status: reply.status,
            fields: Fields(reply.head()),
            body: reply.body(),
        };
        let seal = dialect
            .doors
            .get(call.door)
            .and_then(|door| door.seal.as_ref());
        let key = dialect.exchanges[exchange].seal;
        let unclear = |why: &str| {
            let fault = Fault::upstream(Kind::Unavailable, why);
            (
                Class::Unknown,
                Err(unclear(
                    delivery.command,
                    waits(fault, &heard, delivery.arrival),
                )),
            )
        };
        let (class, outcome) = match dialect.understand(exchange, &call, &heard) {
            Understood::Done(_) if !genuine(seal, key, delivery.keys, &heard) => {
                unclear("the reply's seal is wrong or missing")
            }
            Understood::Done(reply) => (Class::Done, Ok(reply)),
            Understood::Rejected(fault) if fault.kind == Kind::OutcomeUnknown => {
                unclear(&fault.details.message)
            }
            Understood::Rejected(fault) => {
                (Class::Rejected, Err(waits(fault, &heard, delivery.arrival)))
            }
            Understood::Unclear(why) => unclear(&why),
        };
        match heard.status.is_server_error() {
            true => Ended::failed(at, class, outcome),
            false => Ended::told(at, class, outcome),
        }
    }
}

impl<'a> Delivery<'a> {
    fn call(&self, upstream: &'a Upstream) -> Call<'a> {
        Call {
            door: upstream.config.door,
            command: self.command,
            arrival: self.arrival,
            app: &upstream.config.app,
            credential: self.credential,
        }
    }

    /// An attempt without a reply.
    #[cold]
    fn failed(&self, failure: Failure, until: Instant) -> Ended {
        let at = Instant::now();
        let kind = |late| match late {
            true => Kind::Timeout,
            false => Kind::Unavailable,
        };
        match failure {
            Failure::NotSent(why) => {
                let words = format!("nothing was sent: {why}");
                if matches!(why, NotSent::NoTime) {
                    return Ended::late(at, Err(Fault::upstream(Kind::Timeout, words)));
                }
                let fault = Fault::upstream(kind(at >= until), words);
                Ended::failed(at, Class::NotSent, Err(fault))
            }
            Failure::Unknown(why) => {
                let late = matches!(why, Unknown::TimedOut);
                let fault = unclear(self.command, Fault::upstream(kind(late), why.to_string()));
                Ended::failed(at, Class::Unknown, Err(fault))
            }
        }
    }
}

/// What may be done twice.
fn repeat(dialect: &Dialect, exchange: usize, call: &Call<'_>) -> Repeat {
    match call.command.operation().effect() {
        Effect::Read => Repeat::Freely,
        Effect::Write if dialect.exchanges[exchange].is_marked(call.arrival) => Repeat::Marked,
        // What signs in may be good for one time only.
        Effect::Write | Effect::Session => Repeat::NotSentOnly,
    }
}

/// Is the reply the upstream's own? Where no secret is configured, nothing can be verified.
fn genuine(seal: Option<&Seal>, key: SealKey, keys: &SealKeys, heard: &Heard<'_>) -> bool {
    let Some(seal) = seal else { return true };
    let sealed = heard.fields.get(&seal.header);
    keys.application.0.is_empty()
        || key == SealKey::None
        || sealed.is_some_and(|sealed| keys.verify(key, heard.body, sealed))
}

/// It may have happened. A read that may have happened has simply failed.
fn unclear(command: &Command, fault: Fault) -> Fault {
    match command.operation().effect() {
        // Without the time to wait: that would be an invitation to send it again.
        Effect::Write => Fault::upstream(Kind::OutcomeUnknown, fault.details.message),
        Effect::Read | Effect::Session => fault,
    }
}

/// A fault with the time that the upstream wants to be left alone, where it says so in a way that can be meant.
fn waits(mut fault: Fault, heard: &Heard<'_>, arrival: &Arrival) -> Fault {
    let said = fault.details.retry_after.and_then(retry_after::bounded);
    let busy = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let header =
        || retry_after::told(heard.fields, arrival.now).filter(|_| busy.contains(&heard.status));
    fault.details.retry_after = said.or_else(header);
    fault
}

fn unsayable(why: Unsayable) -> Fault {
    let words = match why {
        Unsayable::Operation(operation) => return unsupported(operation),
        Unsayable::Field(field) => {
            format!("the upstream needs {field}, which this request does not have")
        }
        Unsayable::Place(why) => return Fault::client(Kind::Field, why),
    };
    Fault::client(Kind::Unsupported, words)
}
