//! Programs that prove themselves by an id of their own: what the id alone is worth, and what it is with its secret.
//!
//! The id alone is public: whoever shows it may read and is nobody. With its secret the program acts for its owner,
//! and may have tokens for that; a token's scope says whether it may send.

use std::sync::Arc;

use super::session::Terms;
use super::{Application, Auth, Caller, May, Principal, token};
use crate::model::{Credential, Fault, IssueToken, Kind, Outcome, Profile, Reply, Text, Time};

/// A token without a lifetime of its own holds this long.
const DAY: u32 = 86_400;

impl Auth {
    /// Who calls with a program's id.
    pub(super) fn by_client(&self, credential: &Credential) -> Result<Caller, Fault> {
        let (id, secret) = (&credential.client_id.0, &credential.client_secret.0);
        let known = self.applications.iter().find(|application| {
            application
                .glimesh
                .as_ref()
                .is_some_and(|facts| facts.client_id == *id || facts.old_client_id == *id)
        });
        let unknown = || Fault::client(Kind::Unauthenticated, "no such client");
        let application = known.ok_or_else(unknown)?;
        let facts = application.glimesh.as_ref().ok_or_else(unknown)?;
        let principal = if secret.is_empty() {
            Some(reader(application))
        } else if token::same(&facts.client_secret, secret) {
            let owner = facts
                .owner
                .as_ref()
                .and_then(|owner| self.account_named(owner));
            owner.map(|owner| Principal::person(owner, Some(application)))
        } else {
            return Err(unknown());
        };
        Ok(Caller {
            principal,
            application: Some(application.clone()),
            ..Caller::default()
        })
    }

    /// Hands out a token to a program, or another one to a caller.
    pub(super) async fn issue_token(
        &self,
        asked: &IssueToken,
        caller: &Caller,
        credential: &Credential,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        match asked.grant.as_str() {
            "" => {}
            "client_credentials" if credential.client_secret.0.is_empty() => {
                return Err(Fault::client(
                    Kind::Unauthenticated,
                    "the client's secret is missing",
                ));
            }
            "client_credentials" => {}
            "refresh_token" => {
                return self.refresh(asked, caller, credential, profile, now).await;
            }
            "authorization_code" | "password" => {
                return Err(Fault::client(
                    Kind::Unsupported,
                    "only client_credentials and refresh_token are granted here",
                ));
            }
            grant => {
                let words = format!("{grant} is no way to get a token");
                return Err(Fault::client(Kind::Field, words).field("grant"));
            }
        }
        let principal = caller.signed_in()?;
        let account = principal.account.clone();
        let account =
            account.ok_or_else(|| Fault::client(Kind::Forbidden, "only a person has tokens"))?;
        if asked.grant.is_empty() {
            let terms = Terms {
                sends: true,
                ..Terms::default()
            };
            return self.issue(&account, caller, profile, now, terms).await;
        }
        let scopes: Vec<&str> = asked.scope.split_whitespace().collect();
        if let Some(wrong) = scopes
            .iter()
            .find(|scope| !profile.scopes.iter().any(|known| known == *scope))
        {
            return Err(Fault::client(
                Kind::Scope,
                format!("there is no scope {wrong}"),
            ));
        }
        let terms = Terms::of(&asked.scope, profile);
        let mut outcome = self.issue(&account, caller, profile, now, terms).await?;
        if let Reply::Session(session) = &mut outcome {
            session.scope = asked.scope.clone();
        }
        Ok(outcome)
    }
}

impl Terms {
    /// The terms of a token with this scope.
    pub(super) fn of(scope: &str, profile: &Profile) -> Terms {
        Terms {
            lifetime: Some(i64::from(profile.token_seconds.unwrap_or(DAY))),
            sends: profile.send_scope.is_empty()
                || scope
                    .split_whitespace()
                    .any(|word| word == profile.send_scope),
            scope: scope.into(),
            family: Text::default(),
        }
    }
}

/// Nobody in particular, who may read what the program may read.
fn reader(application: &Arc<Application>) -> Principal {
    Principal {
        name: application.name.clone(),
        person: Arc::default(),
        may: May {
            read: application.may.read,
            send: false,
            moderate: false,
        },
        account: None,
        program: Some(application.clone()),
        scope: None,
    }
}
