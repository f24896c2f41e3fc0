//! Whoever asks too often, guesses, or comes when there is no place is told so in its own dialect, before anything is done.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::clients::{
    CHANNELS, DIALECTS, Decision, Operation, channel, decision, request, session, token,
};
use crate::support::running::{Answer, Sabir, ask};
use crate::support::server::Upstream;

const PEOPLE: &str = r#"
[[account]]
name     = "alice"
email    = "alice@example.com"
password = "correct horse"
token    = "token-of-alice"
license  = "LICENCE-1"
[[account]]
name     = "bob"
email    = "bob@example.com"
password = "battery"
token    = "token-of-bob"
[[application]]
name    = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = "76489f2ba92ddf9132e28d56870004a62d30ec5b40eaf2071ae48036e7144b5f" }
socket  = { secret = "socket-secret" }
glimesh = { client_id = "3f1c", client_secret = "s3cr3t", owner = "alice" }
"#;

fn with(limits: &str) -> Sabir {
    Sabir::start(&format!("{limits}\n{PEOPLE}{CHANNELS}"))
}

fn send(sabir: &Sabir, dialect: &str, proof: &str) -> Answer {
    let lobby = channel(dialect, "lobby");
    request(sabir, dialect, Operation::Send, proof, lobby, "").unwrap()
}

fn counted(sabir: &Sabir, reason: &str) -> u64 {
    let text = ask(sabir.admin, "GET", "/metrics", &[], "").body;
    let line = format!("sabir_requests_turned_away_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|found| found.strip_prefix(&line));
    line.unwrap().parse().unwrap()
}

/// Guesses, until the right one is not looked at either. A pause of the machine may be a pause for the guesser.
fn held_up(guess: impl Fn(), refused: impl Fn() -> bool) {
    let held = (0..20).any(|_| {
        (0..6).for_each(|_| guess());
        refused()
    });
    assert!(held, "the right one is let in at once after six wrong ones");
}

/// What proves alice in a dialect.
fn proof(dialect: &str, session: &str) -> String {
    match dialect {
        "keyauth" => session.into(),
        "socket" => "socket-secret".into(),
        _ => "token-of-alice".into(),
    }
}

#[test]
fn one_rate_in_all_dialects_and_each_says_so_in_its_own_words() {
    let sabir = with("[limits]\nrate_per_s = 1\nburst = 60");
    let session = session(&sabir, Some(("alice", "correct horse")));
    let mut left = 60;
    // What she takes in one dialect is missing in the others.
    for dialect in DIALECTS.iter().filter(|dialect| **dialect != "socket") {
        let answer = send(&sabir, dialect, &proof(dialect, &session));
        assert_eq!(decision(dialect, &answer), Decision::Done, "{answer:?}");
        left -= 1;
    }
    let mut taken = 0;
    while decision("rooms", &send(&sabir, "rooms", "token-of-alice")) == Decision::Done {
        taken += 1;
        assert!(taken <= left + 60, "no end of her rate");
    }
    assert!(taken >= left, "she had {left} and got {taken}");
    for dialect in DIALECTS.iter().filter(|dialect| **dialect != "socket") {
        // One comes back every second, so that one of two tries at once is refused for certain.
        let proof = proof(dialect, &session);
        let tries = [send(&sabir, dialect, &proof), send(&sabir, dialect, &proof)];
        let refused = tries
            .iter()
            .find(|answer| decision(dialect, answer) == Decision::TooFast)
            .unwrap_or_else(|| panic!("{dialect}: {tries:?}"));
        if refused.status == 429 || *dialect == "keyauth" {
            assert_eq!(refused.header("retry-after"), Some("1"), "{dialect}");
        }
    }
    // It is nobody else's.
    let others = [("rooms", "token-of-bob"), ("socket", "socket-secret")];
    for (dialect, proof) in others {
        let answer = send(&sabir, dialect, proof);
        assert_eq!(decision(dialect, &answer), Decision::Done, "{answer:?}");
    }
    assert!(counted(&sabir, "rate") >= 7);
}

#[test]
fn each_command_of_a_document_and_each_repetition_is_one_of_the_rate() {
    let sabir = with("[limits]\nrate_per_s = 1\nburst = 6");
    let document = |text: &str| {
        let body = json!({ "query": text }).to_string();
        let headers = [
            ("Authorization", "Bearer token-of-alice"),
            ("Content-Type", "application/json"),
        ];
        sabir.ask("POST", "/api/graph", &headers, &body).body
    };
    let send = "createChatMessage(channelId: 6, message: {message: \"hi\"}) { message }";
    let many: String = (0..30).map(|at| format!("m{at}: {send} ")).collect();
    let told = document(&format!("mutation {{ {many} }}"));
    let done = told.matches("\"message\":\"hi\"").count();
    assert!((6..30).contains(&done), "{told}");
    assert!(told.contains("You are sending too fast."), "{told}");
    let bob = [
        ("Authorization", "Bearer token-of-bob"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k1"),
    ];
    let once = |body: &str| sabir.ask("POST", "/chat-messages", &bob, body).status;
    let statuses: Vec<u16> = (0..30)
        .map(|_| once(r#"{"room":"lobby","text":"x"}"#))
        .collect();
    assert_eq!(statuses[..6], [200; 6]);
    assert!(statuses.contains(&429));
}

#[test]
fn who_is_not_known_is_counted_by_address() {
    let sabir = with("[limits]\nrate_per_s = 1\nburst = 5\nguesses = 0");
    let statuses: Vec<u16> = (0..20)
        .map(|_| send(&sabir, "rooms", "no-such-token").status)
        .collect();
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses[5..].contains(&429));
    // The same address, and somebody who is known.
    assert_eq!(send(&sabir, "rooms", "token-of-alice").status, 200);
}

#[test]
fn passwords_cannot_be_guessed_and_the_right_one_waits_too() {
    let guarded = || with("[limits]\nguesses = 3\nguess_wait_s = 60");
    let sabir = guarded();
    let sign_in = |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password }).to_string();
        let json = [("Content-Type", "application/json")];
        sabir.ask("POST", "/authentication", &json, &body)
    };
    let wrong = [
        sign_in("alice@example.com", "wrong"),
        sign_in("nobody@example.com", "wrong"),
    ];
    // Whether there is such a person is not told.
    assert_eq!((wrong[0].status, &wrong[0].body), (401, &wrong[1].body));
    held_up(
        || {
            let answer = sign_in("alice@example.com", "wrong");
            assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        },
        || {
            let right = sign_in("alice@example.com", "correct horse");
            if right.status == 429 {
                let wait: i64 = right.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=60).contains(&wait));
            }
            right.status == 429
        },
    );
    assert!(counted(&sabir, "guess") >= 1);

    // Anew, because her name and her address may by chance be counted as one.
    let sabir = guarded();
    let login = |name: &str, password: &str| {
        let session = session(&sabir, None);
        let fields = [
            ("type", "login"),
            ("name", "test"),
            ("ownerid", "tiQhtH5R88"),
            ("sessionid", &session),
            ("username", name),
            ("pass", password),
        ];
        sabir.post_form("/api/1.2/", &fields).json()["message"].clone()
    };
    assert_eq!(login("bob", "battery"), "Logged in!");
    assert_eq!(login("alice", "wrong"), "Password does not match.");
    let slow = "This application has sent too many requests. Try again in a minute.";
    held_up(
        || {
            login("alice", "wrong");
        },
        || login("alice", "correct horse") == slow,
    );
    // A token that holds is not held up by any of it.
    assert_eq!(send(&sabir, "rooms", "token-of-alice").status, 200);
    assert!(counted(&sabir, "guess") >= 1);
}

#[test]
fn licences_and_clients_secrets_cannot_be_guessed_either() {
    let sabir = with("[limits]\nguesses = 3\nguess_wait_s = 60");
    let session = session(&sabir, None);
    let licence = |key: &str| {
        let fields = [
            ("type", "license"),
            ("name", "test"),
            ("ownerid", "tiQhtH5R88"),
            ("sessionid", &session),
            ("key", key),
        ];
        sabir.post_form("/api/1.2/", &fields).json()["message"].clone()
    };
    assert_eq!(licence("WRONG"), "Invalid license key");
    held_up(
        || {
            licence("WRONG");
        },
        || licence("LICENCE-1") != "Logged in!",
    );
    let client = |secret: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "3f1c"),
            ("client_secret", secret),
            ("scope", "public chat"),
        ];
        sabir.post_form("/api/oauth/token", &fields)
    };
    assert_eq!(client("s3cr3t").status, 200);
    assert_eq!(client("wrong").status, 401);
    held_up(
        || {
            client("wrong");
        },
        || client("s3cr3t").status == 429,
    );
}

#[test]
fn ids_that_are_tried_out_are_told_of_slowly_and_a_right_one_passes() {
    let sabir = with("[limits]\nguesses = 1\nguess_wait_s = 60");
    let good = session(&sabir, Some(("alice", "correct horse")));
    let told: Vec<_> = (0..16)
        .map(|_| decision("keyauth", &send(&sabir, "keyauth", "0123456789")))
        .collect();
    assert_eq!(told[..10], [Decision::Nobody; 10]);
    assert!(told[10..].contains(&Decision::TooFast), "{told:?}");
    let answer = send(&sabir, "keyauth", &good);
    assert_eq!(decision("keyauth", &answer), Decision::Done);
    let bearer = token(&sabir, "alice@example.com", "correct horse");
    assert_eq!(send(&sabir, "rooms", &bearer).status, 200);
}

#[test]
fn without_a_place_a_request_is_refused_before_its_body_is_read() {
    let never = Upstream::answering_after("[]", Duration::from_secs(3600));
    let sabir = with(&format!(
        "[limits]\nin_flight = 1\nin_flight_wait_ms = 50\n\
         [upstream.never]\ndialect = \"rooms\"\nurl = \"http://{}\"\ncredential = {{ token = \"t\" }}\n\
         [[route]]\nfrom = \"*:nowhere\"\nto = \"never:nowhere\"\n[[route]]\nfrom = \"*:*\"\nto = \"local:*\"\n",
        never.address
    ));
    let session = session(&sabir, Some(("alice", "correct horse")));
    // One that is carried out holds the only place.
    let mut begun = TcpStream::connect(sabir.public).unwrap();
    let read = "GET /chat-messages?room=nowhere HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-of-bob\r\n\r\n";
    begun.write_all(read.as_bytes()).unwrap();
    while never.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    for dialect in DIALECTS {
        let answer = send(&sabir, dialect, &proof(dialect, &session));
        assert_eq!(decision(dialect, &answer), Decision::Full, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{dialect}");
    }
    // Nothing of the body has come, nor is it waited for.
    let mut early = post_slowly(&sabir);
    assert_eq!(status(&mut early), "503");
    assert_eq!(counted(&sabir, "in_flight"), 1 + DIALECTS.len() as u64);
    // The operator's door is not concerned.
    assert_eq!(ask(sabir.admin, "GET", "/healthz", &[], "").status, 200);
}

#[test]
fn who_is_slow_to_send_its_body_gives_up_its_place() {
    let sabir = with("[limits]\nin_flight = 1\nin_flight_wait_ms = 60000");
    let session = session(&sabir, Some(("alice", "correct horse")));
    for dialect in DIALECTS {
        let mut slow = post_slowly(&sabir);
        let taken = || {
            let text = ask(sabir.admin, "GET", "/metrics", &[], "").body;
            text.lines()
                .any(|line| line == "sabir_requests_in_flight 1")
        };
        while !taken() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let answer = send(&sabir, dialect, &proof(dialect, &session));
        assert_eq!(decision(dialect, &answer), Decision::Done, "{answer:?}");
        assert_eq!(status(&mut slow), "503");
    }
    // Slow as it was, it is welcome when nobody needs its place.
    let mut slow = post_slowly(&sabir);
    std::thread::sleep(Duration::from_millis(50));
    slow.write_all(br#"{"room":"lobby","text":"hey"}"#).unwrap();
    assert_eq!(status(&mut slow), "200");
}

/// The head of a request of bob's, without its body.
fn post_slowly(sabir: &Sabir) -> TcpStream {
    let mut slow = TcpStream::connect(sabir.public).unwrap();
    let head = "POST /chat-messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-of-bob\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    slow
}

fn status(stream: &mut TcpStream) -> String {
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).unwrap();
    String::from_utf8_lossy(&reply[9..]).into_owned()
}
