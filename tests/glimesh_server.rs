//! Glimesh as a server over HTTP, where a reply is needed for the next request; all that can be said beforehand stands
//! in `tests/conversations/glimesh/`.

mod support;

use support::running::Sabir;

const CONFIG: &str = include_str!("conversations/glimesh/config.toml");
const DOOR: &str = "/api/graph";

#[test]
fn programs_get_tokens_whose_scope_counts() {
    let sabir = Sabir::start(CONFIG);
    let token = |scope: &str| {
        let answer = sabir.post_form(
            "/api/oauth/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", "3f1c"),
                ("client_secret", "s3cr3t"),
                ("scope", scope),
            ],
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        assert_eq!(
            (&told["expires_in"], &told["scope"], &told["token_type"]),
            (&86400.into(), &scope.into(), &"bearer".into())
        );
        format!("Bearer {}", told["access_token"].as_str().unwrap())
    };
    let text = "mutation { createChatMessage(channelId: 6, message: {message: \"x\"}) { user { username } } }";
    let sent = sabir.ask(
        "POST",
        DOOR,
        &[("Authorization", &token("public chat"))],
        text,
    );
    assert_eq!(
        sent.body,
        r#"{"data":{"createChatMessage":{"user":{"username":"AFaithfulServant"}}}}"#
    );
    let refused = sabir.ask("POST", DOOR, &[("Authorization", &token("public"))], text);
    assert!(
        refused.body.contains("\"unauthorized\""),
        "{}",
        refused.body
    );
}

/// What a document asked with a token of this scope comes to.
fn asked_with(sabir: &Sabir, scope: &str, document: &str) -> String {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "3f1c"),
        ("client_secret", "s3cr3t"),
        ("scope", scope),
    ];
    let told = sabir.post_form("/api/oauth/token", &fields).json();
    let token = format!("Bearer {}", told["access_token"].as_str().unwrap());
    let headers = [("Authorization", token.as_str())];
    sabir.ask("POST", DOOR, &headers, document).body
}

#[test]
fn an_address_is_told_to_tokens_that_are_for_it() {
    let mut sabir = Sabir::start(CONFIG);
    let document = "{ myself { email } }";
    for restarted in [false, true] {
        for scope in ["email", "public email", "chat email"] {
            assert_eq!(
                asked_with(&sabir, scope, document),
                r#"{"data":{"myself":{"email":"servant@example.com"}}}"#,
                "{scope}, {restarted}"
            );
        }
        for scope in ["", "public", "chat", "public chat stream_info"] {
            assert_eq!(
                asked_with(&sabir, scope, document),
                r#"{"data":{"myself":{"email":null}},"errors":[{"locations":[{"column":12,"line":1}],"message":"unauthorized","path":["myself","email"]}]}"#,
                "{scope}, {restarted}"
            );
        }
        sabir.restart();
    }
}

/// To the client a document's errors stand within a reply of 200; the operator looks for them in what is counted.
#[test]
fn what_a_document_came_to_is_counted() {
    let sabir = Sabir::start(CONFIG);
    let say = |channel: u8| {
        format!(
            "mutation {{ createChatMessage(channelId: 6, message: {{message: \"x\"}}) {{ id }} deleteChatMessage(channelId: {channel}, messageId: 999) {{ id }} }}"
        )
    };
    let headers = [
        ("Authorization", "Bearer servant-token"),
        ("Content-Type", "application/json"),
    ];
    let one = serde_json::json!({ "query": say(6) });
    let answer = sabir.ask("POST", DOOR, &headers, &one.to_string());
    assert!(
        answer.status == 200 && answer.json()["errors"].is_array(),
        "{answer:?}"
    );
    let batch = serde_json::json!([{ "query": "{ __typename }" }, one]);
    let answer = sabir.ask("POST", DOOR, &headers, &batch.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    let metrics = support::running::ask(sabir.admin, "GET", "/metrics", &[], "").body;
    let mut counted = metrics
        .lines()
        .filter(|line| line.starts_with("sabir_requests_total"));
    let line = counted.next().unwrap_or_default();
    assert_eq!(
        line,
        r#"sabir_requests_total{command="send",dialect="glimesh",outcome="not_found.message"} 2"#
    );
    assert_eq!(counted.next(), None);
}

/// Without configured channels every name is one, but an id that nobody was given is none until somebody speaks there.
#[test]
fn a_number_that_nobody_was_given_is_no_channel() {
    let unconfigured = CONFIG.split("[[channel]]").next().unwrap();
    let sabir = Sabir::start(unconfigured);
    let ask = |door: &str, document: &str| {
        let headers = [("Authorization", "Bearer servant-token")];
        sabir.ask("POST", door, &headers, document)
    };
    let missing = r#"{"data":{"channel":null},"errors":[{"locations":[{"column":3,"line":1}],"message":"Could not find resource","path":["channel"]}]}"#;
    for (door, argument) in [
        (DOOR, "id: 999"),
        (DOOR, "id: \"999\""),
        (DOOR, "streamerId: 999"),
        (DOOR, "streamerUsername: \"999\""),
        ("/api", "id: 999"),
        ("/api", "username: \"999\""),
    ] {
        let answer = ask(door, &format!("{{ channel({argument}) {{ id }} }}"));
        assert_eq!(answer.body, missing, "{door} {argument}");
    }
    let missing = missing.replace("channel", "user");
    for argument in ["id: 999", "username: \"999\""] {
        let answer = ask(DOOR, &format!("{{ user({argument}) {{ id }} }}"));
        assert_eq!(answer.body, missing, "{argument}");
    }
    let listed = ask(DOOR, "{ channels { count } }");
    assert_eq!(listed.body, r#"{"data":{"channels":{"count":0}}}"#);
    let gone = "mutation { deleteChatMessage(channelId: 999, messageId: 1) { id } }";
    let gone = ask(DOOR, gone);
    assert_eq!((gone.status, gone.body.as_str()), (404, "\"Not Found\""));

    let send = "mutation { createChatMessage(channelId: 999, message: {message: \"hi\"}) { message channel { id } } }";
    let sent = ask(DOOR, send).json();
    assert_eq!(sent["data"]["createChatMessage"]["message"], "hi");
    let id = sent["data"]["createChatMessage"]["channel"]["id"].as_str();
    for id in [id.unwrap(), "999"] {
        let read = format!(
            "{{ channel(id: {id}) {{ chatMessages {{ edges {{ node {{ message }} }} }} }} }}"
        );
        assert_eq!(
            ask(DOOR, &read).body,
            r#"{"data":{"channel":{"chatMessages":{"edges":[{"node":{"message":"hi"}}]}}}}"#,
            "{id}"
        );
    }
}
