//! What there is when nobody has written a configuration: one of each, with secrets that no one else has.
//!
//! The secrets are new at every start, so that a forgotten demonstration is not an open door.

use std::collections::BTreeMap;

use super::Config;
use crate::auth::{Account, Application, GlimeshApp, KeyauthApp};
use crate::model::{ChannelRule, Secret, Text};

const NAME: &str = "demo";
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8; 16] = b"0123456789abcdef";

impl Config {
    /// Adds an account, an application and a channel to try Sabir with.
    pub(super) fn demonstrate(&mut self) -> Result<(), getrandom::Error> {
        self.accounts.push(Account {
            name: NAME.into(),
            email: "demo@example.com".into(),
            password: Secret(random(LETTERS, 16)?),
            license: Secret(random(LETTERS, 24)?),
            token: Secret(random(LETTERS, 40)?),
            ..Account::default()
        });
        self.applications.push(Application {
            name: NAME.into(),
            keyauth: Some(KeyauthApp {
                ownerid: random(LETTERS, 10)?,
                secret: Secret(random(HEX, 64)?),
                version: "1.0".into(),
                ..KeyauthApp::default()
            }),
            socket: Some(Secret(random(LETTERS, 32)?)),
            glimesh: Some(GlimeshApp {
                client_id: random(HEX, 64)?,
                client_secret: Secret(random(HEX, 64)?),
                owner: Some(NAME.into()),
            }),
            ..Application::default()
        });
        self.channels.push(ChannelRule {
            name: "lobby".into(),
            owner: Some(NAME.into()),
            ids: BTreeMap::from([("glimesh".into(), "6".into()), ("chats".into(), "1".into())]),
            ..ChannelRule::default()
        });
        Ok(())
    }
}

/// So many characters of an alphabet, each as likely as every other.
fn random(alphabet: &[u8], length: usize) -> Result<Text, getrandom::Error> {
    // Bytes beyond the last whole round of the alphabet would favour its first letters.
    let fair = 256 - 256 % alphabet.len();
    let mut text = Text::default();
    let mut bytes = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes)?;
        let letters = bytes.iter().map(|byte| usize::from(*byte));
        let letters = letters.filter(|byte| *byte < fair);
        for byte in letters.take(length - text.len()) {
            text.push(char::from(alphabet[byte % alphabet.len()]));
        }
    }
    Ok(text)
}
