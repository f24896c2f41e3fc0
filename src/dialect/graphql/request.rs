//! The forms in which documents come over HTTP, as Plug and Absinthe read them, in their order.
//!
//! A JSON, form or multipart body is read into parameters, over those of the query string; where no parameter is a
//! document, a body that is nothing of these is one. An array of JSON is a batch. What is missing or cannot be read
//! is told in Absinthe.Plug's words.

use std::borrow::Cow;

use http::{Method, StatusCode};

use super::scan::MAX_BYTES;
use super::values::Variables;
use crate::dialect::headers::visible;
use crate::dialect::tape::{Tape, Tree};
use crate::dialect::wire::Incoming;
use crate::dialect::{multipart, query};
use crate::model::{Fault, Kind};

/// Documents of one batch, and bytes of all their texts.
const MAX_BATCH: usize = 100;
const MAX_BATCH_BYTES: usize = MAX_BYTES;

const NOT_DECODED: &str = "The variable values could not be decoded";
const NO_MAP: &str = "Variables must be a map.";

/// A document, with what came beside it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub text: String,
    pub operation: String,
    pub variables: Variables,
    /// What else a batch's item has, to be sent back with its answer.
    pub beside: Vec<(String, Tree)>,
}

#[derive(Clone, Debug)]
pub enum Documents {
    One(Asked),
    Batch(Vec<Asked>),
    /// One of them cannot be read, and so none is.
    Unreadable(Fault),
}

type Members = Vec<(String, Tree)>;

/// Reads a request's documents.
///
/// # Errors
/// The request is refused before anybody asks who sent it.
pub fn read(incoming: &Incoming<'_>) -> Result<Documents, StatusCode> {
    let mut members = pairs(incoming.query).ok_or(StatusCode::BAD_REQUEST)?;
    let parsed = parsed(incoming)?;
    if !acceptable(incoming) {
        return Err(StatusCode::NOT_ACCEPTABLE);
    }
    let raw = match parsed {
        Some(Tree::Array(items)) => return batch(items),
        Some(Tree::Object(found)) => {
            members.extend(found);
            None
        }
        Some(_) => None,
        None => Some(incoming.body),
    };
    let raw = match raw.map(std::str::from_utf8) {
        Some(Err(_)) => return Err(StatusCode::BAD_REQUEST),
        Some(Ok(text)) => text,
        None => "",
    };
    Ok(asked(members, raw).map_or_else(Documents::Unreadable, Documents::One))
}

fn batch(items: Vec<Tree>) -> Result<Documents, StatusCode> {
    if items.len() > MAX_BATCH {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let asked = items.into_iter().map(|item| match item {
        Tree::Object(members) => asked(members, ""),
        _ => Err(malformed("")),
    });
    let asked: Vec<Asked> = match asked.collect() {
        Ok(asked) => asked,
        Err(fault) => return Ok(Documents::Unreadable(fault)),
    };
    let bytes: usize = asked.iter().map(|asked| asked.text.len()).sum();
    if bytes > MAX_BATCH_BYTES {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(match asked.is_empty() {
        true => Documents::Unreadable(malformed("")),
        false => Documents::Batch(asked),
    })
}

/// The last member of a name is the one that holds.
fn take(members: &mut Members, name: &str) -> Option<Tree> {
    let mut last = None;
    members.retain_mut(|(known, value)| {
        let hit = known == name;
        if hit {
            last = Some(std::mem::replace(value, Tree::Null));
        }
        !hit
    });
    last
}

/// What cannot be read, in words of its own or in those that the mapping has for it.
fn malformed(words: &'static str) -> Fault {
    Fault::client(Kind::Malformed, words)
}

fn asked(mut members: Members, raw: &str) -> Result<Asked, Fault> {
    let text = match take(&mut members, "query") {
        Some(Tree::Text(text)) => text,
        _ => raw.to_owned(),
    };
    let name = members.iter().rfind(|(name, _)| name == "operationName");
    let operation = match name.map(|(_, value)| value.clone()) {
        None | Some(Tree::Null) => String::new(),
        Some(Tree::Text(name)) => name,
        // No operation can have such a name.
        Some(other) => json(other),
    };
    let variables = match take(&mut members, "variables") {
        None | Some(Tree::Null) => Variables::default(),
        Some(Tree::Text(text)) if text.is_empty() => Variables::default(),
        Some(Tree::Object(members)) => Variables::of(members),
        Some(Tree::Text(text)) => match Tape::json(text.as_bytes()) {
            Ok(tape) => match tape.root().map(Tree::copy) {
                Some(Tree::Object(members)) => Variables::of(members),
                Some(Tree::Null) => Variables::default(),
                _ => return Err(malformed(NO_MAP)),
            },
            Err(_) => return Err(malformed(NOT_DECODED)),
        },
        Some(_) => return Err(malformed(NO_MAP)),
    };
    if text.is_empty() {
        return Err(malformed(""));
    }
    Ok(Asked {
        text,
        operation,
        variables,
        beside: members,
    })
}

fn json(tree: Tree) -> String {
    let mut text = String::new();
    if let Some(root) = tree.into_tape().root() {
        root.write_json(&mut text);
    }
    text
}

/// The body as parameters, where it is of a kind that is read as such. Only some methods have bodies.
fn parsed(incoming: &Incoming<'_>) -> Result<Option<Tree>, StatusCode> {
    let bodies = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let Some(kind) = incoming
        .headers
        .text("Content-Type")
        .filter(|_| bodies.contains(incoming.method))
    else {
        return Ok(None);
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let empty = || Some(Tree::Object(Vec::new()));
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let found = match essence.as_str() {
        _ if is_json && incoming.body.is_empty() => empty(),
        _ if is_json => {
            let tape = Tape::json(incoming.body).map_err(|_| StatusCode::BAD_REQUEST)?;
            tape.root().map(Tree::copy)
        }
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(incoming.body).map_err(|_| StatusCode::BAD_REQUEST)?;
            Some(Tree::Object(pairs(text).ok_or(StatusCode::BAD_REQUEST)?))
        }
        "multipart/form-data" => {
            let boundary = multer::parse_boundary(kind).map_err(|_| StatusCode::BAD_REQUEST)?;
            let fields =
                multipart::fields(incoming.body, &boundary).ok_or(StatusCode::BAD_REQUEST)?;
            let members = fields
                .into_iter()
                .map(|(name, value)| (name, Tree::Text(value)));
            Some(Tree::Object(members.collect()))
        }
        _ => None,
    };
    Ok(found)
}

fn pairs(text: &str) -> Option<Members> {
    let pairs = query::pairs(text).collect::<Result<Vec<_>, _>>().ok()?;
    let owned = |text: Cow<'_, str>| text.into_owned();
    Some(
        pairs
            .into_iter()
            .map(|(name, value)| (owned(name), Tree::Text(owned(value))))
            .collect(),
    )
}

/// Does the client take JSON?
fn acceptable(incoming: &Incoming<'_>) -> bool {
    let mut accepts = incoming.headers.all("Accept").peekable();
    if accepts.peek().is_none() {
        return true;
    }
    accepts
        .filter_map(|value| visible(value))
        .flat_map(|value| value.split(','))
        .any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.is_empty() || kind == "*/*" || kind == "application/*" || kind.contains("json")
        })
}

/// Would the client read JSON rather than a page?
pub fn prefers_json(incoming: &Incoming<'_>) -> bool {
    incoming
        .headers
        .text("Accept")
        .is_some_and(|value| value.contains("json"))
}
