//! Who may call, as the operator wrote it down.
//!
//! Plain values: `config` makes them, `auth` asks them. What a caller may do is an account's word and an application's,
//! and both must allow it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Credential, Person, Secret, Text, lower};

/// A person or a bot that may call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Who that is: with an id that clients see, a name and perhaps an address.
    pub person: Arc<Person>,
    /// Empty secrets are none.
    pub password: Secret,
    pub license: Secret,
    pub token: Secret,
    /// What a program of the account's holds already, and exchanges for tokens.
    pub refresh_token: Secret,
    pub may: May,
    pub channels: Channels,
    /// Its own credentials at upstreams, by the upstream's name or by a dialect's.
    pub credentials: BTreeMap<Text, Credential>,
}

/// A program that may call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    pub name: Text,
    pub may: May,
    pub channels: Channels,
    pub keyauth: Option<KeyauthApp>,
    /// The secret that the program sends on every call.
    pub socket: Option<Secret>,
    pub glimesh: Option<GlimeshApp>,
}

/// How a KeyAuth program knows itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyauthApp {
    pub ownerid: Text,
    /// Seals the replies; it is never sent.
    pub secret: Secret,
    /// Empty: every version is served.
    pub version: Text,
    /// The program reads the times of messages as text.
    pub text_time: bool,
    pub link: Text,
    pub download: Text,
}

/// How a Glimesh program knows itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GlimeshApp {
    pub client_id: Text,
    /// What older versions of the program call themselves. Empty: they do not.
    pub old_client_id: Text,
    pub client_secret: Secret,
    /// The account that the program acts for when it acts for nobody.
    pub owner: Option<Text>,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct May {
    pub read: bool,
    pub send: bool,
    pub moderate: bool,
}

/// Where a caller may do it, by the client's name of the channel in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    #[default]
    All,
    Only(BTreeSet<Text>),
}

impl May {
    /// What both allow.
    pub fn and(self, other: May) -> May {
        May {
            read: self.read && other.read,
            send: self.send && other.send,
            moderate: self.moderate && other.moderate,
        }
    }
}

impl Default for May {
    fn default() -> May {
        May {
            read: true,
            send: true,
            moderate: false,
        }
    }
}

impl Channels {
    pub fn has(&self, channel: &str) -> bool {
        match self {
            Channels::All => true,
            Channels::Only(names) => names.contains(lower(channel).as_ref()),
        }
    }
}
