//! The page for GraphQL at the operator's address: in a real browser, and request by request.
//!
//! `scripts/tools.sh browser` installs Chromium and what drives it; `tests/graphiql/page.mjs` is what it does.

mod support;

use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::read::GzDecoder;
use sabir::app;
use sabir::config::Draft;
use serde_json::Value;
use support::running::{Answer, Sabir, ask};
use support::server::{Line, Reply, Upstream};

const CONFIG: &str = r#"
[[account]]
name = "alice"
token = "alice-token"

[[channel]]
name = "lobby"
ids = { glimesh = 6 }
"#;

const ALICE: (&str, &str) = ("Authorization", "Bearer alice-token");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const WHO: &str = r#"{"query":"{ myself { username } }"}"#;
const IS_ALICE: &str = r#"{"data":{"myself":{"username":"alice"}}}"#;
const SEND: &str = r#"{"query":"mutation { createChatMessage(channelId: 6, message: {message: \"hello\"}) { message } }"}"#;

#[test]
fn a_reader_uses_it_in_a_browser() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new(root.join("scripts/tools.sh")).arg("browser"));
    let sabir = Sabir::start(CONFIG);
    let home = format!("http://{}/", sabir.admin);
    let told = run(Command::new("node")
        .arg(root.join("tests/graphiql/page.mjs"))
        .arg(root.join(".tools/graphiql"))
        .args([&format!("{home}graphiql"), "alice-token"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    let says = |step: &str, text: &str| {
        let shown = told[step].as_str().unwrap();
        assert!(shown.contains(text), "{step}: {shown}");
    };
    says("docs", "createChatMessage");
    says("query", r#""myself": { "username": "alice""#);
    says(
        "mutation",
        r#""createChatMessage": { "message": "by the page", "user": { "username": "alice""#,
    );
    says("oldDocs", "createChatMessage");
    says("old", r#""users": [ { "username": "alice""#);
    says("kept", "myself");
    let kept = told["kept"].as_str().unwrap();
    assert!(!kept.contains("alice-token"), "{kept}");
    assert_eq!(told["wrong"], Value::Array(Vec::new()), "{told:#}");
    let requests = told["requests"].as_array().unwrap();
    for request in requests {
        let (_, url) = request.as_str().unwrap().split_once(' ').unwrap();
        assert!(url.starts_with(&home) || url.starts_with("data:"), "{url}");
    }
    let sent = |path: &str| {
        let wanted = format!("POST {home}{path}");
        requests
            .iter()
            .filter(|request| **request == wanted)
            .count()
    };
    // The schema and what was written, at each door; nothing before somebody said who is asking.
    assert_eq!((sent("graphiql/api/graph"), sent("graphiql/api")), (3, 2));
    let texts = lobby(&sabir);
    assert!(texts.contains("by the page"), "{texts}");
}

#[test]
fn the_page_and_its_parts_are_served() {
    let sabir = Sabir::start(CONFIG);
    let page = get(&sabir, "/graphiql");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let html = page.text();
    assert!(!html.contains("://"), "nothing comes from elsewhere");
    assert!(!html.contains("<style") && !html.contains("style="));
    let scripts = html.split("<script").skip(1);
    assert!(scripts.clone().all(|script| script.contains(" src=\"")));
    assert_eq!(scripts.count(), 4);
    let parts: Vec<&str> = html
        .split(['"'])
        .filter(|part| part.starts_with("graphiql/"))
        .collect();
    assert_eq!(parts.len(), 7);
    for part in parts {
        let reply = get(&sabir, &format!("/{part}"));
        assert_eq!(reply.status, 200, "{part}");
        let kind = match part.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        assert_eq!(reply.header("content-type"), Some(kind), "{part}");
        guarded(&reply);
        let mut text = String::new();
        match reply.header("content-encoding") {
            Some("gzip") => GzDecoder::new(&reply.body[..])
                .read_to_string(&mut text)
                .map(drop),
            _ => String::from_utf8(reply.body)
                .map(|plain| text = plain)
                .map_err(std::io::Error::other),
        }
        .unwrap();
        assert!(text.len() > 200, "{part}");
        assert!(!text.contains("@font-face") && !text.contains("sourceMappingURL"));
    }
    guarded(&page);
    let head = line(
        &sabir,
        "HEAD /graphiql HTTP/1.1",
        &sabir.admin.to_string(),
        true,
    );
    assert_eq!((head.status, head.body.len()), (200, 0));
    for nothing in ["/graphiql/", "/graphiql/none", "/graphiql/api/graph"] {
        assert_eq!(get(&sabir, nothing).status, 404, "{nothing}");
    }
    assert!(
        get(&sabir, "/graphiqls")
            .text()
            .contains("/graphiql (a page")
    );
}

#[test]
fn a_question_is_answered_as_any_client_s() {
    let sabir = Sabir::start(CONFIG);
    for path in ["/api/graph", "/api"] {
        let told = post(&sabir, path, &[ALICE, JSON], WHO);
        assert_eq!((told.status, told.body.as_str()), (200, IS_ALICE));
        // Whoever is at the operator's door is nobody yet.
        for headers in [&[JSON][..], &[JSON, ("Authorization", "Bearer wrong")]] {
            let here = post(&sabir, path, headers, WHO);
            let there = sabir.ask("POST", path, headers, WHO);
            assert_eq!((here.status, here.body), (401, there.body), "{path}");
            assert_eq!(there.status, 401);
        }
    }
    let said = post(&sabir, "/api/graph", &[ALICE, JSON], SEND);
    assert_eq!(
        said.body,
        r#"{"data":{"createChatMessage":{"message":"hello"}}}"#
    );
    assert_eq!(said.header("access-control-allow-origin"), None);
    assert!(lobby(&sabir).contains("hello"));
    let metrics = ask(sabir.admin, "GET", "/metrics", &[], "").body;
    let counted = r#"sabir_requests_total{command="send",dialect="glimesh",outcome="done"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn a_rate_holds_at_both_doors_together() {
    let sabir = Sabir::start(&format!("{CONFIG}\n[limits]\nrate_per_s = 1\nburst = 5\n"));
    let served = |told: Answer| told.body == IS_ALICE;
    // A second after it is used up there is a place again, for whoever is first: so it is tried more than once, and less
    // often than a rate of its own would bear.
    let together = (0..3).any(|_| {
        while served(post(&sabir, "/api/graph", &[ALICE, JSON], WHO)) {}
        !served(sabir.ask("POST", "/api/graph", &[ALICE, JSON], WHO))
    });
    assert!(together);
}

#[test]
fn nothing_else_is_reached_by_it() {
    let sabir = Sabir::start(CONFIG);
    for path in [
        "/api/login",
        "/api/oauth/token",
        "/authentication",
        "/api/graph/",
        "",
        "/",
    ] {
        assert_eq!(
            post(&sabir, path, &[ALICE, JSON], WHO).status,
            404,
            "{path}"
        );
    }
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH"] {
        let told = ask(
            sabir.admin,
            method,
            "/graphiql/api/graph",
            &[ALICE, JSON],
            WHO,
        );
        assert_eq!(told.status, 405, "{method}");
        assert_eq!(told.header("allow"), Some("GET, HEAD, POST"));
        assert!(!told.head.to_ascii_lowercase().contains("access-control"));
    }
}

#[test]
fn what_another_site_s_page_sends_is_refused() {
    let sabir = Sabir::start(CONFIG);
    let own = format!("http://{}", sabir.admin);
    let of = |more: &[(&str, &str)]| {
        let headers = [&[ALICE, JSON], more].concat();
        post(&sabir, "/api/graph", &headers, WHO).status
    };
    assert_eq!(of(&[("Origin", &own)]), 200);
    assert_eq!(
        of(&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")]),
        200
    );
    // Something that stands before Sabir may have named it otherwise, where the browser is sure of what it asked.
    assert_eq!(
        of(&[
            ("Origin", "https://ops.example"),
            ("Sec-Fetch-Site", "same-origin")
        ]),
        200
    );
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://localhost:1",
    ] {
        assert_eq!(of(&[("Origin", origin)]), 403, "{origin}");
    }
    for site in ["cross-site", "same-site", "other"] {
        assert_eq!(
            of(&[("Origin", &own), ("Sec-Fetch-Site", site)]),
            403,
            "{site}"
        );
    }
    // These can be sent to any site without its being asked.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let headers = [ALICE, ("Content-Type", kind)];
        assert_eq!(
            post(&sabir, "/api/graph", &headers, WHO).status,
            415,
            "{kind}"
        );
    }
    assert_eq!(post(&sabir, "/api/graph", &[ALICE], WHO).status, 415);
    let kind = ("Content-Type", "Application/JSON; charset=utf-8");
    assert_eq!(post(&sabir, "/api/graph", &[ALICE, kind], WHO).status, 200);
}

#[test]
fn it_answers_to_no_name_that_another_could_give_it() {
    let sabir = Sabir::start(CONFIG);
    let under = |host: &str| line(&sabir, "GET /graphiql HTTP/1.1", host, false).status;
    for own in [
        "127.0.0.1",
        "127.0.0.1:9090",
        "localhost",
        "LocalHost:9090",
        "[::1]:9090",
        "[::1]",
        "10.1.2.3:1",
    ] {
        assert_eq!(under(own), 200, "{own}");
    }
    for other in [
        "evil.example",
        "evil.example:9090",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "::1.evil",
    ] {
        assert_eq!(under(other), 421, "{other}");
    }
    // Monitors come under whatever name they were given.
    let status = line(
        &sabir,
        "GET /metrics HTTP/1.1",
        "sabir.monitoring.example",
        false,
    );
    assert_eq!(status.status, 200);
}

#[test]
fn a_dialect_with_a_host_of_its_own_is_asked_under_it() {
    let sabir = Sabir::start(&format!(
        "{CONFIG}\n[listen.hosts]\nglimesh = \"glimesh.example\"\n"
    ));
    assert_eq!(
        sabir.ask("POST", "/api/graph", &[ALICE, JSON], WHO).status,
        404
    );
    assert_eq!(
        post(&sabir, "/api/graph", &[ALICE, JSON], WHO).body,
        IS_ALICE
    );
}

#[test]
fn the_doors_are_those_of_the_configuration_in_force() {
    let sabir = Sabir::start(CONFIG);
    let doors = get(&sabir, "/graphiql/doors");
    assert_eq!(doors.header("content-type"), Some("application/json"));
    let graph = serde_json::json!({ "name": "glimesh graph", "path": "/api/graph" });
    let old = serde_json::json!({ "name": "glimesh old", "path": "/api" });
    assert_eq!(doors.json(), Value::from_iter([graph, old]));
    let bob = CONFIG.replace("alice", "bob");
    sabir.reload(&bob).unwrap();
    assert_eq!(post(&sabir, "/api/graph", &[ALICE, JSON], WHO).status, 401);
    let bob = ("Authorization", "Bearer bob-token");
    assert_eq!(post(&sabir, "/api/graph", &[bob, JSON], WHO).status, 200);
}

#[test]
fn without_a_dialect_that_answers_graphql_there_is_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[listen]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ndialects = [\"rooms\", \"chats\"]\n\
         [store]\nurl = \"sqlite:{}\"\n",
        folder.path().join("sabir.db").display()
    );
    let draft = Draft::new("test.toml", &text, Default::default());
    let (config, dialects) = app::read(&draft).unwrap();
    let running = app::start(&config, dialects).unwrap();
    let told = ask(running.admin, "GET", "/graphiql", &[], "");
    assert_eq!(told.status, 404);
    assert!(
        told.body
            .starts_with("No dialect that is served answers GraphQL"),
        "{}",
        told.body
    );
    let told = ask(
        running.admin,
        "POST",
        "/graphiql/api/graph",
        &[ALICE, JSON],
        WHO,
    );
    assert_eq!(told.status, 404);
    running.stop();
    running.wait().unwrap();
}

#[test]
fn what_was_asked_before_the_end_is_answered() {
    const SAID: &str =
        r#"{"id":"m1","createdAt":1564661697125,"createdBy":"u1","room":"one","text":"hello"}"#;
    let slow = Upstream::answering_after(SAID, Duration::from_secs(1));
    let mut sabir = Sabir::start(&format!(
        "{CONFIG}\n[upstream.slow]\ndialect = \"rooms\"\nurl = \"http://{}\"\ncredential = {{ token = \"t\" }}\n\
         [[route]]\nfrom = \"glimesh:lobby\"\nto = \"slow:one\"\n",
        slow.address
    ));
    let admin = sabir.admin;
    let asked =
        std::thread::spawn(move || ask(admin, "POST", "/graphiql/api/graph", &[ALICE, JSON], SEND));
    while slow.requests().is_empty() {
        assert!(!asked.is_finished(), "{:?}", asked.join());
        std::thread::sleep(Duration::from_millis(10));
    }
    sabir.stop();
    let told = asked.join().unwrap();
    assert_eq!(
        told.body,
        r#"{"data":{"createChatMessage":{"message":"hello"}}}"#
    );
}

/// What a browser is told of everything that belongs to the page.
fn guarded(reply: &Reply) {
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self';"), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
}

/// What was said in the lobby, as another dialect tells it.
fn lobby(sabir: &Sabir) -> String {
    sabir
        .ask("GET", "/chat-messages?room=lobby", &[ALICE], "")
        .body
}

fn post(sabir: &Sabir, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    ask(
        sabir.admin,
        "POST",
        &format!("/graphiql{path}"),
        headers,
        body,
    )
}

fn get(sabir: &Sabir, path: &str) -> Reply {
    line(
        sabir,
        &format!("GET {path} HTTP/1.1"),
        &sabir.admin.to_string(),
        false,
    )
}

/// A request without a body, under this name.
fn line(sabir: &Sabir, first: &str, host: &str, to_head: bool) -> Reply {
    let mut line = Line::open(sabir.admin);
    line.write(format!("{first}\r\nHost: {host}\r\n\r\n"));
    line.reply(to_head)
}

/// What a program prints, if it ends well.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
