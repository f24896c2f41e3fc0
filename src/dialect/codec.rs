//! Codecs: how one value of the model is spelt on the wire.
//!
//! A closed list. Each turns a model value into a wire scalar and back; one that cannot go back says `one_way`. What
//! a codec cannot read is the client's mistake and never a panic.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::civil;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::escape;
use super::tape::{At, Kind};
use crate::model::Time;
use crate::model::record::{Type, Value};

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
    /// Text in which `&`, `<` and `>` are written as entities, Slack's only reserved characters.
    SlackText "slack_text",
    /// A moment that the wire excludes and the model includes: written one step earlier or later.
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
            | Codec::Email
            | Codec::Presence
            | Codec::OneOrMany => {
                matches!(kind, Type::Text)
            }
            Codec::Medium => matches!(kind, Type::Record(schema) if schema.name == "Media"),
            Codec::Millis | Codec::Page => matches!(kind, Type::Int),
            Codec::SlackTs => matches!(kind, Type::Time | Type::Text),
            Codec::Flag => matches!(kind, Type::Bool),
            Codec::Not => matches!(kind, Type::Bool),
            Codec::StringOf => matches!(kind, Type::Text),
            Codec::JsonText => matches!(kind, Type::Json),
            Codec::Decimal => matches!(kind, Type::Int),
            _ => matches!(kind, Type::Time),
        }
    }

    /// Spells a value. `None` if it has no spelling, which is written as absence.
    pub fn encode<'v>(self, value: Value<'v>, scratch: &'v mut String) -> Option<Scalar<'v>> {
        scratch.clear();
        Some(match (self, value) {
            // An id that is no number is still an id, and `007` is not 7.
            (Codec::Int, Value::Text(text)) => match text.parse::<i64>() {
                Ok(int) if *itoa::Buffer::new().format(int) == *text => Scalar::Int(int),
                _ => Scalar::Text(text),
            },
            (Codec::Text, Value::Int(int)) | (Codec::Decimal, Value::Int(int))
                if self == Codec::Text =>
            {
                let _ = write!(scratch, "{int}");
                Scalar::Text(scratch)
            }
            (Codec::Decimal, Value::Int(int)) => {
                let _ = write!(scratch, "{int}.0");
                Scalar::Json(scratch)
            }
            (Codec::Flag, Value::Bool(flag)) => Scalar::Int(i64::from(flag)),
            (Codec::Not, Value::Bool(flag)) => Scalar::Bool(!flag),
            (Codec::JsonText, Value::Json(json)) => Scalar::Text(json),
            (Codec::Lower, Value::Text(text)) => {
                scratch.push_str(&text.to_lowercase());
                Scalar::Text(scratch)
            }
            (Codec::Millis, Value::Int(int)) => Scalar::Int(int.saturating_mul(1_000)),
            (Codec::SlackText, Value::Text(text)) if text.contains(['&', '<', '>']) => {
                scratch.push_str(
                    &text
                        .replace('&', "&amp;")
                        .replace('<', "&lt;")
                        .replace('>', "&gt;"),
                );
                Scalar::Text(scratch)
            }
            (Codec::Short25, Value::Text(text)) if text.chars().count() > 25 => {
                let digest = Sha256::digest(text.as_bytes());
                scratch.push_str(&URL_SAFE_NO_PAD.encode(digest)[..25]);
                Scalar::Text(scratch)
            }
            (_, Value::Text(text)) => Scalar::Text(text),
            (_, Value::Int(int)) => Scalar::Int(int),
            (_, Value::Bool(flag)) => Scalar::Bool(flag),
            (_, Value::Json(json)) => Scalar::Json(json),
            (_, Value::Time(time)) => return self.encode_time(time, scratch),
            _ => return None,
        })
    }

    fn encode_time(self, time: Time, out: &mut String) -> Option<Scalar<'_>> {
        match self.excluding() {
            // Read only: the boundary that includes its moment is written.
            Some((Codec::UnixMs, _)) => return None,
            Some((inner, step)) => return inner.encode_time(Time(time.0 + step), out),
            None => {}
        }
        let second = time.seconds();
        let micros = time.0.rem_euclid(1_000_000);
        match self {
            Codec::UnixS => return Some(Scalar::Int(second)),
            Codec::UnixMs => return Some(Scalar::Int(time.millis())),
            Codec::UnixSText => write!(out, "{second}"),
            Codec::UnixMsText => write!(out, "{}", time.millis()),
            Codec::SlackTs => write!(out, "{second}.{micros:06}"),
            _ => {
                let utc = jiff::Timestamp::from_second(second)
                    .ok()?
                    .to_zoned(TimeZone::UTC)
                    .datetime();
                self.write_civil(utc, micros, out)
            }
        }
        .ok()?;
        Some(Scalar::Text(out))
    }

    fn write_civil(self, utc: civil::DateTime, micros: i64, out: &mut String) -> std::fmt::Result {
        if self == Codec::PhpDate {
            return out.write_str(&utc.strftime("%B %-d, %Y, %-I:%M %P").to_string());
        }
        let (date, time) = (utc.date(), utc.time());
        write!(
            out,
            "{:04}-{:02}-{:02}T",
            date.year(),
            date.month(),
            date.day()
        )?;
        write!(
            out,
            "{:02}:{:02}:{:02}",
            time.hour(),
            time.minute(),
            time.second()
        )?;
        match self {
            Codec::Rfc3339Micros => write!(out, ".{micros:06}Z"),
            Codec::Rfc3339MicrosOffset => write!(out, ".{micros:06}+00:00"),
            Codec::Rfc3339Millis => write!(out, ".{:03}Z", micros / 1_000),
            Codec::Rfc3339Seconds => out.write_str("Z"),
            _ => Ok(()),
        }
    }

    /// Understands what stands at a place, as a value of the field's type. `textual` places (paths, queries, forms,
    /// headers) spell numbers and truths as text.
    pub fn decode<'v>(
        self,
        at: At<'v>,
        kind: &Type,
        textual: bool,
        scratch: &'v mut String,
    ) -> Option<Value<'v>> {
        scratch.clear();
        if self == Codec::Page {
            let page = match at.kind() {
                Kind::Int(int) => int,
                Kind::Text(text) => text.parse().unwrap_or(0),
                _ => 0,
            };
            return Some(if page >= 1 {
                Value::Int(page)
            } else {
                Value::Absent
            });
        }
        if matches!(kind, Type::Json) {
            return self.decode_json(at, scratch);
        }
        if self == Codec::StringOf {
            return text_within(at).map(Value::Text);
        }
        match at.kind() {
            Kind::Text(text) if self == Codec::SlackText && text.contains('&') => {
                scratch.push_str(
                    &text
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&amp;", "&"),
                );
                Some(Value::Text(scratch))
            }
            Kind::Text(text) => self.decode_text(text, kind, textual),
            Kind::Int(int) => self.decode_int(int, kind, textual, scratch),
            Kind::Big(big) if matches!(kind, Type::Text) && (self.accepts_digits() || textual) => {
                let _ = write!(scratch, "{big}");
                self.check_text(scratch)
            }
            Kind::Bool(flag) if matches!(kind, Type::Bool) => {
                Some(Value::Bool(flag != (self == Codec::Not)))
            }
            // A count of seconds with a fraction: waiting a little longer is always right.
            Kind::Float(float)
                if matches!(kind, Type::Int) && self == Codec::Decimal && float.abs() < 1e15 =>
            {
                Some(Value::Int(float.ceil() as i64))
            }
            _ => None,
        }
    }

    fn decode_json<'v>(self, at: At<'v>, scratch: &'v mut String) -> Option<Value<'v>> {
        match (self, at.kind()) {
            (Codec::JsonText, Kind::Text(text)) => {
                super::tape::Tape::json(text.as_bytes()).ok()?;
                Some(Value::Json(text))
            }
            (Codec::JsonText, _) => None,
            _ => {
                at.write_json(scratch);
                Some(Value::Json(scratch))
            }
        }
    }

    /// Understands a text, which may be the whole of a textual place or a part of one.
    pub fn decode_text<'v>(self, text: &'v str, kind: &Type, textual: bool) -> Option<Value<'v>> {
        match kind {
            Type::Text => self.check_text(text),
            Type::Int if textual || matches!(self, Codec::Int | Codec::Text) => {
                text.parse().ok().map(Value::Int)
            }
            Type::Int if self == Codec::Decimal => text
                .parse::<f64>()
                .ok()
                .map(|float| Value::Int(float.ceil() as i64)),
            Type::Bool if textual => match text {
                "true" | "1" => Some(Value::Bool(self != Codec::Not)),
                "false" | "0" => Some(Value::Bool(self == Codec::Not)),
                _ => None,
            },
            Type::Time => self.decode_time(text).map(Value::Time),
            _ => None,
        }
    }

    fn check_text<'v>(self, text: &'v str) -> Option<Value<'v>> {
        let good = match self {
            Codec::Id => !text.is_empty() && text != "." && text != ".." && text.len() <= 255,
            Codec::Bytes(count) => text.len() == usize::from(count) || text.is_empty(),
            Codec::MaxBytes(count) => text.len() <= usize::from(count),
            Codec::MinChars(count) => text.chars().count() >= usize::from(count) || text.is_empty(),
            Codec::Presence => matches!(text, "online" | "offline"),
            Codec::Email => {
                text.is_empty()
                    || text.split_once('@').is_some_and(|(before, behind)| {
                        !before.is_empty() && !behind.is_empty() && !behind.contains('@')
                    }) && !text.contains(char::is_whitespace)
            }
            Codec::Int => text.parse::<i64>().is_ok() || text.is_empty(),
            _ => true,
        };
        good.then_some(Value::Text(text))
    }

    fn accepts_digits(self) -> bool {
        matches!(self, Codec::Int | Codec::Text | Codec::Id)
    }

    fn decode_int<'v>(
        self,
        int: i64,
        kind: &Type,
        textual: bool,
        scratch: &'v mut String,
    ) -> Option<Value<'v>> {
        match kind {
            Type::Int if self == Codec::Millis => {
                Some(Value::Int(int.saturating_add(999).div_euclid(1_000)))
            }
            Type::Int => Some(Value::Int(int)),
            Type::Text if self.accepts_digits() || textual => {
                let _ = write!(scratch, "{int}");
                self.check_text(scratch)
            }
            Type::Bool if self == Codec::Flag => Some(Value::Bool(int != 0)),
            Type::Time => match self {
                Codec::UnixS | Codec::UnixSText => Some(Value::Time(Time::from_seconds(int))),
                Codec::UnixMs | Codec::UnixMsText => Some(Value::Time(Time::from_millis(int))),
                Codec::UnixMsAfter | Codec::UnixMsBefore => {
                    let (_, step) = self.excluding()?;
                    Some(Value::Time(Time(Time::from_millis(int).0 - step)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The codec of a boundary that the wire excludes, and the microseconds from the model's boundary to it.
    fn excluding(self) -> Option<(Codec, i64)> {
        match self {
            Codec::SlackTsAfter => Some((Codec::SlackTs, -1)),
            Codec::SlackTsBefore => Some((Codec::SlackTs, 1)),
            Codec::UnixMsAfter => Some((Codec::UnixMs, -1_000)),
            Codec::UnixMsBefore => Some((Codec::UnixMs, 1_000)),
            _ => None,
        }
    }

    fn decode_time(self, text: &str) -> Option<Time> {
        if let Some((inner, step)) = self.excluding() {
            return inner.decode_time(text).map(|time| Time(time.0 - step));
        }
        match self {
            Codec::UnixS | Codec::UnixSText => text.parse().ok().map(Time::from_seconds),
            Codec::UnixMs | Codec::UnixMsText => text.parse().ok().map(Time::from_millis),
            Codec::SlackTs => {
                let (seconds, micros) = text.split_once('.').unwrap_or((text, "0"));
                let micros: i64 = format!("{micros:0<6}").get(..6)?.parse().ok()?;
                Some(Time(
                    seconds
                        .parse::<i64>()
                        .ok()?
                        .checked_mul(1_000_000)?
                        .checked_add(micros)?,
                ))
            }
            // Discord's ids count milliseconds from 2015 above 22 bits (discord-api-docs, snowflakes).
            Codec::Snowflake => Some(Time::from_millis(
                (text.parse::<u64>().ok()? >> 22) as i64 + 1_420_070_400_000,
            )),
            _ => parse_civil(text),
        }
    }
}

/// Any of the usual spellings; without a zone, UTC is meant.
fn parse_civil(text: &str) -> Option<Time> {
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(Time(stamp.as_microsecond()));
    }
    let civil: civil::DateTime = text.parse().ok()?;
    Some(Time(
        civil
            .to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_microsecond(),
    ))
}

fn text_within(at: At<'_>) -> Option<&str> {
    if let Kind::Text(text) = at.kind() {
        return Some(text);
    }
    ["text", "message", "body", "content"]
        .iter()
        .find_map(|name| match at.member(name)?.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        })
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
