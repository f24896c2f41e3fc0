//! Codecs: how one value of the model is spelt on the wire.
//!
//! A closed list. Each turns a model value into a wire scalar and back; one that cannot go back says `one_way`. What
//! a codec cannot read is the client's mistake and never a panic. Here is what they are and fit; `encode` and `decode`
//! are the two directions, `civil` the dates that several of them share.

mod civil;
mod decode;
mod encode;

use super::escape;
use crate::model::record::Type;

/// What stands before the number in a Relay cursor.
const CONNECTION: &str = "arrayconnection:";

/// One value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Text(&'a str),
    Int(i64),
    Bool(bool),
    /// The text of any JSON value.
    Json(&'a str),
}

macro_rules! codecs {
    ($($(#[$meta:meta])* $codec:ident $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Codec {
            /// The value's own JSON type.
            #[default]
            Plain,
            /// A text of exactly so many bytes.
            Bytes(u16),
            /// A text of at most so many bytes.
            MaxBytes(u16),
            /// A text of at least so many characters.
            MinChars(u16),
            $($(#[$meta])* $codec),*
        }

        impl Codec {
            /// Every name that a mapping may write behind the colon, but for `bytes_N`, `max_bytes_N`, `min_chars_N`.
            pub const NAMES: &[&str] = &[$($name),*];

            pub fn from_name(name: &str) -> Option<Codec> {
                let counted: [(&str, fn(u16) -> Codec); 3] =
                    [("bytes_", Codec::Bytes), ("max_bytes_", Codec::MaxBytes), ("min_chars_", Codec::MinChars)];
                for (prefix, codec) in counted {
                    if let Some(count) = name.strip_prefix(prefix) {
                        return count.parse().ok().map(codec);
                    }
                }
                match name { $($name => Some(Codec::$codec),)* _ => None }
            }
        }
    };
}

codecs! {
    /// A JSON integer; digits in a string are read too.
    Int "int",
    /// A JSON string; integers are read too.
    Text "text",
    /// A string that can stand in a path: not empty, no dots alone, at most 255 bytes.
    Id "id",
    UnixS "unix_s",
    UnixSText "unix_s_text",
    UnixMs "unix_ms",
    UnixMsText "unix_ms_text",
    /// A millisecond that belongs to what it ends: read as its last microsecond.
    UnixMsEnd "unix_ms_end",
    /// `2020-07-28T10:05:26.000000Z`
    Rfc3339Micros "rfc3339_micros",
    Rfc3339Millis "rfc3339_millis",
    Rfc3339Seconds "rfc3339_seconds",
    /// `2020-07-28T10:05:26.000000+00:00`
    Rfc3339MicrosOffset "rfc3339_micros_offset",
    /// `2021-01-08T05:03:44`, meant as UTC
    NaiveSeconds "naive_seconds",
    /// `January 5, 2024, 3:04 pm`; one way
    PhpDate "php_date",
    /// `1503435956.000247`: seconds and microseconds
    SlackTs "slack_ts",
    /// The moment in a Discord id; read only
    Snowflake "snowflake",
    /// 1 and 0
    Flag "flag",
    /// The opposite truth.
    Not "not",
    /// The text within any JSON value: a string itself, an object's `text`, `message`, `body` or `content`; read only
    StringOf "string_of",
    /// A string that holds JSON text.
    JsonText "json_text",
    /// A whole number of seconds written as a decimal fraction.
    Decimal "decimal",
    /// Written in lower case.
    Lower "lower",
    /// Written in upper case and read in lower case.
    Upper "upper",
    /// Text in which `&`, `<` and `>` are written as entities, Slack's only reserved characters.
    SlackText "slack_text",
    /// A moment that the wire excludes and the model includes: written one step earlier or later. A text is a message's
    /// id, which the model excludes too.
    SlackTsAfter "slack_ts_after",
    SlackTsBefore "slack_ts_before",
    UnixMsAfter "unix_ms_after",
    UnixMsBefore "unix_ms_before",
    /// Seconds ↔ a JSON integer of milliseconds; reading rounds up.
    Millis "millis",
    /// A text with one `@` that has something on both sides.
    Email "email",
    /// `online` or `offline`.
    Presence "presence",
    /// A whole number from 1; anything else is read as absent.
    Page "page",
    /// The first of a message's media: its address as a string, or the value that it is.
    Medium "medium",
    /// A list of texts, of which one alone stands without an array.
    OneOrMany "one_or_many",
    /// A place in a list, as Relay's connections write it: base64 of `arrayconnection:` and a number.
    RelayCursor "relay_cursor",
    /// At most 25 characters; a longer text is written as the beginning of its SHA-256.
    Short25 "short_25",
}

impl Codec {
    /// Can what it writes be read back as it was?
    pub fn one_way(self) -> bool {
        matches!(
            self,
            Codec::PhpDate
                | Codec::Snowflake
                | Codec::StringOf
                | Codec::Lower
                | Codec::UnixMsAfter
                | Codec::UnixMsBefore
        )
    }

    /// Can it spell values of this type?
    pub fn fits(self, kind: &Type) -> bool {
        let kind = if let Type::List(item) = kind {
            item
        } else {
            kind
        };
        match self {
            Codec::Plain => !matches!(kind, Type::Time),
            Codec::Int | Codec::Text => matches!(kind, Type::Text | Type::Int),
            Codec::Id
            | Codec::Bytes(_)
            | Codec::MaxBytes(_)
            | Codec::MinChars(_)
            | Codec::Lower => {
                matches!(kind, Type::Text)
            }
            Codec::SlackText
            | Codec::Short25
            | Codec::Upper
            | Codec::Email
            | Codec::Presence
            | Codec::RelayCursor
            | Codec::OneOrMany => {
                matches!(kind, Type::Text)
            }
            Codec::Medium => matches!(kind, Type::Record(schema) if schema.name == "Media"),
            Codec::Millis | Codec::Page => matches!(kind, Type::Int),
            Codec::SlackTs | Codec::SlackTsAfter | Codec::SlackTsBefore => {
                matches!(kind, Type::Time | Type::Text)
            }
            Codec::Flag => matches!(kind, Type::Bool),
            Codec::Not => matches!(kind, Type::Bool),
            Codec::StringOf => matches!(kind, Type::Text),
            Codec::JsonText => matches!(kind, Type::Json),
            Codec::Decimal => matches!(kind, Type::Int),
            _ => matches!(kind, Type::Time),
        }
    }

    /// The codec of a boundary that the wire excludes, and the microseconds from the model's boundary to it.
    fn excluding(self) -> Option<(Codec, i64)> {
        match self {
            Codec::SlackTsAfter => Some((Codec::SlackTs, -1)),
            Codec::SlackTsBefore => Some((Codec::SlackTs, 1)),
            Codec::UnixMsAfter => Some((Codec::UnixMs, -1_000)),
            Codec::UnixMsBefore => Some((Codec::UnixMs, 1)),
            _ => None,
        }
    }
}

impl Scalar<'_> {
    /// Writes the scalar as JSON.
    pub fn write_json(self, style: escape::Style, out: &mut Vec<u8>) {
        match self {
            Scalar::Text(text) => escape::json_text(text, style, out),
            Scalar::Int(int) => out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes()),
            Scalar::Bool(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            Scalar::Json(json) => out.extend_from_slice(json.as_bytes()),
        }
    }

    /// Writes the scalar as bare text; the place escapes it.
    pub fn write_text(self, out: &mut String) {
        match self {
            Scalar::Text(text) | Scalar::Json(text) => out.push_str(text),
            Scalar::Int(int) => out.push_str(itoa::Buffer::new().format(int)),
            Scalar::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
        }
    }
}
