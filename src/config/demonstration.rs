//! What there is when nobody has written a configuration: one of each, with secrets that no one else has.
//!
//! The secrets are new at every start, so that a forgotten demonstration is not an open door.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Config;
use crate::auth::{Account, Application, GlimeshApp, KeyauthApp, letters};
use crate::model::{ChannelRule, Person, Secret, Text};

const NAME: &str = "demo";

impl Config {
    /// Adds an account, an application and a channel to try Sabir with.
    pub(super) fn demonstrate(&mut self) {
        self.accounts.push(Account {
            person: Arc::new(Person {
                id: NAME.into(),
                name: NAME.into(),
                email: "demo@example.com".into(),
                ..Person::default()
            }),
            password: Secret(letters(16)),
            license: Secret(letters(24)),
            token: Secret(letters(40)),
            ..Account::default()
        });
        self.applications.push(Application {
            name: NAME.into(),
            keyauth: Some(KeyauthApp {
                ownerid: letters(10),
                secret: Secret(hex()),
                version: "1.0".into(),
                ..KeyauthApp::default()
            }),
            socket: Some(Secret(letters(32))),
            glimesh: Some(GlimeshApp {
                client_id: hex(),
                client_secret: Secret(hex()),
                owner: Some(NAME.into()),
                ..GlimeshApp::default()
            }),
            ..Application::default()
        });
        self.channels.push(ChannelRule {
            name: "lobby".into(),
            owner: Some(NAME.into()),
            ids: BTreeMap::from([("glimesh".into(), "6".into()), ("chats".into(), "1".into())]),
            ..ChannelRule::default()
        });
    }
}

/// 256 random bits, as 64 digits.
fn hex() -> Text {
    let [high, low] = rand::random::<[u128; 2]>();
    format!("{high:032x}{low:032x}").into()
}
