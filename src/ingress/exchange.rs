//! The exchange: bytes in, bytes out. The only place that knows a client's dialect.
//!
//! The path says which dialect a request is in; that dialect understands it, the gateway carries it out, and the same
//! dialect puts the outcome into words. Whatever goes wrong on the way becomes an outcome too, so that rendering
//! cannot fail. Ids and wall-clock time enter a request here.

mod documents;
mod reply;
mod told;

use std::cell::Cell;
use std::mem::replace;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use http_body_util::Full;

use super::arrival;
use super::capacity::{Capacity, Place};
use super::listener::{Body, Client, Handler, Refusal, Request};
use super::rescue;
use crate::dialect::Dialect;
use crate::dialect::directory::{Directory, Found};
use crate::dialect::server::{Ask, Draft, Job, Refusal as NotUnderstood, Told};
use crate::dialect::wire::Incoming;
use crate::gateway::{Gateway, ReplyContext, letters};
use crate::log::Lines;
use crate::metrics::{RequestMeters, waits};
use crate::model::{Arrival, CheckSession, Command, Effect, Envelope, Fault, Kind, Outcome, Text};
use reply::nobody;

/// What stands in the header that tells one send from its repetition.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The largest body of somebody who is not known before it is read.
const UNKNOWN_BODY: usize = 64 << 10;

/// Characters of a reply's nonce.
const NONCE: usize = 32;

/// What one configuration decides, shared by all threads.
pub struct Doors {
    pub dialects: Arc<[Dialect]>,
    pub directory: Directory,
    /// The only host under which a dialect is served, by its index.
    pub hosts: Vec<Option<Text>>,
    pub metrics: RequestMeters,
    pub body_bytes: usize,
    pub capacity: Arc<Capacity>,
}

/// A door that answers GraphQL.
pub struct Graph<'d> {
    pub dialect: &'d str,
    pub door: &'d str,
    pub path: &'d str,
    /// The only host under which it is served.
    pub host: Option<&'d str>,
}

impl Doors {
    /// The doors that answer GraphQL, of the dialects that are served.
    pub fn graphs(&self) -> Vec<Graph<'_>> {
        let served = |dialect: usize, door: usize| {
            let path = &*self.dialects[dialect].doors[door].path;
            let found = self.directory.find(&Method::POST, path);
            found == Found::Owned { dialect, door }
        };
        let mut graphs = Vec::new();
        for (index, dialect) in self.dialects.iter().enumerate() {
            let doors = dialect.services.iter().map(|service| service.door);
            for at in doors.filter(|at| served(index, *at)) {
                graphs.push(Graph {
                    dialect: &dialect.name,
                    door: &dialect.doors[at].name,
                    path: &dialect.doors[at].path,
                    host: self.hosts.get(index).and_then(Option::as_deref),
                });
            }
        }
        graphs
    }
}

/// The exchange of one thread.
pub struct Exchange {
    pub doors: Arc<Doors>,
    pub gateway: Gateway,
    /// Plans of GraphQL documents that came before.
    pub plans: crate::dialect::graphql::Cache,
    pub sealer: crate::dialect::seal::Sealer,
    /// Where each request has its line; none if the operator wants none.
    pub log: Option<Lines>,
}

/// A request on its way.
struct Visit<'d> {
    dialect: usize,
    door: usize,
    exchange: Option<usize>,
    envelope: Envelope,
    /// The command was understood, and can be told of in the reply.
    understood: bool,
    /// The methods that the path has.
    allow: &'d str,
    /// How many commands its documents came to so far.
    commands: Cell<usize>,
    /// And how many of them change something.
    writes: Cell<usize>,
}

impl Handler for Exchange {
    async fn answer(
        &self,
        request: &Request,
        body: Body,
        client: &Client,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let _in_flight = self.doors.metrics.enter();
        let path = request.uri.path();
        let found = self.find(request, path);
        let (dialect, door) = match &found {
            Found::Exchanges { dialect, door, .. }
            | Found::Method { dialect, door, .. }
            | Found::Owned { dialect, door } => (*dialect, *door),
            Found::Nobody => {
                let response = nobody(path);
                self.tell_of_nobody(Kind::Endpoint, response.status(), started);
                return response;
            }
        };
        let mut visit = self.visit(dialect, door, request, client, started);
        let place = self.doors.capacity.enter().await;
        if place.is_none() {
            self.doors.metrics.no_place();
        }
        if let Found::Owned { .. } = found
            && let Some(service) = self.doors.dialects[dialect].service(door, path)
        {
            let body = place.as_ref().map(|place| (place, body));
            return self
                .documents(service, &mut visit, request, body, started)
                .await;
        }
        let Some(place) = place else {
            let nothing = ReplyContext::default();
            return self.reply(&visit, Err(rescue::full()), &nothing, false, started);
        };
        let (outcome, context, answered) = match found {
            Found::Exchanges {
                candidates,
                segments,
                allow,
                ..
            } => {
                visit.allow = allow;
                let incoming = Incoming {
                    method: &request.method,
                    segments: &segments,
                    query: request.uri.query().unwrap_or_default(),
                    headers: &request.headers,
                    body: b"",
                };
                self.read(&mut visit, incoming, (&place, body), candidates)
                    .await
            }
            Found::Method { allow, .. } => {
                let fault = no_method(&request.method, allow);
                (Err(fault), ReplyContext::default(), false)
            }
            _ => (
                Err(Fault::client(Kind::Endpoint, "no such path").value(path)),
                ReplyContext::default(),
                false,
            ),
        };
        self.reply(&visit, outcome, &context, answered, started)
    }

    fn refuse(&self, refusal: &Refusal, method: &Method, path: &str) -> Response<Full<Bytes>> {
        self.tell_of_nobody(Kind::Malformed, refusal.status(), Instant::now());
        let found = self.doors.directory.find(method, path);
        let (Found::Exchanges { dialect, door, .. }
        | Found::Method { dialect, door, .. }
        | Found::Owned { dialect, door }) = found
        else {
            return refusal.plain();
        };
        let mut outcome = Err(rescue::head(refusal));
        let (arrival, app) = Default::default();
        let told = Told {
            door,
            exchange: None,
            command: None,
            arrival: &arrival,
            app: &app,
        };
        let rendered = self.doors.dialects[dialect].render(&mut outcome, &told);
        // What HTTP itself forbids is told by HTTP's own status, whatever the dialect does with its faults.
        let mut response = Response::new(Full::new(rendered.body));
        *response.status_mut() = refusal.status();
        *response.headers_mut() = rendered.headers;
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl Exchange {
    fn find<'p>(&'p self, request: &Request, path: &'p str) -> Found<'p> {
        let found = self.doors.directory.find(&request.method, path);
        let (Found::Exchanges { dialect, .. }
        | Found::Method { dialect, .. }
        | Found::Owned { dialect, .. }) = &found
        else {
            return found;
        };
        let Some(Some(host)) = self.doors.hosts.get(*dialect) else {
            return found;
        };
        let asked = request.headers.text("Host").unwrap_or_default();
        // Of an address in brackets the last colon begins no port.
        let asked = match asked.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => asked,
        };
        if asked.eq_ignore_ascii_case(host) {
            found
        } else {
            Found::Nobody
        }
    }

    /// What the edge knows of a request.
    fn visit(
        &self,
        dialect: usize,
        door: usize,
        request: &Request,
        client: &Client,
        started: Instant,
    ) -> Visit<'_> {
        let spoken = &self.doors.dialects[dialect];
        let text = |name| request.headers.text(name).unwrap_or_default();
        let now = arrival::now();
        let nonce = if spoken.doors[door].nonce {
            letters(NONCE)
        } else {
            Text::default()
        };
        let arrival = Arrival {
            id: arrival::id(now),
            now: Some(now),
            nonce,
            key: text(IDEMPOTENCY_KEY).trim_matches('"').into(),
            client_ip: client.address.clone(),
            host: text("Host").into(),
            target: request
                .uri
                .path_and_query()
                .map_or("", |target| target.as_str())
                .into(),
        };
        let envelope = Envelope {
            dialect: spoken.name.clone(),
            arrival,
            app: Default::default(),
            credential: Default::default(),
            begun: started,
            client: client.presence.clone(),
            counted: false,
            command: Command::CheckSession(CheckSession {}),
        };
        Visit {
            dialect,
            door,
            exchange: None,
            envelope,
            understood: false,
            allow: "",
            commands: Cell::new(0),
            writes: Cell::new(0),
        }
    }

    /// Reads the body of a request that is one of the candidates, and goes on with it.
    async fn read(
        &self,
        visit: &mut Visit<'_>,
        incoming: Incoming<'_>,
        (place, body): (&Place<'_>, Body),
        candidates: &[usize],
    ) -> (Outcome, ReplyContext, bool) {
        let most = self.bearable(visit, &incoming, &body);
        match self.body(visit, (place, body), most).await {
            Ok(body) => {
                let incoming = Incoming {
                    body: &body,
                    ..incoming
                };
                self.understood(visit, &incoming, candidates).await
            }
            Err(fault) => {
                visit.envelope.credential = self.doors.dialects[visit.dialect].proof(&incoming);
                let refusal = NotUnderstood {
                    fault,
                    exchange: candidates.first().copied(),
                    unproven: false,
                };
                self.refused(visit, refusal)
            }
        }
    }

    /// The whole body, if it comes before somebody else needs the place. With it the request begins.
    async fn body(
        &self,
        visit: &mut Visit<'_>,
        (place, body): (&Place<'_>, Body),
        most: usize,
    ) -> Result<Bytes, Fault> {
        let is_here = body.is_here();
        let read = place.wait_for(body.read(most)).await;
        if !is_here {
            let before = replace(&mut visit.envelope.begun, Instant::now());
            waits::waited(before, visit.envelope.begun);
        }
        match read {
            Some(read) => read.map_err(|error| rescue::body(&error)),
            None => {
                self.doors.metrics.no_place();
                Err(rescue::full())
            }
        }
    }

    /// How large a body may be. Who is not known by the headers is not yet known at all, and nobody's body is kept that
    /// is larger than a message: a large one could be anyone's.
    fn bearable(&self, visit: &Visit<'_>, unread: &Incoming<'_>, body: &Body) -> usize {
        let all = self.doors.body_bytes;
        if body
            .declared()
            .is_some_and(|length| length <= UNKNOWN_BODY as u64)
        {
            return all;
        }
        let proof = self.doors.dialects[visit.dialect].proof(unread);
        if self.gateway.knows(&proof, &visit.envelope.arrival) {
            all
        } else {
            all.min(UNKNOWN_BODY)
        }
    }

    /// Understands a request and has it carried out. The last value is true for a fixed reply.
    async fn understood(
        &self,
        visit: &mut Visit<'_>,
        incoming: &Incoming<'_>,
        candidates: &[usize],
    ) -> (Outcome, ReplyContext, bool) {
        let dialect = &self.doors.dialects[visit.dialect];
        let job = match decode(dialect, incoming, candidates, &mut visit.envelope) {
            Ok(job) => job,
            Err(refusal) => return self.refused(visit, refusal),
        };
        visit.exchange = Some(job.exchange);
        match job.ask {
            Ask::Command => {
                visit.understood = true;
                let (outcome, context) = self
                    .gateway
                    .submit(&mut visit.envelope, &dialect.profile)
                    .await;
                (outcome, context, false)
            }
            Ask::Answer => {
                let nothing = Fault::client(Kind::Internal, "");
                match self.gateway.refuse(&mut visit.envelope, false, nothing) {
                    (fault, context) if fault.kind == Kind::Internal => (Err(fault), context, true),
                    (fault, context) => (Err(fault), context, false),
                }
            }
        }
    }

    fn refused(
        &self,
        visit: &mut Visit<'_>,
        mut refusal: NotUnderstood,
    ) -> (Outcome, ReplyContext, bool) {
        if refusal.fault.kind == Kind::Method {
            refusal.fault.details.allow = visit.allow.into();
        }
        let dialect = &self.doors.dialects[visit.dialect];
        visit.exchange = refusal.exchange;
        // Whoever signs in is nobody yet; everyone else must be somebody to be told of mistakes, but for the mistake of
        // not saying who.
        let operation = refusal
            .exchange
            .and_then(|exchange| dialect.exchanges[exchange].operation());
        let needs_caller = !refusal.unproven
            && operation.is_some_and(|operation| operation.effect() != Effect::Session);
        let (fault, context) =
            self.gateway
                .refuse(&mut visit.envelope, needs_caller, refusal.fault);
        (Err(fault), context, false)
    }
}

/// Reads a request into the envelope.
fn decode(
    dialect: &Dialect,
    incoming: &Incoming<'_>,
    candidates: &[usize],
    envelope: &mut Envelope,
) -> Result<Job, NotUnderstood> {
    let Envelope {
        command,
        app,
        credential,
        arrival,
        ..
    } = envelope;
    let mut draft = Draft::new(command, app, credential);
    let job = dialect.decode(incoming, candidates, &mut draft)?;
    let key = draft.key();
    if !key.is_empty() {
        arrival.key = key;
    }
    Ok(job)
}

fn no_method(method: &Method, allow: &str) -> Fault {
    let mut fault = Fault::client(Kind::Method, format!("the path has no {method}"));
    fault.details.value = method.as_str().into();
    fault.details.allow = allow.into();
    fault
}
