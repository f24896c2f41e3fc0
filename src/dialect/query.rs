//! Query strings and forms, read strictly: what is not UTF-8 is refused rather than mended, because two different ids
//! could become one.
//!
//! Feathers clients spell trees and types in a query string (`$sort[createdAt]=-1`, `$limit[$coerce][type]=number`,
//! `$total=#true`); [`feathers`] gives back the values they mean. The forms were seen on the wire of the two SDKs named
//! in the mapping that uses this.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode_str;

use super::tape::{Tape, Tree};

/// Deeper nesting than any client writes.
const MAX_DEPTH: usize = 8;

/// A query string or form is not UTF-8 after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8;

/// A name and its value.
pub type Pair<'t> = (Cow<'t, str>, Cow<'t, str>);

/// Reads a query string or an urlencoded body as an object of texts.
///
/// # Errors
/// A name or a value is not UTF-8.
pub fn plain(text: &str) -> Result<Tape<'_>, NotUtf8> {
    if text.is_empty() {
        return Ok(Tape::default());
    }
    // A guess from short pairs spares the growing of small tapes.
    Tape::of_pairs(pairs(text), text.len() / 16 + 2)
}

/// The decoded pairs of a query string or an urlencoded body.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = Result<Pair<'_>, NotUtf8>> {
    let mut rest = text;
    // Most pairs stand before the next coded character, and are taken as they are.
    let mut coded = from_coded(text);
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('&');
        if rest.is_empty() {
            return None;
        }
        // Names are too short for a search of many bytes at once to be worth its beginning.
        let end = rest.bytes().position(|byte| matches!(byte, b'=' | b'&'));
        let end = end.unwrap_or(rest.len());
        let (name, mut value) = rest.split_at(end);
        (value, rest) = match value.strip_prefix('=') {
            Some(behind) => {
                behind.split_at(memchr(b'&', behind.as_bytes()).unwrap_or(behind.len()))
            }
            None => ("", value),
        };
        if coded <= rest.len() {
            return Some(Ok((Cow::Borrowed(name), Cow::Borrowed(value))));
        }
        coded = from_coded(rest);
        Some(decode(name).and_then(|name| Ok((name, decode(value)?))))
    })
}

/// How long a text is from its first coded character on.
fn from_coded(text: &str) -> usize {
    let coded = memchr2(b'%', b'+', text.as_bytes());
    coded.map_or(0, |at| text.len() - at)
}

/// `+` is a blank; a `%` that begins no escape stands for itself, as in bodies that were never escaped.
fn decode(text: &str) -> Result<Cow<'_, str>, NotUtf8> {
    if from_coded(text) == 0 {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = memchr(b'%', rest) {
        extend_plain(&mut decoded, &rest[..at]);
        let escape = rest.get(at + 1..at + 3).and_then(|digits| {
            let [high, low] = [0, 1].map(|at| char::from(digits[at]).to_digit(16));
            Some((high? << 4 | low?) as u8)
        });
        decoded.push(escape.unwrap_or(b'%'));
        rest = &rest[at + if escape.is_some() { 3 } else { 1 }..];
    }
    extend_plain(&mut decoded, rest);
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| NotUtf8)
}

fn extend_plain(decoded: &mut Vec<u8>, plain: &[u8]) {
    let from = decoded.len();
    decoded.extend_from_slice(plain);
    for byte in &mut decoded[from..] {
        *byte = if *byte == b'+' { b' ' } else { *byte };
    }
}

/// Decodes one segment of a path, where `+` stands for itself.
///
/// # Errors
/// The segment is not UTF-8.
pub fn segment(text: &str) -> Result<Cow<'_, str>, NotUtf8> {
    percent_decode_str(text).decode_utf8().map_err(|_| NotUtf8)
}

/// Reads pairs as the trees of values that Feathers clients spell.
///
/// # Errors
/// A name or a value is not UTF-8.
pub fn feathers(text: &str) -> Result<Tape<'static>, NotUtf8> {
    if text.is_empty() {
        return Ok(Tape::default());
    }
    let mut root = Tree::Object(Vec::new());
    for pair in pairs(text) {
        let (name, value) = pair?;
        let steps: Vec<&str> = name
            .split('[')
            .map(|step| step.trim_end_matches(']'))
            .collect();
        if steps.len() <= MAX_DEPTH {
            insert(&mut root, &steps, typed(&value));
        }
    }
    coerce(&mut root);
    Ok(root.into_tape())
}

/// Would a text be read as a value of another type?
pub fn looks_typed(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|spelt| Tape::json_text(spelt).is_ok())
}

/// `#50`, `#true` and `#[]` are values rather than text.
fn typed(value: &str) -> Tree {
    let Some(spelt) = value.strip_prefix('#') else {
        return Tree::Text(value.to_owned());
    };
    match Tape::json_text(spelt) {
        Ok(tape) => tape.root().map_or(Tree::Null, Tree::copy),
        Err(_) => Tree::Text(value.to_owned()),
    }
}

fn insert(tree: &mut Tree, steps: &[&str], value: Tree) {
    let [step, rest @ ..] = steps else {
        *tree = value;
        return;
    };
    if !matches!(tree, Tree::Object(_)) {
        *tree = Tree::Object(Vec::new());
    }
    let Tree::Object(members) = tree else { return };
    // `a[]=x` and `a=x&a=y` are lists.
    let at = match members.iter().position(|(name, _)| name == step) {
        Some(at) => at,
        None => {
            members.push(((*step).to_owned(), Tree::Null));
            members.len() - 1
        }
    };
    let place = &mut members[at].1;
    match (rest, &mut *place) {
        ([] | [""], Tree::Array(elements)) => elements.push(value),
        ([""], Tree::Null) => *place = Tree::Array(vec![value]),
        ([], Tree::Null) => *place = value,
        ([], _) => *place = Tree::Array(vec![std::mem::replace(place, Tree::Null), value]),
        _ => insert(place, rest, value),
    }
}

/// `{ $coerce: { type, value } }` is the value in that type.
fn coerce(tree: &mut Tree) {
    match tree {
        Tree::Array(elements) => elements.iter_mut().for_each(coerce),
        Tree::Object(members) => {
            if let [(name, inner)] = members.as_slice()
                && name == COERCE
            {
                *tree = coerced(inner);
            } else {
                members.iter_mut().for_each(|(_, value)| coerce(value));
            }
        }
        _ => {}
    }
}

const COERCE: &str = "$coerce";

fn coerced(inner: &Tree) -> Tree {
    let Tree::Object(members) = inner else {
        return Tree::Null;
    };
    let part = |wanted: &str| match members.iter().find(|(name, _)| name == wanted) {
        Some((_, Tree::Text(text))) => text.as_str(),
        _ => "",
    };
    let (kind, value) = (part("type"), part("value"));
    match kind {
        "number" => value
            .parse()
            .map_or_else(|_| Tree::Text(value.to_owned()), Tree::Int),
        "boolean" => Tree::Bool(value == "true"),
        // A date is meant as the number that the field holds: milliseconds.
        "date" => match value.parse::<jiff::Timestamp>() {
            Ok(stamp) => Tree::Int(stamp.as_millisecond()),
            Err(_) => Tree::Text(value.to_owned()),
        },
        _ => Tree::Text(value.to_owned()),
    }
}
