//! Sabir from outside: bytes in, bytes out, of the dialects that are served, with an upstream that counts.
//!
//! What is wrong with a request is told in the dialect's own words, in its own order of checks, and before anything is
//! asked of an upstream; what is closed to a caller looks like what does not exist.

mod support;

#[path = "wire/closed.rs"]
mod closed;
#[path = "wire/credentials.rs"]
mod credentials;
#[path = "wire/edge.rs"]
mod edge;
#[path = "wire/keyauth.rs"]
mod keyauth;
#[path = "wire/repeated.rs"]
mod repeated;
#[path = "wire/rooms.rs"]
mod rooms;

use support::server::{Server, Upstream};

const SECRET: &str = "76489f2ba92ddf9132e28d56870004a62d30ec5b40eaf2071ae48036e7144b5f";
const ENCKEY: &str = "4a59f8ca-b304-47";

/// What the upstream says to everything: a message of its own.
const FAR_MESSAGE: &str = r#"{"id":"m-77","createdAt":1564661697125,"createdBy":"sabir","room":"r1","text":"hello","seenBy":[]}"#;

const PEOPLE: &str = r#"
[[account]]
name     = "alice"
email    = "alice@example.com"
password = "correct horse"
license  = "ALICE-LICENCE-1"
token    = "token-of-alice"

[[account]]
name     = "bob"
email    = "bob@example.com"
password = "battery"
token    = "token-of-bob"

# May look and not speak.
[[account]]
name     = "carol"
email    = "carol@example.com"
password = "staple"
token    = "token-of-carol"
may      = ["read"]

# Knows of one channel.
[[account]]
name     = "dora"
email    = "dora@example.com"
password = "lobbyist"
token    = "token-of-dora"
channels = ["lobby"]

[[application]]
name    = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = "76489f2ba92ddf9132e28d56870004a62d30ec5b40eaf2071ae48036e7144b5f", version = "1.0", download = "https://a.example/new.exe" }

[[application]]
name    = "other"
keyauth = { ownerid = "otherOwner", secret = "00089f2ba92ddf9132e28d56870004a62d30ec5b40eaf2071ae48036e7144b5f" }

[[channel]]
name = "lobby"
[[channel]]
name = "den"
[[channel]]
name    = "slow"
delay_s = 3600
"#;

/// Everything is kept by Sabir itself.
fn at_home() -> Server {
    Server::start(PEOPLE)
}

/// The lobby is elsewhere, the other channels are here.
fn with_far(upstream: &Upstream) -> Server {
    Server::start(&format!(
        r#"{PEOPLE}
[upstream.far]
dialect    = "rooms"
url        = "http://{}"
credential = {{ token = "token-of-sabir" }}

[[route]]
from = "*:lobby"
to   = "far:r1"
[[route]]
from = "*:den"
to   = "local:den"
[[route]]
from = "*:slow"
to   = "local:slow"
"#,
        upstream.address
    ))
}

/// What a clock on the wall shows, for times that Sabir chose.
fn now_ms() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Runs what must not reach an upstream, and then shows that one valid send does.
fn nothing_reaches_far(run: impl FnOnce(&Server)) {
    let upstream = Upstream::answering(FAR_MESSAGE);
    let server = with_far(&upstream);
    run(&server);
    assert_eq!(upstream.connections(), 0, "{:?}", upstream.requests());
    let sent = server.request(
        "POST",
        "/chat-messages",
        &rooms::headers("token-of-alice"),
        br#"{"room":"lobby","text":"hello"}"#,
    );
    assert_eq!((sent.status, upstream.requests().len()), (200, 1));
}
