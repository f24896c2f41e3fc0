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
