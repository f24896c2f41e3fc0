//! Messages of an upstream that gives no ids: what a client is given for them, and that it stays the same.

mod support;

use serde_json::Value;
use support::running::{Answer, Sabir};

const SECRET: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn far() -> Sabir {
    Sabir::start(&format!(
        r#"
[[account]]
name = "bridge"
password = "far-password"

[[account]]
name = "other"
token = "other-token"

[[application]]
name = "far"
keyauth = {{ ownerid = "farfarfar1", secret = "{SECRET}", version = "1.0" }}
"#
    ))
}

fn near(far: &Sabir) -> Sabir {
    Sabir::start(&format!(
        r#"
[[account]]
name = "alice"
token = "alice-token"

[[account]]
name = "bob"
token = "bob-token"

[upstream.far]
dialect = "keyauth"
url = "http://{}"
credit = "{{author.name}}: {{text}}"
credential = {{ username = "bridge", password = "far-password" }}
app = {{ name = "far", ownerid = "farfarfar1", version = "1.0", secret = "{SECRET}" }}

[[route]]
from = "*:lobby"
to = "far:den"
"#,
        far.public
    ))
}

fn graph(sabir: &Sabir, who: &str, text: &str) -> Value {
    let bearer = format!("Bearer {who}-token");
    let answer = sabir.ask("POST", "/api/graph", &[("Authorization", &bearer)], text);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Sends a message and gives its id.
fn send(sabir: &Sabir, who: &str, text: &str) -> String {
    let text = format!(
        "mutation {{ createChatMessage(channelId: \"lobby\", message: {{message: \"{text}\"}}) {{ id }} }}"
    );
    let told = graph(sabir, who, &text);
    let id = &told["data"]["createChatMessage"]["id"];
    id.as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// The id and the text of every message, oldest first.
fn list(sabir: &Sabir, who: &str) -> Vec<(String, String)> {
    let text =
        "{ channel(id: \"lobby\") { chatMessages(last: 10) { edges { node { id message } } } } }";
    let told = graph(sabir, who, text);
    let edges = &told["data"]["channel"]["chatMessages"]["edges"];
    let text = |node: &Value, name: &str| node[name].as_str().unwrap().to_owned();
    edges
        .as_array()
        .unwrap_or_else(|| panic!("{told}"))
        .iter()
        .map(|edge| (text(&edge["node"], "id"), text(&edge["node"], "message")))
        .collect()
}

fn rooms(sabir: &Sabir, method: &str, target: &str, body: &str) -> Answer {
    let headers = [
        ("Authorization", "Bearer alice-token"),
        ("Content-Type", "application/json"),
    ];
    sabir.ask(method, target, &headers, body)
}

/// Somebody at the upstream itself speaks.
fn say_there(far: &Sabir, text: &str) {
    let headers = [
        ("Authorization", "Bearer other-token"),
        ("Content-Type", "application/json"),
    ];
    let body = format!(r#"{{"room":"den","text":"{text}"}}"#);
    let said = far.ask("POST", "/chat-messages", &headers, &body);
    assert_eq!(said.status / 100, 2, "{}", said.body);
}

#[test]
fn what_was_sent_keeps_its_id_when_a_list_shows_it() {
    let far = far();
    let mut sabir = near(&far);
    let mut wanted = Vec::new();
    for (who, text) in [
        ("alice", "same"),
        ("alice", "same"),
        ("bob", "same"),
        ("bob", "last"),
    ] {
        wanted.push((send(&sabir, who, text), text.to_owned()));
    }
    // What was sent is still looked for after a restart.
    sabir.restart();
    assert_eq!(list(&sabir, "alice"), wanted);
    assert_eq!(list(&sabir, "bob"), wanted);
    sabir.restart();
    assert_eq!(list(&sabir, "alice"), wanted);
    let mut ids: Vec<_> = wanted.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), wanted.len());
}

#[test]
fn a_message_of_somebody_else_is_not_taken_for_what_was_sent() {
    let far = far();
    let sabir = near(&far);
    say_there(&far, "hi");
    let shown = list(&sabir, "alice");
    let sent = send(&sabir, "alice", "hi");
    say_there(&far, "hi");
    let after = list(&sabir, "alice");
    assert_eq!(after[0], shown[0]);
    assert_eq!(after[1].0, sent);
    assert!(![&after[0].0, &sent].contains(&&after[2].0), "{after:?}");
}

#[test]
fn what_was_just_sent_can_be_asked_for() {
    let far = far();
    let sabir = near(&far);
    let sent = rooms(
        &sabir,
        "POST",
        "/chat-messages",
        r#"{"room":"lobby","text":"hello"}"#,
    )
    .json();
    let id = sent["id"].as_str().unwrap();
    let target = format!("/chat-messages/{id}");
    for _ in 0..2 {
        let got = rooms(&sabir, "GET", &target, "");
        assert_eq!(got.status, 200, "{}", got.body);
        let got = got.json();
        assert_eq!((&got["id"], &got["text"]), (&id.into(), &"hello".into()));
    }
}
