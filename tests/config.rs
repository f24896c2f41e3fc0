//! The configuration from outside: a text and an environment in, plain values or a report out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use sabir::auth::Channels;
use sabir::config::{Config, ConfigError, Draft, Offer};
use sabir::model::{Secret, Text};
use sabir::route::{Pattern, Target};

const DIALECTS: &[&str] = &["keyauth", "rooms", "glimesh", "socket", "chats"];

/// Every file of `tests/diagnostics/config` is a configuration with mistakes; the report stands beside it. A line
/// `# env: NAME=value` sets a variable. `UPDATE=1` writes the reports anew.
#[test]
fn every_mistake_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/config");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        cases += 1;
        let text = fs::read_to_string(&path).unwrap();
        let told = match draft("sabir.toml", &text).read(DIALECTS) {
            Ok(config) => format!("no mistake found in {config:?}"),
            Err(error) => format!("{error}\n"),
        };
        assert!(!told.contains("hunter"), "a secret is told:\n{told}");
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &told).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", path.display()));
        }
    }
    assert!(cases >= 15, "only {cases} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const WHOLE: &str = r#"
# env: ALICE_PASSWORD=p
# env: ALICE_TOKEN=t
# env: KEYAUTH_SECRET=k
# env: SOCKET_SECRET=s
# env: GLIMESH_CLIENT_SECRET=g
# env: GLIMESH_TOKEN=gt

[listen]
public   = "0.0.0.0:80"
dialects = ["keyauth", "rooms"]
hosts    = { keyauth = "KeyAuth.win" }

[[account]]
id       = "7"
name     = "alice"
email    = "alice@example.com"
password = { env = "ALICE_PASSWORD" }
token    = { env = "ALICE_TOKEN" }
may      = ["read"]
channels = ["Lobby"]
as       = { glimesh = { token = { env = "ALICE_TOKEN" } }, far = { username = "alice" } }

[[application]]
name    = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = { env = "KEYAUTH_SECRET" }, version = "1.0", timestamp = "text" }
socket  = { secret = { env = "SOCKET_SECRET" } }
glimesh = { client_id = "3f1c", client_secret = { env = "GLIMESH_CLIENT_SECRET" }, owner = "alice" }

[[channel]]
name    = "Lobby"
title   = "The Lobby"
owner   = "alice"
members = ["alice"]
ids     = { glimesh = 6, rooms = "r1" }
delay_s = 0x2

[upstream.far]
dialect    = "glimesh"
url        = "https://glimesh.example/"
door       = "old"
credential = { token = { env = "GLIMESH_TOKEN" } }
app        = { name = "test", ownerid = "o", version = "1", secret = { env = "KEYAUTH_SECRET" } }
credit     = "{author.name}: {text}"
deadline_s = 2_0
idle_s = 60

[[route]]
from = "KeyAuth:Test"
to   = "far:Six"
application = "test"
ids = "native"
"#;

#[test]
fn everything_that_can_be_written_is_read() {
    let config = read(WHOLE);
    assert_eq!(config.listen.public.to_string(), "0.0.0.0:80");
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:9090");
    assert_eq!(
        config.listen.dialects,
        Offer::Only(vec!["keyauth".into(), "rooms".into()])
    );
    assert_eq!(config.listen.hosts["keyauth"], "keyauth.win");
    assert_eq!(config.store.url, "sqlite:sabir.db");

    let alice = &config.accounts[0];
    assert_eq!(alice.person.id, "7");
    assert_eq!((alice.may.read, alice.may.send), (true, false));
    assert!(alice.channels.has("LOBBY") && !alice.channels.has("hall"));
    assert_eq!(alice.password, Secret("p".into()));
    assert_eq!(alice.license, Secret::default());
    assert_eq!(alice.credentials["glimesh"].token, Secret("t".into()));
    assert_eq!(alice.credentials["far"].username, Secret("alice".into()));

    let test = &config.applications[0];
    let keyauth = test.keyauth.as_ref().unwrap();
    assert_eq!((&*keyauth.ownerid, keyauth.text_time), ("tiQhtH5R88", true));
    assert_eq!(test.socket, Some(Secret("s".into())));
    let glimesh = test.glimesh.as_ref().unwrap();
    assert_eq!(glimesh.owner.as_deref(), Some("alice"));
    assert_eq!(test.channels, Channels::All);

    let lobby = &config.channels[0];
    assert_eq!((&*lobby.name, &*lobby.title), ("lobby", "The Lobby"));
    assert_eq!((&*lobby.ids["glimesh"], lobby.delay_s), ("6", 2));

    let far = &config.upstreams["far"];
    assert_eq!(far.url, "https://glimesh.example/");
    assert_eq!(far.credential.token, Secret("gt".into()));
    assert_eq!((&*far.app.ownerid, &*far.app_secret.0), ("o", "k"));
    assert_eq!(far.connect, Duration::from_secs(3));
    assert_eq!(far.idle, Duration::from_secs(60));
    assert_eq!(far.deadline, Duration::from_secs(20));

    let target = |upstream: &str, channel| Target {
        upstream: upstream.into(),
        channel,
    };
    let exact = |name: &str| Pattern::Exact(name.into());
    let route = &config.routes[0];
    assert_eq!(route.dialect, exact("keyauth"));
    assert_eq!(route.channel, exact("test"));
    assert_eq!(route.to, target("far", exact("Six")));
    assert!(route.native_ids);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn the_environment_comes_over_the_file() {
    let config = read(
        "# env: SABIR__LISTEN__PUBLIC=127.0.0.1:1
         # env: SABIR__LISTEN__DIALECTS=keyauth, rooms
         # env: SABIR__UPSTREAM__FAR__URL=https://near.example
         # env: SABIR__UPSTREAM__FAR__CREDENTIAL__TOKEN=secret
         # env: SABIR__UPSTREAM__FAR__DEADLINE_S=9
         # env: SABIR__STORE__URL=
         # env: SABIR_LOG=debug
         listen.public = '127.0.0.1:2'
         listen.admin = '127.0.0.1:3'
         [upstream.far]
         dialect = 'glimesh'
         url = 'https://far.example'
         credential = { token = { env = 'NOT_SET' } }",
    );
    assert_eq!(config.listen.public.port(), 1);
    assert_eq!(config.listen.admin.port(), 3);
    assert!(config.listen.dialects.has("rooms") && !config.listen.dialects.has("chats"));
    let far = &config.upstreams["far"];
    assert_eq!(far.url, "https://near.example/");
    assert_eq!(far.credential.token, Secret("secret".into()));
    assert_eq!(far.deadline, Duration::from_secs(9));
    assert_eq!(config.store.url, "sqlite:sabir.db");
}

#[test]
fn secrets_are_found_beside_the_file_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "from-a-file\n").unwrap();
    let path = folder.path().join("sabir.toml");
    let text = "[[account]]\nname = 'alice'\ntoken = { file = 'token' }\npassword = 'plain'\n";
    fs::write(&path, text).unwrap();
    let config = Draft::open(Some(&path)).unwrap().read(DIALECTS).unwrap();
    assert_eq!(config.accounts[0].token, Secret("from-a-file".into()));
    assert_eq!(config.warnings.len(), 1);
    let warned = "sabir.toml:4:12: `password` stands in the file for all to read";
    assert!(config.warnings[0].contains(warned), "{:?}", config.warnings);
    let printed = format!("{config:?}");
    assert!(!printed.contains("from-a-file") && !printed.contains("plain"));
}

#[test]
fn a_credential_in_the_clear_is_warned_of() {
    let config = read(
        "# env: T=t
         [[account]]
         name = 'alice'
         [upstream.far]
         dialect = 'glimesh'
         url = 'http://far.example'
         credential = { token = { env = 'T' } }
         [upstream.near]
         dialect = 'glimesh'
         url = 'http://127.0.0.1:4000'
         credential = { token = { env = 'T' } }",
    );
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].starts_with("sabir.toml:6:16: the credential is sent"));
}

#[test]
fn without_a_file_there_is_a_demonstration() {
    let (one, two) = (
        Config::demonstration().unwrap(),
        Config::demonstration().unwrap(),
    );
    assert!(one.demonstration && one.routes.is_empty());
    assert_eq!(one.listen.public.to_string(), "127.0.0.1:8080");
    let account = &one.accounts[0];
    assert_eq!(
        (&*account.person.name, &*account.person.email),
        ("demo", "demo@example.com")
    );
    assert_ne!(account.token, two.accounts[0].token);
    let keyauth = one.applications[0].keyauth.as_ref().unwrap();
    assert_eq!((keyauth.ownerid.len(), &*keyauth.version), (10, "1.0"));
    assert_eq!(keyauth.secret.0.len(), 64);
    assert!(keyauth.secret.0.bytes().all(|b| b.is_ascii_hexdigit()));
    let lobby = &one.channels[0];
    assert_eq!((&*lobby.ids["glimesh"], &*lobby.ids["chats"]), ("6", "1"));

    let variables = variables("# env: SABIR__LISTEN__PUBLIC=127.0.0.1:0");
    let changed = Draft::nothing(variables).read(DIALECTS).unwrap();
    assert_eq!(changed.listen.public.port(), 0);
    assert_eq!(changed.accounts.len(), 1);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = Draft::open(Some(Path::new("no/such.toml"))).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

#[test]
fn the_folder_of_mappings_is_known_before_the_dialects() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    let path = folder.path().join("sabir.toml");
    fs::write(&path, "mappings = 'mine'\n[listen]\npublic = 3\n").unwrap();
    let draft = Draft::open(Some(&path)).unwrap();
    assert_eq!(draft.mappings(), Some(folder.path().join("mine")));
    assert!(draft.read(&[]).is_err());
}

proptest::proptest! {
    /// Whatever stands in the file: a configuration or a report, and never a panic.
    #[test]
    fn any_text_is_read_or_told(text in "([a-z\\[\\]{}=\"'.,:*# \\n1-3é]|name|account|upstream|route|from){0,60}") {
        if let Err(error) = draft("any.toml", &text).read(DIALECTS) {
            proptest::prop_assert!(error.to_string().contains("any.toml"));
        }
    }
}

#[track_caller]
fn read(text: &str) -> Config {
    match draft("sabir.toml", text).read(DIALECTS) {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

fn draft(name: &str, text: &str) -> Draft {
    Draft::new(name, text, variables(text))
}

fn variables(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("# env: ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn names_of_channels_know_no_case() {
    let channels = Channels::Only([Text::from("lobby")].into());
    assert!(channels.has("Lobby") && channels.has("lobby") && !channels.has("lobb"));
}
