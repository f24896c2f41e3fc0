//! `[upstream.NAME]`: a chat service that Sabir calls, and how it is to be called.
//!
//! Whether the dialect has the door that is named, and whether the service can be reached, is not known here.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Uri;

use super::Reading;
use super::notes::{At, Place};
use super::table::Table;
use super::tree::Node;
use crate::model::{App, Credential, Credit, LOCAL, Secret, Text};
use crate::relay::stack::Config as Stack;
use crate::tls::client::Authorities;

#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    pub name: Text,
    pub dialect: Text,
    /// Scheme, host and perhaps a path; no query, and no slash at the end of the path.
    pub url: Uri,
    /// Who is believed besides the system's authorities.
    pub authorities: Option<Authorities>,
    /// Which of the dialect's doors is used, where it has several.
    pub door: Option<Text>,
    /// What Sabir itself signs in with.
    pub credential: Credential,
    /// The program that Sabir calls as.
    pub app: App,
    /// The program's secret, which checks the seal on replies.
    pub app_secret: Secret,
    /// How an author is named when Sabir's own credential speaks for all. None: not at all.
    pub credit: Option<Credit>,
    pub connect: Duration,
    /// How long a connection without a request is kept.
    pub idle: Duration,
    pub deadline: Duration,
    /// How often it is tried, how much at once, and when it is left alone.
    pub stack: Stack,
}

impl Default for Upstream {
    fn default() -> Upstream {
        Upstream {
            name: Text::default(),
            dialect: Text::default(),
            url: Uri::default(),
            authorities: None,
            door: None,
            credential: Credential::default(),
            app: App::default(),
            app_secret: Secret::default(),
            credit: None,
            connect: Duration::from_secs(3),
            idle: Duration::from_secs(4),
            deadline: Duration::from_secs(15),
            stack: Stack::default(),
        }
    }
}

impl Reading<'_> {
    pub(super) fn upstreams(&self, top: &mut Table<'_>) -> BTreeMap<Text, Upstream> {
        let mut upstreams = BTreeMap::new();
        let Some(tables) = top.table("upstream") else {
            return upstreams;
        };
        for (name, node) in tables.named() {
            self.upstream_name(&name);
            let upstream = self.upstream(&name, node);
            upstreams.insert(name.value, upstream);
        }
        upstreams
    }

    /// A name stands in routes, before a colon, and in the names of variables.
    fn upstream_name(&self, name: &At<Text>) {
        let plain = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter)
        };
        if name.value == LOCAL {
            let message = "`local` is Sabir's own store and needs no [upstream]";
            let help = "give the upstream another name";
            self.notes.at(name.place, message, help);
        } else if name.value.is_empty() || !name.value.chars().all(plain) {
            let message = format!("`{}` cannot be an upstream's name", name.value);
            let help = "names are lower case: letters, digits, `-` and `_`";
            self.notes.at(name.place, message, help);
        }
    }

    fn upstream(&self, name: &At<Text>, node: &Node) -> Upstream {
        let mut table = Table::open(self, node, format!("[upstream.{}]", name.value));
        let defaults = Upstream::default();
        let dialect = table.needed("dialect", "say which dialect the service speaks");
        if let Some(dialect) = &dialect {
            self.refer("dialect", dialect, &self.names.dialects);
        }
        let url = table.needed("url", "say where the service is: url = \"https://…\"");
        let place = url.as_ref().map_or(table.place, |url| url.place);
        let credential = table
            .get("credential")
            .map(|node| self.credential(node, "`credential`"));
        let app = table.table("app").map(|table| self.app(table));
        let (app, app_secret) = app.unwrap_or_default();
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let connect = table.whole("connect_s", 1..=60).map(seconds);
        let idle = table.whole("idle_s", 1..=3600).map(seconds);
        let deadline = table.whole("deadline_s", 1..=600).map(seconds);
        let deadline = deadline.unwrap_or(defaults.deadline);
        let upstream = Upstream {
            name: name.value.clone(),
            dialect: dialect.map(|dialect| dialect.value).unwrap_or_default(),
            url: url.and_then(|url| self.url(&url)).unwrap_or_default(),
            authorities: self.authorities(&mut table),
            door: table.text("door").map(|door| door.value),
            credential: credential.unwrap_or_default(),
            app,
            app_secret,
            credit: self.credit(&mut table),
            connect: connect.unwrap_or(defaults.connect.min(deadline)),
            idle: idle.unwrap_or(defaults.idle),
            deadline,
            stack: self.stack(&mut table, node, deadline),
        };
        table.close();
        if upstream.connect > upstream.deadline {
            let message = "`connect_s` is longer than `deadline_s`";
            let help = "the deadline counts from the start and includes connecting";
            self.notes.at(table_place(node, "connect_s"), message, help);
        }
        if upstream.url.scheme_str() == Some("http") && upstream.authorities.is_some() {
            let message = "`ca` says who is believed over https, and the `url` begins with http";
            let help = "begin the `url` with https://, or take `ca` away";
            self.notes.at(table_place(node, "ca"), message, help);
        }
        self.warn_if_open(&upstream, place);
        upstream
    }

    fn authorities(&self, table: &mut Table<'_>) -> Option<Authorities> {
        let path = table.text("ca")?;
        let file = self.draft.folder.join(path.value.as_str());
        let read = Authorities::open(&file);
        self.draft.takes_in(file);
        if let Err(problem) = &read {
            let message = format!("the file of `ca`: {problem}");
            let help = "it holds the certificates of those who are believed, as PEM";
            self.notes.at(path.place, message, help);
        }
        read.ok()
    }

    /// The bounds of attempts. What is left out goes with what is written.
    fn stack(&self, table: &mut Table<'_>, node: &Node, deadline: Duration) -> Stack {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let millis = |millis: u32| Duration::from_millis(millis.into());
        let mut stack = Stack::default();
        let Stack {
            attempt,
            retry,
            breaker,
            limit,
        } = &mut stack;
        let within = table.whole("attempt_s", 1..=600).map(seconds);
        *attempt = within.map_or(deadline, |within| within.min(deadline));
        set(&mut retry.most, table.whole("retries", 0..=10));
        let pause = table.whole("retry_pause_ms", 1..=10_000).map(millis);
        set(&mut retry.pause_most, pause);
        retry.pause_least = retry.pause_least.min(retry.pause_most);
        let budget = table.whole("retry_budget_percent", 0..=100);
        set(&mut retry.budget_percent, budget);
        let failures = table.whole("breaker_failures", 0..=1000);
        set(&mut breaker.failures, failures);
        let open = table.whole("breaker_open_s", 1..=3600).map(seconds);
        set(&mut breaker.open, open);
        let most = table.whole("breaker_open_max_s", 1..=3600).map(seconds);
        if most.is_some_and(|most| most < breaker.open) {
            let message = "`breaker_open_max_s` is shorter than `breaker_open_s`";
            let help = format!("write {} or more", breaker.open.as_secs());
            let place = table_place(node, "breaker_open_max_s");
            self.notes.at(place, message, help);
        }
        breaker.open_most = most.unwrap_or(breaker.open_most.max(breaker.open));
        let in_flight = table.whole("in_flight", 1..=10_000);
        set(&mut limit.in_flight, in_flight.map(|most| most as usize));
        let queue = table.whole("queue", 0..=100_000);
        set(&mut limit.queue, queue.map(|most| most as usize));
        let wait = table.whole("queue_wait_ms", 0..=60_000).map(millis);
        set(&mut limit.wait, wait);
        stack
    }

    fn url(&self, text: &At<Text>) -> Option<Uri> {
        let problem = |message: &str, help: &str| {
            self.notes.at(text.place, message, help);
            None
        };
        let plain = text.value.trim_end_matches('/');
        let Ok(uri) = plain.parse::<Uri>() else {
            return problem("this is no URL", "write it whole: https://chat.example");
        };
        let Some(authority) = uri.authority() else {
            return problem(
                "this URL names no host",
                "write it whole: https://chat.example",
            );
        };
        if authority.as_str().contains('@') {
            self.notes.hide(text.place);
            return problem(
                "a URL is no place for a password",
                "write it under `credential`",
            );
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return problem("only http and https are spoken", "begin with https://");
        }
        if uri.query().is_some() || plain.contains('#') {
            let help = "write scheme, host and perhaps a path; the mapping adds the rest";
            return problem("this URL goes on after its path", help);
        }
        Some(uri)
    }

    fn app(&self, mut table: Table<'_>) -> (App, Secret) {
        let app = App {
            name: table.plain("name"),
            ownerid: table.plain("ownerid"),
            version: table.plain("version"),
            ..App::default()
        };
        let secret = table.secret("secret").map(|secret| secret.value);
        table.close();
        (app, secret.unwrap_or_default())
    }

    /// A credit must be such that it can be taken off again.
    fn credit(&self, table: &mut Table<'_>) -> Option<Credit> {
        let pattern = table.text("credit")?;
        let credit = Credit::parse(&pattern.value);
        if credit.is_none() {
            let message = format!("`{}` is no credit", pattern.value);
            let help = "a credit is {author.name}, something between, and {text}: \"{author.name}: {text}\"";
            self.notes.at(pattern.place, message, help);
        }
        credit
    }

    /// Credentials go over the wire in the clear when it is neither encrypted nor our own machine's.
    fn warn_if_open(&self, upstream: &Upstream, place: Place) {
        let host = upstream.url.host().unwrap_or_default();
        let near = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
        let secret = upstream.credential != Credential::default();
        if upstream.url.scheme_str() == Some("http") && !near && secret {
            self.notes.warn(
                place,
                "the credential is sent without encryption; write https if the service has it",
            );
        }
    }
}

/// Takes what is written in the place of the default.
fn set<T>(default: &mut T, written: Option<T>) {
    if let Some(written) = written {
        *default = written;
    }
}

fn table_place(node: &Node, key: &str) -> Place {
    node.child(key).map_or(node.place, |child| child.place)
}
