//! The way out: an outcome is put into its dialect's words, sealed, and told of.
//!
//! Here stands what HTTP itself has to say beside a dialect's reply: when to come again, and which methods there are.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::told::Ended;
use super::{Exchange, Visit};
use crate::dialect::Dialect;
use crate::dialect::exchange::SealKey;
use crate::dialect::server::{Rendered, Told};
use crate::gateway::ReplyContext;
use crate::model::{Fault, Kind, Outcome};

impl Exchange {
    pub(super) fn reply(
        &self,
        visit: &Visit<'_>,
        mut outcome: Outcome,
        context: &ReplyContext,
        answered: bool,
        started: Instant,
    ) -> Response<Full<Bytes>> {
        let dialect = &self.doors.dialects[visit.dialect];
        let told = Told {
            door: visit.door,
            exchange: visit.exchange,
            command: visit.understood.then_some(&visit.envelope.command),
            arrival: &visit.envelope.arrival,
            app: &visit.envelope.app,
        };
        let operation = visit.understood.then(|| visit.envelope.command.operation());
        let rendered = if answered {
            dialect.render_answer(&told)
        } else {
            dialect.render(&mut outcome, &told)
        };
        let mut response = self.sealed(dialect, visit.door, rendered, context);
        come_again(response.headers_mut(), outcome.as_ref().err());
        if let Err(fault) = &outcome
            && fault.kind == Kind::Method
            && let Ok(allow) = HeaderValue::from_str(&fault.details.allow)
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        let ended = Ended {
            operation,
            fault: outcome.as_ref().err().filter(|_| !answered),
            upstream: &context.upstream,
            status: response.status(),
        };
        self.tell(visit, &ended, started);
        response
    }

    /// Puts the seal of its door on a reply.
    fn sealed(
        &self,
        dialect: &Dialect,
        door: usize,
        rendered: Rendered,
        context: &ReplyContext,
    ) -> Response<Full<Bytes>> {
        let seal = dialect.doors[door].seal.as_ref();
        let mut headers = rendered.headers;
        if let Some(seal) = seal
            && rendered.seal != SealKey::None
        {
            let keys = &context.keys;
            let value = self.sealer.seal(keys, rendered.seal, &rendered.body);
            let value = value.as_ref().map_or(seal.missing.as_bytes(), |hex| hex);
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(seal.header.clone(), value);
            }
        }
        let mut response = Response::new(Full::new(rendered.body));
        *response.status_mut() = rendered.status;
        *response.headers_mut() = headers;
        response
    }
}

/// Says when to come again, where the dialect's own words have not.
pub(super) fn come_again(headers: &mut HeaderMap, fault: Option<&Fault>) {
    if let Some(seconds) = fault.and_then(|fault| fault.details.retry_after) {
        headers.entry(header::RETRY_AFTER).or_insert(seconds.into());
    }
}

pub(super) fn nobody(path: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!(
        "No chat service answers at {path}.\n"
    ))));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
