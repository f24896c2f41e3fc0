//! Grants: how Sabir is signed in at an upstream, by its own credential or by a caller's, one task at a time.
//!
//! Where the mapping has exchanges for it, a session is opened and signed in to with the configured credential, and
//! what comes of that is what later calls carry. Services that keep one session per program and address would throw
//! out a second one, so there is exactly one per credential and upstream, shared by all threads, and renewed by whoever
//! first finds that it is gone. Where the configured credential can be sent as it is, it is.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{sleep, timeout_at};

use super::{Ask, Relay};
use crate::dialect::Dialect;
use crate::model::{
    Command, Credential, Fault, Kind, OpenSession, Operation, Person, Reply, SealKeys, Secret,
    SignIn, Text,
};

/// Some services store a fresh session only after they have answered; their own clients wait this long.
const FRESH_PAUSE: Duration = Duration::from_millis(100);

/// What one signing in gave.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    pub credential: Credential,
    pub keys: SealKeys,
    /// Who we are there.
    pub person: Person,
}

/// Those of one upstream.
#[derive(Debug)]
pub struct Grants {
    /// Of the upstream's own credential, which speaks for all who have none there.
    pub ours: Grant,
    /// Of people's own, by the person's id.
    people: RwLock<HashMap<Text, Arc<Grant>>>,
}

impl Grants {
    pub fn new(credential: Credential) -> Grants {
        Grants {
            ours: Grant::of(credential),
            people: RwLock::default(),
        }
    }

    /// The grant of a person's own credential; another one begins anew.
    pub fn own(&self, person: &str, credential: &Credential) -> Arc<Grant> {
        let known = |people: &HashMap<Text, Arc<Grant>>| {
            let grant = people.get(person)?;
            (grant.credential == *credential).then(|| grant.clone())
        };
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(grant) = known(&people) {
            return grant;
        }
        drop(people);
        let mut people = self.people.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have come first.
        known(&people).unwrap_or_else(|| {
            let grant = Arc::new(Grant::of(credential.clone()));
            people.insert(person.into(), grant.clone());
            grant
        })
    }
}

/// One credential, and what signing in with it gave.
#[derive(Debug)]
pub struct Grant {
    /// As it is configured.
    credential: Credential,
    granted: RwLock<Option<Arc<Granted>>>,
    /// Held by whoever signs in.
    signing_in: Mutex<()>,
}

impl Grant {
    fn of(credential: Credential) -> Grant {
        Grant {
            credential,
            granted: RwLock::default(),
            signing_in: Mutex::default(),
        }
    }

    /// What calls carry, after signing in if need be.
    ///
    /// # Errors
    /// The upstream does not let us in, or cannot be asked; or somebody else's asking takes too long.
    pub(super) async fn get(&self, relay: &Relay, ask: &Ask<'_>) -> Result<Arc<Granted>, Fault> {
        if let Some(granted) = self.current() {
            return Ok(granted);
        }
        let turn = match self.signing_in.try_lock() {
            Ok(turn) => Ok(turn),
            Err(_) => timeout_at(ask.until, self.signing_in.lock()).await,
        };
        let _turn = turn.map_err(|_| {
            let words = "nothing was sent: signing in at the upstream took too long";
            Fault::upstream(Kind::Timeout, words)
        })?;
        if let Some(granted) = self.current() {
            return Ok(granted);
        }
        // Boxed like everything rare: it would swell the future of every other request.
        let granted = Arc::new(Box::pin(self.sign_in(relay, ask)).await?);
        *self.granted.write().unwrap_or_else(PoisonError::into_inner) = Some(granted.clone());
        Ok(granted)
    }

    /// A grant turned out to be no longer good: the next call gets a new one.
    pub fn forget(&self, stale: &Arc<Granted>) {
        let mut granted = self.granted.write().unwrap_or_else(PoisonError::into_inner);
        if granted
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, stale))
        {
            *granted = None;
        }
    }

    fn current(&self) -> Option<Arc<Granted>> {
        self.granted
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Can signing in again help when a call is refused?
    pub fn renewable(&self, dialect: &Dialect) -> bool {
        dialect.calls(Operation::OpenSession)
            || (dialect.calls(Operation::SignIn) && self.must_sign_in())
    }

    /// A token or a secret is sent as it is; names and passwords are not.
    fn must_sign_in(&self) -> bool {
        let credential = &self.credential;
        let ready = [&credential.token, &credential.secret, &credential.client_id];
        let proofs = [&credential.license, &credential.password];
        ready.iter().all(|part| part.0.is_empty()) && proofs.iter().any(|part| !part.0.is_empty())
    }

    async fn sign_in(&self, relay: &Relay, ask: &Ask<'_>) -> Result<Granted, Fault> {
        let upstream = &relay.shared.upstreams[ask.at];
        let dialect = relay.dialect(upstream);
        let mut granted = Granted {
            credential: self.credential.clone(),
            keys: SealKeys {
                application: upstream.config.app_secret.clone(),
                session: Secret::default(),
            },
            person: Person::default(),
        };
        if dialect.calls(Operation::OpenSession) {
            open_session(relay, ask, &mut granted).await?;
        } else if !self.must_sign_in() {
            return Ok(granted);
        }
        if !dialect.calls(Operation::SignIn) {
            return Ok(granted);
        }
        let command = Command::SignIn(SignIn::default());
        let delivery = ask.with(&command, &granted.credential, &granted.keys);
        if let Reply::Session(session) = relay.deliver(&delivery).await.map_err(refused)? {
            if !session.token.is_empty() {
                granted.credential.token = Secret(session.token);
            }
            granted.person = *session.person;
        }
        Ok(granted)
    }
}

async fn open_session(relay: &Relay, ask: &Ask<'_>, granted: &mut Granted) -> Result<(), Fault> {
    let version = relay.shared.upstreams[ask.at].config.app.version.clone();
    let mut open = OpenSession {
        version,
        ..OpenSession::default()
    };
    if !granted.keys.application.0.is_empty() {
        // Replies are sealed only for clients that bring a part of the key.
        open.key = format!("{:016x}", rand::random::<u64>()).into();
        granted.keys.session = Secret(open.key.clone());
    }
    let command = Command::OpenSession(open);
    let delivery = ask.with(&command, &granted.credential, &granted.keys);
    if let Reply::Session(session) = relay.deliver(&delivery).await.map_err(refused)? {
        if session.fresh == Some(true) {
            sleep(FRESH_PAUSE).await;
        }
        granted.credential.session = Secret(session.id);
    }
    Ok(())
}

/// That an upstream does not know us is no fault of the client's.
fn refused(fault: Fault) -> Fault {
    match fault.kind {
        kind if kind.is(Kind::Unauthenticated) || kind.is(Kind::Forbidden) => Fault::upstream(
            Kind::Unavailable,
            format!("the upstream does not let Sabir in: {fault}"),
        ),
        _ => fault,
    }
}
