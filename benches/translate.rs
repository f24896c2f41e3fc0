//! What translating costs: nanoseconds and allocations of each of the four turns, with golden cases as inputs.
//!
//! `cargo bench --bench translate`; the numbers that we keep stand in `docs/performance.md`. A list of fifty messages
//! is made out of the list that a case has. Glimesh is measured as a client, which is all that this part does of it.
//! What a turn makes is dropped within the measured time.

#[path = "../tests/support/case.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod case;
#[path = "../tests/support/records.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod records;
#[path = "../tests/support/sections.rs"]
mod sections;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use case::{Case, cases, lines, parts};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use http::StatusCode;
use sabir::dialect::client::{Call, Heard, Outgoing};
use sabir::dialect::directory::{Directory, Found};
use sabir::dialect::fields::Fields;
use sabir::dialect::headers::Headers;
use sabir::dialect::server::{Draft, Told};
use sabir::dialect::wire::Incoming;
use sabir::dialect::{Dialect, builtin};
use sabir::model::{Command, Operation, Outcome, Reply};
use sections::Records;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const DIALECTS: [&str; 3] = ["keyauth", "rooms", "glimesh"];

/// A list is measured with so many messages.
const LISTED: usize = 50;

fn main() {
    divan::main();
}

/// One exchange, with everything that is said in it.
struct Spoken {
    dialect: &'static Dialect,
    records: Records,
    command: Command,
    outcome: Outcome,
    door: usize,
    outgoing: Outgoing,
    status: StatusCode,
    /// The reply's.
    fields: Vec<u8>,
    /// The request's.
    headers: Headers,
    body: Vec<u8>,
}

/// The exchanges by what they are called in the table, and whether our server answers them.
static SPOKEN: LazyLock<BTreeMap<String, Spoken>> = LazyLock::new(|| {
    let mut spoken = BTreeMap::new();
    for name in DIALECTS {
        let (_, source, schema) = builtin::BUILTIN
            .iter()
            .find(|(known, ..)| *known == name)
            .unwrap();
        let dialect = builtin::compile(name, source, *schema).unwrap();
        let dialect: &'static Dialect = Box::leak(Box::new(dialect));
        for case in cases(name) {
            if let Some(one) = Spoken::of(dialect, &case) {
                let operation = one.command.operation().name();
                let title = format!("{name} {operation} {}", one.outgoing.exchange);
                spoken.entry(title).or_insert(one);
            }
        }
    }
    spoken
});

impl Spoken {
    /// A case that ends well and says both its command and its outcome.
    fn of(dialect: &'static Dialect, case: &Case) -> Option<Spoken> {
        let records = Records::read(case).unwrap();
        let command = records.command.clone()?;
        let mut outcome = records.outcome.clone().filter(Result::is_ok)?;
        let reply = case.message("reply")?;
        let mut body = reply.body.clone();
        if let Ok(Reply::Messages(list)) = &mut outcome
            && !list.messages.is_empty()
        {
            let times = LISTED / list.messages.len();
            list.messages = vec![list.messages.clone(); times].concat();
            let (head, rest) = body.split_once('[')?;
            let (some, tail) = rest.rsplit_once(']')?;
            body = format!("{head}[{}]{tail}", vec![some; times].join(","));
        }
        let door = case
            .door
            .as_ref()
            .map_or(0, |name| dialect.door(name).unwrap());
        let call = Call {
            door,
            command: &command,
            arrival: &records.arrival,
            app: &records.app,
            credential: &records.credential,
        };
        let outgoing = dialect.encode(&call).ok()?;
        Some(Spoken {
            dialect,
            command,
            outcome,
            door,
            headers: (&parts(&outgoing.request).2).into(),
            outgoing,
            status: StatusCode::from_u16(reply.status()).unwrap(),
            fields: lines(&reply.headers),
            body: body.into_bytes(),
            records,
        })
    }

    fn serves(&self) -> bool {
        self.dialect.exchanges[self.outgoing.exchange].role.serves()
    }

    fn decode(&self, directory: &Directory) -> Command {
        let request = &self.outgoing.request;
        let target = std::str::from_utf8(request.target()).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let found = directory.find(&request.method, path);
        let Found::Exchanges {
            candidates,
            segments,
            ..
        } = found
        else {
            unreachable!("{found:?}")
        };
        let incoming = Incoming {
            method: &request.method,
            segments: &segments,
            query,
            headers: &self.headers,
            body: request.body(),
        };
        let mut command = Operation::CheckSession.command();
        let (mut app, mut credential) = Default::default();
        let mut draft = Draft::new(&mut command, &mut app, &mut credential);
        self.dialect
            .decode(&incoming, candidates, &mut draft)
            .unwrap();
        command
    }

    fn call(&self) -> Call<'_> {
        Call {
            door: self.door,
            command: &self.command,
            arrival: &self.records.arrival,
            app: &self.records.app,
            credential: &self.records.credential,
        }
    }

    fn heard(&self) -> Heard<'_> {
        Heard {
            status: self.status,
            fields: Fields(&self.fields),
            body: &self.body,
        }
    }

    fn told(&self) -> Told<'_> {
        Told {
            door: self.door,
            exchange: Some(self.outgoing.exchange),
            command: Some(&self.command),
            arrival: &self.records.arrival,
            app: &self.records.app,
        }
    }

    /// A list counts its messages, anything else itself.
    fn items(&self) -> ItemsCount {
        ItemsCount::new(match &self.outcome {
            Ok(Reply::Messages(list)) => list.messages.len().max(1),
            _ => 1,
        })
    }
}

/// A name that divan prints.
#[derive(Clone)]
struct Title(&'static str);

impl fmt::Display for Title {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl Title {
    fn spoken(&self) -> &'static Spoken {
        &SPOKEN[self.0]
    }
}

fn served() -> impl Iterator<Item = Title> {
    called().filter(|title| title.spoken().serves())
}

fn called() -> impl Iterator<Item = Title> {
    SPOKEN.keys().map(|title| Title(title))
}

/// A client's request, from its path to the command.
#[divan::bench(args = served(), sample_size = 64)]
fn decode(bencher: Bencher<'_, '_>, title: &Title) {
    let one = title.spoken();
    let directory = Directory::new(std::slice::from_ref(one.dialect), &[0]).unwrap();
    bencher.bench(|| drop(one.decode(black_box(&directory))));
}

/// A send from one dialect to another: its request there and its reply back, all four turns.
#[divan::bench(args = [("rooms send 12", "keyauth send 7"), ("keyauth send 7", "rooms send 12")], sample_size = 64)]
fn both_ways(bencher: Bencher<'_, '_>, (from, to): (&'static str, &'static str)) {
    let (from, to) = (&SPOKEN[from], &SPOKEN[to]);
    let directory = Directory::new(std::slice::from_ref(from.dialect), &[0]).unwrap();
    bencher.bench(|| {
        let command = from.decode(&directory);
        let call = Call {
            command: &command,
            ..to.call()
        };
        let outgoing = to.dialect.encode(&call).unwrap();
        let read = to.dialect.understand(outgoing.exchange, &call, &to.heard());
        let told = Told {
            command: Some(&command),
            ..from.told()
        };
        drop(from.dialect.render(&mut Outcome::from(read), &told));
    });
}

/// An outcome, to the bytes that a client gets.
#[divan::bench(args = served(), sample_size = 64)]
fn render(bencher: Bencher<'_, '_>, title: &Title) {
    let one = title.spoken();
    bencher
        .counter(one.items())
        .with_inputs(|| one.outcome.clone())
        .bench_refs(|outcome| drop(one.dialect.render(black_box(outcome), &one.told())));
}

/// A command, to the request that an upstream gets.
#[divan::bench(args = called(), sample_size = 64)]
fn encode(bencher: Bencher<'_, '_>, title: &Title) {
    let one = title.spoken();
    bencher.bench(|| drop(one.dialect.encode(black_box(&one.call())).unwrap()));
}

/// An upstream's reply, to the outcome.
#[divan::bench(args = called(), sample_size = 64)]
fn understand(bencher: Bencher<'_, '_>, title: &Title) {
    let one = title.spoken();
    bencher.counter(one.items()).bench(|| {
        let exchange = one.outgoing.exchange;
        let call = one.call();
        let heard = black_box(one.heard());
        drop(one.dialect.understand(exchange, &call, &heard));
    });
}
