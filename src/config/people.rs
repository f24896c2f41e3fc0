//! Who may call, and what `local` keeps: `[[account]]`, `[[application]]` and `[[channel]]`.
//!
//! The values that come out are `auth`'s and the model's own types. What names one of them twice, or names one that is
//! not there, is found here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Reading;
use super::table::Table;
use super::tree::Value;
use crate::auth::{Account, Application, Channels, GlimeshApp, KeyauthApp, May};
use crate::model::{ChannelRule, Credential, Person, Secret, Text, lower};

impl Reading<'_> {
    pub(super) fn accounts(&self, top: &mut Table<'_>) -> Vec<Account> {
        let tables = top.tables("account");
        tables
            .into_iter()
            .map(|table| self.account(table))
            .collect()
    }

    fn account(&self, mut table: Table<'_>) -> Account {
        let name = table.needed("name", "an account is known by its name: name = \"alice\"");
        let (id, email) = (table.text("id"), table.text("email"));
        for (key, text) in [("name", &name), ("id", &id), ("email", &email)] {
            if let Some(text) = text {
                self.once("account", key, &text.value, text.place);
            }
        }
        // Passwords may be the same, because a name comes with them. A licence or a token stands alone.
        let password = table.secret("password");
        let (license, token) = (table.secret("license"), table.secret("token"));
        let refresh_token = table.secret("refresh_token");
        for (key, secret) in [
            ("license", &license),
            ("token", &token),
            ("refresh_token", &refresh_token),
        ] {
            if let Some(secret) = secret {
                self.once("account", key, &secret.value.0, secret.place);
            }
        }
        let name = name.map(|name| name.value).unwrap_or_default();
        let person = Person {
            id: id.map_or_else(|| name.clone(), |id| id.value),
            name,
            email: email.map(|email| email.value).unwrap_or_default(),
            ..Person::default()
        };
        let account = Account {
            person: Arc::new(person),
            password: password.map(|secret| secret.value).unwrap_or_default(),
            license: license.map(|secret| secret.value).unwrap_or_default(),
            token: token.map(|secret| secret.value).unwrap_or_default(),
            refresh_token: refresh_token.map(|secret| secret.value).unwrap_or_default(),
            may: self.may(&mut table),
            channels: self.patterns(&mut table),
            credentials: self.own_credentials(&mut table),
        };
        table.close();
        account
    }

    fn own_credentials(&self, table: &mut Table<'_>) -> BTreeMap<Text, Credential> {
        let mut credentials = BTreeMap::new();
        let Some(services) = table.table("as") else {
            return credentials;
        };
        let known = [&self.names.upstreams[..], &self.names.dialects[..]].concat();
        for (service, node) in services.named() {
            if !self.refer("upstream or dialect", &service, &known) {
                node.hide(&self.notes);
                continue;
            }
            let credential = self.credential(node, &format!("`as.{}`", service.value));
            credentials.insert(service.value, credential);
        }
        credentials
    }

    pub(super) fn applications(&self, top: &mut Table<'_>) -> Vec<Application> {
        let tables = top.tables("application");
        tables
            .into_iter()
            .map(|table| self.application(table))
            .collect()
    }

    fn application(&self, mut table: Table<'_>) -> Application {
        let name = table.needed(
            "name",
            "an application is known by its name: name = \"test\"",
        );
        if let Some(name) = &name {
            self.once("application", "name", &name.value, name.place);
        }
        let application = Application {
            name: name.map(|name| name.value).unwrap_or_default(),
            may: self.may(&mut table),
            channels: self.patterns(&mut table),
            keyauth: table.table("keyauth").map(|table| self.keyauth(table)),
            socket: table.table("socket").map(|table| self.socket(table)),
            glimesh: table.table("glimesh").map(|table| self.glimesh(table)),
        };
        table.close();
        application
    }

    fn keyauth(&self, mut table: Table<'_>) -> KeyauthApp {
        let ownerid = table.needed(
            "ownerid",
            "the ten characters that the program was built with",
        );
        if let Some(ownerid) = &ownerid
            && ownerid.value.chars().count() != 10
        {
            let message = format!("`{}` is no ownerid", ownerid.value);
            let help = "an ownerid has ten characters; programs stop at any other";
            self.notes.at(ownerid.place, message, help);
        }
        let secret = table.needed_secret("secret");
        let timestamp = table.word("timestamp", &["text", "number"]);
        let app = KeyauthApp {
            ownerid: ownerid.map(|ownerid| ownerid.value).unwrap_or_default(),
            secret: secret.map(|secret| secret.value).unwrap_or_default(),
            version: table.plain("version"),
            text_time: timestamp == Some("text"),
            link: table.plain("link"),
            download: table.plain("download"),
        };
        table.close();
        app
    }

    fn socket(&self, mut table: Table<'_>) -> Secret {
        let secret = table.needed_secret("secret");
        table.close();
        if let Some(secret) = &secret {
            self.once(
                "application",
                "socket secret",
                &secret.value.0,
                secret.place,
            );
        }
        secret.map(|secret| secret.value).unwrap_or_default()
    }

    fn glimesh(&self, mut table: Table<'_>) -> GlimeshApp {
        let client_id = table.needed("client_id", "the id that the program shows");
        let old_client_id = table.text("old_client_id");
        for client_id in [&client_id, &old_client_id].into_iter().flatten() {
            self.once(
                "application",
                "client_id",
                &client_id.value,
                client_id.place,
            );
        }
        let client_secret = table.needed_secret("client_secret");
        let app = GlimeshApp {
            client_id: client_id.map(|id| id.value).unwrap_or_default(),
            old_client_id: old_client_id.map(|id| id.value).unwrap_or_default(),
            client_secret: client_secret.map(|secret| secret.value).unwrap_or_default(),
            owner: self.owner(&mut table),
        };
        table.close();
        app
    }

    fn may(&self, table: &mut Table<'_>) -> May {
        const WORDS: &[&str] = &["read", "send", "moderate"];
        let Some(words) = table.texts("may") else {
            return May::default();
        };
        let known: Vec<_> = words
            .iter()
            .filter_map(|word| table.known_word(word, "may", WORDS))
            .collect();
        May {
            read: known.contains(&"read"),
            send: known.contains(&"send"),
            moderate: known.contains(&"moderate"),
        }
    }

    fn patterns(&self, table: &mut Table<'_>) -> Channels {
        let Some(names) = table.texts("channels") else {
            return Channels::All;
        };
        for name in names.iter().filter(|name| name.value != "*") {
            if name.value.contains('*') {
                let message = format!("`{}` is neither one name nor all", name.value);
                let help = "write \"*\" for every channel, or a channel's whole name";
                self.notes.at(name.place, message, help);
            }
        }
        if names.iter().any(|name| name.value == "*") {
            return Channels::All;
        }
        Channels::Only(names.iter().map(|name| lower(&name.value).into()).collect())
    }

    pub(super) fn channels(&self, top: &mut Table<'_>) -> Vec<ChannelRule> {
        let tables = top.tables("channel");
        tables
            .into_iter()
            .map(|table| self.channel(table))
            .collect()
    }

    fn channel(&self, mut table: Table<'_>) -> ChannelRule {
        let name = table.needed("name", "a channel is known by its name: name = \"lobby\"");
        if let Some(name) = &name {
            self.once("channel", "name", &name.value, name.place);
            if name.value.contains('*') {
                let help = "a [[channel]] is one channel; `*` is for routes and `channels`";
                self.notes
                    .at(name.place, "a channel's name cannot hold `*`", help);
            }
        }
        let members = table.texts("members").unwrap_or_default();
        for member in &members {
            self.refer("account", member, &self.names.accounts);
        }
        let moderators = table.texts("moderators").unwrap_or_default();
        for moderator in &moderators {
            self.refer("account", moderator, &self.names.accounts);
        }
        let channel = ChannelRule {
            name: name
                .map(|name| lower(&name.value).into())
                .unwrap_or_default(),
            title: table.plain("title"),
            owner: self.owner(&mut table),
            moderators: moderators.into_iter().map(|one| one.value).collect(),
            members: members.into_iter().map(|member| member.value).collect(),
            ids: self.ids(&mut table),
            delay_s: table.whole("delay_s", 0..=86_400).unwrap_or(0),
        };
        table.close();
        channel
    }

    fn ids(&self, table: &mut Table<'_>) -> BTreeMap<Text, Text> {
        let mut ids = BTreeMap::new();
        let Some(given) = table.table("ids") else {
            return ids;
        };
        for (dialect, node) in given.named() {
            self.refer("dialect", &dialect, &self.names.dialects);
            let id: Text = match &node.value {
                Value::Integer(number) if *number >= 0 => number.to_string().into(),
                Value::Text(text) | Value::Variable(text) => text.as_str().into(),
                _ => Text::default(),
            };
            // An id stands in paths: these would lead to somewhere else.
            if matches!(id.as_str(), "" | "." | "..") {
                let message = format!("the id for `{}` is no id", dialect.value);
                let help = "an id is a whole number from 0 on, or a text";
                self.notes.at(node.place, message, help);
                continue;
            }
            self.once(
                "channel",
                &format!("id for {}", dialect.value),
                &id,
                node.place,
            );
            ids.insert(dialect.value, id);
        }
        ids
    }

    fn owner(&self, table: &mut Table<'_>) -> Option<Text> {
        let owner = table.text("owner")?;
        self.refer("account", &owner, &self.names.accounts);
        Some(owner.value)
    }
}
