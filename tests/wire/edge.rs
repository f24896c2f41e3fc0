//! The edge of HTTP: hosts, heads and bodies that are not as they should be, and connections that go on.

use std::io::Read as _;

use serde_json::json;

use crate::keyauth::{self, APP};
use crate::rooms::{self, headers};
use crate::support::server::{Line, Server, request};
use crate::{at_home, nothing_reaches_far};

#[test]
fn a_doubled_or_missing_host_is_refused_in_the_dialects_words() {
    nothing_reaches_far(|server| {
        let hosts = [
            ("", "the Host header is missing"),
            (
                "Host: a.example\r\nHost: b.example\r\n",
                "there is more than one Host header",
            ),
            (
                "Host: a.example\r\nHost: a.example\r\n",
                "there is more than one Host header",
            ),
            ("Host: a.example/x\r\n", "the Host header is not a host"),
        ];
        for (hosts, why) in hosts {
            let fields = format!("type=init&{APP}");
            let reply = server.raw(format!(
                "POST /api/1.2/ HTTP/1.1\r\n{hosts}Content-Length: {}\r\n\r\n{fields}",
                fields.len()
            ));
            assert_eq!(reply.status, 400);
            assert_eq!(reply.json(), json!({"success": false, "message": why}));
            assert_eq!(reply.header("connection"), Some("close"));
            let reply = server.raw(format!(
                "GET /chat-messages HTTP/1.1\r\n{hosts}Authorization: Bearer token-of-alice\r\n\r\n"
            ));
            assert_eq!(
                (reply.status, reply.member("name")),
                (400, "BadRequest".into())
            );
            assert_eq!(reply.header("connection"), Some("close"));
        }
        // Older than the header.
        let reply = server.raw("GET /chat-messages HTTP/1.0\r\n\r\n");
        assert_eq!(reply.status, 401);
    });
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    nothing_reaches_far(|server| {
        let long = format!("X-Long: {}", "a".repeat(20 << 10));
        let many: Vec<String> = (0..80).map(|number| format!("X-{number}: a")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let target = format!("/chat-messages?room=lobby&x={}", "a".repeat(20 << 10));
        for head in [
            request("GET", "/chat-messages?room=lobby", &[&long], b""),
            request("GET", "/chat-messages?room=lobby", &many, b""),
            request("GET", &target, &headers("token-of-alice"), b""),
        ] {
            let mut line = Line::open(server.sabir.public);
            line.write(&head);
            let status = line.reply(false).status;
            assert!(matches!(status, 414 | 431), "{status}");
            assert!(line.closed());
        }
    });
}

#[test]
fn a_packed_body_is_read_like_any_other() {
    let packed = |text: &str| {
        let (mut packed, best) = (Vec::new(), flate2::Compression::best());
        let mut packing = flate2::read::GzEncoder::new(text.as_bytes(), best);
        packing.read_to_end(&mut packed).unwrap();
        packed
    };
    let post = |server: &Server, token: &str, coding: &str, body: &[u8]| {
        let coding = format!("Content-Encoding: {coding}");
        let headers = [&headers(token)[..], &[coding.as_str()]].concat();
        server.request("POST", "/chat-messages", &headers, body)
    };
    let large = format!(r#"{{"room":"den","text":"{}"}}"#, "a".repeat(70 << 10));
    let huge = format!(r#"{{"room":"den","text":"{}"}}"#, "a".repeat(1 << 20));
    let home = at_home();
    let reply = post(&home, "token-of-alice", "gzip", &packed(&large));
    assert_eq!(reply.status, 200);
    nothing_reaches_far(|server| {
        let told = |token: &str, coding: &str, body: &[u8]| {
            let reply = post(server, token, coding, body);
            (reply.status, reply.member("message"))
        };
        // Small as it is sent, and neither for somebody unknown nor beyond the limit.
        assert_eq!(
            told("token-of-nobody", "gzip", &packed(&large)),
            (401, "Not authenticated".into())
        );
        assert_eq!(
            told("token-of-alice", "gzip", &packed(&huge)),
            (400, "Text is too long".into())
        );
        assert_eq!(told("token-of-alice", "gzip", large.as_bytes()).0, 400);
        let unknown = post(server, "token-of-alice", "br", b"?");
        assert_eq!(
            (unknown.status, unknown.member("name")),
            (415, "BadRequest".into())
        );
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_kept() {
    nothing_reaches_far(|server| {
        let text = "a".repeat(1 << 20);
        let body = format!(r#"{{"room":"lobby","text":"{text}"}}"#);
        let told = |token: &str, body: &[u8]| {
            let reply = server.request("POST", "/chat-messages", &headers(token), body);
            (reply.status, reply.member("message"))
        };
        // What is too large is not read, and so is nobody's business but its sender's.
        assert_eq!(
            told("token-of-alice", body.as_bytes()),
            (400, "Text is too long".into())
        );
        assert_eq!(
            told("token-of-nobody", body.as_bytes()),
            (401, "Not authenticated".into())
        );
        let some = &format!(r#"{{"room":"lobby","text":"{}"}}"#, &text[..70 << 10]);
        assert_eq!(
            told("token-of-nobody", some.as_bytes()),
            (401, "Not authenticated".into())
        );
        let chunked = format!(
            "POST /chat-messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{some}\r\n0\r\n\r\n",
            some.len()
        );
        assert_eq!(server.raw(chunked).status, 401);
        let session = keyauth::alice(server);
        for length in [1 << 20, 70 << 10] {
            let reply = keyauth::send(server, &session, "lobby", &text[..length]);
            assert_eq!(
                keyauth::told(&reply),
                r#"{"success":false,"message":"Message too long!"}"#
            );
        }
    });
    let server = at_home();
    let body = format!(r#"{{"room":"den","text":"{}"}}"#, "a".repeat(70 << 10));
    assert_eq!(rooms::post(&server, "token-of-alice", &body).status, 200);
}

#[test]
fn a_body_that_ends_early_is_no_request() {
    nothing_reaches_far(|server| {
        let whole = request(
            "POST",
            "/chat-messages",
            &headers("token-of-alice"),
            br#"{"room":"lobby","text":"hello"}"#,
        );
        for cut in [whole.len() - 1, whole.len() - 10, 20, 1] {
            let mut line = Line::open(server.sabir.public);
            line.write(&whole[..cut]);
            line.stream.shutdown(std::net::Shutdown::Write).unwrap();
            line.drain();
        }
    });
}

#[test]
fn requests_on_one_connection_know_nothing_of_each_other() {
    let server = at_home();
    let mut line = Line::open(server.sabir.public);
    let body = br#"{"room":"den","session":"s1","text":"one","media":"https://a.example/1.png"}"#;
    line.write(request(
        "POST",
        "/chat-messages",
        &headers("token-of-alice"),
        body,
    ));
    assert_eq!(line.reply(false).status, 200);
    line.write(request(
        "POST",
        "/chat-messages",
        &["Content-Type: application/json"],
        body,
    ));
    assert_eq!(line.reply(false).status, 401);
    let plain = br#"{"room":"den","text":"two"}"#;
    line.write(request(
        "POST",
        "/chat-messages",
        &headers("token-of-bob"),
        plain,
    ));
    let second = line.reply(false).json();
    assert_eq!(
        (&second["createdBy"], &second["media"], &second["session"]),
        (&json!("bob"), &json!(null), &json!(null))
    );
    // Sent at once, they are answered in turn.
    let get = request(
        "GET",
        "/chat-messages?room=den",
        &headers("token-of-bob"),
        b"",
    );
    let mut both = get.clone();
    both.extend(request("GET", "/chat-messages?room=den", &[], b""));
    both.extend(&get);
    line.write(both);
    let statuses =
        [line.reply(false), line.reply(false), line.reply(false)].map(|reply| reply.status);
    assert_eq!(statuses, [200, 401, 200]);
    // Another dialect, too.
    line.write(request(
        "GET",
        &format!("/api/1.1/?type=init&{APP}"),
        &[],
        b"",
    ));
    assert_eq!(line.reply(false).json()["success"], true);
}

#[test]
fn head_tells_what_get_would() {
    let server = at_home();
    let mut line = Line::open(server.sabir.public);
    let of = |method: &str| {
        request(
            method,
            "/chat-messages?room=den",
            &headers("token-of-bob"),
            b"",
        )
    };
    rooms::post(
        &server,
        "token-of-alice",
        r#"{"room":"den","text":"hello"}"#,
    );
    line.write(of("HEAD"));
    let head = line.reply(true);
    line.write(of("GET"));
    let get = line.reply(false);
    assert_eq!(head.status, get.status);
    for name in ["content-length", "content-type"] {
        assert_eq!(head.header(name), get.header(name));
        assert!(get.header(name).is_some());
    }
}

#[test]
fn what_stands_before_us_is_not_believed() {
    let server = at_home();
    let session = keyauth::opened(&server);
    let reply = server.request(
        "POST",
        "/api/1.2/",
        &[
            "Content-Type: application/x-www-form-urlencoded",
            "X-Forwarded-For: 203.0.113.9",
            "CF-Connecting-IP: 203.0.113.9",
            "Forwarded: for=203.0.113.9",
        ],
        format!("type=login&{APP}&sessionid={session}&username=alice&pass=correct+horse")
            .as_bytes(),
    );
    assert_eq!(reply.json()["info"]["ip"], "127.0.0.1");
}
