//! The program itself: files that change, signals, and what an operator sees of it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::running::ask;
use crate::support::server::{Line, Nobody, Upstream, request};
use crate::{ALICE, ONE, until};

struct Program {
    child: Child,
    public: SocketAddr,
    admin: SocketAddr,
}

impl Program {
    /// Starts with a file `sabir.toml` in this folder.
    fn start(folder: &Path) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sabir"))
            .current_dir(folder)
            .env("SABIR__LISTEN__PUBLIC", "127.0.0.1:0")
            .env("SABIR__LISTEN__ADMIN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let mut addresses = line.split("http://").skip(1).map(|rest| {
            let address = rest.split([' ', ')']).next().unwrap();
            address.parse().unwrap()
        });
        let (public, admin) = (addresses.next().unwrap(), addresses.next().unwrap());
        Program {
            child,
            public,
            admin,
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([name, &id]).status();
        assert!(status.unwrap().success());
    }

    fn may_list(&self, token: &str) -> bool {
        let token = format!("Bearer {token}");
        let headers = [("Authorization", token.as_str())];
        ask(self.public, "GET", "/chat-messages?room=den", &headers, "").status == 200
    }

    fn told(&self, path: &str) -> String {
        ask(self.admin, "GET", path, &[], "").body
    }

    /// Its exit code, and what it logged.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ACCOUNT: &str = "[[account]]\nname = \"alice\"\ntoken = { file = \"now/token\" }\n";

#[test]
fn files_are_looked_at_and_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for token in ["first", "second"] {
        std::fs::create_dir(path(token)).unwrap();
        std::fs::write(path(token).join("token"), token).unwrap();
    }
    std::os::unix::fs::symlink("first", path("now")).unwrap();
    std::fs::write(path("sabir.toml"), format!("watch_ms = 50\n{ACCOUNT}")).unwrap();
    let sabir = Program::start(folder.path());
    assert!(sabir.may_list("first"));

    // As Kubernetes changes a secret: another link in the place of the one.
    std::os::unix::fs::symlink("second", path("next")).unwrap();
    std::fs::rename(path("next"), path("now")).unwrap();
    until(|| sabir.may_list("second"));
    assert!(!sabir.may_list("first"));

    // As an editor writes: another file under the same name. This one is wrong.
    let wrong = format!("watch_ms = 50\n{ACCOUNT}nmae = \"x\"\n");
    std::fs::write(path("sabir.toml~"), wrong).unwrap();
    std::fs::rename(path("sabir.toml~"), path("sabir.toml")).unwrap();
    until(|| sabir.told("/status").contains("a reload failed"));
    let status = sabir.told("/status");
    let told = status.starts_with("ready\n") && status.contains("sabir.toml:5:1");
    assert!(told && status.contains("nmae"), "{status}");
    assert!(sabir.told("/readyz").contains("ready") && sabir.may_list("second"));

    // Mended in its place.
    let more = "[[account]]\nname = \"bob\"\ntoken = \"third\"\n";
    std::fs::write(
        path("sabir.toml"),
        format!("watch_ms = 50\n{ACCOUNT}{more}"),
    )
    .unwrap();
    until(|| sabir.may_list("third"));
    // What is in force is told a moment after it is.
    until(|| !sabir.told("/status").contains("failed"));
    let metrics = sabir.told("/metrics");
    for counted in [
        "sabir_config_reload_total{result=\"done\"} 2",
        "sabir_config_reload_total{result=\"failed\"} 1",
    ] {
        assert!(metrics.contains(counted), "{metrics}");
    }
    sabir.signal("-TERM");
    let (code, log) = sabir.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("not reloaded and stays as it was"), "{log}");
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let account = "[[account]]\nname = \"alice\"\ntoken = \"first\"\n";
    let text = format!("watch_ms = 50\n{account}");
    std::fs::write(path("sabir.toml"), &text).unwrap();
    let sabir = Program::start(folder.path());
    // As some programs write: first it is taken away.
    std::fs::remove_file(path("sabir.toml")).unwrap();
    until(|| sabir.told("/status").contains("sabir.toml cannot be read"));
    assert!(
        sabir.may_list("first"),
        "it goes on, and not as a demonstration"
    );
    std::fs::write(path("sabir.toml"), text.replace("first", "second")).unwrap();
    until(|| sabir.may_list("second"));
}

#[test]
fn a_hangup_reloads_and_a_mapping_is_a_file_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("own")).unwrap();
    let account = "[[application]]\nname = \"bot\"\nsocket = { secret = \"s3cret\" }\n";
    std::fs::write(
        path("sabir.toml"),
        format!("watch_ms = 0\nmappings = \"own\"\n{account}"),
    )
    .unwrap();
    let sabir = Program::start(folder.path());
    let say = |words: &str| {
        let socket = std::fs::read_to_string("mappings/socket.toml").unwrap();
        let changed = socket.replace("{_|Success}", &format!("{{_|{words}}}"));
        std::fs::write(path("own").join("socket.toml"), changed).unwrap();
    };
    let said = || {
        let headers = [
            ("Authorization", "key=s3cret"),
            ("Content-Type", "application/json"),
        ];
        let body = r#"{"channel":"den","data":"hello"}"#;
        ask(sabir.public, "POST", "/chat/send", &headers, body).body
    };
    assert!(said().contains("Success"));
    say("Very well");
    std::thread::sleep(Duration::from_millis(300));
    assert!(said().contains("Success"), "nobody looks at the files");
    sabir.signal("-HUP");
    until(|| said().contains("Very well"));
    std::fs::write(path("own").join("socket.toml"), "[[door]]\npaht = \"/\"\n").unwrap();
    sabir.signal("-HUP");
    until(|| sabir.told("/status").contains("socket.toml"));
    assert!(said().contains("Very well"));
}

#[test]
fn an_upstream_that_is_left_alone_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Nobody::bound();
    let alone =
        "breaker_failures = 1\nbreaker_open_s = 3600\nbreaker_open_max_s = 3600\nretries = 0\n";
    let config = format!(
        "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n\
         [upstream.far]\ndialect = \"rooms\"\nurl = \"http://{}\"\n{alone}\
         [[route]]\nfrom = \"*:*\"\nto = \"far:*\"\n",
        nobody.address()
    );
    std::fs::write(folder.path().join("sabir.toml"), config).unwrap();
    let sabir = Program::start(folder.path());
    assert_eq!(sabir.told("/status").lines().count(), 2);
    assert_eq!(post(&sabir, "lobby").reply(false).status, 503);
    let status = sabir.told("/status");
    let told = "ready\nupstream far: failed too often, is left alone for 3";
    assert!(status.starts_with(told), "{status}");
    sabir.signal("-TERM");
    let (code, log) = sabir.end();
    assert_eq!(code, Some(0));
    for told in [
        "is left alone upstream=\"far\" seconds=3600",
        "asked to stop",
        "stopped",
    ] {
        assert!(log.contains(told), "{told} is not in\n{log}");
    }
}

/// A program before an upstream that answers after a while.
fn before(upstream: &Upstream, folder: &Path, limits: &str) -> Program {
    let text = format!(
        "[[account]]\nname = \"alice\"\ntoken = \"token-of-alice\"\n{limits}\
         [upstream.far]\ndialect = \"rooms\"\nurl = \"http://{}\"\ncredential = {{ token = \"t\" }}\n\
         [[route]]\nfrom = \"*:lobby\"\nto = \"far:one\"\n[[route]]\nfrom = \"*:*\"\nto = \"local:*\"\n",
        upstream.address
    );
    std::fs::write(folder.join("sabir.toml"), text).unwrap();
    Program::start(folder)
}

fn post(program: &Program, room: &str) -> Line {
    let body = format!(r#"{{"room":"{room}","text":"hello"}}"#);
    let mut line = Line::open(program.public);
    line.write(request("POST", "/chat-messages", ALICE, body.as_bytes()));
    line
}

#[test]
fn asked_to_stop_it_says_so_waits_and_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Upstream::answering_after(ONE, Duration::from_secs(6));
    let sabir = before(&slow, folder.path(), "[listen.limits]\ndrain_delay_s = 4\n");
    let mut begun = post(&sabir, "lobby");
    until(|| !slow.requests().is_empty());
    sabir.signal("-TERM");
    until(|| sabir.told("/readyz").contains("stopping"));
    // Those who have not seen it yet are still welcome.
    assert!(sabir.may_list("token-of-alice"));
    let reply = begun.reply(false);
    assert_eq!(
        (reply.member("text"), reply.header("connection")),
        ("by one".into(), Some("close"))
    );
    let (code, _) = sabir.end();
    assert_eq!(code, Some(0));
    assert!(
        !folder.path().join("sabir.db-wal").exists(),
        "the store is one whole file"
    );
}

#[test]
fn a_second_signal_ends_it_at_once_and_nothing_accepted_is_lost() {
    for second in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let never = Upstream::answering_after(ONE, Duration::from_secs(3600));
        let sabir = before(&never, folder.path(), "");
        for _ in 0..20 {
            assert_eq!(post(&sabir, "den").reply(false).status, 200);
        }
        let mut begun = post(&sabir, "lobby");
        until(|| !never.requests().is_empty());
        sabir.signal("-TERM");
        until(|| sabir.told("/readyz").contains("stopping"));
        sabir.signal(second);
        let (code, _) = sabir.end();
        assert_eq!(code, Some(130));
        assert!(begun.closed());
        let list = Command::new(env!("CARGO_BIN_EXE_sabir"))
            .current_dir(folder.path())
            .args(["list", "local:den"])
            .output()
            .unwrap();
        let kept = String::from_utf8_lossy(&list.stdout).lines().count();
        assert_eq!(kept, 20, "{list:?}");
    }
}
