//! Clients that leave: what has begun is finished and kept, what waits for its turn does not begin.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::faults;
use crate::support::server::{Line, Server, Upstream, request};
use crate::{FAR_MESSAGE, PEOPLE, metrics, seen, upstream};

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Way {
    Close,
    Reset,
}

fn keyed(key: &str, text: &str) -> Vec<u8> {
    let headers = [
        "Content-Type: application/json",
        "Authorization: Bearer token-of-alice",
        &format!("Idempotency-Key: {key}"),
    ];
    let body = json!({ "room": "far", "text": text }).to_string();
    request("POST", "/chat-messages", &headers, body.as_bytes())
}

/// A client that has asked and not yet been answered.
fn asked(address: SocketAddr, text: &str) -> Line {
    let mut line = Line::open(address);
    line.write(keyed(text, text));
    line
}

fn leave(line: Line, way: Way) {
    let linger = match way {
        Way::Close => None,
        Way::Reset => Some(Duration::ZERO),
    };
    let socket = socket2::SockRef::from(&line.stream);
    socket.set_linger(linger).unwrap();
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn far(keys: &str) -> (Upstream, Server) {
    let far = Upstream::answering(FAR_MESSAGE);
    let address = faults::before(far.address, Vec::new());
    let server = Server::start(&format!("{PEOPLE}{}", upstream("far", address, keys)));
    (far, server)
}

#[test]
fn a_send_that_has_begun_is_finished_and_kept() {
    let (far, server) = far("");
    for way in [Way::Close, Way::Reset] {
        let text = format!("zz-late-1500-zz-{way:?}");
        let under_way =
            || metrics(&server).contains("sabir_upstream_in_flight{upstream=\"far\"} 1\n");
        let line = asked(server.sabir.public, &text);
        until("the send has begun", under_way);
        leave(line, way);
        until("the upstream has it", || seen(&far, &text) == 1);
        until("it is over", || !under_way());
        // Who comes back with the same key is told how the first one ended.
        let mut reply = server.raw(keyed(&text, &text));
        while reply.status == 409 {
            reply = server.raw(keyed(&text, &text));
        }
        assert_eq!((reply.status, seen(&far, &text)), (200, 1), "{way:?}");
    }
    let counted = metrics(&server);
    for line in [
        r#"sabir_upstream_attempts_total{class="done",upstream="far"} 2"#,
        "sabir_requests_in_flight 0",
    ] {
        assert!(
            counted.lines().any(|found| found == line),
            "{line}\n{counted}"
        );
    }
}

#[test]
fn what_waits_for_its_turn_is_dropped_with_its_client() {
    let (far, server) = far("in_flight = 1\nqueue_wait_ms = 20000\ndeadline_s = 30");
    let public = server.sabir.public;
    let mut first = asked(public, "zz-late-1500-zz-first");
    until("the first is under way", || {
        metrics(&server).contains("sabir_upstream_in_flight{upstream=\"far\"} 1\n")
    });
    let closed = asked(public, "zz-none-0-zz-closed");
    let broken = asked(public, "zz-none-0-zz-broken");
    let mut stays = asked(public, "zz-none-0-zz-stays");
    until("all are there", || {
        metrics(&server).contains("sabir_requests_in_flight 4\n")
    });
    leave(closed, Way::Close);
    leave(broken, Way::Reset);
    assert_eq!(first.reply(false).status, 200);
    assert_eq!(stays.reply(false).status, 200);
    until("both are counted", || {
        let refused = "sabir_upstream_refused_total{reason=\"client_left\",upstream=\"far\"} 2\n";
        metrics(&server).contains(refused)
    });
    let (closed, broken) = (seen(&far, "zz-closed"), seen(&far, "zz-broken"));
    assert_eq!((closed, broken), (0, 0));
    // What was dropped was not sent, so its key is free.
    let reply = server.raw(keyed("zz-none-0-zz-closed", "zz-none-0-zz-closed"));
    assert_eq!((reply.status, seen(&far, "zz-closed")), (200, 1));
}
