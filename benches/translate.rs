//! What it costs to translate one exchange, without the network: each step of a KeyAuth client at a REST room.
//!
//! `make bench` prints the times; compare them on one machine only, before and after a change.

use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sabir::dialect::client::{Call, Outgoing, Understood};
use sabir::dialect::directory::{Directory, Found};
use sabir::dialect::server::{Ask, Job, Told};
use sabir::dialect::wire::Incoming;
use sabir::dialect::{Dialect, builtin};
use sabir::model::{App, Arrival, Command, Credential, List, Messages, Outcome, Reply, Time};

fn main() {
    divan::main();
}

const SEND: &str =
    "type=chatsend&name=test&ownerid=tiQhtH5R88&sessionid=hRrP2YKnix&channel=test&message=hello";
const SENT: &str = r#"{"id":"id-1","createdAt":1564661697125,"createdBy":"u-1","room":"test","text":"hello","seenBy":[]}"#;

#[divan::bench]
fn decode_keyauth_send(bencher: Bencher<'_, '_>) {
    let keyauth = dialect("keyauth");
    let directory = directory(&keyauth);
    bencher.bench(|| decode(&keyauth, &directory, black_box(SEND)));
}

#[divan::bench]
fn encode_rooms_send(bencher: Bencher<'_, '_>) {
    let rooms = dialect("rooms");
    let command = sent();
    bencher.bench(|| encode(&rooms, black_box(&command)));
}

#[divan::bench]
fn understand_rooms_send(bencher: Bencher<'_, '_>) {
    let rooms = dialect("rooms");
    let command = sent();
    let exchange = encode(&rooms, &command).exchange;
    bencher.bench(|| understand(&rooms, exchange, &command, black_box(SENT)));
}

#[divan::bench]
fn render_keyauth_send(bencher: Bencher<'_, '_>) {
    let (keyauth, rooms) = (dialect("keyauth"), dialect("rooms"));
    let job = decode(&keyauth, &directory(&keyauth), SEND);
    let command = sent();
    let exchange = encode(&rooms, &command).exchange;
    let reply = understand(&rooms, exchange, &command, SENT);
    bencher
        .with_inputs(|| Ok(reply.clone()))
        .bench_values(|mut outcome| render(&keyauth, job.exchange, &command, &mut outcome));
}

/// A page of messages is the largest reply that clients ask for all the time.
#[divan::bench(args = [1, 50])]
fn understand_rooms_list(bencher: Bencher<'_, '_>, messages: usize) {
    let rooms = dialect("rooms");
    let command = listed();
    let exchange = encode(&rooms, &command).exchange;
    let body = format!("[{}]", vec![SENT; messages].join(","));
    bencher.bench(|| understand(&rooms, exchange, &command, black_box(&body)));
}

#[divan::bench(args = [1, 50])]
fn render_keyauth_list(bencher: Bencher<'_, '_>, messages: usize) {
    let keyauth = dialect("keyauth");
    let asked = SEND.replace("chatsend", "chatget");
    let job = decode(&keyauth, &directory(&keyauth), &asked);
    let Command::Send(mut message) = sent() else {
        unreachable!("a send is a message")
    };
    message.created_at = Some(Time::from_seconds(1_659_290_719));
    let page = Messages {
        messages: vec![message; messages],
        ..Messages::default()
    };
    let command = listed();
    bencher
        .with_inputs(|| Ok(Reply::Messages(page.clone())))
        .bench_values(|mut outcome| render(&keyauth, job.exchange, &command, &mut outcome));
}

// --------------------------------------------------------------------------------------------------------- the steps

fn dialect(name: &str) -> Dialect {
    let mut builtin = builtin::BUILTIN.iter();
    let (_, source, schema) = builtin.find(|(known, ..)| *known == name).unwrap();
    builtin::compile(name, source, *schema).unwrap()
}

fn directory(dialect: &Dialect) -> Directory {
    Directory::new(std::slice::from_ref(dialect), &[0]).unwrap()
}

fn sent() -> Command {
    let keyauth = dialect("keyauth");
    match decode(&keyauth, &directory(&keyauth), SEND).ask {
        Ask::Command(command) => command,
        Ask::Answer => unreachable!("a send is a command"),
    }
}

fn listed() -> Command {
    Command::List(List {
        channel: "test".into(),
        ..List::default()
    })
}

fn decode(dialect: &Dialect, directory: &Directory, body: &str) -> Job {
    let Found::Exchanges { candidates, .. } = directory.find(&Method::POST, "/api/1.2/") else {
        unreachable!("the dialect answers here")
    };
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form);
    let incoming = Incoming {
        method: &Method::POST,
        segments: &[],
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    dialect.decode(&incoming, candidates).unwrap()
}

fn encode(dialect: &Dialect, command: &Command) -> Outgoing {
    with_call(command, |call| dialect.encode(call).unwrap())
}

fn understand(dialect: &Dialect, exchange: usize, command: &Command, body: &str) -> Reply {
    let understood = with_call(command, |call| {
        dialect.understand(exchange, call, StatusCode::OK, body.as_bytes())
    });
    match understood {
        Understood::Done(reply) => reply,
        other => unreachable!("the reply is a success: {other:?}"),
    }
}

fn with_call<T>(command: &Command, then: impl FnOnce(&Call<'_>) -> T) -> T {
    let credential = Credential {
        token: sabir::model::Secret("token".into()),
        ..Credential::default()
    };
    then(&Call {
        door: 0,
        command,
        arrival: &Arrival::default(),
        app: &App::default(),
        credential: &credential,
    })
}

fn render(dialect: &Dialect, exchange: usize, command: &Command, outcome: &mut Outcome) -> usize {
    let told = Told {
        door: 0,
        exchange: Some(exchange),
        command: Some(command),
        arrival: &Arrival::default(),
        app: &App::default(),
    };
    dialect.render(outcome, &told).body.len()
}
