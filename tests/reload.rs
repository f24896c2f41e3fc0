//! Another configuration while clients are served, and the end: nobody is refused, cut off or answered by halves.

#[path = "reload/load.rs"]
mod load;
#[path = "reload/program.rs"]
mod program;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use load::{Load, Question, Tally};
use support::running::Sabir;
use support::server::{Line, Upstream, request};

const ALICE: &[&str] = &[
    "Content-Type: application/json",
    "Authorization: Bearer token-of-alice",
];
const ONE: &str =
    r#"{"id":"m1","createdAt":1564661697125,"createdBy":"u1","room":"one","text":"by one"}"#;
const TWO: &str =
    r#"{"id":"m2","createdAt":1564661697125,"createdBy":"u2","room":"two","text":"by two"}"#;

/// Two configurations that share an account and `local`; everything else differs.
fn configurations(one: &Upstream, two: &Upstream, mappings: &Path) -> [String; 2] {
    let alice = "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n\
                 [[application]]\nname = \"bot\"\nsocket = { secret = \"secret-of-bot\" }\n";
    let rest = "[[route]]\nfrom = \"*:*\"\nto = \"local:*\"\n";
    let upstream = |name: &str, at: &Upstream, channel: &str| {
        format!(
            "[upstream.{name}]\ndialect = \"rooms\"\nurl = \"http://{}\"\ncredential = {{ token = \"t\" }}\n\
             [[route]]\nfrom = \"*:lobby\"\nto = \"{name}:{channel}\"\n",
            at.address
        )
    };
    let bob = "[[account]]\nname = \"bob\"\ntoken = \"token-of-bob\"\n";
    let mappings = format!("mappings = \"{}\"\n", mappings.display());
    [
        format!("{alice}{bob}{rest}{}", upstream("first", one, "one")),
        format!(
            "{mappings}\n{alice}{rest}{}",
            upstream("second", two, "two")
        ),
    ]
}

/// A folder with one mapping that says something else than the built-in one.
fn changed_words() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let socket = std::fs::read_to_string("mappings/socket.toml").unwrap();
    let changed = socket.replace("{_|Success}", "{_|Very well}");
    assert_ne!(socket, changed);
    std::fs::write(folder.path().join("socket.toml"), changed).unwrap();
    folder
}

fn questions() -> Vec<Question> {
    let post = |room: &str| {
        let body = format!(r#"{{"room":"{room}","text":"hello"}}"#);
        request("POST", "/chat-messages", ALICE, body.as_bytes())
    };
    let send = br#"{"channel":"den","data":"hello"}"#;
    let program = [
        "Content-Type: application/json",
        "Authorization: key=secret-of-bot",
    ];
    vec![
        Question {
            request: post("lobby"),
            right: vec![
                ("one", r#""text":"by one""#.into()),
                ("two", r#""text":"by two""#.into()),
            ],
        },
        Question {
            request: request("POST", "/chat/send", &program, send),
            right: vec![
                ("success", r#""message":"Success""#.into()),
                ("very well", r#""message":"Very well""#.into()),
            ],
        },
        Question {
            request: post("den"),
            right: vec![("local", r#""room":"den","text":"hello""#.into())],
        },
        Question {
            request: request("GET", "/chat-messages?room=den&$limit=1", ALICE, b""),
            right: vec![("list", "HTTP/1.1 200 OK".into())],
        },
    ]
}

/// Reloads again and again under load, ends under load, and says what the clients saw.
fn reloaded_and_drained(reloads: usize, pause: Duration) -> Tally {
    let (one, two) = (Upstream::answering(ONE), Upstream::answering(TWO));
    let words = changed_words();
    let configurations = configurations(&one, &two, words.path());
    let mut sabir = Sabir::start(&configurations[0]);
    let load = Load::start(sabir.public, 8, &questions());
    for number in 1..=reloads {
        std::thread::sleep(pause);
        assert!(
            sabir
                .reload(&configurations[number % 2])
                .unwrap()
                .is_empty()
        );
    }
    std::thread::sleep(pause);
    sabir.stop();
    let tally = load.end();
    assert_eq!(
        tally.of("one") + tally.of("two"),
        one.requests().len() + two.requests().len(),
        "what was answered was sent once"
    );
    tally
}

/// Once for every change, and as often as `SOAK_ROUNDS` says in a soak.
#[test]
fn fifty_reloads_and_a_drain_under_load_fail_no_request() {
    let rounds = std::env::var("SOAK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    for _ in 0..rounds {
        let tally = reloaded_and_drained(50, Duration::from_millis(40));
        assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
        for name in ["one", "two", "success", "very well", "local", "list"] {
            assert!(tally.of(name) > 0, "{name} never happened: {tally:?}");
        }
        eprintln!("answered: {:?}", tally.right);
    }
}

fn list(sabir: &Sabir, token: &str) -> u16 {
    let token = format!("Bearer {token}");
    let headers = [("Authorization", token.as_str())];
    sabir
        .ask("GET", "/chat-messages?room=den", &headers, "")
        .status
}

#[test]
fn a_revoked_token_is_refused_by_the_next_request_and_sessions_survive() {
    let people = |bob: &str| {
        // Each look at a revoked token would count as a guess.
        format!(
            "[limits]\nguesses = 0\n[[account]]\nname = \"alice\"\nemail = \"a@example.com\"\npassword = \"pa\"\n\
             [[account]]\nname = \"bob\"\ntoken = \"{bob}\"\n"
        )
    };
    let sabir = Sabir::start(&people("old"));
    let json = [("Content-Type", "application/json")];
    let body = r#"{"strategy":"local","email":"a@example.com","password":"pa"}"#;
    let signed_in = sabir.ask("POST", "/authentication", &json, body).json();
    let session = signed_in["accessToken"].as_str().unwrap();
    assert_eq!(
        (
            list(&sabir, session),
            list(&sabir, "old"),
            list(&sabir, "new")
        ),
        (200, 200, 401)
    );
    for number in 0..20 {
        let (good, bad) = if number % 2 == 0 {
            ("new", "old")
        } else {
            ("old", "new")
        };
        sabir.reload(&people(good)).unwrap();
        // Whichever thread answers.
        for _ in 0..4 {
            assert_eq!((list(&sabir, bad), list(&sabir, good)), (401, 200));
        }
    }
    assert_eq!(list(&sabir, session), 200, "who was signed in still is");
    sabir
        .reload("[[account]]\nname = \"bob\"\ntoken = \"old\"\n")
        .unwrap();
    assert_eq!(list(&sabir, session), 401, "and is not without an account");
}

#[test]
fn a_request_is_finished_by_what_it_began_with() {
    let slow = Upstream::answering_after(ONE, Duration::from_millis(800));
    let two = Upstream::answering(TWO);
    let words = changed_words();
    let [first, second] = configurations(&slow, &two, words.path());
    let sabir = Sabir::start(&first);
    let ask = request(
        "POST",
        "/chat-messages",
        ALICE,
        br#"{"room":"lobby","text":"hello"}"#,
    );
    let mut before = Line::open(sabir.public);
    before.write(&ask);
    until(|| !slow.requests().is_empty());
    sabir.reload(&second).unwrap();
    let mut after = Line::open(sabir.public);
    after.write(&ask);
    assert_eq!(after.reply(false).member("text"), "by two");
    assert_eq!(
        before.reply(false).member("text"),
        "by one",
        "its upstream is gone by now"
    );
    before.write(&ask);
    assert_eq!(
        before.reply(false).member("text"),
        "by two",
        "and the same connection goes on"
    );
}

#[test]
fn unchanged_upstreams_keep_their_connections_and_others_do_not() {
    let far = Upstream::answering(ONE);
    let configuration = |token: &str, more: &str| {
        format!(
            "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n{more}\
             [upstream.far]\ndialect = \"rooms\"\nurl = \"http://{}\"\ncredential = {{ token = \"{token}\" }}\n\
             [[route]]\nfrom = \"*:lobby\"\nto = \"far:one\"\n",
            far.address
        )
    };
    let sabir = Sabir::start(&configuration("t", ""));
    let mut line = Line::open(sabir.public);
    let mut send = || {
        line.write(request(
            "POST",
            "/chat-messages",
            ALICE,
            br#"{"room":"lobby","text":"hello"}"#,
        ));
        assert_eq!(line.reply(false).status, 200);
    };
    send();
    sabir
        .reload(&configuration(
            "t",
            "[[account]]\nname = \"bob\"\ntoken = \"b\"\n",
        ))
        .unwrap();
    send();
    assert_eq!(
        far.connections(),
        1,
        "the same upstream, the same connection"
    );
    sabir.reload(&configuration("another", "")).unwrap();
    send();
    assert_eq!(far.connections(), 2);
    let said = far.requests().last().unwrap().to_ascii_lowercase();
    assert!(said.contains("authorization: bearer another"), "{said}");
}

#[test]
fn what_is_wrong_changes_nothing_and_what_needs_a_restart_is_told() {
    let right = "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n";
    let sabir = Sabir::start(right);
    for wrong in [
        "[[account]]\nname = \"alice\"\ntoken = \n",
        "[[account]]\nname = \"alice\"\ntokn = \"x\"\n",
        "[upstream.far]\ndialect = \"rooms\"\nurl = \"http://127.0.0.1:1\"\ndoor = \"none\"\n",
        "[[route]]\nfrom = \"*:*\"\nto = \"local:*\"\naccept = \"stored\"\n",
    ] {
        assert!(sabir.reload(wrong).is_err(), "{wrong}");
        assert_eq!(list(&sabir, "token-of-alice"), 200, "{wrong}");
    }
    let more = format!("watch_ms = 0\n{right}[log]\nformat = \"json\"\n");
    assert_eq!(sabir.reload(&more).unwrap(), ["log", "watch_ms"]);
    assert_eq!(list(&sabir, "token-of-alice"), 200);
}

#[test]
fn new_limits_are_for_those_who_come_after_them() {
    let with = |limits: &str| {
        let account = "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n";
        format!("{account}[listen.limits]\n{limits}")
    };
    let sabir = Sabir::start(&with("headers = 8"));
    let many: Vec<String> = (0..12).map(|number| format!("X-{number}: x")).collect();
    let mut headers = ALICE.to_vec();
    headers.extend(many.iter().map(String::as_str));
    let ask = request("GET", "/chat-messages?room=den", &headers, b"");
    let status = |line: &mut Line| {
        line.write(&ask);
        line.reply(false).status
    };
    assert_eq!(status(&mut Line::open(sabir.public)), 431);
    let mut before = Line::open(sabir.public);
    before.write(request("GET", "/chat-messages?room=den", ALICE, b""));
    assert_eq!(before.reply(false).status, 200);
    assert!(sabir.reload(&with("headers = 32")).unwrap().is_empty());
    // Whichever thread answers.
    for _ in 0..8 {
        until(|| status(&mut Line::open(sabir.public)) == 200);
    }
    assert_eq!(status(&mut before), 431);
}

#[test]
fn whoever_is_between_requests_when_it_ends_may_ask_once_more() {
    let mut sabir = Sabir::start("[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n");
    let ask = request("GET", "/chat-messages?room=den", ALICE, b"");
    let mut lines: Vec<Line> = (0..6).map(|_| Line::open(sabir.public)).collect();
    for line in &mut lines {
        line.write(&ask);
        assert_eq!(line.reply(false).header("connection"), None);
    }
    let stopping = std::thread::spawn(move || sabir.stop());
    std::thread::sleep(Duration::from_millis(200));
    // One stays silent, and keeps nobody waiting for long.
    for line in &mut lines[1..] {
        line.write(&ask);
        let reply = line.reply(false);
        assert_eq!(
            (reply.status, reply.header("connection")),
            (200, Some("close"))
        );
        assert!(line.closed());
    }
    stopping.join().unwrap();
    assert!(lines[0].closed());
}

/// Waits until it is so; a test that waits for long has failed.
fn until(mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "it never came to be"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
