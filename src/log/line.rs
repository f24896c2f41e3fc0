//! One line: what was asked, by which way it went, and what came of it.
//!
//! Written straight into the bytes that will be sent, as text or as JSON, without an allocation. Whatever a client or
//! an upstream could have chosen is escaped, so that none of them can forge a line or a member.

use std::fmt::Write as _;
use std::io::Write as _;

use super::Format;
use crate::model::Time;

/// How much is told of what went wrong.
const WHY_BYTES: usize = 200;

/// Room for a line, as most are.
const LINE_BYTES: usize = 256;

/// What is told of one request.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub at: Time,
    pub id: &'a str,
    /// Empty: no dialect has the path.
    pub dialect: &'a str,
    pub command: &'a str,
    /// Empty: it never came so far.
    pub upstream: &'a str,
    pub outcome: &'a str,
    pub status: u16,
    pub micros: u64,
    /// What went wrong, where that is for the operator to mend; else empty.
    pub why: &'a str,
}

/// The second that was written last, as text: most lines share it with the one before.
#[derive(Default)]
pub(super) struct Stamp {
    second: Option<i64>,
    text: String,
}

impl Stamp {
    /// Writes a moment as RFC 3339 has it.
    fn write(&mut self, at: Time, out: &mut Vec<u8>) {
        let second = at.0.div_euclid(1_000_000);
        if self.second != Some(second) {
            let moment = jiff::Timestamp::from_second(second).unwrap_or_default();
            self.text.clear();
            let _ = write!(self.text, "{moment}");
            self.second = Some(second);
        }
        out.extend_from_slice(self.text.trim_end_matches('Z').as_bytes());
        let mut digits = *b".000000Z";
        let mut rest = at.0.rem_euclid(1_000_000);
        for digit in digits[1..7].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

/// A member's name with what stands around it in each format.
macro_rules! label {
    ($name:literal) => {
        [concat!(" ", $name, "="), concat!(",\"", $name, "\":")]
    };
}

impl Line<'_> {
    pub(super) fn write(&self, format: Format, stamp: &mut Stamp, out: &mut Vec<u8>) {
        let mut end = self.why.len().min(WHY_BYTES);
        while !self.why.is_char_boundary(end) {
            end -= 1;
        }
        let texts = [
            (label!("id"), self.id),
            (label!("dialect"), self.dialect),
            (label!("command"), self.command),
            (label!("upstream"), self.upstream),
            (label!("outcome"), self.outcome),
            (label!("why"), &self.why[..end]),
        ];
        let numbers = [
            (label!("status"), u64::from(self.status)),
            (label!("micros"), self.micros),
        ];
        out.reserve(LINE_BYTES);
        let (begin, middle, end, put): (_, _, _, fn(&str, &mut Vec<u8>)) = match format {
            Format::Text => ("", "  INFO request", "\n", text),
            Format::Json => (
                "{\"timestamp\":\"",
                "\",\"level\":\"INFO\",\"message\":\"request\"",
                "}\n",
                json,
            ),
        };
        out.extend_from_slice(begin.as_bytes());
        stamp.write(self.at, out);
        out.extend_from_slice(middle.as_bytes());
        for (label, value) in texts {
            if !value.is_empty() {
                out.extend_from_slice(label[format as usize].as_bytes());
                put(value, out);
            }
        }
        for (label, value) in numbers {
            out.extend_from_slice(label[format as usize].as_bytes());
            number(value, out);
        }
        out.extend_from_slice(end.as_bytes());
    }
}

fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Can the value be mistaken for nothing but itself?
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| PLAIN[usize::from(byte)])
}

/// Letters, digits, and a few signs. Looked up, because most of a line is looked through.
static PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        byte += 1;
    }
    plain
};

fn text(value: &str, out: &mut Vec<u8>) {
    if is_plain(value) {
        out.extend_from_slice(value.as_bytes());
    } else {
        // Quotes it, and escapes quotes, line ends and whatever a terminal would obey.
        let _ = write!(out, "{value:?}");
    }
}

fn json(value: &str, out: &mut Vec<u8>) {
    if is_plain(value) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        // Writing text to memory does not fail.
        let _ = serde_json::to_writer(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line<'_> = Line {
        at: Time(1_700_000_000_000_042),
        id: "0193",
        dialect: "rooms",
        command: "send",
        upstream: "far",
        outcome: "done",
        status: 201,
        micros: 523,
        why: "",
    };

    fn written(line: Line<'_>, format: Format) -> String {
        let mut out = Vec::new();
        line.write(format, &mut Stamp::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_says_everything_in_both_formats() {
        assert_eq!(
            written(LINE, Format::Text),
            "2023-11-14T22:13:20.000042Z  INFO request id=0193 dialect=rooms command=send upstream=far outcome=done \
             status=201 micros=523\n"
        );
        assert_eq!(
            written(LINE, Format::Json),
            "{\"timestamp\":\"2023-11-14T22:13:20.000042Z\",\"level\":\"INFO\",\"message\":\"request\",\"id\":\"0193\",\
             \"dialect\":\"rooms\",\"command\":\"send\",\"upstream\":\"far\",\"outcome\":\"done\",\"status\":201,\
             \"micros\":523}\n"
        );
    }

    #[test]
    fn nobody_can_forge_a_line() {
        let line = Line {
            why: "x\" status=200\n2026-01-01 INFO request\u{1b}[2J\u{9b}",
            ..LINE
        };
        let text = written(line, Format::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(
            r#" why="x\" status=200\n2026-01-01 INFO request\u{1b}[2J\u{9b}" status=201"#
        ));
        let json = written(line, Format::Json);
        assert_eq!(json.lines().count(), 1, "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&read["why"], &read["status"]),
            (&line.why.into(), &201.into())
        );
        let long = "é".repeat(WHY_BYTES);
        assert!(written(Line { why: &long, ..LINE }, Format::Text).len() < 2 * WHY_BYTES + 200);
    }

    #[test]
    fn a_second_is_written_anew_when_it_is_another() {
        let (mut stamp, mut out) = (Stamp::default(), Vec::new());
        for micros in [999_999, 1_000_000, -1] {
            stamp.write(Time(micros), &mut out);
            out.push(b' ');
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "1970-01-01T00:00:00.999999Z 1970-01-01T00:00:01.000000Z 1969-12-31T23:59:59.999999Z "
        );
    }
}
