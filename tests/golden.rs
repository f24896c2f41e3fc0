//! Every golden case of every dialect, in the roles that it names.
//!
//! A case is raw bytes and the model's records side by side; what a dialect's server and client make of each is
//! compared with the other.

mod support;

use sabir::dialect::builtin;
use support::case::{Case, cases};
use support::check::check;

macro_rules! golden {
    ($($name:ident),*) => { $(#[test] fn $name() { run(stringify!($name)); })* };
}

golden!(
    keyauth, rooms, glimesh, socket, chats, slack, discord, matrix
);

#[test]
fn there_are_enough_cases_and_a_third_are_errors() {
    let all: Vec<Case> = builtin::BUILTIN
        .iter()
        .flat_map(|(name, ..)| cases(name))
        .collect();
    let errors = all.iter().filter(|case| {
        case.section("refusal").is_some()
            || case
                .section("outcome")
                .is_some_and(|outcome| outcome.contains("fault"))
    });
    let errors = errors.count();
    assert!(all.len() >= 120, "{} cases", all.len());
    assert!(errors * 3 >= all.len(), "{errors} errors of {}", all.len());
}

fn run(name: &str) {
    let (_, source, schema) = builtin::BUILTIN
        .iter()
        .find(|(known, ..)| *known == name)
        .unwrap();
    let dialect =
        builtin::compile(name, source, *schema).unwrap_or_else(|problems| panic!("{problems}"));
    let cases = cases(name);
    assert!(!cases.is_empty(), "no cases for {name}");
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(why) = check(&dialect, case) {
            wrong.push(format!("== {}\n{why}", case.name()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
