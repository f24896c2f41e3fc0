//! Requests at a GraphQL door: each document's plan is run, its commands carried out by the gateway.
//!
//! What a document means is the dialect's to know, what it may do the gateway's. Here stands only the order: who is
//! calling comes before what is wrong with a document; the commands of a query run together, those of a mutation one
//! after another; a batch is answered whole.

use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use super::reply::come_again;
use super::told::Ended;
use super::{Exchange, Visit};
use crate::dialect::graphql::answer::{item, payload};
use crate::dialect::graphql::project::refused;
use crate::dialect::graphql::request::{Asked, Documents};
use crate::dialect::graphql::{Budget, Call, Failure, Run, Service};
use crate::dialect::server::Rendered;
use crate::dialect::wire::Incoming;
use crate::ingress::capacity::Place;
use crate::ingress::listener::{Body, Request};
use crate::ingress::rescue;
use crate::model::{Arrival, Done, Effect, Fault, Kind, Operation, Outcome, Reply, Text};

/// The largest body: documents and their variables, which take many times their bytes once they are read.
const MOST_BYTES: usize = 256 << 10;

/// What a document came to.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    /// A fault that is the whole answer.
    whole: Option<Rendered>,
    operation: Option<Operation>,
    outcome: Outcome,
    /// What came of the first command that failed, told within the answer.
    failed: Option<Fault>,
    /// Where the first command went.
    upstream: Text,
}

impl Answer {
    fn of(status: StatusCode, body: Vec<u8>) -> Answer {
        Answer {
            status,
            body,
            whole: None,
            operation: None,
            outcome: Ok(Reply::Done(Done {})),
            failed: None,
            upstream: Text::default(),
        }
    }
}

impl Exchange {
    /// Answers a request at a GraphQL door; without its body, there is no place for it.
    pub(super) async fn documents(
        &self,
        service: &Service,
        visit: &mut Visit<'_>,
        request: &Request,
        body: Option<(&Place<'_>, Body)>,
        started: Instant,
    ) -> Response<Full<Bytes>> {
        let answer = match body {
            Some(body) => self.answer_documents(service, visit, request, body).await,
            None => self.whole(visit, rescue::full(), None),
        };
        let dialect = &self.doors.dialects[visit.dialect];
        let mut rendered = match answer.whole {
            Some(whole) => whole,
            None => dialect.answered(answer.status, answer.body, &visit.envelope.arrival),
        };
        for (name, value) in &dialect.doors[visit.door].header {
            rendered.headers.insert(name.clone(), value.clone());
        }
        let body = if request.method == Method::HEAD {
            Bytes::new()
        } else {
            rendered.body
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = rendered.status;
        *response.headers_mut() = rendered.headers;
        come_again(response.headers_mut(), answer.outcome.as_ref().err());
        let ended = Ended {
            operation: answer.operation,
            fault: answer.outcome.as_ref().err().or(answer.failed.as_ref()),
            upstream: &answer.upstream,
            status: response.status(),
        };
        self.tell(visit, &ended, started);
        response
    }

    async fn answer_documents(
        &self,
        service: &Service,
        visit: &mut Visit<'_>,
        request: &Request,
        (place, body): (&Place<'_>, Body),
    ) -> Answer {
        let dialect = &self.doors.dialects[visit.dialect];
        let mut incoming = Incoming {
            method: &request.method,
            segments: &[],
            query: request.uri.query().unwrap_or_default(),
            headers: &request.headers,
            body: b"",
        };
        let most = self.bearable(visit, &incoming, &body).min(MOST_BYTES);
        let body = match self.body(visit, (place, body), most).await {
            Ok(body) => body,
            Err(fault) => return self.whole(visit, fault, None),
        };
        incoming.body = &body;
        let read = dialect.read_documents(&incoming);
        visit.envelope.credential = read.credential;
        let documents = match read.documents {
            Ok(documents) => documents,
            Err(status) => {
                let json = crate::dialect::graphql::request::prefers_json(&incoming);
                let rendered = dialect.plain(status, json, &visit.envelope.arrival);
                return Answer {
                    whole: Some(rendered),
                    outcome: Err(Fault::client(Kind::Malformed, "the request cannot be read")),
                    ..Answer::of(status, Vec::new())
                };
            }
        };
        let known = Fault::client(Kind::Internal, "");
        let (unknown, _) = self.gateway.refuse(&mut visit.envelope, true, known);
        if unknown.kind != Kind::Internal {
            return self.whole(visit, unknown, None);
        }
        match documents {
            Documents::One(asked) => {
                let budget = Budget::default();
                self.document(service, visit, &asked, (&request.method, &budget))
                    .await
            }
            Documents::Unreadable(fault) => self.whole(visit, fault, None),
            Documents::Batch(many) => self.batch(service, visit, many, &request.method).await,
        }
    }

    fn whole(&self, visit: &Visit<'_>, fault: Fault, on: Option<Operation>) -> Answer {
        let dialect = &self.doors.dialects[visit.dialect];
        let rendered = dialect.whole_fault(&fault, on, visit.door, &visit.envelope.arrival);
        Answer {
            whole: Some(rendered),
            operation: on,
            outcome: Err(fault),
            ..Answer::of(StatusCode::OK, Vec::new())
        }
    }

    /// Answers several documents, each beside what its item had besides it.
    async fn batch(
        &self,
        service: &Service,
        visit: &Visit<'_>,
        many: Vec<Asked>,
        method: &Method,
    ) -> Answer {
        // One for all: a hundred documents may not take more than one.
        let budget = Budget::default();
        let mut body = b"[".to_vec();
        let mut whole = Answer::of(StatusCode::OK, Vec::new());
        for (index, asked) in many.into_iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            let answer = self
                .document(service, visit, &asked, (method, &budget))
                .await;
            whole.operation = whole.operation.or(answer.operation);
            whole.failed = whole.failed.or(answer.failed).or(answer.outcome.err());
            if whole.upstream.is_empty() {
                whole.upstream = answer.upstream;
            }
            let payload = answer.whole.map(|whole| payload(&whole.body));
            item(asked.beside, &payload.unwrap_or(answer.body), &mut body);
        }
        body.push(b']');
        Answer { body, ..whole }
    }

    /// Runs one document.
    async fn document(
        &self,
        service: &Service,
        visit: &Visit<'_>,
        asked: &Asked,
        (method, budget): (&Method, &Budget),
    ) -> Answer {
        let dialect = &self.doors.dialects[visit.dialect];
        let plan = match self.plans.plan(
            service,
            &asked.text,
            &asked.operation,
            &asked.variables,
            method == Method::POST,
        ) {
            Ok(plan) => plan,
            Err(failure) => return self.failed(visit, failure),
        };
        let facts = (&visit.envelope.arrival, &visit.envelope.app);
        let mut run = match Run::new(dialect, service, &plan, &asked.variables, facts, budget) {
            Ok(run) => run,
            Err(failure) => return self.failed(visit, failure),
        };
        let (mut operation, mut upstream, mut failed) = (None, Text::default(), None);
        loop {
            let due = run.ready();
            if due.is_empty() {
                break;
            }
            operation = operation.or_else(|| due.first().map(|call| call.command.operation()));
            let outcomes = join_all(due.iter().map(|call| self.call(visit, call))).await;
            for (call, (outcome, went)) in due.into_iter().zip(outcomes) {
                failed = failed.or_else(|| outcome.as_ref().err().cloned());
                run.settle(call, outcome);
                if upstream.is_empty() {
                    upstream = went;
                }
            }
        }
        if let Some((fault, on)) = run.halted() {
            return Answer {
                upstream,
                ..self.whole(visit, fault, Some(on))
            };
        }
        Answer {
            operation,
            failed,
            upstream,
            ..Answer::of(StatusCode::OK, run.render())
        }
    }

    /// Has one command carried out, and says where it went.
    async fn call(&self, visit: &Visit<'_>, call: &Call) -> (Outcome, Text) {
        let mut envelope = visit.envelope.clone();
        envelope.command = (*call.command).clone();
        let index = visit.commands.replace(visit.commands.get() + 1);
        // The request has been counted; its first command is that request, and each further one another.
        envelope.counted = index == 0;
        // One id and one key for a whole request, but each of its messages is another.
        let Arrival { id, key, .. } = &mut envelope.arrival;
        if index > 0 {
            *id = format!("{id}-{index}").into();
        }
        // When it is asked again, more may be read before a message than at first.
        if call.command.operation().effect() == Effect::Write {
            let index = visit.writes.replace(visit.writes.get() + 1);
            if index > 0 && !key.is_empty() {
                *key = format!("{key}-{index}").into();
            }
        }
        let profile = &self.doors.dialects[visit.dialect].profile;
        let (outcome, context) = self.gateway.submit(&mut envelope, profile).await;
        (outcome, context.upstream)
    }

    fn failed(&self, visit: &Visit<'_>, failure: Failure) -> Answer {
        match failure {
            Failure::Forbidden(fault) => self.whole(visit, fault, None),
            Failure::Errors(errors) => {
                let first = errors.first().map_or("", |error| error.message.as_str());
                Answer {
                    outcome: Err(Fault::client(Kind::Invalid, first)),
                    ..Answer::of(StatusCode::OK, refused(&errors))
                }
            }
        }
    }
}
