//! A request's bytes through a dialect and back: the function that the fuzzer and the replay of its corpus share.
//!
//! Everything but the network and the store takes part. What is asserted holds for any input: an answer's JSON is JSON,
//! a plan that is remembered answers as a new one does, and what one request may take is bounded.

#[path = "../tests/support/double.rs"]
mod double;

use std::sync::LazyLock;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};
use sabir::dialect::client::Call;
use sabir::dialect::directory::{Directory, Found};
use sabir::dialect::graphql::project::refused;
use sabir::dialect::graphql::request::{Asked, Documents};
use sabir::dialect::graphql::{Budget, Cache, Failure, Plan, Run, Service};
use sabir::dialect::headers::Headers;
use sabir::dialect::server::{Ask, Draft, Rendered, Told};
use sabir::dialect::wire::Incoming;
use sabir::dialect::{Dialect, builtin};
use sabir::model::{App, Arrival, Command, Fault, Kind, Operation};

/// Commands of one request, and bytes of one answer beside what its request had.
const MOST_CALLS: usize = 200;
const MOST_BYTES: usize = 8 << 20;

static DIALECTS: LazyLock<(Vec<Dialect>, Directory)> = LazyLock::new(|| {
    let dialects: Vec<Dialect> = builtin::BUILTIN
        .iter()
        .map(|(name, source, schema)| builtin::compile(name, source, *schema).unwrap())
        .collect();
    let all: Vec<usize> = (0..dialects.len()).collect();
    let directory = Directory::new(&dialects, &all).unwrap();
    (dialects, directory)
});

thread_local! {
    static PLANS: Cache = Cache::default();
}

/// A POST at Glimesh's door: its headers, an empty line and its body.
pub fn graphql(data: &[u8]) {
    request(&[b"POST /api/graph\n", data].concat());
}

/// A request: its line, its headers, an empty line and its body.
pub fn request(data: &[u8]) {
    let head = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = head.map_or((data, &b""[..]), |end| (&data[..end], &data[end + 2..]));
    let Ok(head) = std::str::from_utf8(head) else {
        return;
    };
    let mut lines = head.split('\n');
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else {
        return;
    };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method.as_bytes()), target.parse::<Uri>())
    else {
        return;
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Headers = headers
        .map(|(name, value)| (name.trim(), value.trim().as_bytes()))
        .collect();
    let incoming = Incoming {
        method: &method,
        segments: &[],
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    };
    answered(&incoming, uri.path());
}

fn answered(incoming: &Incoming<'_>, path: &str) {
    let (dialects, directory) = &*DIALECTS;
    match directory.find(incoming.method, path) {
        Found::Exchanges {
            dialect,
            door,
            candidates,
            segments,
            ..
        } => {
            let incoming = Incoming {
                segments: &segments,
                ..*incoming
            };
            exchanged(&dialects[dialect], door, &incoming, candidates);
        }
        Found::Owned { dialect, door } => match dialects[dialect].service(door, path) {
            Some(service) => documents(&dialects[dialect], service, incoming),
            None => told(&dialects[dialect], door, Kind::Endpoint),
        },
        Found::Method { dialect, door, .. } => told(&dialects[dialect], door, Kind::Method),
        Found::Nobody => {}
    }
}

fn told(dialect: &Dialect, door: usize, kind: Kind) {
    let (arrival, app) = Default::default();
    let about = Told {
        door,
        exchange: None,
        command: None,
        arrival: &arrival,
        app: &app,
    };
    readable(&dialect.render(&mut Err(Fault::client(kind, "as it is")), &about));
}

fn exchanged(dialect: &Dialect, door: usize, incoming: &Incoming<'_>, candidates: &[usize]) {
    let arrival = Arrival::default();
    let mut command = Operation::CheckSession.command();
    let (mut app, mut credential) = Default::default();
    let mut draft = Draft::new(&mut command, &mut app, &mut credential);
    let read = dialect.decode(incoming, candidates, &mut draft);
    let exchange = match &read {
        Ok(job) => Some(job.exchange),
        Err(refusal) => refusal.exchange,
    };
    let about = |command| Told {
        door,
        exchange,
        command,
        arrival: &arrival,
        app: &app,
    };
    match read.map(|job| job.ask) {
        Ok(Ask::Command) => {
            let mut outcome = double::outcome(&command);
            readable(&dialect.render(&mut outcome, &about(Some(&command))));
            relayed(&command, &arrival);
        }
        Ok(Ask::Answer) => readable(&dialect.render_answer(&about(None))),
        Err(refusal) => readable(&dialect.render(&mut Err(refusal.fault), &about(None))),
    }
}

/// A command as every dialect's client writes it.
fn relayed(command: &Command, arrival: &Arrival) {
    let (app, credential) = Default::default();
    for dialect in &DIALECTS.0 {
        let call = Call {
            door: 0,
            command,
            arrival,
            app: &app,
            credential: &credential,
        };
        // That a dialect cannot say it is an answer too.
        let _ = dialect.encode(&call);
    }
}

fn documents(dialect: &Dialect, service: &Service, incoming: &Incoming<'_>) {
    let post = *incoming.method == Method::POST;
    let asked = match dialect.read_documents(incoming).documents {
        Ok(Documents::One(asked)) => vec![asked],
        Ok(Documents::Batch(many)) => many,
        Ok(Documents::Unreadable(fault)) => return whole(dialect, service, &fault),
        Err(status) => return readable(&dialect.plain(status, true, &Arrival::default())),
    };
    let budgets = [Budget::default(), Budget::default()];
    let mut calls = 0;
    for asked in &asked {
        let answer = document(dialect, service, asked, post, &budgets, &mut calls);
        readable(&dialect.answered(StatusCode::OK, answer, &Arrival::default()));
    }
    assert!(calls <= MOST_CALLS, "{calls} commands of one request");
}

/// A fault that is the whole answer.
fn whole(dialect: &Dialect, service: &Service, fault: &Fault) {
    readable(&dialect.whole_fault(fault, None, service.door, &Arrival::default()));
}

/// Answers a document by a plan of its own and by one that may be remembered; both must say the same.
fn document(
    dialect: &Dialect,
    service: &Service,
    asked: &Asked,
    post: bool,
    [fresh, kept]: &[Budget; 2],
    calls: &mut usize,
) -> Vec<u8> {
    let (text, name, given) = (&asked.text, &asked.operation, &asked.variables);
    let plan = Plan::new(service, text, name, given, post);
    // A text is remembered when it comes for the second time.
    let remembered = PLANS.with(|plans| {
        let _ = plans.plan(service, text, name, given, post);
        plans.plan(service, text, name, given, post)
    });
    let (plan, remembered) = match (plan, remembered) {
        (Ok(plan), Ok(remembered)) => (plan, remembered),
        (Err(failure), Err(same)) => {
            assert_eq!(
                failure, same,
                "a plan that is refused is always refused alike"
            );
            return failed(dialect, service, &failure);
        }
        (plan, other) => panic!("refused once: {:?} {:?}", plan.err(), other.err()),
    };
    let answer = answer(dialect, (service, &plan), asked, fresh, calls);
    let again = self::answer(dialect, (service, &remembered), asked, kept, &mut 0);
    assert_eq!(answer, again, "a plan that is remembered answers alike");
    answer
}

fn failed(dialect: &Dialect, service: &Service, failure: &Failure) -> Vec<u8> {
    match failure {
        Failure::Forbidden(fault) => {
            whole(dialect, service, fault);
            b"null".to_vec()
        }
        Failure::Errors(errors) => {
            assert!(!errors.is_empty(), "a refusal says why");
            refused(errors)
        }
    }
}

fn answer(
    dialect: &Dialect,
    (service, plan): (&Service, &Plan),
    asked: &Asked,
    budget: &Budget,
    calls: &mut usize,
) -> Vec<u8> {
    let (arrival, app) = (Arrival::default(), App::default());
    let facts = (&arrival, &app);
    let mut run = match Run::new(dialect, service, plan, &asked.variables, facts, budget) {
        Ok(run) => run,
        Err(failure) => return failed(dialect, service, &failure),
    };
    loop {
        let due = run.ready();
        if due.is_empty() {
            break;
        }
        *calls += due.len();
        for call in due {
            let outcome = double::outcome(&call.command);
            run.settle(call, outcome);
        }
    }
    match run.halted() {
        Some((fault, on)) => {
            let whole = dialect.whole_fault(&fault, Some(on), service.door, &arrival);
            readable(&whole);
            b"null".to_vec()
        }
        None => run.render(),
    }
}

/// What says that it is JSON is JSON.
fn readable(rendered: &Rendered) {
    assert!(
        rendered.body.len() <= MOST_BYTES,
        "{} bytes",
        rendered.body.len()
    );
    let kind = rendered
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.contains("json")) && !rendered.body.is_empty() {
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&rendered.body);
        assert!(json.is_ok(), "{:?}: {:?}", json.err(), rendered.body);
    }
}
