//! A client of each dialect that sends and reads, and its dialect's words for what may go wrong.

use serde_json::json;

use crate::support::server::{Reply, Server, request};

/// What a client may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    Unavailable,
    Timeout,
    Unknown,
    TooFast,
    Invalid,
}

pub struct Client {
    pub name: &'static str,
    send: fn(channel: &str, text: &str, session: &str) -> Vec<u8>,
    pub read: Option<fn(channel: &str, session: &str) -> Vec<u8>>,
    /// Statuses and bodies in the order of the endings; of a body with a star at its end only what stands before it
    /// is always the same.
    told: [(u16, &'static str); 6],
    /// The seconds that are written where no time to wait is known.
    pub wait: Option<&'static str>,
}

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const ALICE: &str = "Authorization: Bearer token-of-alice";
const PROGRAM: &str = "name=test&ownerid=tiQhtH5R88";

const GLIMESH: [(u16, &str); 6] = [
    (200, r#"{"data":{"createChatMessage":{"message":"*"#),
    (503, r#""Service Unavailable""#),
    (504, r#""Gateway Timeout""#),
    (
        200,
        r#"{"data":{"createChatMessage":null},"errors":[{"locations":[{"column":38,"line":1}],"message":"It is not known whether this was done: it may or may not have been sent. Look before sending it again.","path":["createChatMessage"]}]}"#,
    ),
    (
        200,
        r#"{"data":{"createChatMessage":null},"errors":[{"locations":[{"column":38,"line":1}],"message":"You are sending too fast. Wait *"#,
    ),
    (
        200,
        r#"{"data":{"createChatMessage":null},"errors":[{"locations":[{"column":38,"line":1}],"message":"the upstream answered 400 Bad Request","path":["createChatMessage"]}]}"#,
    ),
];

pub const CLIENTS: &[Client] = &[
    Client {
        name: "keyauth",
        send: |channel, text, session| {
            let body = format!(
                "type=chatsend&{PROGRAM}&sessionid={session}&channel={channel}&message={text}"
            );
            request("POST", "/api/1.2/", &[FORM], body.as_bytes())
        },
        read: Some(|channel, session| {
            let body = format!("type=chatget&{PROGRAM}&sessionid={session}&channel={channel}");
            request("POST", "/api/1.2/", &[FORM], body.as_bytes())
        }),
        told: [
            (200, r#"{"success":true,*"#),
            (
                200,
                r#"{"success":false,"message":"The chat service is not available right now. Try again later."}"#,
            ),
            (
                200,
                r#"{"success":false,"message":"The chat service did not answer in time."}"#,
            ),
            (
                200,
                r#"{"success":false,"message":"The message may or may not have been sent. Look at the chat before you send it again."}"#,
            ),
            (
                200,
                r#"{"success":false,"message":"This application has sent too many requests. Try again in a minute."}"#,
            ),
            (
                200,
                r#"{"success":false,"message":"the upstream answered 400 Bad Request"}"#,
            ),
        ],
        wait: None,
    },
    Client {
        name: "rooms",
        send: |channel, text, _| {
            let body = json!({ "room": channel, "text": text }).to_string();
            request("POST", "/chat-messages", &[JSON, ALICE], body.as_bytes())
        },
        read: Some(|channel, _| get(&format!("/chat-messages?room={channel}"))),
        told: [
            (200, r#"*"#),
            (
                503,
                r#"{"name":"Unavailable","message":"The chat service is not available right now","code":503,"className":"unavailable","errors":{}}"#,
            ),
            (
                503,
                r#"{"name":"Unavailable","message":"The chat service did not answer in time","code":503,"className":"unavailable","errors":{}}"#,
            ),
            (
                502,
                r#"{"name":"BadGateway","message":"The message may or may not have been sent; look for it before sending it again","code":502,"className":"bad-gateway","errors":{}}"#,
            ),
            (
                429,
                r#"{"name":"TooManyRequests","message":"Too many requests","code":429,"className":"too-many-requests","errors":{}}"#,
            ),
            (
                400,
                r#"{"name":"BadRequest","message":"the upstream answered 400 Bad Request","code":400,"className":"bad-request","errors":{}}"#,
            ),
        ],
        wait: None,
    },
    Client {
        name: "glimesh",
        send: |channel, text, _| glimesh("/api/graph", channel, text),
        read: Some(|channel, _| {
            let query = "query ($id: ID) { channel(id: $id) { chatMessages(last: 9) { edges { node { message } } } } }";
            document("/api/graph", query, json!({ "id": channel }))
        }),
        told: GLIMESH,
        wait: None,
    },
    Client {
        name: "glimesh-old",
        send: |channel, text, _| glimesh("/api", channel, text),
        read: Some(|channel, _| {
            let query = "query ($id: ID) { channel(id: $id) { chatMessages { message } } }";
            document("/api", query, json!({ "id": channel }))
        }),
        told: GLIMESH,
        wait: None,
    },
    Client {
        name: "socket",
        send: |channel, text, _| {
            let body = format!("channel={channel}&event=greet&data={text}");
            let key = "Authorization: key=secret-of-socket";
            request("POST", "/chat/send", &[FORM, key], body.as_bytes())
        },
        read: None,
        told: [
            (
                200,
                r#"{"code":0,"data":{},"message":"Success","Error":null}"#,
            ),
            (
                503,
                r#"{"code":503,"data":{},"message":"Service Unavailable","Error":"the chat service is not available right now"}"#,
            ),
            (
                504,
                r#"{"code":504,"data":{},"message":"Gateway Timeout","Error":"the chat service did not answer in time"}"#,
            ),
            (
                504,
                r#"{"code":504,"data":{},"message":"Gateway Timeout","Error":"this may or may not have been sent; look before sending it again"}"#,
            ),
            (
                429,
                r#"{"code":429,"data":{},"message":"Too Many Requests","Error":"rate limit"}"#,
            ),
            (
                400,
                r#"{"code":400,"data":{},"message":"Bad Request","Error":"the upstream answered 400 Bad Request"}"#,
            ),
        ],
        wait: None,
    },
    Client {
        name: "chats",
        send: |channel, text, _| {
            let body = json!({ "message": text }).to_string();
            let target = format!("/api/chats/{channel}/messages");
            request("POST", &target, &[JSON, ALICE], body.as_bytes())
        },
        read: Some(|channel, _| get(&format!("/api/chats/{channel}/messages"))),
        told: [
            (200, r#"*"#),
            (503, r#"{"message":"Service Unavailable"}"#),
            (
                504,
                r#"{"message":"The chat service did not answer in time."}"#,
            ),
            (
                502,
                r#"{"message":"The message may or may not have been sent. Look at the chat before sending it again."}"#,
            ),
            (429, r#"{"message":"Too Many Attempts."}"#),
            (
                422,
                r#"{"message":"the upstream answered 400 Bad Request"}"#,
            ),
        ],
        wait: None,
    },
    Client {
        name: "slack",
        send: |channel, text, _| {
            let body = json!({ "channel": channel, "text": text }).to_string();
            request(
                "POST",
                "/api/chat.postMessage",
                &[JSON, ALICE],
                body.as_bytes(),
            )
        },
        read: Some(|channel, _| get(&format!("/api/conversations.history?channel={channel}"))),
        told: [
            (200, r#"{"ok":true,*"#),
            (503, r#"{"ok":false,"error":"service_unavailable"}"#),
            (503, r#"{"ok":false,"error":"service_unavailable"}"#),
            (
                200,
                r#"{"ok":false,"error":"fatal_error","response_metadata":{"messages":["[ERROR] not known whether this was done: it may or may not have been sent"]}}"#,
            ),
            (429, r#"{"ok":false,"error":"ratelimited"}"#),
            (
                200,
                r#"{"ok":false,"error":"invalid_arguments","response_metadata":{"messages":["[ERROR] the upstream answered 400 Bad Request"]}}"#,
            ),
        ],
        wait: Some("1"),
    },
    Client {
        name: "discord",
        send: |channel, text, _| {
            let body = json!({ "content": text }).to_string();
            let target = format!("/api/v10/channels/{channel}/messages");
            request("POST", &target, &[JSON, ALICE], body.as_bytes())
        },
        read: Some(|channel, _| get(&format!("/api/v10/channels/{channel}/messages"))),
        told: [
            (200, r#"*"#),
            (503, r#"{"message":"503: Service Unavailable","code":0}"#),
            (504, r#"{"message":"504: Gateway Timeout","code":0}"#),
            (
                409,
                r#"{"message":"Not known whether this was done: it may or may not have been sent","code":0}"#,
            ),
            (
                429,
                r#"{"message":"You are being rate limited.","retry_after":*"#,
            ),
            (
                400,
                r#"{"message":"the upstream answered 400 Bad Request","code":50035}"#,
            ),
        ],
        wait: Some("1"),
    },
    Client {
        name: "matrix",
        send: |channel, text, _| {
            let body = json!({ "msgtype": "m.text", "body": text }).to_string();
            let target = format!("/_matrix/client/v3/rooms/{channel}/send/m.room.message/{text}");
            request("PUT", &target, &[JSON, ALICE], body.as_bytes())
        },
        read: Some(|channel, _| {
            get(&format!(
                "/_matrix/client/v3/rooms/{channel}/messages?dir=b"
            ))
        }),
        told: [
            (200, r#"{*"#),
            (503, r#"{"errcode":"M_UNKNOWN","error":*"#),
            (504, r#"{"errcode":"M_UNKNOWN","error":*"#),
            (
                504,
                r#"{"errcode":"M_UNKNOWN","error":"Not known whether this was done: it may or may not have been sent"}"#,
            ),
            (
                429,
                r#"{"errcode":"M_LIMIT_EXCEEDED","error":"the upstream answered 429 Too Many Requests","retry_after_ms":*"#,
            ),
            (
                400,
                r#"{"errcode":"M_INVALID_PARAM","error":"the upstream answered 400 Bad Request"}"#,
            ),
        ],
        wait: Some("1"),
    },
];

fn get(target: &str) -> Vec<u8> {
    request("GET", target, &[ALICE], b"")
}

fn document(door: &str, query: &str, variables: serde_json::Value) -> Vec<u8> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    request("POST", door, &[JSON, ALICE], body.as_bytes())
}

fn glimesh(door: &str, channel: &str, text: &str) -> Vec<u8> {
    let query = "mutation ($id: ID!, $text: String) { createChatMessage(channelId: $id, message: { message: $text }) { message } }";
    document(door, query, json!({ "id": channel, "text": text }))
}

impl Client {
    pub fn named(name: &str) -> &'static Client {
        CLIENTS.iter().find(|client| client.name == name).unwrap()
    }

    /// A session, where the dialect has one.
    pub fn session(&self, server: &Server) -> String {
        if self.name != "keyauth" {
            return String::new();
        }
        let opened = server.post_form("/api/1.2/", format!("type=init&{PROGRAM}&ver=1.0"));
        let session = opened.member("sessionid");
        let login = format!("type=login&{PROGRAM}&sessionid={session}&username=alice&pass=correct");
        let reply = server.post_form("/api/1.2/", login);
        assert_eq!(reply.member("message"), "Logged in!");
        session
    }

    pub fn send(&self, server: &Server, session: &str, channel: &str, text: &str) -> Reply {
        server.raw((self.send)(channel, text, session))
    }

    /// Is this the answer that tells the ending?
    #[track_caller]
    pub fn check(&self, reply: &Reply, ending: Ending, what: &str) {
        let (status, body) = self.told[ending as usize];
        let fits = match body.strip_suffix('*') {
            Some(begin) => reply.text().starts_with(begin),
            None => reply.text() == body,
        };
        let (name, text) = (self.name, reply.text());
        assert!(
            fits && reply.status == status,
            "{name} {what}: {} {text}, and not {ending:?}",
            reply.status
        );
        if ending == Ending::Unknown {
            // It would be an invitation to send it again.
            assert_eq!(reply.header("retry-after"), None, "{name} {what}");
        }
    }
}
