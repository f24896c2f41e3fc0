//! What a GraphQL document costs, from its text to the bytes of its answer, beside what its parsing alone costs.
//!
//! `cargo bench --bench graphql`; the numbers that we keep stand in `docs/performance.md`. The documented mutation and
//! query are asked in two ways: with a text that came before, as programs do, and with one that is new each time, as
//! those do that paste a message into it. What they ask for is in memory. Rounds alternate, and medians count.

#[path = "../tests/support/double.rs"]
mod double;

use std::hint::black_box;
use std::time::Instant;

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

const ROUNDS: usize = 41;
const TEXTS: usize = 400;

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

/// The outcomes of the documents' commands, last first.
fn outcomes(operations: &[Operation]) -> Vec<Outcome> {
    let commands = operations.iter().rev();
    let one: Vec<Outcome> = commands
        .map(|operation| double::outcome(&operation.command()))
        .collect();
    vec![one; TEXTS].concat()
}

/// Nanoseconds of one document.
fn timed(texts: &[String], mut what: impl FnMut(&str)) -> f64 {
    let start = Instant::now();
    for text in texts {
        what(text);
    }
    start.elapsed().as_nanos() as f64 / texts.len() as f64
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
    let service = &dialect.services[0];
    println!(
        "{:<10} {:>12} {:>12} {:>8} {:>12} {:>8}",
        "document", "parser ns", "new ns", "ratio", "repeated ns", "ratio"
    );
    println!(
        "{:<10} {:>12} {:>12} {:>8} {:>12}",
        "(aim)", "", "", "1.30", "2000"
    );
    let mut number = 0;
    let query = [Operation::FindChannel, Operation::List];
    let documents = [
        ("mutation", MUTATION, &[Operation::Send][..]),
        ("query", QUERY, &query[..]),
    ];
    for (title, document, operations) in documents {
        let cache = Cache::default();
        let same = vec![document.to_owned(); TEXTS];
        let (mut parser, mut new, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let texts: Vec<String> = (0..TEXTS)
                .map(|_| {
                    number += 1;
                    match document.contains("MESSAGE") {
                        true => document.replace("MESSAGE", &format!("MESSAGE {number}")),
                        false => format!("{document}#{number}"),
                    }
                })
                .collect();
            #[expect(clippy::disallowed_methods, reason = "it is what is measured")]
            parser.push(timed(&texts, |text| {
                drop(black_box(async_graphql_parser::parse_query(text)));
            }));
            for (texts, times) in [(&texts, &mut new), (&same, &mut repeated)] {
                let mut ready = outcomes(operations);
                times.push(timed(texts, |text| {
                    drop(black_box(answer(
                        (&dialect, service),
                        &cache,
                        text,
                        &mut ready,
                    )));
                }));
                assert!(ready.is_empty(), "{} outcomes are left", ready.len());
            }
        }
        let (parser, new, repeated) = (median(parser), median(new), median(repeated));
        println!(
            "{title:<10} {parser:>12.0} {new:>12.0} {:>8.2} {repeated:>12.0} {:>8.2}",
            new / parser,
            repeated / parser
        );
    }
}
