//! Refresh tokens: each is good for one new token and the refresh token after it.
//!
//! All that come out of one another are a family. A refresh token that comes a second time was copied by somebody,
//! and nobody knows which of the two is the thief: the whole family is revoked then, its access tokens too. The first
//! of a family is one that the operator wrote beside an account, because its program held it already.

use std::sync::Arc;

use super::session::{Kept, Session, Terms, internal, unavailable};
use super::token::Digest;
use super::{Account, Application, Auth, Caller, token};
use crate::model::profile::TokenKind;
use crate::model::{Credential, Fault, IssueToken, Kind, Outcome, Profile, Reply, Text, Time};

/// A refresh token that nobody uses for so long is forgotten.
const UNUSED_SECONDS: i64 = 90 * 86_400;

/// What a refresh token is good for.
struct Grant {
    account: Arc<Account>,
    family: Text,
    scope: Text,
}

impl Auth {
    /// Gives a new token for a refresh token, which is spent by it.
    pub(super) async fn refresh(
        &self,
        asked: &IssueToken,
        caller: &Caller,
        credential: &Credential,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let program = caller
            .application
            .as_ref()
            .filter(|_| !credential.client_secret.0.is_empty())
            .ok_or_else(|| {
                Fault::client(Kind::Unauthenticated, "the client's secret is missing")
            })?;
        if credential.refresh_token.0.is_empty() {
            let words = "the refresh token is missing";
            return Err(Fault::client(Kind::Blank, words).field("refresh_token"));
        }
        let hash = Digest::of(&credential.refresh_token.0);
        let grant = self.granted(&hash, program, now).await?;
        let scope = narrowed(asked, &grant, profile)?;
        let spent = Session {
            kind: Kept::Spent,
            // The operator's own must stay spent, or it would be good again one day.
            expires: grant.expires(&hash, now),
            ..grant.session(program, now)
        };
        let first = self.sessions.spend(&hash, spent).await;
        if !first.map_err(unavailable)? {
            return Err(no_good());
        }
        let terms = Terms {
            family: grant.family.clone(),
            ..Terms::of(&scope, profile)
        };
        let mut outcome = self
            .issue(&grant.account, caller, profile, now, terms)
            .await?;
        let next = token::token(TokenKind::Opaque, "", now, None).map_err(internal)?;
        let session = Session {
            kind: Kept::Refresh,
            ..grant.session(program, now)
        };
        self.keep(Digest::of(&next), session).await?;
        if let Reply::Session(session) = &mut outcome {
            session.scope = scope;
            session.refresh_token = next;
        }
        Ok(outcome)
    }

    /// What a refresh token grants to a program.
    async fn granted(
        &self,
        hash: &Digest,
        program: &Application,
        now: Time,
    ) -> Result<Grant, Fault> {
        let Some(kept) = self.in_force(hash, now) else {
            let at = self.by_refresh.get(hash).ok_or_else(no_good)?;
            return Ok(Grant {
                account: self.accounts[*at].clone(),
                family: hash.text(),
                scope: Text::default(),
            });
        };
        if kept.kind == Kept::Spent {
            let revoked = self.sessions.revoke(&kept.family).await;
            revoked.map_err(unavailable)?;
            return Err(no_good());
        }
        let account = self.account_named(&kept.account);
        match (kept.kind, account) {
            (Kept::Refresh, Some(account)) if kept.application == program.name => Ok(Grant {
                account: account.clone(),
                family: kept.family.clone(),
                scope: kept.scope.clone(),
            }),
            _ => Err(no_good()),
        }
    }
}

impl Grant {
    fn expires(&self, hash: &Digest, now: Time) -> Option<Time> {
        (hash.text() != self.family).then(|| now.plus_seconds(UNUSED_SECONDS))
    }

    fn session(&self, program: &Application, now: Time) -> Session {
        Session {
            account: self.account.person.name.clone(),
            application: program.name.clone(),
            created: now,
            expires: Some(now.plus_seconds(UNUSED_SECONDS)),
            family: self.family.clone(),
            scope: self.scope.clone(),
            ..Session::default()
        }
    }
}

fn no_good() -> Fault {
    Fault::client(Kind::Session, "the refresh token is of no use any more")
}

/// The scope of the new token: what is asked for, as far as the grant has it, or all that the grant has.
fn narrowed(asked: &IssueToken, grant: &Grant, profile: &Profile) -> Result<Text, Fault> {
    let held: Vec<&str> = if grant.scope.is_empty() {
        profile.scopes.iter().map(Text::as_str).collect()
    } else {
        grant.scope.split_whitespace().collect()
    };
    if let Some(wrong) = asked
        .scope
        .split_whitespace()
        .find(|scope| !held.contains(scope))
    {
        let words = format!("the refresh token is not for {wrong}");
        return Err(Fault::client(Kind::Scope, words));
    }
    Ok(if asked.scope.is_empty() {
        held.join(" ").into()
    } else {
        asked.scope.clone()
    })
}
