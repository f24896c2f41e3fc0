//! Text as each place on the wire wants it: JSON strings in two styles, and percent-encoding.
//!
//! JSON strings are written here rather than by `serde_json` because one dialect's clients sign and compare bodies
//! byte for byte, in a style of its own: `/` as `\/` and everything beyond ASCII as `\uXXXX`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// How a dialect's server writes JSON text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    /// As PHP's `json_encode` does by default.
    Php,
}

/// Writes the text as a JSON string, quotes included.
pub fn json_text(text: &str, style: Style, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    match style {
        Style::Plain => in_runs(text, out, plain, |text, out| {
            text.bytes().for_each(|byte| control(byte, out))
        }),
        Style::Php => in_runs(text, out, php, |text, out| {
            text.chars().for_each(|char| beyond(char, out))
        }),
    }
    out.push(b'"');
}

/// The plain style, into a text.
pub fn json_string(text: &str, out: &mut String) {
    let mut bytes = std::mem::take(out).into_bytes();
    json_text(text, Style::Plain, &mut bytes);
    // Escaping writes ASCII between whole pieces of a `str`, so the bytes stay UTF-8.
    *out = String::from_utf8(bytes).unwrap_or_default();
}

/// Is the byte itself in a string of the plain style?
fn plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// The same in PHP's.
fn php(byte: u8) -> bool {
    plain(byte) && byte < 0x80 && byte != b'/'
}

/// Copies what stands for itself in runs, and has what stands between escaped.
fn in_runs(
    mut text: &str,
    out: &mut Vec<u8>,
    itself: impl Fn(u8) -> bool,
    escape: impl Fn(&str, &mut Vec<u8>),
) {
    while !text.is_empty() {
        let run = run(text.as_bytes(), &itself);
        out.extend_from_slice(&text.as_bytes()[..run]);
        if run == text.len() {
            return;
        }
        let behind = &text[run..];
        let others = behind.bytes().position(&itself);
        let (others, behind) = behind.split_at(others.unwrap_or(behind.len()));
        escape(others, out);
        text = behind;
    }
}

/// How many bytes from the first one stand for themselves. Without a branch for each byte, a piece is compared as a
/// whole; mostly nothing in it needs more.
fn run(bytes: &[u8], itself: &impl Fn(u8) -> bool) -> usize {
    let whole = match bytes.len() {
        16.. => pieces::<16>(bytes, itself),
        8.. => pieces::<8>(bytes, itself),
        4.. => pieces::<4>(bytes, itself),
        _ => 0,
    };
    let rest = bytes[whole..].iter().position(|byte| !itself(*byte));
    rest.map_or(bytes.len(), |rest| whole + rest)
}

/// The same by whole pieces of this length; the last one may overlap the one before it.
fn pieces<const LENGTH: usize>(bytes: &[u8], itself: &impl Fn(u8) -> bool) -> usize {
    let other = |byte: &u8| u8::from(!itself(*byte));
    let whole = |piece: &[u8; LENGTH]| piece.iter().fold(0, |any, byte| any | other(byte)) == 0;
    let (chunks, _) = bytes.as_chunks::<LENGTH>();
    let count = chunks.iter().take_while(|piece| whole(piece)).count();
    match bytes.last_chunk() {
        Some(last) if count == chunks.len() && whole(last) => bytes.len(),
        _ => count * LENGTH,
    }
}

/// What PHP does not write as it is.
fn beyond(char: char, out: &mut Vec<u8>) {
    match char {
        '/' => out.extend_from_slice(b"\\/"),
        _ if char.is_ascii() => control(char as u8, out),
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                unicode(*unit, out);
            }
        }
    }
}

fn control(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        _ => unicode(u16::from(byte), out),
    }
}

fn unicode(unit: u16, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[usize::from(unit >> shift & 0xf)]);
    }
}

/// What stands for itself in a path segment or a query string: RFC 3986's unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub fn percent(text: &str, out: &mut Vec<u8>) {
    for piece in utf8_percent_encode(text, UNRESERVED) {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// `application/x-www-form-urlencoded`, a blank as `+`.
pub fn form(text: &str, out: &mut Vec<u8>) {
    for piece in form_urlencoded::byte_serialize(text.as_bytes()) {
        out.extend_from_slice(piece.as_bytes());
    }
}
