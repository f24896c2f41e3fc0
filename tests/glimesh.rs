//! KeyAuth into Glimesh: a scripted GraphQL server validates every request against the schema, with a GraphQL library
//! that is not ours, and answers as Glimesh does.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::{Value, json};
use support::running::Sabir;

/// A request that the scripted server got.
#[derive(Clone, Debug)]
struct Asked {
    head: String,
    query: String,
    variables: Value,
}

/// Glimesh, as far as chat goes: it keeps what it is told and shows it again.
struct Glimesh {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Glimesh {
    fn start() -> Glimesh {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/mappings/glimesh.graphql");
            let text = std::fs::read_to_string(path).unwrap();
            let schema =
                Schema::parse_and_validate(text, path).unwrap_or_else(|why| panic!("{why}"));
            let messages = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for stream in listener.incoming().flatten() {
                    let (schema, messages, seen) = (&schema, &messages, &seen);
                    scope.spawn(move || {
                        while let Some(asked) = read(&stream) {
                            let valid = ExecutableDocument::parse_and_validate(
                                schema,
                                &asked.query,
                                "request",
                            );
                            let (status, body) = match valid {
                                Ok(_) => answer(&asked, &mut messages.lock().unwrap()),
                                Err(why) => (
                                    "200 OK",
                                    json!({ "errors": [{ "message": why.to_string() }] }),
                                ),
                            };
                            seen.lock().unwrap().push(asked);
                            write(&stream, status, &body);
                        }
                    });
                }
            });
        });
        Glimesh { address, asked }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length:")?
            .trim()
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    Some(Asked {
        head,
        query: body["query"].as_str()?.to_owned(),
        variables: body["variables"].clone(),
    })
}

fn write(mut stream: &TcpStream, status: &str, body: &Value) {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn answer(asked: &Asked, messages: &mut Vec<Value>) -> (&'static str, Value) {
    if !asked
        .head
        .lines()
        .any(|line| line.eq_ignore_ascii_case("authorization: Bearer glimesh-token"))
    {
        let error = json!({ "errors": [{ "message": "You must be logged in to access the api" }] });
        return ("401 Unauthorized", error);
    }
    let variables = &asked.variables;
    if asked.query.contains("createChatMessage") {
        let text = variables["message"]["message"].as_str().unwrap_or_default();
        if variables["channelId"] != "6" {
            return ("404 Not Found", json!("Not Found"));
        }
        if text.contains("banned words") {
            let error = json!({ "message": "You are permanently banned from this channel.", "path": ["createChatMessage"],
                "locations": [{ "line": 1, "column": 1 }] });
            return (
                "200 OK",
                json!({ "data": { "createChatMessage": null }, "errors": [error] }),
            );
        }
        let user = json!({ "id": "9", "username": "SabirBot", "displayname": "SabirBot", "avatarUrl": null });
        let message = json!({ "id": (messages.len() + 613).to_string(), "message": text,
            "insertedAt": format!("2021-01-08T05:03:{:02}", messages.len()), "updatedAt": "2021-01-08T05:03:44",
            "user": user, "channel": { "id": "6" } });
        messages.push(message.clone());
        return (
            "200 OK",
            json!({ "data": { "createChatMessage": message } }),
        );
    }
    let edges: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(place, message)| json!({ "cursor": format!("c{place}"), "node": message }))
        .collect();
    let list = json!({ "count": edges.len(), "edges": edges, "pageInfo": { "hasNextPage": false,
        "hasPreviousPage": false, "startCursor": null, "endCursor": null } });
    (
        "200 OK",
        json!({ "data": { "channel": { "chatMessages": list } } }),
    )
}

fn near(glimesh: &Glimesh) -> Sabir {
    Sabir::start(&format!(
        r#"
[[account]]
name = "alice"
email = "alice@example.com"
password = "near-password"
token = "near-token"

[[application]]
name = "test"
keyauth = {{ ownerid = "tiQhtH5R88", secret = "bb", version = "1.0" }}

[upstream.far]
dialect = "glimesh"
url = "http://{}"
credential = {{ token = "glimesh-token" }}
credit = "{{author.name}}: {{text}}"

[[route]]
from = "keyauth:test"
to = "far:6"

[[route]]
from = "rooms:test"
to = "far:6"

[[route]]
from = "keyauth:gone"
to = "far:7"
"#,
        glimesh.address
    ))
}

fn session(near: &Sabir) -> String {
    let base = [("name", "test"), ("ownerid", "tiQhtH5R88")];
    let init = near
        .post_form(
            "/api/1.2/",
            &[&base[..], &[("type", "init"), ("ver", "1.0")]].concat(),
        )
        .json();
    let session = init["sessionid"].as_str().unwrap().to_owned();
    let login = [
        ("type", "login"),
        ("username", "alice"),
        ("pass", "near-password"),
        ("sessionid", &session),
    ];
    assert_eq!(
        near.post_form("/api/1.2/", &[&base[..], &login[..]].concat())
            .json()["success"],
        true
    );
    session
}

fn call(near: &Sabir, session: &str, fields: &[(&str, &str)]) -> Value {
    let base = [
        ("name", "test"),
        ("ownerid", "tiQhtH5R88"),
        ("sessionid", session),
    ];
    near.post_form("/api/1.2/", &[&base[..], fields].concat())
        .json()
}

#[test]
fn a_keyauth_chatsend_posts_into_a_glimesh_channel() {
    let glimesh = Glimesh::start();
    let near = near(&glimesh);
    let session = session(&near);
    for text in ["hello", "he said \"hi\" 👋", "two\nlines <b>"] {
        let sent = call(
            &near,
            &session,
            &[("type", "chatsend"), ("channel", "test"), ("message", text)],
        );
        assert_eq!(sent["success"], true, "{sent}");
    }
    let list = call(&near, &session, &[("type", "chatget"), ("channel", "test")]);
    let seen: Vec<(&str, &str, i64)> = list["messages"]
        .as_array()
        .unwrap_or_else(|| panic!("{list}"))
        .iter()
        .map(|message| {
            let text = |member: &str| message[member].as_str().unwrap();
            (
                text("author"),
                text("message"),
                message["timestamp"].as_i64().unwrap(),
            )
        })
        .collect();
    let at = 1_610_082_180;
    let wanted = [
        ("alice", "hello", at),
        ("alice", "he said \"hi\" 👋", at + 1),
        ("alice", "two\nlines <b>", at + 2),
    ];
    assert_eq!(seen, wanted);
    let asked = glimesh.asked.lock().unwrap();
    assert_eq!(asked.len(), 4, "three sends and one list, each once");
    assert_eq!(
        asked[0].variables,
        json!({ "channelId": "6", "message": { "message": "alice: hello" } })
    );
}

#[test]
fn a_rooms_client_reads_the_same_channel_with_ids_of_its_own() {
    let glimesh = Glimesh::start();
    let near = near(&glimesh);
    let headers = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
    ];
    let sent = near
        .ask(
            "POST",
            "/chat-messages",
            &headers,
            r#"{"room":"test","text":"hey"}"#,
        )
        .json();
    let list = near
        .ask("GET", "/chat-messages?room=test", &headers[..1], "")
        .json();
    assert_eq!(list[0]["id"], sent["id"], "{list}");
    assert_eq!(
        (&list[0]["text"], &list[0]["room"]),
        (&json!("hey"), &json!("test"))
    );
    let one = near.ask(
        "GET",
        &format!("/chat-messages/{}", sent["id"].as_str().unwrap()),
        &headers[..1],
        "",
    );
    assert_eq!(
        one.json()["text"],
        "hey",
        "one message is found in the list: {}",
        one.body
    );
}

#[test]
fn what_glimesh_refuses_is_told_in_keyauths_words() {
    let glimesh = Glimesh::start();
    let near = near(&glimesh);
    let session = session(&near);
    let send = |channel: &str, text: &str| {
        call(
            &near,
            &session,
            &[
                ("type", "chatsend"),
                ("channel", channel),
                ("message", text),
            ],
        )
    };
    let banned = send("test", "banned words");
    assert_eq!(banned["success"], false, "{banned}");
    let gone = send("gone", "hello");
    assert_eq!(gone["message"], "Chat channel not found", "{gone}");
    let long = send("test", &"x".repeat(256));
    assert_eq!(
        long["message"], "Message too long!",
        "255 graphemes is what Glimesh takes: {long}"
    );
    assert_eq!(
        glimesh.asked.lock().unwrap().len(),
        2,
        "what is too long is not sent"
    );
}
