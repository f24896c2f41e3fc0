//! Outages: an upstream that fails is left alone, takes nobody else down, and is asked again by one.

use std::thread::scope;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::clients::{Client, Ending};
use crate::support::faults::{self, Words};
use crate::support::running::ask;
use crate::support::server::{Nobody, Reply, Server, Upstream, request};
use crate::{FAR_MESSAGE, PEOPLE, metrics, seen, upstream};

fn send(server: &Server, channel: &str, key: &str, text: &str) -> Reply {
    let headers = [
        "Content-Type: application/json",
        "Authorization: Bearer token-of-alice",
        &format!("Idempotency-Key: {key}"),
    ];
    let body = json!({ "room": channel, "text": text }).to_string();
    server.raw(request("POST", "/chat-messages", &headers, body.as_bytes()))
}

/// The number of one line of the metrics.
fn counted(server: &Server, series: &str) -> u64 {
    let metrics = metrics(server);
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    let number = line.unwrap_or_else(|| panic!("no {series} in\n{metrics}"));
    number.trim().parse().unwrap()
}

#[test]
fn an_upstream_that_hangs_takes_up_its_own_places_only() {
    let (hung, well) = (
        Upstream::answering(FAR_MESSAGE),
        Upstream::answering(FAR_MESSAGE),
    );
    let hung_at = faults::before(hung.address, Vec::new());
    let bounds =
        "in_flight = 4\nqueue = 4\nqueue_wait_ms = 1000\ndeadline_s = 5\nbreaker_failures = 0";
    let config = [
        upstream("hung", hung_at, bounds),
        upstream("well", well.address, ""),
    ];
    let server = Server::start(&format!("{PEOPLE}{}", config.concat()));
    let rooms = Client::named("rooms");
    scope(|scope| {
        let stuck = |name: String| {
            let server = &server;
            scope.spawn(move || rooms.send(server, "", "hung", &format!("zz-stall-0-zz-{name}")))
        };
        let first: Vec<_> = (0..4)
            .map(|number| stuck(format!("first-{number}")))
            .collect();
        while seen(&hung, "first") < 4 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let crowd: Vec<_> = (0..30)
            .map(|number| stuck(format!("crowd-{number}")))
            .collect();
        for number in 0..50 {
            let reply = rooms.send(&server, "", "well", &format!("text {number}"));
            rooms.check(&reply, Ending::Done, "well");
        }
        for stuck in crowd {
            let reply = stuck.join().unwrap();
            rooms.check(&reply, Ending::Unavailable, "crowd");
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
        for stuck in first {
            rooms.check(&stuck.join().unwrap(), Ending::Unknown, "first");
        }
    });
    assert_eq!((seen(&hung, "first"), seen(&hung, "crowd")), (4, 0));
    assert_eq!(well.requests().len(), 50);
    let refused = |reason: &str| {
        let series = "sabir_upstream_refused_total";
        counted(
            &server,
            &format!("{series}{{reason=\"{reason}\",upstream=\"hung\"}}"),
        )
    };
    // Four may wait at once; how many can, one after the other, is a matter of how fast they came.
    let (full, waited) = (refused("queue_full"), refused("queue_wait"));
    assert_eq!(full + waited, 30);
    assert!(full > 0 && waited >= 4, "{full} {waited}");
}

#[test]
fn a_broken_upstream_is_left_alone_and_then_asked_by_one() {
    let far = Upstream::answering(FAR_MESSAGE);
    let words = Words {
        head: "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".into(),
        body: String::new(),
        whole: true,
    };
    let refusal = Words {
        head: "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n".into(),
        ..Words::default()
    };
    let address = faults::before(far.address, vec![words, refusal]);
    let bounds = "breaker_failures = 3\nbreaker_open_s = 4\ndeadline_s = 10";
    let config = [
        upstream("far", address, bounds),
        upstream("well", far.address, ""),
    ];
    let server = Server::start(&format!("{PEOPLE}{}", config.concat()));
    let rooms = Client::named("rooms");
    let state = || counted(&server, "sabir_upstream_breaker_state{upstream=\"far\"}");
    // A clear no is an answer of an upstream that works.
    for _ in 0..9 {
        rooms.send(&server, "", "far", "zz-say-1-zz");
    }
    for _ in 0..3 {
        assert_eq!(state(), 0);
        let reply = rooms.send(&server, "", "far", "zz-say-0-zz");
        rooms.check(&reply, Ending::Unknown, "failing");
    }
    assert_eq!(state(), 2);
    // Not sent, so the same key is good again when it is well.
    for _ in 0..5 {
        let reply = send(&server, "far", "k1", "keyed");
        rooms.check(&reply, Ending::Unavailable, "left alone");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=4).contains(&wait), "{wait}");
    }
    assert_eq!(seen(&far, "keyed"), 0);
    rooms.check(
        &rooms.send(&server, "", "well", "hi"),
        Ending::Done,
        "the other",
    );
    assert_eq!(
        ask(server.sabir.admin, "GET", "/readyz", &[], "").status,
        200
    );

    std::thread::sleep(Duration::from_millis(4100));
    let ends: Vec<_> = scope(|scope| {
        let probe = |_| scope.spawn(|| rooms.send(&server, "", "far", "zz-late-3000-zz-probe"));
        let probes: Vec<_> = (0..20).map(probe).collect();
        probes
            .into_iter()
            .map(|probe| probe.join().unwrap().status)
            .collect()
    });
    let done = ends.iter().filter(|status| **status == 200).count();
    assert_eq!((done, seen(&far, "probe")), (1, 1), "{ends:?}");
    assert_eq!(state(), 0);
    let reply = send(&server, "far", "k1", "keyed");
    assert_eq!((reply.status, seen(&far, "keyed")), (200, 1));
    let openings = "sabir_upstream_breaker_openings_total{upstream=\"far\"}";
    assert_eq!(counted(&server, openings), 1);
}

#[test]
fn retries_are_a_part_of_what_is_asked() {
    let nobody = Nobody::bound();
    let config = upstream(
        "gone",
        nobody.address(),
        "breaker_failures = 0\nretry_pause_ms = 25",
    );
    let server = Server::start(&format!("{PEOPLE}{config}"));
    let rooms = Client::named("rooms");
    const SENDS: u64 = 150;
    let start = Instant::now();
    for _ in 0..SENDS {
        let reply = rooms.send(&server, "", "gone", "hello");
        rooms.check(&reply, Ending::Unavailable, "gone");
    }
    let attempts = "sabir_upstream_attempts_total{class=\"not_sent\",upstream=\"gone\"}";
    let retries = counted(&server, "sabir_upstream_retries_total{upstream=\"gone\"}");
    assert_eq!(counted(&server, attempts), SENDS + retries);
    // A fifth, and one for each second: of the ten that the budget looks back on, and of those that it took.
    let most = SENDS / 5 + 11 + start.elapsed().as_secs();
    assert!((20..=most).contains(&retries), "{retries} of {most}");
}

/// What may have been received is sent again only with a mark by which the upstream knows it.
#[test]
fn an_open_send_is_repeated_only_with_its_mark() {
    let matrix = Upstream::answering(r#"{"event_id":"$77"}"#);
    let rooms = Upstream::answering(FAR_MESSAGE);
    let at = |upstream: &Upstream| faults::before(upstream.address, Vec::new());
    let config = [
        upstream("rooms", at(&rooms), ""),
        upstream("matrix", at(&matrix), "").replace("= \"rooms\"", "= \"matrix\""),
    ];
    let server = Server::start(&format!("{PEOPLE}{}", config.concat()));
    let client = Client::named("rooms");
    for (key, text) in [("", "zz-once-0-zz-bare"), ("k1", "zz-once-0-zz-keyed")] {
        let reply = send(&server, "rooms", key, text);
        client.check(&reply, Ending::Unknown, text);
        // Nobody knows what became of it, and asking again does not change that.
        if !key.is_empty() {
            client.check(&send(&server, "rooms", key, text), Ending::Unknown, text);
        }
        assert_eq!(seen(&rooms, text), 1);
        let other = key.replace('1', "2");
        let reply = send(&server, "matrix", &other, text);
        client.check(&reply, Ending::Done, text);
        let requests = matrix.requests();
        let sent: Vec<_> = requests.iter().filter(|one| one.contains(text)).collect();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], sent[1]);
    }
}

/// However many messages a request has, it is answered within one deadline; what did not come to its turn is not sent.
#[test]
fn a_request_of_many_has_one_deadline() {
    let far = Upstream::answering(FAR_MESSAGE);
    let address = faults::before(far.address, Vec::new());
    let config = upstream("far", address, "deadline_s = 2");
    let server = Server::start(&format!("{PEOPLE}{config}"));
    let one = |number| json!({ "channel": "far", "data": format!("zz-late-900-zz-{number}") });
    let body = json!((0..5).map(one).collect::<Vec<_>>()).to_string();
    let headers = [
        "Content-Type: application/json",
        "Authorization: key=secret-of-socket",
    ];
    let send = request("POST", "/chat/send-multi", &headers, body.as_bytes());
    Client::named("socket").check(&server.raw(send), Ending::Unknown, "many");
    // The third begins before the end of the two seconds at the latest, and a fourth cannot.
    assert_eq!(
        seen(&far, "zz-late-900-zz-3") + seen(&far, "zz-late-900-zz-4"),
        0
    );
}
