//! Faults: a small tree of kinds, so that a dialect which knows only the parent still answers well.
//!
//! A fault says what went wrong and whose fault it is, in the model's words; how that looks on the wire is the mapping's,
//! and decided in one place when the reply is rendered.

use std::fmt;

use super::record::{Text, Time, record};

/// Declares the tree: each kind with its dotted name, parents before children.
macro_rules! kinds {
    ($($(#[$meta:meta])* $kind:ident $name:literal,)*) => {
        /// What went wrong, as a leaf or an inner node of the tree that the dots of its name draw.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$meta])* $kind),* }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name),* }
            }
        }
    };
}

kinds! {
    /// The session is known, but nobody signed in to it; or the request carries no credential.
    Unauthenticated "unauthenticated",
    /// No such session.
    Session "unauthenticated.session",
    Credentials "unauthenticated.credentials",
    User "unauthenticated.credentials.user",
    Password "unauthenticated.credentials.password",
    License "unauthenticated.credentials.license",
    Application "unauthenticated.application",
    /// The client program is too old to be served.
    Outdated "unauthenticated.outdated",
    Forbidden "forbidden",
    Muted "forbidden.muted",
    Banned "forbidden.banned",
    Scope "forbidden.scope",
    NotParticipant "forbidden.not_participant",
    NotFound "not_found",
    Channel "not_found.channel",
    Message "not_found.message",
    Person "not_found.user",
    Route "not_found.route",
    /// The dialect has no such path or operation.
    Endpoint "not_found.endpoint",
    Invalid "invalid",
    Blank "invalid.blank",
    TooLong "invalid.too_long",
    Field "invalid.field",
    Malformed "invalid.malformed",
    TooFast "too_fast",
    ChannelTooFast "too_fast.channel",
    Conflict "conflict",
    Unsupported "unsupported",
    Method "unsupported.method",
    Unavailable "unavailable",
    Timeout "timeout",
    /// It may have happened, and it may not.
    OutcomeUnknown "outcome_unknown",
    #[default]
    Internal "internal",
}

impl Kind {
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind one step up the tree.
    pub fn parent(self) -> Option<Kind> {
        Kind::from_name(self.name().rsplit_once('.')?.0)
    }

    /// How many steps it is below the tree's top.
    pub fn depth(self) -> usize {
        self.name().matches('.').count()
    }

    /// Is this the other kind, or a more particular one?
    pub fn is(self, other: Kind) -> bool {
        self == other || self.parent().is_some_and(|parent| parent.is(other))
    }
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    Client,
    #[default]
    Sabir,
    Upstream,
}

record! {
    /// The particulars of a fault that a dialect's answer may tell.
    Details {
        /// What is wrong, for a person to read.
        message: Text,
        /// The member of the request that is at fault, as the wire calls it.
        field: Text,
        /// The value that was not found or not accepted.
        value: Text,
        /// Seconds to wait.
        retry_after: Option<i64>,
        until: Option<Time>,
        /// Minutes until `until`, rounded up.
        minutes: Option<i64>,
        /// What the limit is.
        limit: Option<i64>,
        /// The methods that the path does know, comma separated.
        allow: Text,
    }
}

/// Something went wrong, in the model's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    pub kind: Kind,
    pub origin: Origin,
    pub details: Box<Details>,
}

impl Fault {
    pub fn new(kind: Kind, message: impl Into<Text>) -> Fault {
        Fault {
            kind,
            origin: Origin::Sabir,
            details: Box::new(Details {
                message: message.into(),
                ..Details::default()
            }),
        }
    }

    /// A fault of the client's, and so nothing to alarm an operator.
    pub fn client(kind: Kind, message: impl Into<Text>) -> Fault {
        Fault {
            origin: Origin::Client,
            ..Fault::new(kind, message)
        }
    }

    pub fn upstream(kind: Kind, message: impl Into<Text>) -> Fault {
        Fault {
            origin: Origin::Upstream,
            ..Fault::new(kind, message)
        }
    }

    pub fn field(mut self, field: impl Into<Text>) -> Fault {
        self.details.field = field.into();
        self
    }

    pub fn value(mut self, value: impl Into<Text>) -> Fault {
        self.details.value = value.into();
        self
    }

    pub fn retry_after(mut self, seconds: i64) -> Fault {
        self.details.retry_after = Some(seconds);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.name())?;
        if !self.details.message.is_empty() {
            write!(out, ": {}", self.details.message)?;
        }
        if !self.details.field.is_empty() {
            write!(out, " ({})", self.details.field)?;
        }
        Ok(())
    }
}
