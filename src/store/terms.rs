//! The values that go into and come out of a store beside the model's own.
//!
//! They are the same for every engine, and none of them is stored as it is: that is for `record`.

use crate::model::{Message, Text, Time, Window};

/// Unread messages are counted up to here.
pub const UNREAD_MAX: i64 = 1_000;

/// A message to be kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub upstream: Text,
    pub message: Message,
    /// The sender's own name for this send: the same one in the same channel is the same message.
    pub client_ref: Option<Text>,
}

/// Which messages of a channel a list is about. What is empty does not narrow it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub author: Text,
    pub session: Text,
}

/// A part of a list, oldest first, and the window it fills.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub messages: Vec<Message>,
    pub window: Window,
}

/// A person's own mark on a message or on a whole channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    pub person: Text,
    pub upstream: Text,
    pub channel: Text,
    /// `None`: the channel itself.
    pub message: Option<Text>,
    pub kind: MarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarkKind {
    Seen,
    Starred,
    Pinned,
    Archived,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Set(bool),
    Toggle,
}

/// What comes of a moderator's deed for whether its person may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Nothing,
    Bars,
    Frees,
}

/// A person that is kept from speaking in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Barred {
    pub channel: Text,
    pub person: Text,
    /// The end of the timeout that ends last.
    pub until: Option<Time>,
    /// There is a ban without an end, too.
    pub for_ever: bool,
}

/// A thing by the id that its own service gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Native {
    pub kind: NativeKind,
    pub upstream: Text,
    /// Empty where ids of this kind do not depend on the channel.
    pub channel: Text,
    pub id: Text,
    /// Kept from the first mint on, because aliases are made of it; never part of what the thing is known by.
    pub created_at: Option<Time>,
    /// Of a message, who sent it through Sabir, by its signature; empty where nobody is known to have. The first one
    /// that is told stays, and it is not a part of what the thing is known by either.
    pub sender: Text,
}

/// What aliases of a thing are written from: its number, and the moment that it was first seen with. A service may tell
/// another moment later, but what was given out was written with this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minted {
    pub number: u64,
    pub created_at: Option<Time>,
}

/// A message that was sent and got no id, as far as it can be known again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisional {
    /// The id that stands for the one that it will have.
    pub id: Text,
    pub upstream: Text,
    pub channel: Text,
    /// The author's name there; empty where nobody knows it.
    pub author: Text,
    /// A hash of its text.
    pub print: Text,
    pub sent_at: Time,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NativeKind {
    #[default]
    Message,
    Channel,
    Person,
    Participant,
}

/// A session or a token, by the hash of what the client holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRow {
    pub id: Text,
    pub kind: Text,
    pub account: Text,
    pub application: Text,
    /// JSON that the store does not look into.
    pub data: Text,
    pub created: Time,
    pub expires: Option<Time>,
}

/// What was found when an idempotency key was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody used the key: it is now the caller's, who must settle it.
    Fresh,
    /// The same request is under way.
    InFlight,
    /// The same request was under way when an earlier Sabir ended: nobody knows what became of it.
    Lost,
    /// The same request came to this.
    Done(Vec<u8>),
    /// The key belongs to another request.
    Other,
}

/// What a purge took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub sessions: usize,
    pub claims: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Ok,
    /// Nothing is read or written until the store is reopened.
    Faulted(String),
    Closed,
}
