//! The sessions in force, in memory and in the store.
//!
//! They outlive every configuration: who was signed in before a reload is signed in after it, as long as the account
//! is still there. What a session is worth is decided by `Auth`; here it is only kept, looked up and taken away.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use super::session::{Kept, Session};
use super::token::Digest;
use crate::model::{Text, Time};
use crate::store::{Purged, Store, StoreError};

pub struct Sessions {
    /// By the hash of the session's id or the token.
    in_force: RwLock<HashMap<Digest, Arc<Session>>>,
    store: Arc<dyn Store>,
}

impl Sessions {
    /// Takes the sessions that the store remembers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Sessions, StoreError> {
        let rows = store.sessions().await?.into_iter();
        let sessions = rows.filter_map(|row| {
            let hash = Digest::read(&row.id)?;
            Some((hash, Arc::new(Session::from_row(row))))
        });
        Ok(Sessions {
            in_force: RwLock::new(sessions.collect()),
            store,
        })
    }

    pub(super) fn find(&self, hash: &Digest, now: Time) -> Option<Arc<Session>> {
        // A poisoned lock means that a writer panicked between two whole values; what is there is whole.
        let sessions = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        sessions
            .get(hash)
            .filter(|session| session.expires.is_none_or(|expires| now < expires))
            .cloned()
    }

    /// Stores a session, and only then lets it be used.
    pub(super) async fn keep(&self, hash: Digest, session: Session) -> Result<(), StoreError> {
        self.store.put_session(session.row(&hash)).await?;
        self.write().insert(hash, Arc::new(session));
        Ok(())
    }

    pub(super) async fn end(&self, hash: &Digest) -> Result<(), StoreError> {
        self.store.drop_session(&hash.text()).await?;
        self.write().remove(hash);
        Ok(())
    }

    /// Keeps a refresh token as spent; false if it was so before: of two who bring it at once, one comes too late.
    pub(super) async fn spend(&self, hash: &Digest, spent: Session) -> Result<bool, StoreError> {
        let before = {
            let mut sessions = self.write();
            let before = sessions.get(hash).cloned();
            if before.as_ref().is_some_and(|kept| kept.kind == Kept::Spent) {
                return Ok(false);
            }
            sessions.insert(*hash, Arc::new(spent.clone()));
            before
        };
        let stored = self.store.put_session(spent.row(hash)).await;
        if stored.is_err() {
            // It is not spent then: the program may bring it again.
            let mut sessions = self.write();
            match before {
                Some(before) => sessions.insert(*hash, before),
                None => sessions.remove(hash),
            };
        }
        stored.map(|()| true)
    }

    /// Ends every token of a family; those that are spent stay known as such.
    pub(super) async fn revoke(&self, family: &Text) -> Result<(), StoreError> {
        let ends = |kept: &Session| kept.family == *family && kept.kind != Kept::Spent;
        let members: Vec<Digest> = {
            let mut sessions = self.write();
            let members = sessions.extract_if(|_, kept| ends(kept));
            members.map(|(hash, _)| hash).collect()
        };
        for hash in members {
            self.store.drop_session(&hash.text()).await?;
        }
        Ok(())
    }

    /// Forgets what has run out, here and in the store.
    ///
    /// # Errors
    /// The store could not forget it; it is of no use all the same.
    pub async fn purge(&self, now: Time) -> Result<Purged, StoreError> {
        self.write()
            .retain(|_, session| session.expires.is_none_or(|expires| now < expires));
        self.store.purge(now).await
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Digest, Arc<Session>>> {
        self.in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
