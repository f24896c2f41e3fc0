//! Every fault with every client: the dialect's words for what happened, and a message that arrived at most once.

use std::net::SocketAddr;
use std::thread::scope;
use std::time::Duration;

use crate::clients::{CLIENTS, Client, Ending};
use crate::support::faults::{self, Words};
use crate::support::server::{Nobody, Server, Upstream, reply_of};
use crate::{FAR_MESSAGE, PEOPLE, seen, upstream};

/// Nothing of the retries and the breaker: each exchange stands for itself.
const ALONE: &str = "breaker_failures = 0\nin_flight = 1000\n";

/// What the upstream says instead of its own reply, and what that is.
fn said() -> Vec<(Words, Ending)> {
    use Ending::*;
    let page = "<html><body>It works!</body></html>";
    let with = |status: &str, head: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{head}content-length: {length}\r\n\r\n{body}")
    };
    let json = "content-type: application/json\r\n";
    let hint = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let whole = [
        (format!("{hint}{}", with("200 OK", json, FAR_MESSAGE)), Done),
        (with("200 OK", "content-type: text/html\r\n", page), Unknown),
        (with("200 OK", json, ""), Unknown),
        (with("200 OK", json, "{}"), Unknown),
        (with("200 OK", json, "null"), Unknown),
        (with("200 OK", json, r#"{"error":"overloaded"}"#), Unknown),
        (with("200 OK", json, &FAR_MESSAGE[..40]), Unknown),
        (with("200 OK", json, &"[".repeat(100_000)), Unknown),
        (
            with("200 OK", "content-encoding: gzip\r\n", "\u{1f}\u{8b}"),
            Unknown,
        ),
        (with("500 Oops", json, r#"{"code":500}"#), Unknown),
        (
            with("502 Bad Gateway", "content-type: text/html\r\n", page),
            Unknown,
        ),
        (with("503 Busy", "retry-after: 7\r\n", page), Unknown),
        (with("599 Odd", "", ""), Unknown),
        (with("400 Bad Request", json, r#"{"code":400}"#), Invalid),
        (with("429 Too Many Requests", "", page), TooFast),
        // Neither is followed or taken for the client's own fault.
        (
            with("302 Found", "location: http://127.0.0.1:1/\r\n", ""),
            Unavailable,
        ),
        (
            with("401 Unauthorized", json, r#"{"code":401}"#),
            Unavailable,
        ),
    ];
    let broken = [
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>",
            Unknown,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":\"1\"}",
            Unknown,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{\"id\":\"1\"}",
            Unknown,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}", Unknown),
        ("HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}", Unknown),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
            Unknown,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}",
            Unknown,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            Unknown,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
            Unknown,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}",
            Unknown,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            Unknown,
        ),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n{}", Unknown),
        ("HTTP/1.1\r\n\r\n", Unknown),
        ("HTTP/7.5 200 OK\r\n\r\n", Unknown),
        ("SSH-2.0-OpenSSH_9.2\r\n", Unknown),
        ("\u{16}\u{3}\u{1}\u{0}\u{0}", Unknown),
        ("\r\n\r\n\r\n", Unknown),
        ("{\"id\":\"m-77\"}", Unknown),
    ];
    let words = |text: String, whole| Words {
        head: text,
        body: String::new(),
        whole,
    };
    let whole = whole.map(|(text, ending)| (words(text, true), ending));
    let broken = broken.map(|(text, ending)| (words(text.into(), false), ending));
    whole.into_iter().chain(broken).collect()
}

/// What never ends.
fn floods() -> Vec<Words> {
    let letters = "x".repeat(60_000);
    [
        ("HTTP/1.1 200 OK\r\n\r\n", letters.clone()),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            format!("{:x}\r\n{letters}\r\n", letters.len()),
        ),
        (
            "HTTP/1.1 200 OK\r\n",
            format!("a: {}\r\n", &letters[..1000]),
        ),
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n".into()),
        ("", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(50)),
        ("HTTP/1.1 200 ", letters),
    ]
    .map(|(head, body)| Words {
        head: head.into(),
        body,
        whole: false,
    })
    .into()
}

/// Sends one message to which the fault happens.
#[track_caller]
fn send(
    client: &Client,
    server: &Server,
    session: &str,
    fault: &str,
    ending: Ending,
    far: &Upstream,
) {
    let text = format!("zz-{fault}-zz-{}.", client.name);
    let reply = client.send(server, session, "far", &text);
    client.check(&reply, ending, fault);
    let seen = seen(far, &text);
    // What is cut off on its way there may not have arrived; nothing has arrived twice.
    let most = if fault.contains("-request-") {
        0..=1
    } else {
        1..=1
    };
    assert!(most.contains(&seen), "{text}: seen {seen} times");
}

#[test]
fn each_fault_is_told_in_each_dialect() {
    let (words, endings): (Vec<_>, Vec<_>) = said().into_iter().unzip();
    let faults = endings.into_iter().enumerate();
    let mut faults: Vec<_> = faults
        .map(|(at, ending)| (format!("say-{at}"), ending))
        .collect();
    for (fault, ending) in [
        ("none-0", Ending::Done),
        ("late-50", Ending::Done),
        ("half-0", Ending::Unknown),
        ("stall-0", Ending::Unknown),
        ("stall-30", Ending::Unknown),
        ("stall-120", Ending::Unknown),
        ("once-0", Ending::Unknown),
    ] {
        faults.push((fault.into(), ending));
    }
    let far = Upstream::answering(FAR_MESSAGE);
    let address = faults::before(far.address, words);
    let config = upstream("far", address, &format!("{ALONE}deadline_s = 3"));
    let server = Server::start(&format!("{PEOPLE}{config}"));
    scope(|scope| {
        for client in CLIENTS {
            let session = client.session(&server);
            for (fault, ending) in &faults {
                let (server, session, far) = (&server, session.clone(), &far);
                scope.spawn(move || send(client, server, &session, fault, *ending, far));
            }
        }
    });
}

#[test]
fn what_never_ends_is_ended_and_open() {
    let words = floods();
    let count = words.len();
    let far = Upstream::answering(FAR_MESSAGE);
    let address = faults::before(far.address, words);
    let server = Server::start(&format!("{PEOPLE}{}", upstream("far", address, ALONE)));
    for client in CLIENTS {
        let session = client.session(&server);
        for fault in 0..count {
            let fault = format!("flood-{fault}");
            send(client, &server, &session, &fault, Ending::Unknown, &far);
        }
    }
}

/// Cut at every byte of the request and of the reply, closed and reset: nothing is told but that it is open.
#[test]
fn an_exchange_cut_at_any_byte_is_open() {
    let far = Upstream::answering(FAR_MESSAGE);
    let address = faults::before(far.address, Vec::new());
    let server = Server::start(&format!("{PEOPLE}{}", upstream("far", address, ALONE)));
    scope(|scope| {
        for client in CLIENTS {
            let (server, far) = (&server, &far);
            scope.spawn(move || cut_everywhere(client, server, far));
        }
    });
}

fn cut_everywhere(client: &Client, server: &Server, far: &Upstream) {
    let session = client.session(server);
    let text = format!("zz-cut-request-9999-zz-{}.", client.name);
    let reply = client.send(server, &session, "far", &text);
    client.check(&reply, Ending::Unknown, "whole");
    // The upstream is told nothing of the answer, and may be a moment behind it.
    let request = loop {
        let requests = far.requests();
        match requests.iter().find(|one| one.contains(&text)) {
            Some(request) => break request.len(),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let reply = reply_of(FAR_MESSAGE).len();
    // How the connection ends makes no difference to a dialect, so it takes turns; one dialect has it both ways.
    let turns = if client.name == "rooms" { 2 } else { 1 };
    for turn in 0..turns {
        for (fault, length) in [("request", request), ("reply", reply)] {
            for byte in 0..length {
                let way = ["cut", "reset"][(byte + turn) % 2];
                let fault = format!("{way}-{fault}-{byte:04}");
                send(client, server, &session, &fault, Ending::Unknown, far);
            }
        }
    }
}

#[test]
fn what_was_not_sent_is_told_as_such() {
    let (full, _filled) = full();
    let nobody = Nobody::bound();
    let hasty = "connect_s = 1\ndeadline_s = 1\n";
    let config = [
        upstream("gone", nobody.address(), ALONE),
        upstream("full", full, &format!("{ALONE}{hasty}")),
    ];
    let server = Server::start(&format!("{PEOPLE}{}", config.concat()));
    scope(|scope| {
        for client in CLIENTS {
            let session = client.session(&server);
            let server = &server;
            scope.spawn(move || {
                for (channel, ending) in [("gone", Ending::Unavailable), ("full", Ending::Timeout)]
                {
                    let reply = client.send(server, &session, channel, "hello");
                    client.check(&reply, ending, channel);
                }
            });
        }
    });
    let metrics = crate::metrics(&server);
    let none = |upstream: &str, class: &str| {
        format!("sabir_upstream_attempts_total{{class=\"{class}\",upstream=\"{upstream}\"}} 0\n")
    };
    for line in [
        none("gone", "unknown"),
        none("full", "unknown"),
        none("gone", "done"),
    ] {
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

/// An address that takes no further connections.
fn full() -> (SocketAddr, Vec<std::net::TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // It stays open for as long as the test runs.
    let _ = std::os::fd::IntoRawFd::into_raw_fd(socket);
    let within = Duration::from_millis(100);
    let fill = || std::net::TcpStream::connect_timeout(&address, within);
    let filled = std::iter::repeat_with(fill).take_while(Result::is_ok);
    (address, filled.map(Result::unwrap).collect())
}

/// An upstream's wish to be left alone is carried on where it can be meant.
#[test]
fn the_time_to_wait_is_carried_on() {
    let far_off = "Fri, 31 Dec 2100 23:59:59 GMT";
    let wishes: &[(&str, Option<&str>)] = &[
        ("7", Some("7")),
        ("0", Some("0")),
        ("1.2", Some("2")),
        ("86400", Some("3600")),
        ("99999999999999999999999", Some("3600")),
        (far_off, Some("3600")),
        ("Sat, 01 Jan 2000 00:00:00 GMT", Some("0")),
        ("-5", None),
        ("-99999999999999999999999", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("NaN", None),
        ("\u{661}", None),
    ];
    let says = |status: &str, wish: &str| Words {
        head: format!("HTTP/1.1 {status}\r\nretry-after: {wish}\r\ncontent-length: 0\r\n\r\n"),
        body: String::new(),
        whole: true,
    };
    let fast = wishes
        .iter()
        .map(|(wish, _)| says("429 Too Many Requests", wish));
    let busy = wishes.iter().map(|(wish, _)| says("503 Busy", wish));
    let far = Upstream::answering(FAR_MESSAGE);
    let address = faults::before(far.address, fast.chain(busy).collect());
    let keys = format!("{ALONE}retries = 0");
    let config = upstream("far", address, &keys)
        .replace("*:far", "*:*")
        .replace("far:r1", "far:*");
    let server = Server::start(&format!("{PEOPLE}{config}"));
    for client in CLIENTS {
        let session = client.session(&server);
        for (at, (wish, wanted)) in wishes.iter().enumerate() {
            let what = format!("{} {wish:?}", client.name);
            let text = format!("zz-say-{at}-zz-{}.", client.name);
            let reply = client.send(&server, &session, "lobby", &text);
            client.check(&reply, Ending::TooFast, &what);
            let wanted = wanted.or(client.wait);
            if !client.name.starts_with("glimesh") {
                assert_eq!(reply.header("retry-after"), wanted, "{what}");
            }
            // A send may have been done in spite of a 503, a read has failed.
            let busy = wishes.len() + at;
            let text = format!("zz-say-{busy}-zz-{}.", client.name);
            let reply = client.send(&server, &session, "lobby", &text);
            client.check(&reply, Ending::Unknown, &what);
            if let Some(read) = client.read.filter(|_| client.name == "rooms") {
                let reply = server.raw(read(&format!("zz-say-{busy}-zz"), &session));
                client.check(&reply, Ending::Unavailable, &what);
                assert_eq!(reply.header("retry-after"), wanted, "{what}");
            }
        }
    }
}

/// Reading is tried again whatever happened, and is told as unavailable or late, never as open.
#[test]
fn reads_are_tried_again_and_never_open() {
    let list: &str = concat!(
        "[",
        r#"{"id":"m-77","createdAt":1564661697125,"createdBy":"sabir","room":"r1","text":"hello"}"#,
        "]"
    );
    let far = Upstream::answering(list);
    let (words, _): (Vec<_>, Vec<_>) = said().into_iter().unzip();
    let address = faults::before(far.address, words);
    let keys = format!("{ALONE}attempt_s = 1\ndeadline_s = 3\nretry_budget_percent = 100");
    let config = upstream("far", address, &keys)
        .replace("*:far", "*:*")
        .replace("far:r1", "far:*");
    let server = Server::start(&format!("{PEOPLE}{config}"));
    let faults = [
        ("none-0", Ending::Done),
        ("once-0", Ending::Done),
        ("half-0", Ending::Unavailable),
        ("cut-request-10", Ending::Unavailable),
        ("cut-reply-90", Ending::Unavailable),
        ("reset-reply-20", Ending::Unavailable),
        ("say-1", Ending::Unavailable),
        ("say-9", Ending::Unavailable),
        ("stall-0", Ending::Timeout),
        ("stall-100", Ending::Timeout),
    ];
    scope(|scope| {
        for client in CLIENTS {
            let Some(read) = client.read else { continue };
            let session = client.session(&server);
            for (fault, ending) in faults {
                if ending == Ending::Done && client.name.starts_with("glimesh") {
                    // It asks for the channel first, and this upstream has nothing but lists.
                    continue;
                }
                let (server, session) = (&server, session.clone());
                scope.spawn(move || {
                    let channel = format!("zz-{fault}-zz-{}.", client.name);
                    let reply = server.raw(read(&channel, &session));
                    if ending == Ending::Done {
                        assert!(
                            reply.text().contains("hello"),
                            "{channel}: {}",
                            reply.text()
                        );
                    } else {
                        client.check(&reply, ending, fault);
                    }
                });
            }
        }
    });
    let seen = |fault: &str| seen(&far, &format!("zz-{fault}-zz-rooms."));
    assert_eq!((seen("none-0"), seen("once-0")), (1, 2));
    assert!((1..=3).contains(&seen("half-0")));
}
