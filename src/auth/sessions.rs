//! The sessions in force, in memory and in the store.
//!
//! They outlive every configuration: who was signed in before a reload is signed in after it, as long as the account
//! is still there. What a session is worth is decided by `Auth`; here it is only kept, looked up and taken away.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::session::Session;
use crate::model::{Text, Time};
use crate::store::{Store, StoreError};

pub struct Sessions {
    /// By the hash of the session's id or the token.
    in_force: RwLock<HashMap<Text, Arc<Session>>>,
    store: Arc<dyn Store>,
}

impl Sessions {
    /// Takes the sessions that the store remembers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Sessions, StoreError> {
        let rows = store.sessions().await?.into_iter();
        let sessions = rows.map(|row| (row.id.clone(), Arc::new(Session::from_row(row))));
        Ok(Sessions {
            in_force: RwLock::new(sessions.collect()),
            store,
        })
    }

    pub(super) fn find(&self, hash: &Text, now: Time) -> Option<Arc<Session>> {
        // A poisoned lock means that a writer panicked between two whole values; what is there is whole.
        let sessions = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        sessions
            .get(hash)
            .filter(|session| session.expires.is_none_or(|expires| now < expires))
            .cloned()
    }

    /// Stores a session, and only then lets it be used.
    pub(super) async fn keep(&self, hash: Text, session: Session) -> Result<(), StoreError> {
        self.store.put_session(session.row(hash.clone())).await?;
        self.in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash, Arc::new(session));
        Ok(())
    }

    pub(super) async fn end(&self, hash: &Text) -> Result<(), StoreError> {
        self.store.drop_session(hash).await?;
        self.in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(hash);
        Ok(())
    }
}
