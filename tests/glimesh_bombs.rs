//! Hostile GraphQL requests: each is an error, asks nothing of an upstream, and leaves the process as it was.
//!
//! How long they take is measured by `make bench`; here counts what they come to, whatever the machine does meanwhile.

mod support;

use support::bombs::{self, CALLER, CONFIG, DOOR};
use support::running::{Answer, Sabir};
use support::server::Upstream;

/// No answer to a bomb is larger: a hundred errors of four kilobytes, and what stands around them.
const MOST_BYTES: usize = 450_000;

fn throw(sabir: &Sabir, bomb: &bombs::Bomb) -> Answer {
    let kind = bomb.kind.map(|kind| ("Content-Type", kind));
    let headers: Vec<_> = [CALLER].into_iter().chain(kind).collect();
    sabir.ask("POST", DOOR, &headers, &bomb.body)
}

fn alive(sabir: &Sabir) {
    let answer = sabir.ask("POST", DOOR, &[CALLER], "{ myself { username } }");
    assert_eq!(answer.body, r#"{"data":{"myself":{"username":"Mytho"}}}"#);
}

#[test]
fn bombs_are_errors_that_reach_no_upstream() {
    let upstream = Upstream::answering("{}");
    let config = format!(
        r#"{CONFIG}
[upstream.far]
dialect    = "rooms"
url        = "http://{}"
credential = {{ token = "t" }}

[[route]]
from = "*:*"
to   = "far:*"
"#,
        upstream.address
    );
    let sabir = Sabir::start(&config);
    let introspections = "batch of 100 introspections";
    for bomb in bombs::bombs() {
        let answer = throw(&sabir, &bomb);
        let refused = answer.status >= 400 || answer.body.contains("\"errors\":[");
        // A schema may tell of itself; how much of it, is bounded.
        let told = bomb.name == "introspection in depth";
        let start: String = answer.body.chars().take(200).collect();
        assert!(refused || told, "{}: {} {start}", bomb.name, answer.status);
        assert!(
            answer.body.len() < MOST_BYTES,
            "{}: {} bytes",
            bomb.name,
            answer.body.len()
        );
        if bomb.name == introspections {
            let answers = answer.body.matches("\"data\"").count();
            assert!(answers < 10, "{answers} of a hundred were told");
        }
    }
    assert_eq!(upstream.connections(), 0, "{:?}", upstream.requests());
    alive(&sabir);
}

#[test]
fn lists_in_lists_end_at_what_an_answer_may_take() {
    let sabir = Sabir::start(CONFIG);
    for round in 0..10 {
        let filled = sabir.ask("POST", DOOR, &[CALLER], &bombs::filling(round));
        assert!(!filled.body.contains("errors"), "{}", filled.body);
    }
    let whole = "{ channel(id: 6) { chatMessages(first: 1000) { count edges { node { id message user { username } channel { id title } } } } } }";
    let answer = sabir.ask("POST", DOOR, &[CALLER], whole).json();
    let list = &answer["data"]["channel"]["chatMessages"];
    assert_eq!(list["count"], 1000);
    assert_eq!(list["edges"][999]["node"]["message"], "m 9 99");
    let [one, many] = bombs::nested_lists();
    let too_large = "The answer is too large";
    let answer = throw(&sabir, &one);
    assert!(
        answer.body.starts_with(r#"{"errors":[{"locations":"#) && answer.body.contains(too_large),
        "{}",
        answer.body.chars().take(300).collect::<String>()
    );
    assert_eq!(throw(&sabir, &many).body.matches(too_large).count(), 100);
    alive(&sabir);
}
