//! The facts of a dialect that decide what may be sent and how lists are shown: a mapping's `[facts]`.
//!
//! A profile travels with each request and stands on each upstream, so that limits are checked against both sides
//! without naming either.

use unicode_segmentation::UnicodeSegmentation;

use super::{Fault, Kind, Message, Window};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The longest text of one message.
    pub text_max: Option<Limit>,
    /// Groups of fields; of each group a message must have at least one.
    pub needs: Vec<Vec<Part>>,
    pub ids: IdKind,
    pub precision: Precision,
    /// The newest messages that a list can reach; `None` means all. Zero means that there are no lists.
    pub history: Option<u32>,
    pub page_default: Option<u32>,
    pub page_max: Option<u32>,
    pub order: Order,
    /// A list of an unknown channel is empty instead of a fault.
    pub lists_unknown: bool,
    pub token: TokenKind,
    /// Characters of a session id; sessions live this many seconds.
    pub session_length: u32,
    pub session_seconds: u32,
    pub token_seconds: Option<u32>,
    /// The scopes that a token may have; the one that sending needs.
    pub scopes: Vec<super::Text>,
    pub send_scope: super::Text,
    /// The one without which a token is not told what is its person's own alone to know.
    pub private_scope: super::Text,
}

/// A length and the unit it is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub count: u32,
    pub unit: Unit,
}

/// Declares an enum of facts together with the names it has in mappings.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident $text:literal),* $(,)? })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),* }

        impl $name {
            /// Every name, for messages that list what is possible.
            pub const NAMES: &[&str] = &[$($text),*];

            pub fn from_name(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)* _ => None }
            }
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }
    )* };
}

names! {
    Unit { Bytes "bytes", #[default] Chars "chars", Graphemes "graphemes", Utf16 "utf16" }

    /// A part of a message that a send may need.
    Part { #[default] Text "text", Media "media", Event "event", Data "data" }

    /// What the ids that clients of this dialect see look like.
    IdKind {
        /// The dialect shows no ids.
        #[default] None "none",
        Integer "integer",
        Text "text",
        SlackTs "slack_ts",
        Snowflake "snowflake",
    }

    /// How finely the dialect carries a message's time.
    Precision { #[default] None "none", Seconds "seconds", Millis "millis", Micros "micros" }

    /// How the dialect's lists are ordered on the wire. In the model they are oldest first.
    Order { #[default] OldestFirst "oldest_first", NewestFirst "newest_first" }

    TokenKind {
        #[default] Opaque "opaque",
        /// Clients of this dialect decode the token as a JSON Web Token to learn its expiry.
        Jwt "jwt",
    }
}

impl Limit {
    /// The text's length in this limit's unit.
    pub fn measure(&self, text: &str) -> usize {
        match self.unit {
            Unit::Bytes => text.len(),
            Unit::Chars => text.chars().count(),
            Unit::Graphemes => text.graphemes(true).count(),
            Unit::Utf16 => text.encode_utf16().count(),
        }
    }

    /// Is the text longer? Counting starts only where it can matter.
    pub fn exceeded(&self, text: &str) -> bool {
        text.len() > self.count as usize && self.measure(text) > self.count as usize
    }
}

impl Profile {
    /// Gives a list the length that lists of this dialect have where none was asked for, and never more than they may
    /// have.
    pub fn bound(&self, window: &mut Window) {
        if window.limit.is_none() && window.first.is_none() && window.last.is_none() {
            window.limit = self.page_default.map(i64::from);
        }
        let max = self.page_max.map_or(i64::MAX, i64::from);
        for length in [&mut window.limit, &mut window.first, &mut window.last] {
            *length = length.map(|length| length.min(max));
        }
    }

    /// Checks what a message needs and how long it may be.
    ///
    /// # Errors
    /// `invalid.blank` or `invalid.too_long`, naming the model's field; the dialect puts its own name there.
    pub fn check(&self, message: &Message) -> Result<(), Fault> {
        for group in &self.needs {
            if !group.iter().any(|part| part.present(message)) {
                let field = group.first().map_or("text", |part| part.name());
                return Err(Fault::client(Kind::Blank, "the message is blank").field(field));
            }
        }
        match &self.text_max {
            Some(limit) if limit.exceeded(&message.text) => {
                let words = format!(
                    "the text has {} {}; at most {} are possible",
                    limit.measure(&message.text),
                    limit.unit.name(),
                    limit.count
                );
                let mut fault = Fault::client(Kind::TooLong, words).field("text");
                fault.details.limit = Some(i64::from(limit.count));
                Err(fault)
            }
            _ => Ok(()),
        }
    }
}

impl Part {
    fn present(self, message: &Message) -> bool {
        match self {
            Part::Text => !message.text.trim().is_empty(),
            Part::Media => !message.media.is_empty(),
            Part::Event => !message.event.is_empty(),
            Part::Data => !message.data.0.is_empty(),
        }
    }
}
