//! From the wire: what stands at a place, as a value of the field's type.
//!
//! What cannot be read is nobody's crash: it is absent, and the reader decides whose mistake that is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{CONNECTION, Codec, civil};
use crate::dialect::tape::{At, Kind, Tape};
use crate::model::Time;
use crate::model::record::{Type, Value};

impl Codec {
    /// Understands what stands at a place, as a value of the field's type. `textual` places (paths, queries, forms,
    /// headers) spell numbers and truths as text.
    pub fn decode<'v>(
        self,
        at: At<'v>,
        kind: &Type,
        textual: bool,
        scratch: &'v mut String,
    ) -> Option<Value<'v>> {
        // Nearly every leaf.
        if let (Codec::Plain, Type::Text, Kind::Text(text)) = (self, kind, at.kind()) {
            return Some(Value::Text(text));
        }
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
            Kind::Text(text) if self == Codec::RelayCursor => {
                let bytes = STANDARD.decode(text).unwrap_or_default();
                let place = std::str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| text.strip_prefix(CONNECTION));
                scratch.push_str(place.unwrap_or(text));
                Some(Value::Text(scratch))
            }
            Kind::Text(text) if self == Codec::SlackText && text.contains('&') => {
                scratch.push_str(
                    &text
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&amp;", "&"),
                );
                Some(Value::Text(scratch))
            }
            Kind::Text(text) if self == Codec::Upper => {
                scratch.push_str(&text.to_ascii_lowercase());
                Some(Value::Text(scratch))
            }
            Kind::Text(text) => self.decode_text(text, kind, textual),
            Kind::Int(int) => self.decode_int(int, kind, textual, scratch),
            Kind::Big(big) if matches!(kind, Type::Text) && (self.accepts_digits() || textual) => {
                scratch.push_str(itoa::Buffer::new().format(big));
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
                Tape::json_text(text).ok()?;
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
            Codec::SlackTs | Codec::SlackTsAfter | Codec::SlackTsBefore => {
                text.is_empty() || self.decode_time(text).is_some()
            }
            _ => true,
        };
        good.then_some(Value::Text(text))
    }

    fn accepts_digits(self) -> bool {
        matches!(self, Codec::Int | Codec::Text | Codec::Id | Codec::SlackTs)
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
                scratch.push_str(itoa::Buffer::new().format(int));
                self.check_text(scratch)
            }
            Type::Bool if self == Codec::Flag => Some(Value::Bool(int != 0)),
            Type::Time => match self {
                Codec::UnixS | Codec::UnixSText => Some(Value::Time(Time::from_seconds(int))),
                Codec::UnixMs | Codec::UnixMsText => Some(Value::Time(Time::from_millis(int))),
                Codec::UnixMsEnd => Some(Value::Time(last_of(int))),
                Codec::UnixMsAfter | Codec::UnixMsBefore => {
                    let (_, step) = self.excluding()?;
                    Some(Value::Time(Time(
                        Time::from_millis(int).0.saturating_sub(step),
                    )))
                }
                _ => None,
            },
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
            Codec::UnixMsEnd => text.parse().ok().map(last_of),
            Codec::SlackTs => {
                let (seconds, micros) = text.split_once('.').unwrap_or((text, "0"));
                let micros = civil::micros(micros)?;
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
            _ => civil::read(text),
        }
    }
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

/// The last moment of a millisecond.
fn last_of(millis: i64) -> Time {
    Time(Time::from_millis(millis).0.saturating_add(999))
}
