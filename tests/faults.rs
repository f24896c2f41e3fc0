//! Upstreams and stores that fail: what a client of each dialect is told, and how often the upstream saw the message.
//!
//! A proxy before the upstream breaks the exchange; the answer must have the dialect's own words for what happened, and
//! may leave it open only where it is. An upstream that fails must take nobody else down.

mod support;

#[path = "faults/clients.rs"]
mod clients;
#[path = "faults/leaving.rs"]
mod leaving;
#[path = "faults/outage.rs"]
mod outage;
#[path = "faults/store.rs"]
mod store;
#[path = "faults/table.rs"]
mod table;

use std::net::SocketAddr;

use support::server::{Server, Upstream};

/// What the upstream says to everything: a message of its own, and lists of it.
const FAR_MESSAGE: &str = r#"{"id":"m-77","createdAt":1564661697125,"createdBy":"sabir","room":"r1","text":"hello","seenBy":[]}"#;

const PEOPLE: &str = r#"
[[account]]
name     = "alice"
email    = "alice@example.com"
password = "correct"
token    = "token-of-alice"

[[application]]
name    = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = "76489f2ba92ddf9132e28d56870004a62d30ec5b40eaf2071ae48036e7144b5f" }
socket  = { secret = "secret-of-socket" }
"#;

/// An upstream that speaks as rooms do, and the route from the channel of its name to it.
fn upstream(name: &str, address: SocketAddr, keys: &str) -> String {
    format!(
        r#"
[upstream.{name}]
dialect    = "rooms"
url        = "http://{address}"
credential = {{ token = "token-of-sabir" }}
{keys}
[[route]]
from = "*:{name}"
to   = "{name}:r1"
"#
    )
}

/// How often an upstream had a whole request with this in it.
fn seen(upstream: &Upstream, text: &str) -> usize {
    let requests = upstream.requests();
    requests.iter().filter(|one| one.contains(text)).count()
}

fn metrics(server: &Server) -> String {
    support::running::ask(server.sabir.admin, "GET", "/metrics", &[], "").body
}
