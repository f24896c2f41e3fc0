//! What the operator is told of a request, once it is answered: it is counted, and has its line in the log.
//!
//! Neither says which channel it was about, what was written there, or with which credential. What a line looks like is
//! the log's to know. After the reply is put into words, before it is sent.

use std::time::Instant;

use http::StatusCode;

use super::{Exchange, Visit};
use crate::ingress::arrival;
use crate::log::Line;
use crate::model::{Fault, Kind, Operation};

/// How a request ended.
pub(super) struct Ended<'a> {
    /// None: it was never understood.
    pub operation: Option<Operation>,
    /// None: it succeeded.
    pub fault: Option<&'a Fault>,
    pub upstream: &'a str,
    pub status: StatusCode,
}

impl Exchange {
    pub(super) fn tell(&self, visit: &Visit<'_>, ended: &Ended<'_>, started: Instant) {
        let took = started.elapsed();
        let kind = ended.fault.map(|fault| fault.kind);
        let metrics = &self.doors.metrics;
        metrics.answered(visit.dialect, ended.operation, kind, took);
        let Some(log) = &self.log else { return };
        let arrival = &visit.envelope.arrival;
        log.add(&Line {
            at: arrival.now.unwrap_or_default(),
            id: &arrival.id,
            dialect: &visit.envelope.dialect,
            command: ended.operation.map_or("none", Operation::name),
            upstream: ended.upstream,
            outcome: kind.map_or("done", Kind::name),
            status: ended.status.as_u16(),
            micros: took.as_micros() as u64,
            why: ended.fault.map_or("", why),
        });
    }

    /// A request that no dialect has seen has its line all the same.
    pub(super) fn tell_of_nobody(&self, kind: Kind, status: StatusCode, started: Instant) {
        let Some(log) = &self.log else { return };
        let now = arrival::now();
        log.add(&Line {
            at: now,
            id: &arrival::id(now),
            dialect: "",
            command: "none",
            upstream: "",
            outcome: kind.name(),
            status: status.as_u16(),
            micros: started.elapsed().as_micros() as u64,
            why: "",
        });
    }
}

/// What went wrong in Sabir or beyond it. What a client did wrong is its own to know, and may hold what it wrote.
fn why(fault: &Fault) -> &str {
    match fault.kind {
        Kind::Unavailable | Kind::Timeout | Kind::OutcomeUnknown | Kind::Internal => {
            &fault.details.message
        }
        _ => "",
    }
}
