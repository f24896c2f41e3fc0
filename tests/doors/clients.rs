//! A client of each dialect: how it asks, and how what it is told reads.

use serde_json::{Value, json};

use crate::support::running::{Answer, Sabir, ask};

pub const DIALECTS: &[&str] = &[
    "keyauth", "rooms", "glimesh", "socket", "chats", "slack", "discord", "matrix",
];

/// The channels of the configuration; `nowhere` is none.
pub const CHANNELS: &str = r#"
[[channel]]
name = "lobby"
ids  = { glimesh = 6, chats = 1, slack = "C0LOBBY", discord = "10001", matrix = "!lobby:here" }
[[channel]]
name = "den"
ids  = { glimesh = 7, chats = 2, slack = "C0DENDEN", discord = "10002", matrix = "!denden:here" }
"#;

/// What a channel is called in a dialect. One that is not there has a name of the same length.
pub fn channel(dialect: &str, name: &str) -> &'static str {
    match (dialect, name) {
        ("glimesh", "lobby") => "6",
        ("glimesh", "den") => "7",
        ("glimesh", _) => "9",
        ("chats", "lobby") => "1",
        ("chats", "den") => "2",
        ("chats", _) => "9",
        ("slack", "lobby") => "C0LOBBY",
        ("slack", "den") => "C0DENDEN",
        ("slack", _) => "C0NOWHER",
        ("discord", "lobby") => "10001",
        ("discord", "den") => "10002",
        ("discord", _) => "10009",
        ("matrix", "lobby") => "!lobby:here",
        ("matrix", "den") => "!denden:here",
        ("matrix", _) => "!nowher:here",
        (_, "lobby") => "lobby",
        (_, "den") => "den",
        (_, _) => "ned",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Send,
    /// The newest messages.
    List,
    /// Older ones.
    History,
    Get,
    MarkSeen,
    Star,
    Search,
    Edit,
    Delete,
}

pub const OPERATIONS: &[Operation] = &[
    Operation::Send,
    Operation::List,
    Operation::History,
    Operation::Get,
    Operation::MarkSeen,
    Operation::Star,
    Operation::Search,
    Operation::Edit,
    Operation::Delete,
];

/// What a client understands of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Done,
    /// The proof is missing, wrong, or no good any more.
    Nobody,
    /// There is no such thing.
    Unknown,
    Forbidden,
    TooFast,
    Full,
    /// Something that no one should have been told.
    Else,
}

/// What one dialect's client asks, as it goes over the wire.
struct Asked {
    method: &'static str,
    target: String,
    kind: &'static str,
    body: String,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The bytes of an operation, where the dialect has it. `proof` is a session of KeyAuth, the secret of a socket
/// application, and a token everywhere else; empty is none.
fn asked(
    dialect: &str,
    operation: Operation,
    proof: &str,
    channel: &str,
    id: &str,
) -> Option<Asked> {
    use Operation::*;
    let get = |target: String| Asked {
        method: "GET",
        target,
        kind: "",
        body: String::new(),
    };
    let with = |method, target: String, body: Value| Asked {
        method,
        target,
        kind: JSON,
        body: body.to_string(),
    };
    let form = |target: &str, fields: &[(&str, &str)]| Asked {
        method: "POST",
        target: target.into(),
        kind: FORM,
        body: form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish(),
    };
    let document = |text: String| Asked {
        method: "POST",
        target: "/api/graph".into(),
        kind: JSON,
        body: json!({ "query": text }).to_string(),
    };
    let room = channel.replace('!', "%21");
    Some(match (dialect, operation) {
        ("keyauth", Send | List) => {
            let base = [("name", "test"), ("ownerid", "tiQhtH5R88")];
            let session = [("sessionid", proof), ("channel", channel)];
            let rest = match operation {
                Send => [("type", "chatsend"), ("message", "hello")],
                _ => [("type", "chatget"), ("message", "")],
            };
            form("/api/1.2/", &[base, session, rest].concat())
        }
        ("rooms", Send) => with(
            "POST",
            "/chat-messages".into(),
            json!({ "room": channel, "text": "hello" }),
        ),
        ("rooms", List) => get(format!("/chat-messages?room={channel}")),
        ("rooms", History) => get(format!("/chat-messages?room={channel}&$limit=5&$skip=1")),
        ("rooms", Get) => get(format!("/chat-messages/{id}")),
        ("rooms", MarkSeen) => with(
            "PATCH",
            format!("/chat-messages/{id}"),
            json!({ "seen": true }),
        ),
        ("glimesh", Send) => document(format!(
            "mutation {{ createChatMessage(channelId: {channel}, message: {{message: \"hello\"}}) {{ id }} }}"
        )),
        ("glimesh", List) => document(format!(
            "{{ channel(id: {channel}) {{ chatMessages(last: 5) {{ edges {{ node {{ id message }} }} }} }} }}"
        )),
        ("glimesh", History) => document(format!(
            "{{ channel(id: {channel}) {{ chatMessages(first: 5) {{ edges {{ node {{ id message }} }} }} }} }}"
        )),
        ("socket", Send) => form("/chat/send", &[("channel", channel), ("data", "hello")]),
        ("chats", Send) => form(
            &format!("/api/chats/{channel}/messages"),
            &[("message", "hello")],
        ),
        ("chats", List) => get(format!("/api/chats/{channel}/messages")),
        ("chats", History) => get(format!("/api/chats/{channel}/messages?page=2")),
        ("chats", Search) => get(format!("/api/chats/{channel}/search-messages?q=hello")),
        ("slack", Send) => form(
            "/api/chat.postMessage",
            &[("channel", channel), ("text", "hello")],
        ),
        ("slack", List) => get(format!("/api/conversations.history?channel={channel}")),
        ("slack", History) => get(format!(
            "/api/conversations.history?channel={channel}&limit=5&latest=1700000000.000000"
        )),
        ("slack", Edit) => form(
            "/api/chat.update",
            &[("channel", channel), ("ts", id), ("text", "changed")],
        ),
        ("slack", Delete) => form("/api/chat.delete", &[("channel", channel), ("ts", id)]),
        ("discord", Send) => with(
            "POST",
            format!("/api/v10/channels/{channel}/messages"),
            json!({ "content": "hello" }),
        ),
        ("discord", List) => get(format!("/api/v10/channels/{channel}/messages")),
        ("discord", Get) => get(format!("/api/v10/channels/{channel}/messages/{id}")),
        ("discord", Edit) => with(
            "PATCH",
            format!("/api/v10/channels/{channel}/messages/{id}"),
            json!({ "content": "changed" }),
        ),
        ("discord", Delete) => Asked {
            method: "DELETE",
            ..get(format!("/api/v10/channels/{channel}/messages/{id}"))
        },
        ("matrix", Send) => with(
            "PUT",
            format!(
                "/_matrix/client/v3/rooms/{room}/send/m.room.message/{}",
                next()
            ),
            json!({ "msgtype": "m.text", "body": "hello" }),
        ),
        ("matrix", List) => get(format!("/_matrix/client/v3/rooms/{room}/messages?dir=b")),
        ("matrix", Get) => get(format!("/_matrix/client/v3/rooms/{room}/event/{id}")),
        ("matrix", Delete) => with(
            "PUT",
            format!("/_matrix/client/v3/rooms/{room}/redact/{id}/{}", next()),
            json!({}),
        ),
        _ => return None,
    })
}

/// A transaction id that was never used.
fn next() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Asks, if the dialect has the operation.
pub fn request(
    sabir: &Sabir,
    dialect: &str,
    operation: Operation,
    proof: &str,
    channel: &str,
    id: &str,
) -> Option<Answer> {
    let asked = asked(dialect, operation, proof, channel, id)?;
    let authorization = match dialect {
        "keyauth" => String::new(),
        _ if proof.is_empty() => String::new(),
        "socket" => format!("key={proof}"),
        "discord" => format!("Bot {proof}"),
        _ => format!("Bearer {proof}"),
    };
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", asked.kind),
    ];
    let headers = headers.into_iter().filter(|(_, value)| !value.is_empty());
    let headers: Vec<(&str, &str)> = headers.collect();
    Some(ask(
        sabir.public,
        asked.method,
        &asked.target,
        &headers,
        &asked.body,
    ))
}

/// The id of a message that was sent.
pub fn sent_id(dialect: &str, answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let id = match dialect {
        "glimesh" => &body["data"]["createChatMessage"]["id"],
        "slack" => &body["ts"],
        "matrix" => &body["event_id"],
        _ => &body["id"],
    };
    id.as_str()
        .map_or_else(|| id.to_string(), |text| text.to_owned())
}

/// What a reply says, in its dialect's own way.
pub fn decision(dialect: &str, answer: &Answer) -> Decision {
    use Decision::*;
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let words = match dialect {
        "keyauth" if body["success"] == true => return Done,
        "keyauth" => body["message"].as_str(),
        "slack" if body["ok"] == true => return Done,
        "slack" => body["error"].as_str(),
        "glimesh" if answer.status == 200 && body["errors"].is_null() => return Done,
        "glimesh" if answer.status == 200 => body["errors"][0]["message"].as_str(),
        _ => None,
    };
    match (words, answer.status) {
        (Some(words), _) => WORDS
            .iter()
            .find(|(known, _)| words.starts_with(known))
            .map_or(Else, |(_, decision)| *decision),
        (None, 200..=299) => Done,
        (None, 401) => Nobody,
        (None, 403) => Forbidden,
        (None, 404) => Unknown,
        (None, 429) => TooFast,
        (None, 503) => Full,
        _ => Else,
    }
}

const WORDS: &[(&str, Decision)] = &[
    ("Session not found", Decision::Nobody),
    ("Session is not validated", Decision::Nobody),
    ("Chat channel not found", Decision::Unknown),
    ("this caller may not do that", Decision::Forbidden),
    ("This application has sent too many", Decision::TooFast),
    ("The chat service is not available", Decision::Full),
    ("not_authed", Decision::Nobody),
    ("invalid_auth", Decision::Nobody),
    ("channel_not_found", Decision::Unknown),
    ("message_not_found", Decision::Unknown),
    ("missing_scope", Decision::Forbidden),
    ("ratelimited", Decision::TooFast),
    ("service_unavailable", Decision::Full),
    ("You are sending too fast", Decision::TooFast),
    ("Could not find resource", Decision::Unknown),
    ("unauthorized", Decision::Forbidden),
];

/// A session of KeyAuth; with a name somebody has signed in to it.
pub fn session(sabir: &Sabir, person: Option<(&str, &str)>) -> String {
    let base = [("name", "test"), ("ownerid", "tiQhtH5R88")];
    let opened = sabir.post_form("/api/1.2/", &[&base[..], &[("type", "init")]].concat());
    let session = opened.json()["sessionid"].as_str().unwrap().to_owned();
    if let Some((name, password)) = person {
        let fields = [
            ("type", "login"),
            ("sessionid", &session),
            ("username", name),
            ("pass", password),
        ];
        let answer = sabir.post_form("/api/1.2/", &[&base[..], &fields[..]].concat());
        assert_eq!(answer.json()["success"], true, "{}", answer.body);
    }
    session
}

/// A token that was got by signing in.
pub fn token(sabir: &Sabir, email: &str, password: &str) -> String {
    let body = json!({ "email": email, "password": password }).to_string();
    let answer = sabir.ask("POST", "/authentication", &[("Content-Type", JSON)], &body);
    answer.json()["accessToken"].as_str().unwrap().to_owned()
}
