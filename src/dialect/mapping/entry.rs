//! A mapping's exchanges: one request and its reply, for an operation or with a fixed answer.
//!
//! What stands in the request's places is read in `parts`, what comes back in `reply`; here is what chooses between
//! entries and what joins the two.

use std::ops::Range;

use http::Method;

use super::Loader;
use super::names::Names;
use super::table::{Table, unknown};
use crate::dialect::exchange::*;
use crate::dialect::template::{Absence, Derive, Piece, Placeholder, Source, Template};
use crate::model::record::{Schema, Type};
use crate::model::{Kind, Operation, schema};

/// What a request of an entry is for.
#[derive(Clone, Copy)]
pub enum Meant {
    Command(Operation),
    Answer,
    Refuse,
}

/// The scope of an entry without a command.
pub fn nothing() -> &'static Schema {
    schema::<crate::model::Done>()
}

impl Loader<'_> {
    pub fn exchange(&mut self, mut table: Table<'_, '_>, meant: Meant) -> Exchange {
        let operation = match meant {
            Meant::Command(operation) => Some(operation),
            Meant::Answer | Meant::Refuse => None,
        };
        let this = operation.map_or(nothing(), Operation::command_schema);
        let names = Names {
            credential: true,
            ..Names::of(this)
        };
        let (methods, path, place) = self.request_line(&mut table, &names);
        self.bodies_agree(&table, &methods);
        let parts = self.parts(&mut table, &names);
        let when = self.when(&mut table, &names);
        let given = self.given(&mut table, &names);
        let role = self.role(&mut table);
        let doors = self.entry_doors(&mut table);
        let derive = match table
            .get("derive")
            .and_then(|value| Table::of(value, &mut self.problems))
        {
            Some(derives) => self.derives(&derives, &names),
            None => Vec::new(),
        };
        let reply_names = Names {
            request: Some(this),
            ..Names::of(operation.map_or(nothing(), Operation::reply_schema))
        };
        let wrapped = table.flag("wrap", &mut self.problems).unwrap_or(true);
        let reply = self.reply(&mut table, &reply_names, wrapped);
        let also = self.also(&mut table, &reply_names, wrapped);
        let seal = self.seal_key(&mut table);
        let action = match meant {
            Meant::Command(operation) => Action::Command(operation),
            Meant::Answer => Action::Answer,
            Meant::Refuse => self.refusal(&mut table),
        };
        table.finish(&mut self.problems);
        let mut exchange = Exchange {
            action,
            role,
            doors,
            methods,
            path,
            parts,
            shared: Box::default(),
            unread: Box::default(),
            when,
            given,
            derive,
            reply,
            also,
            seal,
            constants: Vec::new(),
            tag: None,
            twin: None,
            own_credential: false,
            mark: Vec::new(),
            place,
        };
        exchange.constants = super::overlap::constants(&exchange);
        exchange.settled()
    }

    fn refusal(&mut self, table: &mut Table<'_, '_>) -> Action {
        let message = table
            .text("message", &mut self.problems)
            .map_or("", |(text, _)| text);
        let kind = self.needed_kind(table);
        Action::Refuse {
            kind,
            message: message.into(),
        }
    }

    /// The kind of fault that an entry cannot be without.
    pub fn needed_kind(&mut self, table: &mut Table<'_, '_>) -> Kind {
        let kind = match table.text("kind", &mut self.problems) {
            Some(kind) => self.kind(kind),
            None => {
                self.problems.at(
                    table.span.clone(),
                    "a fault needs its kind",
                    "add kind = \"not_found.channel\"",
                );
                None
            }
        };
        kind.unwrap_or_default()
    }

    fn kind(&mut self, (name, span): (&str, Range<usize>)) -> Option<Kind> {
        let kind = Kind::from_name(name);
        if kind.is_none() {
            let known = Kind::ALL.iter().map(|kind| kind.name());
            unknown(&mut self.problems, span, "kind of fault", name, known);
        }
        kind
    }

    fn request_line(
        &mut self,
        table: &mut Table<'_, '_>,
        names: &Names,
    ) -> (Vec<Method>, Vec<Segment>, Range<usize>) {
        let Some((line, span)) = table.text("request", &mut self.problems) else {
            self.problems.at(
                table.span.clone(),
                "an exchange needs its request line",
                "add request = \"POST /path\"",
            );
            return (vec![Method::POST], Vec::new(), table.span.clone());
        };
        let (methods, path) = line.split_once(' ').unwrap_or((line, ""));
        let methods: Vec<Method> = methods
            .split('|')
            .filter_map(|name| match name.parse::<Method>() {
                Ok(method)
                    if matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") =>
                {
                    Some(method)
                }
                _ => {
                    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
                    unknown(&mut self.problems, span.clone(), "method", name, known);
                    None
                }
            })
            .collect();
        if !path.starts_with('/') {
            self.problems.at(
                span.clone(),
                "the path must begin with /",
                "write METHOD /path, as in \"POST /messages\"",
            );
        }
        let path = self.segments(path, span.clone(), line.len() - path.len(), names);
        (methods, path, span)
    }

    /// The path's segments; `before` is how much of the request line stands before the path.
    fn segments(
        &mut self,
        path: &str,
        line: Range<usize>,
        before: usize,
        names: &Names,
    ) -> Vec<Segment> {
        let exact = before + path.len() + 2 == line.len();
        let mut segments = Vec::new();
        let mut at = before;
        let parts = parts(path);
        for segment in &parts {
            // As wide as if the segment had quotes of its own, so that what is wrong in it can be marked.
            let span = line.start + at..line.start + at + segment.len() + 2;
            let span = if exact { span } else { line.clone() };
            at += segment.len() + 1;
            segments.push(self.segment(segment, span, names));
        }
        if segments.len() > 2 && parts.iter().skip(1).any(|part| part.is_empty()) {
            self.problems.at(
                line,
                "a path has no empty segments",
                "write one slash between two segments, and none at the end",
            );
        }
        segments.split_off(1.min(segments.len()))
    }

    fn segment(&mut self, segment: &str, span: Range<usize>, names: &Names) -> Segment {
        if !segment.contains('{') {
            return Segment::Literal(segment.into());
        }
        let mut pieces = self.pieces(segment, span.clone(), names);
        for piece in &pieces {
            if let Piece::Placeholder(Placeholder { absence, path, .. }) = piece
                && !matches!(absence, Absence::Required)
            {
                self.problems.at(
                    span.start + 1..span.end - 1,
                    "a segment of a path cannot be left out",
                    format!("write {{{path}}}"),
                );
            }
        }
        Segment::Template(match pieces.as_slice() {
            [Piece::Placeholder(_)] => match pieces.remove(0) {
                Piece::Placeholder(only) => Template::Placeholder(only),
                Piece::Literal(_) => Template::Text(Vec::new()),
            },
            _ => Template::Text(pieces),
        })
    }

    pub fn when(&mut self, table: &mut Table<'_, '_>, names: &Names) -> Vec<Source> {
        let names = Names {
            credential: true,
            ..names.clone()
        };
        table
            .texts("when", &mut self.problems)
            .into_iter()
            .filter_map(|(path, span)| self.source(path, span, &names))
            .collect()
    }

    /// `given = { field = value }`.
    pub fn given(&mut self, table: &mut Table<'_, '_>, names: &Names) -> Vec<(Source, Given)> {
        let Some(lines) = table
            .get("given")
            .and_then(|value| Table::of(value, &mut self.problems))
        else {
            return Vec::new();
        };
        let lines: Vec<_> = lines.rest().collect();
        lines
            .into_iter()
            .filter_map(|(path, span, value)| {
                let source = self.source(path, span, names)?;
                let given = match (value.get_ref(), &source.kind) {
                    (toml::de::DeValue::String(text), Type::Text) => {
                        Given::Text(text.as_ref().into())
                    }
                    (toml::de::DeValue::Integer(int), Type::Int) => {
                        Given::Int(int.as_str().parse().ok()?)
                    }
                    (toml::de::DeValue::Boolean(flag), Type::Bool) => Given::Bool(*flag),
                    (_, kind) => {
                        self.problems.at(
                            value.span(),
                            format!("`{path}` is {}, which this is not", kind.name()),
                            "write a value of that type",
                        );
                        return None;
                    }
                };
                Some((source, given))
            })
            .collect()
    }

    pub fn role(&mut self, table: &mut Table<'_, '_>) -> Role {
        match table.text("role", &mut self.problems) {
            None => Role::Both,
            Some(("server", _)) => Role::Server,
            Some(("client", _)) => Role::Client,
            Some((name, span)) => {
                unknown(&mut self.problems, span, "role", name, ["client", "server"]);
                Role::Both
            }
        }
    }

    pub fn entry_doors(&mut self, table: &mut Table<'_, '_>) -> Vec<usize> {
        let mut named = table.texts("door", &mut self.problems);
        named.extend(table.texts("doors", &mut self.problems));
        named
            .into_iter()
            .filter_map(|(name, span)| {
                let found = self.doors.iter().position(|door| door.name == name);
                if found.is_none() {
                    let known: Vec<_> = self.doors.iter().map(|door| door.name.clone()).collect();
                    unknown(
                        &mut self.problems,
                        span,
                        "door",
                        name,
                        known.iter().map(|name| name.as_str()),
                    );
                }
                found
            })
            .collect()
    }

    pub fn operation(&mut self, name: &str, span: Range<usize>) -> Option<Operation> {
        let operation = Operation::from_name(name);
        if operation.is_none() {
            let known = Operation::ALL.iter().map(|operation| operation.name());
            unknown(&mut self.problems, span, "operation", name, known);
        }
        operation
    }

    /// `target = "from:codec"` lines.
    pub fn derives(&mut self, table: &Table<'_, '_>, names: &Names) -> Vec<Derive> {
        let lines: Vec<_> = table.rest().collect();
        lines
            .into_iter()
            .filter_map(|(target, span, value)| {
                let text = super::table::text(value, &mut self.problems)?;
                let (from, codec) = text.split_once(':').unwrap_or((text, ""));
                let target = self.source(target, span, names)?;
                let from = self.source(from, value.span(), names)?;
                let codec = match crate::dialect::codec::Codec::from_name(codec) {
                    Some(codec) => codec,
                    None if codec.is_empty() => Default::default(),
                    None => {
                        let known = crate::dialect::codec::Codec::NAMES.iter().copied();
                        unknown(&mut self.problems, value.span(), "codec", codec, known);
                        return None;
                    }
                };
                if codec != Default::default() && !codec.fits(&target.kind) {
                    let message = format!("{} cannot be read by this codec", target.kind.name());
                    self.problems.at(
                        value.span(),
                        message,
                        "take another codec, or derive another field",
                    );
                    return None;
                }
                Some(Derive {
                    target,
                    from,
                    codec,
                })
            })
            .collect()
    }
}

/// What stands between the slashes of a path; one within a placeholder stands between two fields and parts nothing.
fn parts(path: &str) -> Vec<&str> {
    let mut inside = false;
    path.split(|char| {
        inside = (inside || char == '{') && char != '}';
        char == '/' && !inside
    })
    .collect()
}
