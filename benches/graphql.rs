//! What a GraphQL document costs, from its text to the bytes of its answer, beside what parsing it alone costs.
//!
//! `cargo bench --bench graphql`; the numbers that we keep stand in `docs/performance.md`. The documented mutation and
//! query are asked in two ways: with a text that came before, as programs do, and with one that is new each time, as
//! those do that paste a message into it. What they ask for is in memory, and made shortly before it is asked for, as a
//! reply is that has just been read. Rounds alternate, and medians count.
//!
//! The aim for a new text is told in times of async-graphql-parser, the usual parser; ours stands beside it.
//!
//! `… --bench graphql -- query repeated 1000` answers one document so many times, for a tool that counts instructions.

#[path = "../tests/support/double.rs"]
mod double;

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bluejay_parser::ast::Parse;
use bluejay_parser::ast::executable::ExecutableDocument;
use sabir::dialect::graphql::{Budget, Cache, Run, Service, Variables};
use sabir::dialect::{Dialect, builtin};
use sabir::model::{App, Arrival, Operation, Outcome};

/// As the documentation of Glimesh's chat shows them.
const MUTATION: &str = r#"mutation {
  createChatMessage(channelId:6, message: {message: "MESSAGE"}) {
    message,
    insertedAt,
    user {
      username
    }
  }
}
"#;
const QUERY: &str = r#"query {
  channel(id: 6) {
    chatMessages(last: 10) {
      edges {
        node {
          message,
          user {
            username,
            avatarUrl
          }
        }
      }
    }
  }
}
"#;

const ROUNDS: usize = 801;
/// Documents that are timed together: few, so that their outcomes are still in the processor's cache.
const TEXTS: usize = 16;

/// Answers a document, its commands' outcomes being these.
fn answer(
    (dialect, service): (&Dialect, &Service),
    cache: &Cache,
    text: &str,
    ready: &mut Vec<Outcome>,
) -> Vec<u8> {
    let (arrival, app, none) = (Arrival::default(), App::default(), Variables::default());
    let budget = Budget::default();
    let plan = cache.plan(service, text, "", &none, true).unwrap();
    let mut run = Run::new(dialect, service, &plan, &none, (&arrival, &app), &budget).unwrap();
    loop {
        let due = run.ready();
        if due.is_empty() {
            return run.render();
        }
        for call in due {
            let outcome = ready
                .pop()
                .unwrap_or_else(|| double::outcome(&call.command));
            run.settle(call, outcome);
        }
    }
}

/// A documented text, and what it asks for.
struct Document {
    title: &'static str,
    text: &'static str,
    operations: &'static [Operation],
}

/// New texts that were made.
static MADE: AtomicUsize = AtomicUsize::new(0);

const DOCUMENTS: [Document; 2] = [
    Document {
        title: "mutation",
        text: MUTATION,
        operations: &[Operation::Send],
    },
    Document {
        title: "query",
        text: QUERY,
        operations: &[Operation::FindChannel, Operation::List],
    },
];

impl Document {
    fn repeated(&self) -> Vec<String> {
        vec![self.text.to_owned(); TEXTS]
    }

    fn fresh(&self) -> Vec<String> {
        let fresh = || {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            match self.text.contains("MESSAGE") {
                true => self.text.replace("MESSAGE", &format!("MESSAGE {number}")),
                false => format!("{}#{number}", self.text),
            }
        };
        (0..TEXTS).map(|_| fresh()).collect()
    }

    /// The outcomes of the texts' commands, last first.
    fn outcomes(&self) -> Vec<Outcome> {
        let commands = self.operations.iter().rev();
        let one: Vec<Outcome> = commands
            .map(|operation| double::outcome(&operation.command()))
            .collect();
        vec![one; TEXTS].concat()
    }
}

/// Answers texts of a document; nanoseconds of one.
fn answered(
    parts: (&Dialect, &Service),
    cache: &Cache,
    document: &Document,
    texts: &[String],
) -> f64 {
    let mut ready = document.outcomes();
    let time = timed(texts, |text| {
        drop(black_box(answer(parts, cache, text, &mut ready)));
    });
    assert!(ready.is_empty(), "{} outcomes are left", ready.len());
    time
}

/// Nanoseconds of one text.
fn timed(texts: &[String], mut what: impl FnMut(&str)) -> f64 {
    let start = Instant::now();
    for text in texts {
        what(text);
    }
    start.elapsed().as_nanos() as f64 / texts.len() as f64
}

#[expect(clippy::disallowed_methods, reason = "it is what is measured")]
fn usual(text: &str) {
    drop(black_box(async_graphql_parser::parse_query(text)));
}

fn ours(text: &str) {
    drop(black_box(ExecutableDocument::parse(text).result));
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let (name, source, schema) = builtin::BUILTIN
        .iter()
        .find(|(name, ..)| *name == "glimesh")
        .unwrap();
    let dialect = builtin::compile(name, source, *schema).unwrap();
    let parts = (&dialect, &dialect.services[0]);
    let asked: Vec<String> = std::env::args().filter(|word| word != "--bench").collect();
    match &asked[1..] {
        [title, turn, times] => count(parts, title, turn, times.parse().unwrap()),
        _ => compare(parts),
    }
}

/// Does one thing again and again.
fn count(parts: (&Dialect, &Service), title: &str, turn: &str, times: usize) {
    let cache = Cache::default();
    let document = DOCUMENTS.into_iter().find(|known| known.title == title);
    let document = document.expect("mutation or query");
    for _ in 0..times.div_ceil(TEXTS) {
        match turn {
            "parser" => timed(&document.fresh(), ours),
            "new" => answered(parts, &cache, &document, &document.fresh()),
            "repeated" => answered(parts, &cache, &document, &document.repeated()),
            _ => panic!("parser, new or repeated"),
        };
    }
}

fn compare(parts: (&Dialect, &Service)) {
    println!(
        "{:<10} {:>14} {:>12} {:>12} {:>8} {:>12}",
        "document", "usual parser", "our parser", "new ns", "× usual", "repeated ns"
    );
    println!(
        "{:<10} {:>14} {:>12} {:>12} {:>8} {:>12}",
        "(aim)", "", "", "", "1.30", "2000"
    );
    for document in DOCUMENTS {
        let cache = Cache::default();
        let (mut theirs, mut parsed) = (Vec::new(), Vec::new());
        let (mut new, mut repeated) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let texts = document.fresh();
            theirs.push(timed(&texts, usual));
            parsed.push(timed(&texts, ours));
            new.push(answered(parts, &cache, &document, &texts));
            repeated.push(answered(parts, &cache, &document, &document.repeated()));
        }
        let (theirs, parsed) = (median(theirs), median(parsed));
        let (new, repeated) = (median(new), median(repeated));
        println!(
            "{:<10} {theirs:>14.0} {parsed:>12.0} {new:>12.0} {:>8.2} {repeated:>12.0}",
            document.title,
            new / theirs,
        );
    }
}
