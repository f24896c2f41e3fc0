//! What Sabir remembers: kept messages and channels, people's own marks, ids, sessions, and the journal of keys.
//!
//! [`Store`] is what an engine must do; [`Sqlite`] is the embedded one. A change is answered only when it would
//! survive a power cut, and a call's changes are all there or none is. An engine that cannot promise this any more
//! is *faulted*: every call fails until [`Store::reopen`] has found the data whole again.
//!
//! A store knows no dialect, no clock and no policy: callers bring the time, and decide who may see what. Messages
//! are kept per (upstream, channel), in the order in which they were appended; the upstream [`LOCAL`] is the chat
//! service inside Sabir, whose messages live only here.

mod record;
mod sqlite;
mod terms;
pub mod window;

use std::future::Future;
use std::pin::Pin;

pub use crate::model::LOCAL;
use crate::model::profile::IdKind;
use crate::model::{Channel, Message, Moderation, Text, Time, Window};

pub use record::{read_outcome, write_message, write_outcome};
pub use sqlite::{Config, Durability, Sqlite};
pub use terms::*;

/// What the ids begin with that the store makes for messages whose upstream gave none.
pub const PROVISIONAL: &str = "sabir~";

/// A message that got no id is looked for so long.
pub const PROVISIONAL_SECONDS: i64 = 10 * 60;

/// A journal entry is kept this long.
pub const JOURNAL_SECONDS: i64 = 24 * 60 * 60;

/// What a call comes to. Nothing happens until it is polled; once a change is queued, leaving does not stop it.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The calls of a store.
///
/// # Errors
/// Every call may fail with [`StoreError`]; `Unusable` is the only kind that its arguments can cause.
pub trait Store: Send + Sync {
    // ---- messages and channels

    /// Keeps messages, all or none, and gives them back with their ids.
    ///
    /// Without an id, a message of [`LOCAL`] gets a fresh whole number, and any other one an id that begins with
    /// [`PROVISIONAL`]. A message that is kept already, by its id or by its `client_ref`, is not kept twice: the kept
    /// one is given back as it stands. A channel that is not known yet comes to be.
    fn append(&self, kept: Vec<Kept>) -> Answer<'_, Vec<Message>>;

    /// The messages in a window, oldest first, each with its cursor.
    ///
    /// A cursor is the zero-based place in the filtered list, in decimal. `first` and `last` follow Glimesh's rules
    /// (an `after` wins over a `before`, and either is only a place to start from); `limit` counts from the newest
    /// end, or from the cursor. Ids narrow the list as moments do, and a message that was taken away still has its
    /// place. An unknown channel is empty, and so is what stands before or after an unknown message.
    fn list(
        &self,
        upstream: &str,
        channel: &str,
        filter: &Filter,
        window: &Window,
    ) -> Answer<'_, Page>;

    /// One message, by its id and where that is known its channel.
    fn get(&self, upstream: &str, channel: Option<&str>, id: &str) -> Answer<'_, Option<Message>>;

    /// Changes a message. Fields that are absent in `change` stay as they are. `None`: there is no such message.
    fn edit(&self, upstream: &str, change: Message) -> Answer<'_, Option<Message>>;

    /// Takes a message away and gives back what it was. Its id is never used again.
    fn delete(
        &self,
        upstream: &str,
        channel: Option<&str>,
        id: &str,
    ) -> Answer<'_, Option<Message>>;

    /// The newest messages whose text holds the words, upper or lower case alike; oldest first.
    fn search(
        &self,
        upstream: &str,
        channel: &str,
        words: &str,
        limit: u32,
    ) -> Answer<'_, Vec<Message>>;

    /// Every channel of an upstream with its newest message, in the order in which they came to be known.
    fn channels(&self, upstream: &str) -> Answer<'_, Vec<Channel>>;

    fn channel(&self, upstream: &str, id: &str) -> Answer<'_, Option<Channel>>;

    /// Keeps what is known of a channel, in the place of what was. One of [`LOCAL`] without an id is given one.
    fn put_channel(&self, upstream: &str, channel: Channel) -> Answer<'_, Channel>;

    // ---- what people mark for themselves

    /// Sets or takes off a mark, and says whether it is set now. A channel marked as seen is seen up to its newest
    /// message.
    fn mark(&self, mark: Mark, change: Change) -> Answer<'_, bool>;

    /// The marks of one person, or of all, on these messages and on the channel itself.
    fn marks(
        &self,
        person: Option<&str>,
        upstream: &str,
        channel: &str,
        messages: &[Text],
    ) -> Answer<'_, Vec<Mark>>;

    /// The upstreams but [`LOCAL`] and their channels in which messages are marked, no more than `most` of them; for a
    /// start to load into memory.
    fn marked(&self, most: usize) -> Answer<'_, Vec<(Text, Text)>>;

    /// How many kept messages of others the person has not seen; counting stops at [`UNREAD_MAX`].
    fn unread(&self, person: &str, upstream: &str, channel: &str) -> Answer<'_, i64>;

    /// Remembers whether a person is there. An empty presence forgets it.
    fn set_presence(&self, upstream: &str, person: &str, presence: &str) -> Answer<'_, ()>;

    /// What is remembered of each person; empty where nothing is.
    fn presence(&self, upstream: &str, people: &[Text]) -> Answer<'_, Vec<Text>>;

    // ---- what moderators did

    /// Keeps what a moderator did, and gives it back with its id. Freeing takes back the bans without an end; `None`:
    /// there was none, and nothing is kept.
    fn moderate(
        &self,
        upstream: &str,
        done: Moderation,
        verdict: Verdict,
    ) -> Answer<'_, Option<Moderation>>;

    /// What was done in a channel, oldest first, with the window that it fills: all of it, or the bans and timeouts
    /// that were not taken back. People are told by their ids alone.
    fn moderations(
        &self,
        upstream: &str,
        channel: &str,
        bans: bool,
        window: &Window,
    ) -> Answer<'_, (Vec<Moderation>, Window)>;

    /// Everyone who is or was barred from a channel, for a start to load into memory.
    fn barred(&self, upstream: &str) -> Answer<'_, Vec<Barred>>;

    // ---- ids

    /// The numbers of these things, made where there is none yet; all in one commit. A number is for ever.
    fn mint(&self, natives: Vec<Native>) -> Answer<'_, Vec<Minted>>;

    /// The numbers of these things as far as they have one. Writes nothing.
    fn known(&self, natives: &[Native]) -> Answer<'_, Vec<Option<u64>>>;

    /// What a number stands for.
    fn native(&self, number: u64) -> Answer<'_, Option<Native>>;

    /// What an id stands for that a client was given, of the kind that its dialect shows ([`crate::model::alias`]).
    fn resolve(&self, kind: IdKind, alias: &str) -> Answer<'_, Option<(u64, Native)>>;

    /// A thing that was known by a provisional id has turned out to be `native`; its number now stands for that, and
    /// a message kept under the provisional id goes over to the new one. `false`: there is no such number.
    fn bind(&self, number: u64, native: Native) -> Answer<'_, bool>;

    /// Remembers a message that got no id, until [`Store::bind`] has bound the one that stands for it; those sent more
    /// than [`PROVISIONAL_SECONDS`] before are given up.
    fn put_provisional(&self, sent: Provisional) -> Answer<'_, ()>;

    /// Every message that is remembered so, in the order of their times, for a start to load into memory.
    fn provisionals(&self) -> Answer<'_, Vec<Provisional>>;

    // ---- sessions and the journal

    /// Keeps a session, in the place of one with the same id.
    fn put_session(&self, session: SessionRow) -> Answer<'_, ()>;

    /// Every session, for a start to load into memory.
    fn sessions(&self) -> Answer<'_, Vec<SessionRow>>;

    /// `false`: there was none.
    fn drop_session(&self, id: &str) -> Answer<'_, bool>;

    /// Claims an idempotency key before anything is sent.
    fn claim(&self, scope: &str, key: &str, fingerprint: &[u8], now: Time) -> Answer<'_, Claim>;

    /// Records what became of a claimed key; `None` gives the claim up, so that the key may be tried again.
    fn settle(&self, scope: &str, key: &str, outcome: Option<Vec<u8>>) -> Answer<'_, ()>;

    /// Forgets sessions that have expired and journal entries that are older than [`JOURNAL_SECONDS`].
    fn purge(&self, now: Time) -> Answer<'_, Purged>;

    // ---- the store itself

    fn health(&self) -> Health;

    /// Opens the data anew and checks that it is whole; the way back from a fault.
    fn reopen(&self) -> Answer<'_, ()>;

    /// Finishes what is queued and lets go of the data. Every later call fails with `Closed`.
    fn close(&self) -> Answer<'_, ()>;
}

/// Why a call did not do what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("the store is closed")]
    Closed,
    /// The change was not made: the store had stopped before.
    #[error("the store is faulted: {0}")]
    Faulted(String),
    /// The change counts as not made, yet may be there after a crash: the medium did not say.
    #[error("the commit failed: {0}")]
    Commit(String),
    /// The change was not made. The store goes on when there is room again.
    #[error("the disk is full")]
    Full,
    /// What is written from now on would be gone after a restart.
    #[error(
        "{path} was deleted, moved or replaced while it was open; put it back, or restart Sabir to go on with what is there"
    )]
    Displaced { path: String },
    #[error("reading or writing the data failed: {0}")]
    Medium(String),
    /// This call alone failed.
    #[error("the engine refused the call: {0}")]
    Refused(String),
    #[error("a stored {what} cannot be read: {reason}")]
    Unreadable { what: &'static str, reason: String },
    /// The caller's value is at fault, most often a client's cursor.
    #[error("{field} cannot be used: {reason}")]
    Unusable {
        field: &'static str,
        reason: &'static str,
    },
    #[error("{path} is in use by another Sabir")]
    Locked { path: String },
    #[error("cannot open {path}: {reason}")]
    Open { path: String, reason: String },
}
