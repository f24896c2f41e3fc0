//! Glimesh as a server over HTTP, on `local`: what its programs send, and what they get.

mod support;

use std::time::{Duration, Instant};

use support::running::{Answer, Sabir};

const CONFIG: &str = r#"
[[account]]
name = "Mytho"
token = "mytho-token"

[[account]]
name = "AFaithfulServant"
token = "servant-token"

[[application]]
name = "bot"
glimesh = { client_id = "3f1c", client_secret = "s3cr3t", owner = "AFaithfulServant" }

[[channel]]
name = "mytho"
title = "Live!"
owner = "Mytho"
ids = { glimesh = 6 }

[[channel]]
name = "other"
ids = { glimesh = 7 }
"#;

const DOOR: &str = "/api/graph";
const SERVANT: (&str, &str) = ("Authorization", "Bearer servant-token");
const MYTHO: (&str, &str) = ("Authorization", "Bearer mytho-token");
const PROGRAM: (&str, &str) = ("Authorization", "Client-ID 3f1c");

fn raw(sabir: &Sabir, text: &str) -> Answer {
    sabir.ask("POST", DOOR, &[SERVANT], text)
}

fn json(sabir: &Sabir, door: &str, text: &str, variables: &str) -> Answer {
    let query = serde_json::to_string(text).unwrap();
    let body = format!(r#"{{"query":{query},"variables":{variables}}}"#);
    let headers = [SERVANT, ("Content-Type", "application/json")];
    sabir.ask("POST", door, &headers, &body)
}

fn document(name: &str) -> String {
    let path = format!(
        "{}/tests/glimesh_queries/{name}.graphql",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn send(sabir: &Sabir, text: &str) -> Answer {
    let text = format!(
        "mutation {{ createChatMessage(channelId: 6, message: {{message: \"{text}\"}}) {{ id }} }}"
    );
    raw(sabir, &text)
}

#[test]
fn the_documented_examples() {
    let sabir = Sabir::start(CONFIG);
    let id = raw(&sabir, &document("01-docs-channel-id"));
    assert_eq!(
        (id.status, id.body.as_str()),
        (200, r#"{"data":{"channel":{"id":"6"}}}"#)
    );
    assert_eq!(
        id.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(id.header("access-control-allow-origin"), Some("*"));
    let sent = raw(&sabir, &document("03-docs-create-message"));
    let at = sent.json()["data"]["createChatMessage"]["insertedAt"].to_string();
    assert_eq!(at.len(), "\"2021-01-08T05:03:44\"".len());
    assert_eq!(
        sent.body,
        format!(
            r#"{{"data":{{"createChatMessage":{{"insertedAt":{at},"message":"MESSAGE","user":{{"username":"AFaithfulServant"}}}}}}}}"#
        )
    );
    let last = raw(&sabir, &document("02-docs-last-messages-commas"));
    assert_eq!(
        last.body,
        r#"{"data":{"channel":{"chatMessages":{"edges":[{"node":{"message":"MESSAGE","user":{"avatarUrl":null,"username":"AFaithfulServant"}}}]}}}}"#
    );
}
