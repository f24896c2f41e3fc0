//! Writing: a template and a scope become bytes.
//!
//! JSON goes straight into the outgoing buffer; an optional member that turns out absent is cut off again, so that
//! nothing is looked at twice. What is required and absent is noted in [`Writer::missing`]: for a request that means
//! that this dialect cannot carry the command, in a reply it is written as `null`.

use super::codec::Codec;
use super::escape::{self, Style};
use super::template::{Absence, Constant, Member, Piece, Placeholder, Scope, Shape, Template};
use crate::model::record::{List, Slot, Value};

pub struct Writer<'d> {
    pub shapes: &'d [Shape],
    pub style: Style,
    pub out: Vec<u8>,
    /// The path of the first required field that was absent.
    pub missing: Option<&'d str>,
    /// What stands before the next pair.
    before_pair: &'static str,
    scratch: String,
    /// A text before it is escaped or put into a line.
    bare: String,
}

/// The fields of [`Media`](crate::model::Media) that a medium is written from; a test holds them to its schema.
pub(super) const MEDIUM_URL: u8 = 0;
pub(super) const MEDIUM_DATA: u8 = 3;

/// Room that is made for a message, and what is around it.
pub(super) const USUAL_BYTES: usize = 256;

/// Room that is made for each element of a list: about what a short message takes.
const EACH_BYTES: usize = 192;

/// Room that is made for a bare text: about what a token takes.
const BARE_BYTES: usize = 64;

/// Was there anything to write?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    Something,
    Nothing,
}

/// How a pair of a form or a query string is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    Form,
    Query,
    /// A query whose values are typed by a `#` before them.
    Feathers,
}

impl<'d> Writer<'d> {
    pub fn new(shapes: &'d [Shape], style: Style) -> Writer<'d> {
        Writer::with_room(shapes, style, USUAL_BYTES)
    }

    /// A writer of about so many bytes.
    pub fn with_room(shapes: &'d [Shape], style: Style, bytes: usize) -> Writer<'d> {
        Writer {
            shapes,
            style,
            out: Vec::with_capacity(bytes),
            missing: None,
            before_pair: "",
            scratch: String::new(),
            bare: String::new(),
        }
    }

    /// Writes one JSON value; an absent one as `null`.
    pub fn json(&mut self, template: &'d Template, scope: &Scope<'_>) {
        if self.value(template, scope) == Wrote::Nothing {
            self.out.extend_from_slice(b"null");
        }
    }

    /// Writes one JSON value; false if it is absent or null.
    #[inline]
    pub fn present(&mut self, template: &'d Template, scope: &Scope<'_>) -> bool {
        // By far the most values are texts that are written as they are.
        if let Template::Placeholder(placeholder) = template
            && let (Value::Text(text), Codec::Plain) =
                (scope.value(&placeholder.source), placeholder.codec)
        {
            escape::json_text(text, self.style, &mut self.out);
            return true;
        }
        let start = self.out.len();
        self.json(template, scope);
        self.out[start..] != *b"null"
    }

    /// Writes one JSON object out of several templates' members.
    pub fn object(&mut self, mut templates: impl Iterator<Item = &'d Template>, scope: &Scope<'_>) {
        let first = templates.next();
        let Some(Template::Object(members)) = first else {
            // An array can be added to by nobody.
            return first.map_or((), |only| self.json(only, scope));
        };
        self.out.push(b'{');
        let opened = self.out.len();
        self.members(members, scope, opened);
        for template in templates {
            if let Template::Object(members) = template {
                self.members(members, scope, opened);
            }
        }
        self.out.push(b'}');
    }

    fn value(&mut self, template: &'d Template, scope: &Scope<'_>) -> Wrote {
        match template {
            Template::Constant(constant) => self.constant(constant),
            Template::Placeholder(placeholder) => self.placeholder(placeholder, scope),
            Template::Text(pieces) => {
                let mut text = String::new();
                if self.pieces(pieces, scope, &mut text) == Wrote::Nothing {
                    return Wrote::Nothing;
                }
                escape::json_text(&text, self.style, &mut self.out);
                Wrote::Something
            }
            Template::Object(members) => {
                self.out.push(b'{');
                self.members(members, scope, self.out.len());
                self.out.push(b'}');
                Wrote::Something
            }
            Template::Array(elements) => {
                self.out.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.json(element, scope);
                }
                self.out.push(b']');
                Wrote::Something
            }
            Template::Each { list, item } => {
                if let Value::List(elements) = scope.value(list) {
                    self.each(elements, item, scope);
                } else {
                    self.out.extend_from_slice(b"[]");
                }
                Wrote::Something
            }
        }
    }

    fn each(&mut self, list: &dyn List, item: &'d Template, scope: &Scope<'_>) {
        self.out.reserve(list.len() * EACH_BYTES);
        self.out.push(b'[');
        let mut scope = *scope;
        for index in 0..list.len() {
            if index > 0 {
                self.out.push(b',');
            }
            scope.item = Some(list.at(index));
            self.json(item, &scope);
        }
        self.out.push(b']');
    }

    /// Writes members behind what stands after `opened`, commas where they belong.
    fn members(&mut self, members: &'d [Member], scope: &Scope<'_>, opened: usize) {
        for member in members {
            let before = self.out.len();
            if before > opened {
                self.out.push(b',');
            }
            match &member.dynamic {
                None => self.out.extend_from_slice(&member.lead),
                Some(pieces) => {
                    let mut name = String::new();
                    self.pieces(pieces, scope, &mut name);
                    escape::json_text(&name, self.style, &mut self.out);
                    self.out.push(b':');
                }
            }
            let value_at = self.out.len();
            let wrote = self.value(&member.template, scope);
            // An object all of whose members were left out is left out itself.
            let hollow = self.out.len() == value_at + 2
                && !member.demanded
                && matches!(&member.template, Template::Object(inner) if !inner.is_empty());
            if wrote == Wrote::Nothing || hollow {
                self.out.truncate(before);
            }
        }
    }

    fn constant(&mut self, constant: &Constant) -> Wrote {
        self.out.extend_from_slice(&constant.json);
        Wrote::Something
    }

    fn placeholder(&mut self, placeholder: &'d Placeholder, scope: &Scope<'_>) -> Wrote {
        let wrote = match scope.filled(placeholder) {
            Value::Absent => Wrote::Nothing,
            Value::Record(record) => {
                match placeholder.shape.and_then(|shape| self.shapes.get(shape)) {
                    Some(shape) => self.value(&shape.template, &scope.of(record)),
                    None => Wrote::Nothing,
                }
            }
            Value::List(list) => self.list(list, placeholder.codec),
            value => self.leaf(value, placeholder.codec),
        };
        match (wrote, &placeholder.absence) {
            (Wrote::Nothing, Absence::Written(constant)) => self.constant(constant),
            (Wrote::Nothing, Absence::Required) => {
                self.missing.get_or_insert(&placeholder.path);
                self.out.extend_from_slice(b"null");
                Wrote::Something
            }
            (wrote, _) => wrote,
        }
    }

    fn leaf(&mut self, value: Value<'_>, codec: Codec) -> Wrote {
        // By far the most values are texts that are written as they are.
        if let (Value::Text(text), Codec::Plain) = (value, codec) {
            escape::json_text(text, self.style, &mut self.out);
            return Wrote::Something;
        }
        match codec.encode(value, &mut self.scratch) {
            Some(scalar) => {
                scalar.write_json(self.style, &mut self.out);
                Wrote::Something
            }
            None => Wrote::Nothing,
        }
    }

    fn list(&mut self, list: &dyn List, codec: Codec) -> Wrote {
        match codec {
            Codec::Medium => self.medium(list.at(0)),
            Codec::OneOrMany if list.len() == 1 => self.leaf(list.at(0).get(&[]), Codec::Plain),
            _ => self.leaves(list, codec),
        }
    }

    /// A medium's address, or else the value that it is.
    fn medium(&mut self, medium: &dyn Slot) -> Wrote {
        let value = [MEDIUM_URL, MEDIUM_DATA]
            .into_iter()
            .map(|field| medium.get(&[field]));
        match value.into_iter().find(|value| !value.is_absent()) {
            Some(value) => self.leaf(value, Codec::Plain),
            None => Wrote::Nothing,
        }
    }

    fn leaves(&mut self, list: &dyn List, codec: Codec) -> Wrote {
        self.out.push(b'[');
        for index in 0..list.len() {
            if index > 0 {
                self.out.push(b',');
            }
            if self.leaf(list.at(index).get(&[]), codec) == Wrote::Nothing {
                self.out.extend_from_slice(b"null");
            }
        }
        self.out.push(b']');
        Wrote::Something
    }

    /// Writes a template as bare text, for headers, path segments and text bodies. False if it is absent.
    pub fn text(&mut self, template: &'d Template, scope: &Scope<'_>, out: &mut String) -> bool {
        match template {
            Template::Constant(constant) => {
                out.push_str(&constant.text);
                true
            }
            Template::Placeholder(placeholder) => {
                self.bare(placeholder, scope, out) == Wrote::Something
            }
            Template::Text(pieces) => self.pieces(pieces, scope, out) == Wrote::Something,
            // A structure in a textual place is its JSON text.
            Template::Object(_) | Template::Array(_) | Template::Each { .. } => {
                let mut inner = Writer::new(self.shapes, Style::Plain);
                inner.json(template, scope);
                self.missing = self.missing.or(inner.missing);
                out.push_str(&String::from_utf8(inner.out).unwrap_or_default());
                true
            }
        }
    }

    /// Text around placeholders is absent when one of them is.
    pub fn has_pieces(&mut self, pieces: &'d [Piece], scope: &Scope<'_>, out: &mut String) -> bool {
        self.pieces(pieces, scope, out) == Wrote::Something
    }

    fn pieces(&mut self, pieces: &'d [Piece], scope: &Scope<'_>, out: &mut String) -> Wrote {
        let before = out.len();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Placeholder(placeholder) => {
                    if self.bare(placeholder, scope, out) == Wrote::Nothing {
                        out.truncate(before);
                        return Wrote::Nothing;
                    }
                }
            }
        }
        Wrote::Something
    }

    fn bare(&mut self, placeholder: &'d Placeholder, scope: &Scope<'_>, out: &mut String) -> Wrote {
        let value = match (scope.filled(placeholder), placeholder.codec) {
            (Value::List(list), Codec::Medium) => {
                let medium = list.at(0);
                let url = medium.get(&[MEDIUM_URL]);
                if url.is_absent() {
                    medium.get(&[MEDIUM_DATA])
                } else {
                    url
                }
            }
            (Value::List(list), _) => list.at(0).get(&[]),
            (value, _) => value,
        };
        if let (Value::Record(_), Some(_)) = (value, placeholder.shape) {
            let mut inner = Writer::new(self.shapes, Style::Plain);
            inner.placeholder(placeholder, scope);
            out.push_str(&String::from_utf8(inner.out).unwrap_or_default());
            return Wrote::Something;
        }
        match (
            placeholder.codec.encode(value, &mut self.scratch),
            &placeholder.absence,
        ) {
            (Some(scalar), _) => scalar.write_text(out),
            (None, Absence::Written(constant)) => out.push_str(&constant.text),
            (None, Absence::Required) => {
                self.missing.get_or_insert(&placeholder.path);
                return Wrote::Nothing;
            }
            (None, Absence::LeftOut) => return Wrote::Nothing,
        }
        Wrote::Something
    }

    /// Has the next pair be the first, and stand behind this.
    pub fn begin_pairs(&mut self, lead: &'static str) {
        self.before_pair = lead;
    }

    /// Writes an object's members as pairs; nested ones as `outer[inner]`.
    pub fn pairs(&mut self, template: &'d Template, scope: &Scope<'_>, kind: Pairs) {
        self.nested_pairs(template, scope, kind, "");
    }

    fn nested_pairs(
        &mut self,
        template: &'d Template,
        scope: &Scope<'_>,
        kind: Pairs,
        prefix: &str,
    ) {
        let Template::Object(members) = template else {
            return;
        };
        for member in members {
            let own = member.names.first().map_or("", |name| name);
            let nested;
            let name = if prefix.is_empty() {
                own
            } else {
                nested = format!("{prefix}[{own}]");
                &nested
            };
            match &member.template {
                Template::Object(_) => self.nested_pairs(&member.template, scope, kind, name),
                template => self.member(name, template, scope, kind),
            }
        }
    }

    /// Writes a member as a pair, unless it is absent.
    pub fn member(&mut self, name: &str, template: &'d Template, scope: &Scope<'_>, kind: Pairs) {
        self.with_text(template, scope, |value, writer| {
            writer.pair(name, value, kind)
        });
    }

    /// Does something with a template's bare text, unless it is absent.
    pub fn with_text<R>(
        &mut self,
        template: &'d Template,
        scope: &Scope<'_>,
        what: impl FnOnce(&str, &mut Writer<'d>) -> R,
    ) -> Option<R> {
        let mut text = std::mem::take(&mut self.bare);
        text.clear();
        text.reserve(BARE_BYTES);
        let written = self.text(template, scope, &mut text);
        let done = written.then(|| what(&text, self));
        self.bare = text;
        done
    }

    /// Writes one pair, the separator before it where one is needed.
    fn pair(&mut self, name: &str, value: &str, kind: Pairs) {
        let lead = std::mem::replace(&mut self.before_pair, "&");
        self.out.extend_from_slice(lead.as_bytes());
        let escape = match kind {
            Pairs::Form => escape::form,
            Pairs::Query | Pairs::Feathers => escape::percent,
        };
        escape(name, &mut self.out);
        self.out.push(b'=');
        if kind == Pairs::Feathers && super::query::looks_typed(value) {
            let mut typed = String::from("#");
            escape::json_string(value, &mut typed);
            return escape(&typed, &mut self.out);
        }
        escape(value, &mut self.out);
    }
}
