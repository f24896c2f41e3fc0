//! Who is calling, and what they may do: decided once, on the model's words, for every dialect alike.
//!
//! [`Auth::identify`] turns what a request proves into a [`Caller`]; [`Auth::session`] answers the commands that make
//! and end sessions, which are never relayed. It names no dialect: which proofs there are is the mapping's business,
//! what they are worth is decided here. Before it stands the exchange, after it the route.

mod account;
mod program;
mod refresh;
mod session;
mod sessions;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::format_compact;

pub use account::{Account, Application, Channels, GlimeshApp, KeyauthApp, May};
pub use sessions::Sessions;
pub use token::{NoRandomness, letters};

use crate::model::{App, Credential, Fault, Kind, Person, Secret, Text, Time};
use session::{Kept, Session};
use token::Digest;

/// The accounts and applications of one configuration, and the sessions in force.
pub struct Auth {
    accounts: Vec<Arc<Account>>,
    applications: Vec<Arc<Application>>,
    by_name: HashMap<Text, usize>,
    by_token: HashMap<Digest, usize>,
    by_license: HashMap<Digest, usize>,
    by_refresh: HashMap<Digest, usize>,
    sessions: Arc<Sessions>,
}

/// Who is calling, once known.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The account's name, or the application's where no person is behind it.
    pub name: Text,
    pub person: Arc<Person>,
    pub may: May,
    /// The person's account, unless a program calls for itself.
    pub account: Option<Arc<Account>>,
    /// The program through which it calls, which may be held to less than the person is.
    pub program: Option<Arc<Application>>,
    /// What the token is for that it calls with; none where that is everything.
    pub scope: Option<Text>,
}

/// Everything that a request's proofs say.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub application: Option<Arc<Application>>,
    /// The hash under which the session is kept.
    pub session: Option<Digest>,
    /// What the client brought to the key that seals its replies.
    pub key: Secret,
    pub principal: Option<Principal>,
}

impl Principal {
    fn person(account: &Arc<Account>, program: Option<&Arc<Application>>) -> Principal {
        Principal {
            name: account.person.name.clone(),
            person: account.person.clone(),
            may: program.map_or(account.may, |program| account.may.and(program.may)),
            account: Some(account.clone()),
            program: program.cloned(),
            scope: None,
        }
    }

    fn program(application: &Arc<Application>) -> Principal {
        let name = application.name.clone();
        Principal {
            person: Arc::new(Person {
                id: name.clone(),
                name: name.clone(),
                ..Person::default()
            }),
            name,
            may: application.may,
            account: None,
            program: Some(application.clone()),
            scope: None,
        }
    }

    /// Who it is among people and programs, which may have the same names.
    pub fn signature(&self) -> Text {
        match self.account {
            Some(_) => self.person.id.clone(),
            // No name has a line's end.
            None => format_compact!("program\n{}", self.person.id),
        }
    }

    /// Is what it calls with good for what needs this scope?
    pub fn holds(&self, scope: &str) -> bool {
        let has = |held: &Text| held.split_whitespace().any(|word| word == scope);
        scope.is_empty() || self.scope.as_ref().is_none_or(has)
    }

    /// May this caller know of the channel?
    pub fn reaches(&self, channel: &str) -> bool {
        let account = self.account.as_ref().map(|account| &account.channels);
        let program = self.program.as_ref().map(|program| &program.channels);
        let mut held = account.into_iter().chain(program);
        held.all(|channels| channels.has(channel))
    }
}

impl Caller {
    /// The principal, or the fault that there is none.
    ///
    /// # Errors
    /// `unauthenticated`: nobody signed in.
    pub fn signed_in(&self) -> Result<&Principal, Fault> {
        self.principal
            .as_ref()
            .ok_or_else(|| Fault::client(Kind::Unauthenticated, "nobody is signed in"))
    }

    /// What the configuration knows of the program, for the reply to tell.
    pub fn complete(&self, app: &mut App) {
        if let Some(facts) = self
            .application
            .as_ref()
            .and_then(|application| application.keyauth.as_ref())
        {
            app.version = facts.version.clone();
            app.link = facts.link.clone();
            app.download = facts.download.clone();
            app.text_time = facts.text_time.then_some(true);
        }
    }

    /// The application's secret that seals replies.
    pub fn application_secret(&self) -> Option<&Secret> {
        self.application
            .as_ref()?
            .keyauth
            .as_ref()
            .map(|facts| &facts.secret)
    }
}

impl Auth {
    pub fn new(
        accounts: Vec<Account>,
        applications: Vec<Application>,
        sessions: Arc<Sessions>,
    ) -> Auth {
        let accounts: Vec<Arc<Account>> = accounts.into_iter().map(Arc::new).collect();
        let index = |secret: fn(&Account) -> &Secret| {
            accounts
                .iter()
                .enumerate()
                .filter(|(_, account)| !secret(account).0.is_empty())
                .map(|(at, account)| (Digest::of(&secret(account).0), at))
                .collect()
        };
        let names = accounts.iter().enumerate();
        let by_name = names
            .map(|(at, account)| (account.person.name.clone(), at))
            .collect();
        let by_token = index(|account| &account.token);
        let by_license = index(|account| &account.license);
        let by_refresh = index(|account| &account.refresh_token);
        Auth {
            by_name,
            by_token,
            by_license,
            by_refresh,
            accounts,
            applications: applications.into_iter().map(Arc::new).collect(),
            sessions,
        }
    }

    /// Everyone who has an account, as `local` knows them.
    pub fn people(&self) -> Vec<Person> {
        self.accounts
            .iter()
            .map(|account| (*account.person).clone())
            .collect()
    }

    /// Which program calls, where the request names one.
    ///
    /// # Errors
    /// `unauthenticated.application`: none of that name and owner.
    pub fn application(&self, app: &App) -> Result<Option<Arc<Application>>, Fault> {
        if app.ownerid.is_empty() {
            return Ok(None);
        }
        let known = self.applications.iter().find(|application| {
            application
                .keyauth
                .as_ref()
                .is_some_and(|facts| facts.ownerid == app.ownerid)
                && application.name == app.name
        });
        match known {
            Some(application) => Ok(Some(application.clone())),
            None => {
                Err(Fault::client(Kind::Application, "no such application").value(app.name.clone()))
            }
        }
    }

    /// Understands what a request proves.
    ///
    /// # Errors
    /// A proof was given that proves nothing: an unknown application, session, token or secret. A request without any
    /// proof is a caller without a principal.
    pub fn identify(&self, app: &App, credential: &Credential, now: Time) -> Result<Caller, Fault> {
        let application = self.application(app)?;
        if !credential.session.0.is_empty() {
            return self.by_session(&credential.session.0, application, now);
        }
        if !credential.token.0.is_empty() {
            return self.by_token(&credential.token.0, application, now);
        }
        if !credential.secret.0.is_empty() {
            return self.by_secret(&credential.secret.0);
        }
        if !credential.client_id.0.is_empty() {
            return self.by_client(credential);
        }
        Ok(Caller {
            application,
            ..Caller::default()
        })
    }

    fn by_session(
        &self,
        id: &str,
        application: Option<Arc<Application>>,
        now: Time,
    ) -> Result<Caller, Fault> {
        let name = application
            .as_ref()
            .map_or("", |application| &application.name);
        let hash = Digest::of(id);
        let session = self
            .in_force(&hash, now)
            .filter(|session| session.kind == Kept::Session && session.application == name);
        let Some(session) = session else {
            return Err(Fault::client(Kind::Session, "no such session"));
        };
        let principal = self.account_named(&session.account);
        let principal = principal.map(|account| Principal::person(account, application.as_ref()));
        Ok(Caller {
            application,
            session: Some(hash),
            key: session.key.clone(),
            principal,
        })
    }

    fn by_token(
        &self,
        given: &str,
        application: Option<Arc<Application>>,
        now: Time,
    ) -> Result<Caller, Fault> {
        let hash = Digest::of(given);
        let issued = self
            .in_force(&hash, now)
            .filter(|issued| issued.kind.is_token());
        // What the program might do that the token was made for is all that it is good for.
        let application = application.or_else(|| self.named(&issued.as_ref()?.application));
        let account = match (&issued, self.by_token.get(&hash)) {
            (Some(session), _) => self.account_named(&session.account),
            (None, Some(at)) => self.accounts.get(*at),
            (None, None) => None,
        };
        let Some(account) = account else {
            return Err(Fault::client(
                Kind::Session,
                "the token is invalid, revoked or expired",
            ));
        };
        // A token that a program got carries no more than the program may.
        let program = issued.as_ref().and_then(|session| {
            self.applications
                .iter()
                .find(|known| known.name == session.application)
        });
        let mut principal = Principal::person(account, application.as_ref().or(program));
        principal.may.send &= issued.as_ref().is_none_or(|session| session.sends());
        principal.may.moderate &= issued.as_ref().is_none_or(|session| session.sends());
        principal.scope = issued
            .as_ref()
            .and_then(|session| session.limits().cloned());
        Ok(Caller {
            application,
            session: issued.map(|_| hash),
            principal: Some(principal),
            ..Caller::default()
        })
    }

    fn by_secret(&self, given: &str) -> Result<Caller, Fault> {
        let known = self.applications.iter().find(|application| {
            application
                .socket
                .as_ref()
                .is_some_and(|secret| token::same(secret, given))
        });
        match known {
            Some(application) => Ok(Caller {
                principal: Some(Principal::program(application)),
                application: Some(application.clone()),
                ..Caller::default()
            }),
            None => Err(Fault::client(Kind::Application, "the secret is not known")),
        }
    }

    fn named(&self, name: &str) -> Option<Arc<Application>> {
        let mut known = self.applications.iter();
        known
            .find(|application| !name.is_empty() && application.name == name)
            .cloned()
    }

    fn account_named(&self, name: &str) -> Option<&Arc<Account>> {
        self.accounts.get(*self.by_name.get(name)?)
    }

    fn in_force(&self, hash: &Digest, now: Time) -> Option<Arc<Session>> {
        self.sessions.find(hash, now)
    }
}
