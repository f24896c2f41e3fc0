//! The main job as a new user has it: the program started on nothing, and what it prints, pasted into a shell.
//!
//! Also what the command line says, and that the program ends as it was asked to.

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::authority::Authority;

const SABIR: &str = env!("CARGO_BIN_EXE_sabir");

/// Where a Sabir that was started writes its log, in its folder.
const LOG: &str = "log";

/// A Sabir that was started without a configuration, with what it printed.
struct Started {
    child: Child,
    printed: Vec<String>,
    folder: tempfile::TempDir,
}

fn start() -> Started {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(SABIR)
        .current_dir(folder.path())
        .env("SABIR__LISTEN__PUBLIC", "127.0.0.1:0")
        .env("SABIR__LISTEN__ADMIN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(File::create(folder.path().join(LOG)).unwrap())
        .spawn()
        .unwrap();
    let mut printed = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        printed.push(line.unwrap());
        // The examples end with an empty line behind the last dialect's.
        let told = printed.iter().any(|line| line.starts_with("# matrix"));
        if told && printed.last().is_some_and(String::is_empty) {
            break;
        }
    }
    Started {
        child,
        printed,
        folder,
    }
}

impl Started {
    /// The requests that are printed for a dialect.
    fn requests(&self, dialect: &str) -> String {
        let head = format!("# {dialect}:");
        let from = self
            .printed
            .iter()
            .position(|line| line.starts_with(&head))
            .unwrap();
        self.printed[from + 1..]
            .iter()
            .take_while(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect()
    }

    fn address(&self, of: &str) -> String {
        let line = &self.printed[0];
        let (_, rest) = line.split_once(of).unwrap_or_else(|| panic!("{line}"));
        rest.split([' ', ')']).next().unwrap().to_owned()
    }

    /// Asks it to stop, and gives its exit code.
    fn stop(mut self) -> Option<i32> {
        Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pastes lines into a shell.
fn paste(lines: &str) -> String {
    let output = Command::new("sh").args(["-c", lines]).output().unwrap();
    assert!(
        output.status.success(),
        "is curl there? `make test` installs it\n{output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn sabir(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(SABIR)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn what_is_printed_can_be_pasted() {
    let started = start();
    let keyauth = paste(&started.requests("keyauth"));
    let said = |text: &str| assert!(keyauth.contains(text), "{text} is not in\n{keyauth}");
    said(r#""message":"Initialized""#);
    said(r#""message":"Logged in!""#);
    said(r#""message":"Successfully sent chat message""#);
    said(r#""messages":[{"author":"demo","message":"hello","timestamp":"#);
    let rooms = paste(&started.requests("rooms"));
    let list = rooms.lines().last().unwrap();
    assert!(
        list.contains(r#""room":"lobby","text":"hello""#),
        "what KeyAuth sent is in the room: {list}"
    );
    assert!(list.contains(r#""text":"hey""#), "{list}");
    let glimesh = paste(&started.requests("glimesh"));
    assert!(
        glimesh.contains(r#""message":"MESSAGE","user":{"username":"demo"}"#),
        "{glimesh}"
    );
    let chats = paste(&started.requests("chats"));
    assert!(
        chats.contains(r#"{"status":"success"}"#) && chats.contains(r#""message":"hello""#),
        "{chats}"
    );
    for (dialect, sent, listed) in [
        ("slack", r#"{"ok":true,"channel":"#, r#""has_more":false"#),
        ("discord", r#""content":"hi""#, r#""content":"hello""#),
        ("matrix", r#"{"event_id":""#, r#""body":"hello""#),
    ] {
        let said = paste(&started.requests(dialect));
        assert!(said.contains(sent) && said.contains(listed), "{said}");
    }
    let socket = paste(&started.requests("socket"));
    assert!(
        socket.contains(r#"{"code":0,"data":{},"message":"Success","Error":null}"#),
        "{socket}"
    );
    assert_eq!(started.stop(), Some(0), "asked to stop, it ends well");
}

/// Once, and not each second.
#[test]
fn a_store_whose_file_is_deleted_is_told_to_the_operator() {
    let started = start();
    let (admin, log) = (
        started.address("operator: http://"),
        started.folder.path().join(LOG),
    );
    std::fs::remove_file(started.folder.path().join("sabir.db")).unwrap();
    let told = || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.lines()
            .filter(|line| line.contains(" ERROR "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let since = Instant::now();
    while told().is_empty() {
        assert!(since.elapsed() < Duration::from_secs(60), "nothing is told");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(3));
    let told = told();
    let words =
        "the store has failed and takes nothing why=sabir.db was deleted, moved or replaced";
    assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
    assert!(get(&admin, "/readyz").contains("sabir.db was deleted"));
    assert_eq!(started.stop(), Some(0));
}

#[test]
fn an_operator_sees_that_it_lives_and_what_it_did() {
    let started = start();
    paste(&started.requests("keyauth"));
    let admin = started.address("operator: http://");
    assert!(get(&admin, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = get(&admin, "/metrics");
    let counted = r#"sabir_requests_total{command="send",dialect="keyauth",outcome="done"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    let page = format!("open http://{admin}/graphiql and");
    let named = started.printed.iter().any(|line| line.contains(&page));
    assert!(named, "{:?}", started.printed);
    assert!(get(&admin, "/graphiql").starts_with("HTTP/1.1 200"));
}

#[test]
fn what_one_command_sends_another_lists() {
    let folder = tempfile::tempdir().unwrap();
    let sent = sabir(folder.path(), &["send", "local:lobby", "by hand"]);
    assert!(sent.status.success(), "{sent:?}");
    let list = sabir(folder.path(), &["list", "local:lobby"]);
    assert!(
        String::from_utf8_lossy(&list.stdout)
            .trim_end()
            .ends_with("sabir: by hand"),
        "{list:?}"
    );
    let nowhere = sabir(folder.path(), &["send", "nowhere:lobby", "x"]);
    assert!(
        String::from_utf8_lossy(&nowhere.stderr).contains("there is no upstream nowhere"),
        "{nowhere:?}"
    );
    assert_eq!(nowhere.status.code(), Some(1));
    let nowhere = sabir(folder.path(), &["send", "local:nowhere", "x"]);
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(told.contains("local:nowhere: not_found.channel"), "{told}");
}

#[test]
fn a_certificate_that_has_ended_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let tls = "[listen]\ntls = { certificate = \"door.pem\", key = \"door.key\" }\n";
    std::fs::write(folder.path().join("sabir.toml"), tls).unwrap();
    for (year, told) in [(2020, "has expired at 2020-01-01T"), (2100, "")] {
        let pair = authority.sign_until("sabir.test", year);
        pair.write(folder.path(), "door");
        let check = sabir(folder.path(), &["check"]);
        let said = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(check.status.success(), "{said}");
        assert_eq!(said.contains("expire"), !told.is_empty(), "{said}");
        assert!(said.contains(told), "{said}");
    }
}

/// A word that is no level would silence the whole log.
#[test]
fn what_is_to_be_logged_is_a_level() {
    let folder = tempfile::tempdir().unwrap();
    for (wanted, told) in [
        ("nfo", "SABIR_LOG says `nfo`, and `nfo` is no level"),
        (
            "info,sabir::request=of",
            "SABIR_LOG says `sabir::request=of`, and `of` is no level",
        ),
        (
            "debug,sabir=",
            "SABIR_LOG says `sabir=`, and `` is no level",
        ),
    ] {
        let output = Command::new(SABIR)
            .current_dir(folder.path())
            .env("SABIR_LOG", wanted)
            // Whatever it thinks of the words, it does not go on to serve.
            .env("SABIR__STORE__URL", "sqlite:/none/such")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(told), "{said}");
    }
}

#[test]
fn dialects_and_checks_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let dialects = sabir(folder.path(), &["dialects"]);
    let told = String::from_utf8_lossy(&dialects.stdout).into_owned();
    assert!(
        ["keyauth", "rooms", "glimesh", "matrix"]
            .iter()
            .all(|name| told.contains(name)),
        "{told}"
    );
    let check = sabir(folder.path(), &["check"]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        check.status.success() && told.contains("At local:") && told.contains("native: "),
        "{told}"
    );
    std::fs::write(
        folder.path().join("broken.toml"),
        "[listen]\npublik = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    let broken = sabir(folder.path(), &["check", "--config", "broken.toml"]);
    let told = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        told.contains("broken.toml:2:1") && told.contains("did you mean `public`?"),
        "{told}"
    );
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("mine.toml"), "[[dor]]\n").unwrap();
    std::fs::write(folder.path().join("broken.toml"), "mappings = \"own\"\n").unwrap();
    let broken = sabir(folder.path(), &["check", "--config", "broken.toml"]);
    let told = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(told.starts_with("  × a mapping needs a door\n"), "{told}");
}

/// Each request has its line where the configuration says, whatever a client tries to write into it.
#[test]
fn requests_are_logged_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[log]\nformat = \"json\"\nto = \"requests.log\"\n\
        [[account]]\nname = \"alice\"\ntoken = \"a-token\"\n\
        [upstream.far]\ndialect = \"rooms\"\nurl = \"http://127.0.0.1:1\"\n\
        [[route]]\nfrom = \"*:far\"\nto = \"far:lobby\"\n[[route]]\nfrom = \"*:*\"\nto = \"local:*\"\n";
    std::fs::write(folder.path().join("sabir.toml"), config).unwrap();
    let mut started = Command::new(SABIR)
        .current_dir(folder.path())
        .env("SABIR__LISTEN__PUBLIC", "127.0.0.1:0")
        .env("SABIR__LISTEN__ADMIN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(started.stdout.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    let (_, address) = told.split_once("http://").unwrap();
    let address = address.split(' ').next().unwrap();
    let forged = "\\n{\\\"message\\\":\\\"request\\\"}";
    for (path, room) in [
        ("/chat-messages", "lobby"),
        ("/chat-messages", "far"),
        ("/nowhere", "lobby"),
        ("/chat-messages", forged),
    ] {
        let body = format!(r#"{{"room":"{room}","text":"secret words"}}"#);
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer a-token\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
    Command::new("kill")
        .args(["-TERM", &started.id().to_string()])
        .status()
        .unwrap();
    assert!(started.wait().unwrap().success());
    let log = std::fs::read_to_string(folder.path().join("requests.log")).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["message"] == "request")
        .collect();
    let mut told: Vec<[&str; 4]> = lines
        .iter()
        .map(|line| {
            ["dialect", "command", "upstream", "outcome"]
                .map(|name| line[name].as_str().unwrap_or_default())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            ["", "none", "", "not_found.endpoint"],
            ["rooms", "send", "far", "unavailable"],
            ["rooms", "send", "local", "done"],
            ["rooms", "send", "local", "done"],
        ],
        "{log}"
    );
    let statuses = |line: &serde_json::Value| line["status"].as_u64().unwrap() >= 200;
    assert!(lines.iter().all(statuses), "{log}");
    for hidden in ["secret words", "a-token", "lobby"] {
        assert!(!log.contains(hidden), "{hidden} is told:\n{log}");
    }
}

/// What goes wrong before there is anything to show is one line, said once.
#[test]
fn a_configuration_that_is_not_there_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let check = sabir(folder.path(), &["check", "--config", "none.toml"]);
    let told = String::from_utf8_lossy(&check.stderr).into_owned();
    let line = "sabir: none.toml cannot be read: No such file or directory (os error 2)\n";
    assert_eq!(told, line);
}
