//! The commands that make, change and end sessions, answered here and never relayed.
//!
//! A session is kept by the hash of its id, one per `open_session` and never by address; a token is a session that is
//! signed in from the start. Each is stored before the client is told of it.

use std::sync::Arc;

use super::token::Digest;
use super::{Account, Auth, Caller, token};
use crate::model::{
    Command, Credential, Done, Fault, Kind, OpenSession, Outcome, Profile, Register, Reply, Secret,
    Session as Told, Text, Time,
};
use crate::store::{SessionRow, StoreError};

/// A session in force.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub kind: Kept,
    /// Empty until somebody signs in.
    pub account: Text,
    pub application: Text,
    pub key: Secret,
    /// The refresh token that a token comes from in the end, by its hash.
    pub family: Text,
    /// What it is good for; of a token that sends, empty means everything.
    pub scope: Text,
    pub created: Time,
    pub expires: Option<Time>,
}

/// On what terms a token is handed out.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Seconds; without them it holds until it is revoked.
    pub lifetime: Option<i64>,
    pub sends: bool,
    pub family: Text,
    pub scope: Text,
}

/// What a client was given. The one is never taken for the other: a session is its program's alone, a token its
/// person's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    #[default]
    Session,
    Token,
    /// A token whose scope leaves out sending.
    Reader,
    /// A token that only gives others.
    Refresh,
    /// One that has done so.
    Spent,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Kept::Session => "session",
            Kept::Token => "token",
            Kept::Reader => "reader",
            Kept::Refresh => "refresh",
            Kept::Spent => "spent",
        }
    }

    /// Does it say who calls?
    pub fn is_token(self) -> bool {
        matches!(self, Kept::Token | Kept::Reader)
    }
}

impl Session {
    pub fn from_row(row: SessionRow) -> Session {
        let kinds = [Kept::Token, Kept::Reader, Kept::Refresh, Kept::Spent];
        let kind = kinds.into_iter().find(|kind| row.kind == kind.name());
        let mut session = Session {
            kind: kind.unwrap_or(Kept::Session),
            account: row.account,
            application: row.application,
            created: row.created,
            expires: row.expires,
            ..Session::default()
        };
        if session.kind == Kept::Session {
            session.key = Secret(row.data);
        } else if let Some((family, scope)) = row.data.split_once(' ') {
            (session.family, session.scope) = (family.into(), scope.into());
        }
        session
    }

    pub fn sends(&self) -> bool {
        self.kind != Kept::Reader
    }

    /// The scope that it is held to, if it is.
    pub fn limits(&self) -> Option<&Text> {
        Some(&self.scope).filter(|scope| !scope.is_empty() || self.kind == Kept::Reader)
    }

    pub fn row(&self, hash: &Digest) -> SessionRow {
        let data = match self.kind {
            Kept::Session => self.key.0.clone(),
            _ => format!("{} {}", self.family, self.scope).into(),
        };
        SessionRow {
            id: hash.text(),
            kind: self.kind.name().into(),
            account: self.account.clone(),
            application: self.application.clone(),
            data,
            created: self.created,
            expires: self.expires,
        }
    }
}

impl Auth {
    /// Answers a session command of a caller that has been identified.
    pub async fn session(
        &self,
        command: &Command,
        caller: &Caller,
        credential: &Credential,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        match command {
            Command::OpenSession(open) => self.open_session(open, caller, profile, now).await,
            Command::SignIn(_) => {
                let account = self.proven(credential, caller)?;
                self.sign_in(&account, caller, profile, now).await
            }
            Command::Register(register) => {
                let account = self.register(register, credential)?;
                self.sign_in(&account, caller, profile, now).await
            }
            Command::CheckSession(_) => {
                let principal = caller.signed_in()?;
                let told = Told {
                    person: Box::new((*principal.person).clone()),
                    ..Told::default()
                };
                Ok(Reply::Session(told.into()))
            }
            Command::SignOut(_) => self.sign_out(caller).await,
            Command::IssueToken(asked) => {
                self.issue_token(asked, caller, credential, profile, now)
                    .await
            }
            _ => Err(Fault::new(Kind::Internal, "not a session command")),
        }
    }

    async fn open_session(
        &self,
        open: &OpenSession,
        caller: &Caller,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let application = caller
            .application
            .as_ref()
            .ok_or_else(|| Fault::client(Kind::Application, "sessions are for applications"))?;
        if let Some(facts) = &application.keyauth
            && !facts.version.is_empty()
            && !open.version.is_empty()
            && facts.version != open.version
        {
            return Err(
                Fault::client(Kind::Outdated, "the program's version is not served")
                    .value(open.version.clone()),
            );
        }
        let id = token::letters(profile.session_length as usize);
        let lifetime = i64::from(profile.session_seconds);
        let session = Session {
            kind: Kept::Session,
            account: Text::default(),
            application: application.name.clone(),
            key: Secret(open.key.clone()),
            created: now,
            expires: Some(now.plus_seconds(lifetime)),
            ..Session::default()
        };
        let told = Told {
            id: id.clone(),
            fresh: Some(true),
            created_at: Some(now),
            expires_at: session.expires,
            lifetime: Some(lifetime),
            ..Told::default()
        };
        self.keep(Digest::of(&id), session).await?;
        Ok(Reply::Session(told.into()))
    }

    /// The account that a credential proves.
    fn proven(&self, credential: &Credential, caller: &Caller) -> Result<Arc<Account>, Fault> {
        if !credential.license.0.is_empty() {
            let at = self.by_license.get(&Digest::of(&credential.license.0));
            let account = at.and_then(|at| self.accounts.get(*at));
            return account
                .cloned()
                .ok_or_else(|| Fault::client(Kind::License, "the licence is not known"));
        }
        let by_name = !credential.username.0.is_empty();
        let known = self.accounts.iter().find(|account| match by_name {
            true => account.person.name == credential.username.0,
            false => {
                let email = &account.person.email;
                !email.is_empty() && email.eq_ignore_ascii_case(&credential.email.0)
            }
        });
        // Compared with something where there is nobody, so that it takes as long.
        let nobodys = Secret::default();
        let password = known.map_or(&nobodys, |account| &account.password);
        let right = token::same(password, &credential.password.0);
        match known {
            Some(account) if right => Ok(account.clone()),
            Some(_) if by_name => Err(Fault::client(Kind::Password, "the password is wrong")),
            None if by_name => Err(Fault::client(Kind::User, "no such user")),
            // A token that still holds is as good as a password.
            _ => match caller
                .principal
                .as_ref()
                .and_then(|principal| principal.account.clone())
            {
                Some(account) if credential.password.0.is_empty() => Ok(account),
                _ => Err(Fault::client(
                    Kind::Credentials,
                    "the credentials are wrong",
                )),
            },
        }
    }

    /// Accounts are the operator's; a licence's own account may be registered again by whoever knows its password.
    fn register(&self, _: &Register, credential: &Credential) -> Result<Arc<Account>, Fault> {
        let at = self.by_license.get(&Digest::of(&credential.license.0));
        let account = at
            .and_then(|at| self.accounts.get(*at))
            .ok_or_else(|| Fault::client(Kind::License, "the licence is not known"))?;
        let own = account.person.name == credential.username.0
            && token::same(&account.password, &credential.password.0);
        if own {
            Ok(account.clone())
        } else {
            Err(Fault::client(
                Kind::Conflict,
                "the licence has an account already",
            ))
        }
    }

    /// Signs in to the session at hand, or hands out a token where the dialect has none.
    async fn sign_in(
        &self,
        account: &Arc<Account>,
        caller: &Caller,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let Some(hash) = caller.session.filter(|_| caller.application.is_some()) else {
            let lifetime = profile.token_seconds.unwrap_or(profile.session_seconds);
            let terms = Terms {
                lifetime: Some(i64::from(lifetime)),
                sends: true,
                ..Terms::default()
            };
            return self.issue(account, caller, profile, now, terms).await;
        };
        let Some(session) = self.in_force(&hash, now) else {
            return Err(Fault::client(Kind::Session, "no such session"));
        };
        let signed_in = Session {
            account: account.person.name.clone(),
            ..(*session).clone()
        };
        let told = Told {
            person: Box::new((*account.person).clone()),
            created_at: Some(now),
            expires_at: session.expires,
            ..Told::default()
        };
        self.keep(hash, signed_in).await?;
        Ok(Reply::Session(told.into()))
    }

    /// Hands out a token.
    pub(super) async fn issue(
        &self,
        account: &Arc<Account>,
        caller: &Caller,
        profile: &Profile,
        now: Time,
        terms: Terms,
    ) -> Outcome {
        let expires = terms.lifetime.map(|seconds| now.plus_seconds(seconds));
        let person = &account.person;
        let token = token::token(profile.token, &person.id, now, expires).map_err(internal)?;
        let application = caller
            .application
            .as_ref()
            .map(|application| application.name.clone());
        let session = Session {
            kind: if terms.sends {
                Kept::Token
            } else {
                Kept::Reader
            },
            account: account.person.name.clone(),
            application: application.unwrap_or_default(),
            family: terms.family,
            scope: terms.scope,
            created: now,
            expires,
            ..Session::default()
        };
        self.keep(Digest::of(&token), session).await?;
        let told = Told {
            token,
            person: Box::new((**person).clone()),
            created_at: Some(now),
            expires_at: expires,
            lifetime: terms.lifetime,
            ..Told::default()
        };
        Ok(Reply::Session(told.into()))
    }

    async fn sign_out(&self, caller: &Caller) -> Outcome {
        if let Some(hash) = &caller.session {
            self.sessions.end(hash).await.map_err(unavailable)?;
        }
        Ok(Reply::Done(Done {}))
    }

    pub(super) async fn keep(&self, hash: Digest, session: Session) -> Result<(), Fault> {
        self.sessions.keep(hash, session).await.map_err(unavailable)
    }
}

pub(super) fn unavailable(error: StoreError) -> Fault {
    Fault::new(Kind::Unavailable, error.to_string())
}

pub(super) fn internal(error: token::NoRandomness) -> Fault {
    Fault::new(Kind::Internal, error.to_string())
}
