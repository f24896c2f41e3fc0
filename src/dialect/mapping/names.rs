//! Placeholders: from the text between braces to a field's numbers.
//!
//! A name is looked up in the schemas of the records that may stand there; what is not found is told with the nearest
//! name that is. After this, nothing is looked up by name any more.

use std::ops::Range;

use super::table::unknown;
use super::{Loader, ShapeHead};
use crate::dialect::codec::Codec;
use crate::dialect::tape::{Tape, Tree};
use crate::dialect::template::{Absence, Constant, Piece, Placeholder, Root, Source};
use crate::model::record::{Schema, Type, Typed};
use crate::model::{App, Arrival, Credential, Details};

/// The records that a template may name where it stands.
#[derive(Clone, Debug)]
pub struct Names {
    pub this: &'static Schema,
    pub request: Option<&'static Schema>,
    pub credential: bool,
    pub fault: bool,
    /// Inside an array that repeats: the list's path as written, and its elements' type.
    pub item: Option<(String, Type)>,
}

impl Names {
    pub fn of(this: &'static Schema) -> Names {
        Names {
            this,
            request: None,
            credential: false,
            fault: false,
            item: None,
        }
    }
}

/// A placeholder's text, taken apart: `{path[/otherwise…][?||x][:codec]}`.
struct Parsed<'t> {
    path: &'t str,
    otherwise: Vec<&'t str>,
    absence: Absent<'t>,
    codec: Option<&'t str>,
}

enum Absent<'t> {
    Required,
    LeftOut,
    Written(&'t str),
    /// Something that has no meaning behind the path.
    Unread(&'t str),
}

impl Loader<'_> {
    /// Takes a text apart into literals and placeholders.
    pub fn pieces(&mut self, text: &str, span: Range<usize>, names: &Names) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some(open) = rest.find('{') {
            literal.push_str(&rest[..open]);
            let begins = text.len() - rest.len() + open;
            let exact = text.len() + 2 == span.len();
            let place = |length: usize| {
                let at = span.start + 1 + begins;
                if exact { at..at + length } else { span.clone() }
            };
            let Some(length) = closing(&rest[open..]) else {
                let help = "add the } that belongs to it";
                self.problems.at(place(1), "this { is not closed", help);
                return pieces;
            };
            let place = place(length + 1);
            let inner = &rest[open + 1..open + length];
            rest = &rest[open + length + 1..];
            if !inner.starts_with(|char: char| char.is_ascii_lowercase() || char == '_') {
                self.problems.at(
                    place,
                    format!("`{{{inner}}}` names no field"),
                    "a placeholder begins with a field's name, as in {text?}; braces mean nothing else",
                );
                continue;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.extend(
                self.placeholder(inner, place, names)
                    .map(Piece::Placeholder),
            );
        }
        literal.push_str(rest);
        if !literal.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        pieces
    }

    fn placeholder(
        &mut self,
        inner: &str,
        span: Range<usize>,
        names: &Names,
    ) -> Option<Placeholder> {
        let shapes: Vec<String> = self.shapes.iter().map(|shape| shape.name.clone()).collect();
        let parsed = parse(inner, |name| {
            Codec::from_name(name).is_some() || shapes.iter().any(|shape| shape == name)
        });
        if let Absent::Unread(text) = parsed.absence {
            self.problems.at(
                span,
                format!("`{text}` cannot be read"),
                "write {path}, {path?} or {path|default}, each with :codec behind if one is needed",
            );
            return None;
        }
        let source = self.source(parsed.path, span.clone(), names)?;
        let otherwise = parsed
            .otherwise
            .iter()
            .filter_map(|path| self.source(path, span.clone(), names))
            .collect();
        let absence = match parsed.absence {
            Absent::Required | Absent::Unread(_) => Absence::Required,
            Absent::LeftOut => Absence::LeftOut,
            Absent::Written(text) => {
                Absence::Written(Constant::new(default_value(text), self.style))
            }
        };
        let (codec, shape) = self.spelling(parsed.codec, &source, span)?;
        Some(Placeholder {
            source,
            otherwise,
            absence,
            codec,
            shape,
            path: parsed.path.into(),
        })
    }

    /// What stands behind the colon: a codec or a shape; for a record without either, the shape of its own name.
    fn spelling(
        &mut self,
        name: Option<&str>,
        source: &Source,
        span: Range<usize>,
    ) -> Option<(Codec, Option<usize>)> {
        if let (Type::Record(schema), None) = (&source.kind, name) {
            let own = self.shapes.iter().position(|ShapeHead { name, of, .. }| {
                of.name == schema.name && name.eq_ignore_ascii_case(schema.name)
            });
            let Some(own) = own.or_else(|| {
                self.shapes
                    .iter()
                    .position(|shape| shape.of.name == schema.name)
            }) else {
                let record = schema.name.to_lowercase();
                self.problems.at(
                    span,
                    format!("nothing says how this dialect writes a {record}"),
                    format!("add [shape.{record}], or name one of the record's fields"),
                );
                return None;
            };
            return Some((Codec::Plain, Some(own)));
        }
        let codec = match name {
            None => Codec::Plain,
            Some(name) => match Codec::from_name(name) {
                Some(codec) => codec,
                None => return self.named_shape(name, source, span),
            },
        };
        if source.root != Root::Nobody && !codec.fits(&source.kind) {
            let help = if matches!(source.kind, Type::Time) {
                "a time needs one of unix_s, unix_ms, rfc3339_micros, naive_seconds, slack_ts, …"
            } else {
                "leave the codec out, or take one for this type"
            };
            let spelt = name.map_or("without a codec".to_owned(), |name| {
                format!("with codec `{name}`")
            });
            self.problems.at(
                span,
                format!("{} cannot be written {spelt}", source.kind.name()),
                help,
            );
            return None;
        }
        Some((codec, None))
    }

    fn named_shape(
        &mut self,
        name: &str,
        source: &Source,
        span: Range<usize>,
    ) -> Option<(Codec, Option<usize>)> {
        let found = self.shapes.iter().position(|shape| shape.name == name);
        match (found, &source.kind) {
            (Some(shape), Type::Record(schema)) if self.shapes[shape].of.name == schema.name => {
                Some((Codec::Plain, Some(shape)))
            }
            (Some(shape), kind) => {
                let message = format!(
                    "shape `{name}` is for records of {}, not for {}",
                    self.shapes[shape].of.name,
                    kind.name()
                );
                self.problems
                    .at(span, message, "name a shape of this record");
                None
            }
            (None, _) => {
                let known: Vec<String> =
                    self.shapes.iter().map(|shape| shape.name.clone()).collect();
                let known = Codec::NAMES
                    .iter()
                    .copied()
                    .chain(known.iter().map(String::as_str));
                unknown(&mut self.problems, span, "codec or shape", name, known);
                None
            }
        }
    }

    /// Finds a field by its path.
    pub fn source(&mut self, path: &str, span: Range<usize>, names: &Names) -> Option<Source> {
        if path == "_" {
            return Some(Source {
                root: Root::Nobody,
                path: Default::default(),
                kind: Type::Json,
            });
        }
        if let Some((list, item)) = &names.item
            && let Some(rest) = path
                .strip_prefix(list.as_str())
                .and_then(|rest| rest.strip_prefix('*'))
        {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            return self.walk(Root::Item, *item, rest, span);
        }
        if path.contains('*') {
            self.problems.at(
                span,
                format!("`{path}` repeats, but does not stand in an array of one element"),
                "write [\"{list*}\"] or [{ member = \"{list*.field}\" }]",
            );
            return None;
        }
        let (head, rest) = path.split_once('.').unwrap_or((path, ""));
        let (root, kind) = match head {
            "envelope" => (Root::Arrival, Arrival::TYPE),
            "app" => (Root::App, App::TYPE),
            "credential" if names.credential => (Root::Credential, Credential::TYPE),
            "fault" if names.fault => (Root::Fault, Details::TYPE),
            "request" if names.request.is_some() => (
                Root::Request,
                Type::Record(names.request.unwrap_or(names.this)),
            ),
            "reply" if names.this.field("reply").is_none() => {
                self.problems.at(
                    span,
                    "`{reply}` stands only in [wrap]",
                    "name the fields of the reply, or one of its records",
                );
                return None;
            }
            "credential" => {
                self.problems.at(
                    span,
                    "a credential cannot stand here",
                    "credential.* exists only in requests, [[auth]] and [every], so that none can travel elsewhere",
                );
                return None;
            }
            // The record itself, by its own name.
            _ if names.this.field(path).is_none() && path == names.this.name.to_lowercase() => {
                return self.walk(Root::This, Type::Record(names.this), "", span);
            }
            _ => return self.walk(Root::This, Type::Record(names.this), path, span),
        };
        self.walk(root, kind, rest, span)
    }

    fn walk(
        &mut self,
        root: Root,
        mut kind: Type,
        path: &str,
        span: Range<usize>,
    ) -> Option<Source> {
        let mut numbers = smallvec::SmallVec::new();
        for name in path.split('.').filter(|name| !name.is_empty()) {
            // A path that goes on into a list means its first element.
            if let Type::List(item) = kind {
                kind = *item;
            }
            let Type::Record(schema) = kind else {
                self.problems.at(
                    span,
                    format!("`{path}` goes too far: {} has no fields", kind.name()),
                    format!("end the path before `{name}`"),
                );
                return None;
            };
            let Some((number, field)) = schema.field(name) else {
                let known = schema.fields.iter().map(|(field, _)| *field);
                unknown(
                    &mut self.problems,
                    span,
                    &format!("field of {}", schema.name),
                    name,
                    known,
                );
                return None;
            };
            numbers.push(number);
            kind = field;
        }
        Some(Source {
            root,
            path: numbers,
            kind,
        })
    }
}

/// The position of the brace that closes the one at the start.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn parse(inner: &str, spells: impl Fn(&str) -> bool) -> Parsed<'_> {
    let end = inner
        .find(|char: char| {
            !(char.is_ascii_lowercase()
                || char.is_ascii_digit()
                || matches!(char, '_' | '.' | '*' | '/'))
        })
        .unwrap_or(inner.len());
    let (paths, rest) = inner.split_at(end);
    let mut otherwise: Vec<&str> = paths.split('/').collect();
    let path = otherwise.remove(0);
    let (rest, codec) = match rest.rsplit_once(':') {
        // In a default, a colon is text unless a codec or a shape stands behind it.
        Some((before, name)) if !before.starts_with('|') || spells(name) => (before, Some(name)),
        _ => (rest, None),
    };
    let absence = match (rest, rest.strip_prefix('|')) {
        ("", _) => Absent::Required,
        ("?", _) => Absent::LeftOut,
        (_, Some(text)) => Absent::Written(text),
        _ => Absent::Unread(rest),
    };
    Parsed {
        path,
        otherwise,
        absence,
        codec,
    }
}

/// A default is JSON if it parses as JSON, and text otherwise.
fn default_value(text: &str) -> Tree {
    match Tape::json(text.as_bytes()) {
        Ok(tape) => tape.root().map_or(Tree::Null, Tree::copy),
        Err(_) => Tree::Text(text.to_owned()),
    }
}
