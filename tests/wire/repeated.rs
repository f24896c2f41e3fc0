//! Sends with an idempotency key: done once, told alike, and nobody's key is another's.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::keyauth::{self, APP};
use crate::rooms;
use crate::support::server::{Line, Nobody, Reply, Server, Upstream, request};
use crate::{FAR_MESSAGE, PEOPLE, at_home, with_far};

fn keyed(token: &str, key: &str, body: &str) -> Vec<u8> {
    let [kind, authorization] = rooms::headers(token);
    let key = format!("Idempotency-Key: {key}");
    request(
        "POST",
        "/chat-messages",
        &[kind, authorization, &key],
        body.as_bytes(),
    )
}

fn send(server: &Server, token: &str, key: &str, text: &str) -> Reply {
    server.raw(keyed(
        token,
        key,
        &format!(r#"{{"room":"lobby","text":"{text}"}}"#),
    ))
}

#[test]
fn a_repetition_is_not_sent_and_comes_to_the_same() {
    let upstream = Upstream::answering(FAR_MESSAGE);
    let server = with_far(&upstream);
    let first = send(&server, "token-of-alice", "k1", "hello");
    assert_eq!(first.status, 200);
    for key in ["k1", "\"k1\""] {
        let again = send(&server, "token-of-alice", key, "hello");
        assert_eq!((again.status, again.text()), (200, first.text()));
    }
    assert_eq!(upstream.requests().len(), 1);
    // The same key for something else is a mistake, and the first stands.
    let other = send(&server, "token-of-alice", "k1", "goodbye");
    assert_eq!(
        (other.status, other.member("name")),
        (400, "BadRequest".into())
    );
    assert_eq!(upstream.requests().len(), 1);
    // Another's key, another key and no key at all are other messages.
    send(&server, "token-of-bob", "k1", "hello");
    send(&server, "token-of-alice", "k2", "hello");
    rooms::post(
        &server,
        "token-of-alice",
        r#"{"room":"lobby","text":"hello"}"#,
    );
    assert_eq!(upstream.requests().len(), 4);
    let long = send(&server, "token-of-alice", &"k".repeat(256), "hello");
    assert_eq!((long.status, upstream.requests().len()), (400, 4));
}

#[test]
fn keyauth_seals_a_repetition_anew() {
    let upstream = Upstream::answering(FAR_MESSAGE);
    let server = with_far(&upstream);
    let session = keyauth::alice(&server);
    let body = format!("type=chatsend&{APP}&sessionid={session}&channel=lobby&message=hello");
    let headers = [
        "Content-Type: application/x-www-form-urlencoded",
        "Idempotency-Key: k1",
    ];
    let send = || server.request("POST", "/api/1.2/", &headers, body.as_bytes());
    let (first, second) = (send(), send());
    assert_eq!(first.member("message"), "Successfully sent chat message");
    assert_eq!(second.member("message"), "Successfully sent chat message");
    assert_ne!(first.member("nonce"), second.member("nonce"));
    assert_ne!(first.header("signature"), second.header("signature"));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_repetition_while_the_first_is_under_way_is_a_conflict() {
    let upstream = Upstream::answering_after(FAR_MESSAGE, Duration::from_millis(1500));
    let server = with_far(&upstream);
    let body = r#"{"room":"lobby","text":"hello"}"#;
    let mut first = Line::open(server.sabir.public);
    first.write(keyed("token-of-alice", "k1", body));
    while upstream.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = send(&server, "token-of-alice", "k1", "hello");
    assert_eq!(
        (second.status, second.member("name")),
        (409, "Conflict".into())
    );
    // Whoever leaves does not stop what has begun.
    drop(first);
    let third = loop {
        let reply = send(&server, "token-of-alice", "k1", "hello");
        if reply.status != 409 {
            break reply;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((third.status, upstream.requests().len()), (200, 1));
}

#[test]
fn what_was_refused_may_be_tried_again_with_its_key() {
    let server = at_home();
    let post = |text: &str| {
        let body = format!(r#"{{"room":"slow","text":"{text}"}}"#);
        server.raw(keyed("token-of-alice", "k1", &body))
    };
    assert_eq!(post(" ").status, 400);
    let sent = post("hello");
    assert_eq!(sent.status, 200);
    // A repetition is no second message, and so not too fast.
    assert_eq!(post("hello").text(), sent.text());
    let list = rooms::get(&server, "token-of-alice", "/chat-messages?room=slow").json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn what_never_left_may_be_tried_again_and_what_may_have_arrived_may_not() {
    // Takes one request and goes away without a word; before that, there is nobody.
    let place = Nobody::bound();
    let address = place.address();
    let server = Server::start(&format!(
        "{PEOPLE}\n[upstream.far]\ndialect = \"rooms\"\nurl = \"http://{address}\"\ncredential = {{ token = \"t\" }}\n[[route]]\nfrom = \"*:lobby\"\nto = \"far:r1\"\n"
    ));
    let nobody = send(&server, "token-of-alice", "k1", "hello");
    assert_eq!(
        (nobody.status, nobody.member("name")),
        (503, "Unavailable".into())
    );
    let listener = place.listen();
    let asked = Arc::new(AtomicUsize::new(0));
    let requests = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            requests.fetch_add(1, Ordering::SeqCst);
            stream.unwrap().read_exact(&mut [0; 20]).unwrap();
        }
    });
    let unknown = send(&server, "token-of-alice", "k1", "hello");
    assert_eq!(
        (unknown.status, unknown.member("name")),
        (502, "BadGateway".into())
    );
    let again = send(&server, "token-of-alice", "k1", "hello");
    assert_eq!((again.status, again.text()), (502, unknown.text()));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn an_upstream_sees_no_two_messages_under_one_mark() {
    let upstream = Upstream::answering(r#"{"event_id":"$e1"}"#);
    let server = Server::start(&format!(
        "{PEOPLE}\n[[application]]\nname = \"bot\"\nsocket = {{ secret = \"secret-of-bot\" }}\n[upstream.far]\ndialect = \"matrix\"\nurl = \"http://{}\"\ncredential = {{ token = \"t\" }}\n[[route]]\nfrom = \"*:lobby\"\nto = \"far:!r1\"\n",
        upstream.address
    ));
    // Two people who chose the same key, and several messages of one request, with a key and without.
    send(&server, "token-of-alice", "1", "hello");
    send(&server, "token-of-bob", "1", "hello");
    let items = r#"[{"channel":"lobby","data":"a"},{"channel":"lobby","data":"b"}]"#;
    for key in ["X-None: 1", "Idempotency-Key: 1"] {
        let headers = [
            "Content-Type: application/json",
            "secret: secret-of-bot",
            "app_secret: secret-of-bot",
            key,
        ];
        let sent = server.request(
            "POST",
            "/chat/send-multi?app_secret=secret-of-bot",
            &headers,
            items.as_bytes(),
        );
        assert_eq!(sent.json()["code"], json!(0), "{}", sent.text());
    }
    let requests = upstream.requests();
    let marks: BTreeSet<&str> = requests
        .iter()
        .map(|request| request.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!((requests.len(), marks.len()), (6, 6), "{marks:?}");
}
