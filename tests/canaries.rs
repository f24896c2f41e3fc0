//! Secrets that can be recognised, everywhere a secret can be: none of them is ever seen outside.
//!
//! The program runs with everything logged. What it writes, counts and answers is searched for the secrets of its
//! configuration and of the requests that were made.

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use support::running::{Answer, ask};
use support::server::Nobody;

const SABIR: &str = env!("CARGO_BIN_EXE_sabir");
/// What every secret here begins with.
const CANARY: &str = "canary";

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn config(nobody: SocketAddr) -> String {
    format!(
        r#"
[listen]
public = "127.0.0.1:0"
admin  = "127.0.0.1:0"
[store]
url = "sqlite:sabir.db"
[[account]]
name     = "alice"
email    = "alice@example.com"
password = "canary-password"
license  = "canary-license"
token    = "canary-token"
as       = {{ far = {{ token = "canary-own" }} }}
[[account]]
name     = "bob"
token    = "canary-second"
[[application]]
name    = "test"
keyauth = {{ ownerid = "tiQhtH5R88", secret = "canary-seal", version = "1.0" }}
socket  = {{ secret = "canary-socket" }}
glimesh = {{ client_id = "3f1c", client_secret = "canary-client", owner = "alice" }}
[upstream.far]
dialect    = "rooms"
url        = "http://{nobody}"
credential = {{ token = "canary-service" }}
[[route]]
from = "*:*"
to   = "far:*"
"#
    )
}

/// Right and wrong secrets, in every place where a request can have one.
fn requests(public: SocketAddr) -> Vec<Answer> {
    let app = "name=test&ownerid=tiQhtH5R88";
    let init = format!("type=init&ver=1.0&enckey=canary-key&{app}");
    let session = ask(public, "POST", "/api/1.2/", &[FORM], &init);
    let session = session.json()["sessionid"].as_str().unwrap().to_owned();
    let of = |rest: &str| format!("{rest}&{app}&sessionid={session}");
    let mut answers = Vec::new();
    for fields in [
        "type=login&username=alice&pass=canary-wrong",
        "type=login&username=alice&pass=canary-password",
        "type=license&key=canary-wrong",
        "type=chatsend&channel=lobby&message=hello",
        "type=nothing&pass=canary-odd",
    ] {
        answers.push(ask(public, "POST", "/api/1.2/", &[FORM], &of(fields)));
        let target = format!("/api/1.1/?{}", of(fields));
        answers.push(ask(public, "GET", &target, &[], ""));
    }
    let query = r#"{"query":"{ myself { id } }"}"#;
    let send = r#"{"room":"lobby","text":"hello"}"#;
    for token in ["canary-token", "canary-second", "canary-wrong"] {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), JSON];
        for (target, body) in [
            ("/chat-messages", send),
            ("/chat-messages", "{canary-broken"),
            ("/api/graph", query),
            ("/api/chats/1/messages", "{}"),
            ("/api/graph/canary-path", ""),
        ] {
            answers.push(ask(public, "POST", target, &headers, body));
        }
    }
    let sign_in = r#"{"strategy":"local","email":"alice@example.com","password":"canary-wrong"}"#;
    answers.push(ask(public, "POST", "/authentication", &[JSON], sign_in));
    let grant = "grant_type=client_credentials&client_id=3f1c&client_secret=";
    for secret in ["canary-client", "canary-wrong"] {
        let body = format!("{grant}{secret}");
        answers.push(ask(public, "POST", "/api/oauth/token", &[FORM], &body));
        let body = format!("channel=lobby&event=greet&data=hi&app_secret={secret}");
        answers.push(ask(public, "POST", "/chat/send", &[FORM], &body));
    }
    answers
}

fn clean(what: &str, text: &str) {
    let seen = text.lines().find(|line| line.contains(CANARY));
    assert_eq!(seen, None, "in {what}");
}

#[test]
fn no_secret_is_seen_outside() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there: the upstream's failures are told too.
    let nobody = Nobody::bound();
    let path = folder.path().join("sabir.toml");
    std::fs::write(&path, config(nobody.address())).unwrap();
    let checked = Command::new(SABIR)
        .arg("check")
        .current_dir(folder.path())
        .output()
        .unwrap();
    for printed in [checked.stdout, checked.stderr] {
        clean("what check prints", &String::from_utf8_lossy(&printed));
    }
    let log = folder.path().join("log");
    let mut child = Command::new(SABIR)
        .current_dir(folder.path())
        .env("SABIR_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    printed.read_line(&mut first).unwrap();
    let addresses: Vec<SocketAddr> = first
        .split("http://")
        .skip(1)
        .map(|rest| {
            rest.split([' ', ')', '\n'])
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    for answer in requests(addresses[0]) {
        // What is not there may be named as it was asked for.
        if !answer.body.contains("canary-path") {
            clean("an answer", &format!("{}\n{}", answer.head, answer.body));
        }
    }
    for page in ["/metrics", "/status", "/readyz", "/nothing"] {
        clean(page, &ask(addresses[1], "GET", page, &[], "").body);
    }
    let id = child.id().to_string();
    clean(
        "the command line",
        &read(Path::new(&format!("/proc/{id}/cmdline"))),
    );
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    child.wait().unwrap();
    let log = read(&log);
    assert!(log.contains("sabir"), "nothing is logged");
    clean("the log", &log);
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
