//! To the wire: a value of the model, as the scalar that a codec spells it with.
//!
//! A value that a codec has no spelling for is written as if it were absent.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{CONNECTION, Codec, Scalar, civil};
use crate::model::Time;
use crate::model::record::Value;

impl Codec {
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
                number(int, scratch);
                Scalar::Text(scratch)
            }
            (Codec::Decimal, Value::Int(int)) => {
                number(int, scratch);
                scratch.push_str(".0");
                Scalar::Json(scratch)
            }
            (Codec::Flag, Value::Bool(flag)) => Scalar::Int(i64::from(flag)),
            (Codec::Not, Value::Bool(flag)) => Scalar::Bool(!flag),
            (Codec::JsonText, Value::Json(json)) => Scalar::Text(json),
            (Codec::Lower, Value::Text(text)) => {
                scratch.push_str(&text.to_lowercase());
                Scalar::Text(scratch)
            }
            (Codec::Upper, Value::Text(text)) => {
                scratch.push_str(&text.to_ascii_uppercase());
                Scalar::Text(scratch)
            }
            (Codec::Millis, Value::Int(int)) => Scalar::Int(int.saturating_mul(1_000)),
            // A cursor that is no number is another service's own.
            (Codec::RelayCursor, Value::Text(text)) if text.parse::<u64>().is_ok() => {
                STANDARD.encode_string(format!("{CONNECTION}{text}"), scratch);
                Scalar::Text(scratch)
            }
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
            Codec::UnixMs | Codec::UnixMsEnd => return Some(Scalar::Int(time.millis())),
            Codec::UnixSText => number(second, out),
            Codec::UnixMsText => number(time.millis(), out),
            Codec::SlackTs => {
                number(second, out);
                fraction(micros, 6, "", out);
            }
            _ => {
                return self
                    .write_civil(second, micros, out)
                    .then_some(Scalar::Text(out));
            }
        }
        Some(Scalar::Text(out))
    }

    fn write_civil(self, second: i64, micros: i64, out: &mut String) -> bool {
        if self == Codec::PhpDate {
            return civil::write_in_words(second, out);
        }
        if !civil::write(second, out) {
            return false;
        }
        match self {
            Codec::Rfc3339Micros => fraction(micros, 6, "Z", out),
            Codec::Rfc3339MicrosOffset => fraction(micros, 6, "+00:00", out),
            Codec::Rfc3339Millis => fraction(micros / 1_000, 3, "Z", out),
            Codec::Rfc3339Seconds => out.push('Z'),
            _ => {}
        }
        true
    }
}

fn number(int: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(int));
}

/// A fraction of so many digits, and what stands behind it.
fn fraction(part: i64, digits: usize, behind: &str, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let spelt = buffer.format(part);
    out.push('.');
    out.push_str(&"000000"[..digits.saturating_sub(spelt.len())]);
    out.push_str(spelt);
    out.push_str(behind);
}
