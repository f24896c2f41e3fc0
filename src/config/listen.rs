//! `[listen]`, `[store]` and `mappings`: where Sabir is reached, what it offers there, and where it keeps things.
//!
//! Addresses and names are checked here; whether an address is free is found out when it is bound.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Reading;
use super::notes::At;
use super::table::Table;
use crate::ingress::listener::Config as Limits;
use crate::model::{Text, lower};
use crate::tls::server::{BadPair, Certificates, Files};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub dialects: Offer,
    /// The only host name under which a dialect is served.
    pub hosts: BTreeMap<Text, Text>,
    /// Nothing: plain HTTP.
    pub tls: Option<Tls>,
    /// Its `connections` are those of all threads together.
    pub limits: Limits,
}

/// The public door's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub files: Files,
}

/// Which of the loaded dialects are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    #[default]
    All,
    Only(Vec<Text>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    pub url: Text,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            public: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9090)),
            dialects: Offer::All,
            hosts: BTreeMap::new(),
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig {
            url: "sqlite:sabir.db".into(),
        }
    }
}

impl Offer {
    pub fn has(&self, dialect: &str) -> bool {
        match self {
            Offer::All => true,
            Offer::Only(names) => names.iter().any(|name| name == dialect),
        }
    }
}

impl Reading<'_> {
    pub(super) fn listen(&self, top: &mut Table<'_>) -> Listen {
        let mut listen = Listen::default();
        let Some(mut table) = top.table("listen") else {
            return listen;
        };
        if let Some(public) = self.address(table.text("public")) {
            listen.public = public;
        }
        let admin = table.text("admin");
        let place = admin.as_ref().map_or(table.place, |admin| admin.place);
        if let Some(admin) = self.address(admin) {
            listen.admin = admin;
        }
        if listen.public == listen.admin && listen.public.port() != 0 {
            let message = "`admin` has the same address as `public`";
            let help = "the admin pages are the operator's: give them a port of their own";
            self.notes.at(place, message, help);
        }
        if let Some(names) = table.texts("dialects") {
            listen.dialects = self.offer(names);
        }
        if let Some(hosts) = table.table("hosts") {
            listen.hosts = self.hosts(hosts);
        }
        if let Some(tls) = table.table("tls") {
            listen.tls = self.tls(tls);
        }
        if let Some(limits) = table.table("limits") {
            listen.limits = limits_of(limits);
        }
        table.close();
        listen
    }

    /// The files are read here to find what is wrong with them, and once more when the door is opened.
    fn tls(&self, mut table: Table<'_>) -> Option<Tls> {
        let help = "write tls = { certificate = \"chain.pem\", key = \"key.pem\" }";
        let certificate = table.needed("certificate", help);
        let key = table.needed("key", help);
        table.close();
        let (certificate, key) = (certificate?, key?);
        let files = Files {
            certificate: self.draft.folder.join(certificate.value.as_str()),
            key: self.draft.folder.join(key.value.as_str()),
        };
        self.draft.takes_in(files.certificate.clone());
        self.draft.takes_in(files.key.clone());
        if let Err(problem) = Certificates::open(&files) {
            let (place, help) = match problem {
                BadPair::Certificate(_) => (
                    certificate.place,
                    "it holds the server's certificate first, then those that signed it, as PEM",
                ),
                BadPair::Key(_) => (key.place, "it holds the certificate's private key, as PEM"),
                BadPair::Mismatch => (
                    key.place,
                    "they are made together: take both from one place",
                ),
            };
            self.notes.at(place, problem.to_string(), help);
        }
        Some(Tls { files })
    }

    fn address(&self, text: Option<At<Text>>) -> Option<SocketAddr> {
        let text = text?;
        let address = text.value.parse().ok();
        if address.is_none() {
            let message = format!("`{}` is no address to listen at", text.value);
            let help = "write an IP address and a port: 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
            self.notes.at(text.place, message, help);
        }
        address
    }

    fn offer(&self, names: Vec<At<Text>>) -> Offer {
        if names.iter().any(|name| name.value == "*") {
            return Offer::All;
        }
        for name in &names {
            self.refer("dialect", name, &self.names.dialects);
        }
        Offer::Only(names.into_iter().map(|name| name.value).collect())
    }

    fn hosts(&self, table: Table<'_>) -> BTreeMap<Text, Text> {
        let mut hosts = BTreeMap::new();
        for (dialect, node) in table.named() {
            self.refer("dialect", &dialect, &self.names.dialects);
            let host = node.text().unwrap_or_default();
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._[]:".contains(letter);
            if host.is_empty() || !host.chars().all(plain) {
                let message = format!("the host of `{}` is no host name", dialect.value);
                let help = "write it as a client sends it, without a scheme: keyauth.win";
                self.notes.at(node.place, message, help);
            }
            hosts.insert(dialect.value, lower(host).into());
        }
        hosts
    }

    pub(super) fn store(&self, top: &mut Table<'_>) -> StoreConfig {
        let mut store = StoreConfig::default();
        let Some(mut table) = top.table("store") else {
            return store;
        };
        if let Some(url) = table.text("url") {
            if url
                .value
                .strip_prefix("sqlite:")
                .is_none_or(|path| path.is_empty())
            {
                // What stands here may be another engine's address, with a password in it.
                self.notes.hide(url.place);
                let message = "the store's `url` is none that Sabir knows";
                let help = "write sqlite: and a path, like sqlite:sabir.db";
                self.notes.at(url.place, message, help);
            }
            store.url = url.value;
        }
        table.close();
        store
    }

    pub(super) fn watch(&self, top: &mut Table<'_>) -> Duration {
        Duration::from_millis(top.whole("watch_ms", 0..=60_000).unwrap_or(500).into())
    }

    pub(super) fn mappings(&self, top: &mut Table<'_>) -> Option<PathBuf> {
        let text = top.text("mappings")?;
        let folder = self.draft.folder.join(text.value.as_str());
        if !folder.is_dir() {
            let message = format!("there is no folder `{}`", text.value);
            let help = "mappings are looked for in a folder beside the configuration file";
            self.notes.at(text.place, message, help);
        }
        Some(folder)
    }
}

fn limits_of(mut table: Table<'_>) -> Limits {
    let mut limits = Limits::default();
    let sizes = [
        (&mut limits.head_bytes, "head_bytes", 1024..=1 << 20),
        (&mut limits.headers, "headers", 8..=1024),
        (&mut limits.body_bytes, "body_bytes", 1024..=64 << 20),
        (&mut limits.connections, "connections", 1..=1_000_000),
    ];
    if let Some(bytes) = table.whole("unsent_bytes", 16 << 10..=64 << 20) {
        limits.unsent_bytes = bytes;
    }
    if let Some(streams) = table.whole("streams", 1..=1000) {
        limits.streams = streams;
    }
    for (limit, key, allowed) in sizes {
        if let Some(size) = table.whole(key, allowed) {
            *limit = size as usize;
        }
    }
    let times = [
        (&mut limits.first_byte_s, "first_byte_s"),
        (&mut limits.header_s, "header_s"),
        (&mut limits.body_s, "body_s"),
        (&mut limits.idle_s, "idle_s"),
        (&mut limits.drain_s, "drain_s"),
    ];
    for (limit, key) in times {
        if let Some(seconds) = table.whole(key, 1..=3600) {
            *limit = seconds.into();
        }
    }
    let waits = [
        (&mut limits.drain_delay_s, "drain_delay_s"),
        (&mut limits.drain_idle_s, "drain_idle_s"),
    ];
    for (limit, key) in waits {
        if let Some(seconds) = table.whole(key, 0..=3600) {
            *limit = seconds.into();
        }
    }
    table.close();
    limits
}
