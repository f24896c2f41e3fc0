//! The answer of a plan: outcomes and records become bytes, keys in alphabetical order as Absinthe writes them.
//!
//! A field without a value is null; where the schema allows no null, its parent is null instead, and so on upwards.
//! Failed fields are null with an error beside the data. Nothing is built in between: values go straight out.

use async_graphql_parser::Pos;

use super::plan::Node;
use super::run::{Context, Lookup, Run};
use super::schema::{Base, FieldRef, TypeRef};
use super::{Entry, Error, Refused};
use crate::dialect::escape::{Style, json_text};
use crate::dialect::exchange::FaultForm;
use crate::dialect::template::{Scope, Template};
use crate::dialect::write::{EACH_BYTES, Writer};
use crate::model::record::Value;
use crate::model::{Done, Fault, Kind};

/// There is no value.
pub(super) enum Null {
    /// And an error says why.
    Told,
    Silent,
}

pub(super) type Wrote = Result<(), Null>;

pub(super) enum Step<'p> {
    Key(&'p Node),
    Index(usize),
}

pub(super) struct Projector<'r> {
    pub(super) run: &'r Run<'r>,
    pub(super) writer: Writer<'r>,
    pub(super) path: Vec<Step<'r>>,
    errors: Vec<(Pos, Vec<u8>)>,
    error_bytes: usize,
    /// Where the answer became too large to be given.
    pub(super) overflow: Option<Pos>,
}

impl<'s> Run<'s> {
    /// Writes the answer.
    pub fn render(&self) -> Vec<u8> {
        let mut projector = Projector {
            run: self,
            writer: Writer::new(&self.dialect.shapes, Style::Plain),
            path: Vec::new(),
            errors: Vec::new(),
            error_bytes: 0,
            overflow: None,
        };
        projector.writer.out.extend_from_slice(b"{\"data\":");
        let start = projector.writer.out.len();
        if projector.object(&self.plan.roots, &self.root()).is_err() {
            projector.writer.out.truncate(start);
            projector.writer.out.extend_from_slice(b"null");
        }
        let answer = match projector.overflow {
            Some(at) => refused(&[Error::new("The answer is too large", at)]),
            None => projector.finish(),
        };
        self.budget.answer(answer.len());
        answer
    }
}

/// The answer to a document that was not run.
pub fn refused(errors: &[Error]) -> Vec<u8> {
    let mut out = b"{\"errors\":[".to_vec();
    for (index, error) in errors.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{");
        told(error.at, error.message.as_str(), &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

fn told(at: Pos, message: &str, out: &mut Vec<u8>) {
    let place = format!(
        "\"locations\":[{{\"column\":{},\"line\":{}}}],\"message\":",
        at.column, at.line
    );
    out.extend_from_slice(place.as_bytes());
    json_text(message, Style::Plain, out);
}

impl<'r> Projector<'r> {
    fn finish(mut self) -> Vec<u8> {
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|(at, _)| (at.line, at.column));
            self.writer.out.extend_from_slice(b",\"errors\":[");
            for (index, (_, error)) in self.errors.iter().enumerate() {
                if index > 0 {
                    self.writer.out.push(b',');
                }
                self.writer.out.extend_from_slice(error);
            }
            self.writer.out.push(b']');
        }
        self.writer.out.push(b'}');
        self.writer.out
    }

    fn error(&mut self, at: Pos, message: &str) -> Null {
        let mut out = b"{".to_vec();
        told(at, message, &mut out);
        out.extend_from_slice(b",\"path\":[");
        for (index, step) in self.path.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match step {
                Step::Key(node) => json_text(node.key(), Style::Plain, &mut out),
                Step::Index(index) => out.extend_from_slice(index.to_string().as_bytes()),
            }
        }
        out.extend_from_slice(b"]}");
        self.error_bytes += out.len();
        self.errors.push((at, out));
        Null::Told
    }

    /// Too much is no answer at all: a part of it would be taken for the whole.
    pub(super) fn too_large(&mut self, node: &Node) -> Null {
        self.overflow.get_or_insert(node.at);
        Null::Told
    }

    pub(super) fn object(&mut self, nodes: &'r [Node], context: &Context<'r, '_>) -> Wrote {
        self.writer.out.push(b'{');
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.writer.out.push(b',');
            }
            self.writer.out.extend_from_slice(node.lead.as_bytes());
            self.path.push(Step::Key(node));
            let start = self.writer.out.len();
            let wrote = self.field(node, context);
            let wrote = wrote.or_else(|null| self.null(node, start, null));
            self.path.pop();
            wrote?;
        }
        self.writer.out.push(b'}');
        Ok(())
    }

    /// A field without a value: null where that is allowed, and else its parent has none either.
    fn null(&mut self, node: &Node, start: usize, null: Null) -> Wrote {
        self.writer.out.truncate(start);
        if self.overflow.is_none() && node.nullable {
            self.writer.out.extend_from_slice(b"null");
            return Ok(());
        }
        Err(match null {
            Null::Told => Null::Told,
            Null::Silent => self.error(node.at, "Cannot return null for non-nullable field"),
        })
    }

    fn field(&mut self, node: &'r Node, context: &Context<'r, '_>) -> Wrote {
        let run = self.run;
        let written = self.writer.out.len() + self.error_bytes;
        if written > run.budget.bytes() || !run.budget.step() || self.overflow.is_some() {
            return Err(self.too_large(node));
        }
        let FieldRef::Own(at) = node.field else {
            return self.meta(node);
        };
        let Some(definition) = run.service.schema.types[node.of].fields.get(at) else {
            return Err(Null::Silent);
        };
        if let Some(entry) = node.call {
            return self.called(node, entry, &definition.of, context);
        }
        let origin = run.origin(node);
        if let (Some(refused), Some(origin)) = (node.refused, origin) {
            return Err(self.refused(node, &origin.refused[refused]));
        }
        if let Context::Record(scope) = context
            && let Some((source, types)) = origin.and_then(|origin| origin.tokens.as_ref())
        {
            return match scope.value(source) {
                Value::Text(text) => self.tokens(text, types, node),
                _ => Err(Null::Silent),
            };
        }
        match run.template(node, context) {
            Some((template, scope)) => self.value(template, scope, &definition.of, node),
            None => Err(Null::Silent),
        }
    }

    fn called(
        &mut self,
        node: &'r Node,
        at: usize,
        of: &'r TypeRef,
        context: &Context<'r, '_>,
    ) -> Wrote {
        let run = self.run;
        if !run.budget.look_up() {
            return Err(self.too_large(node));
        }
        let entry = &run.service.entries[at];
        match run.found(node, at, context) {
            Ok(Lookup::Settled(asked, Ok(reply))) => {
                self.value(&entry.reply, &run.scope(reply, asked), of, node)
            }
            // What the parent's record names and is not there is nothing, where nobody asked for it by an argument.
            Ok(Lookup::Settled(_, Err(fault)))
                if fault.kind.is(Kind::NotFound)
                    && entry.arguments.is_none()
                    && of.nullable
                    && matches!(of.base, Base::Named(_)) =>
            {
                Err(Null::Silent)
            }
            Ok(Lookup::Settled(_, Err(fault))) => Err(self.fault(node, entry, fault)),
            Ok(Lookup::Due(_)) => {
                Err(self.error(node.at, "The document asks for too much at once"))
            }
            Err(mut fault) => {
                run.dialect.name_field(&mut fault, entry);
                Err(self.fault(node, entry, &fault))
            }
        }
    }

    fn refused(&mut self, node: &Node, refused: &Refused) -> Null {
        if !refused.message.is_empty() {
            return self.error(node.at, &refused.message);
        }
        let door = self.run.service.door;
        let form = self.run.dialect.fault_form(refused.kind, None, "", door);
        self.worded(node, form, &Fault::client(refused.kind, ""))
    }

    fn fault(&mut self, node: &Node, entry: &Entry, fault: &Fault) -> Null {
        self.worded(node, self.run.form(fault, entry), fault)
    }

    /// A fault in the words that the mapping has for it.
    fn worded(&mut self, node: &Node, form: Option<&'r FaultForm>, fault: &Fault) -> Null {
        let run = self.run;
        let words = form.and_then(super::answer::words);
        let nothing = Done::default();
        let scope = Scope {
            request: Some(&nothing),
            fault: Some(&fault.details),
            ..Scope::new(&*fault.details, run.arrival, run.app)
        };
        let mut text = String::new();
        if !words.is_some_and(|words| self.writer.text(words, &scope, &mut text)) {
            text = fault.details.message.to_string();
        }
        self.error(node.at, &text)
    }

    fn value(
        &mut self,
        template: &'r Template,
        scope: &Scope<'_>,
        of: &'r TypeRef,
        node: &'r Node,
    ) -> Wrote {
        if let Base::List(item) = &of.base {
            return self.list(template, scope, item, node);
        }
        if node.leaf {
            let start = self.writer.out.len();
            self.writer.json(template, scope);
            return if self.writer.out[start..] == *b"null" {
                Err(Null::Silent)
            } else {
                Ok(())
            };
        }
        let context = match template {
            Template::Placeholder(placeholder) => match scope.filled(placeholder) {
                Value::Record(record) => Context::Record(scope.of(record)),
                _ => return Err(Null::Silent),
            },
            Template::Object(_) => Context::Spelt(template, *scope),
            _ => return Err(Null::Silent),
        };
        match node.children.first() {
            Some((_, nodes)) => self.object(nodes, &context),
            None => Err(Null::Silent),
        }
    }

    fn list(
        &mut self,
        template: &'r Template,
        scope: &Scope<'_>,
        of: &'r TypeRef,
        node: &'r Node,
    ) -> Wrote {
        let (list, item) = match template {
            Template::Each { list, item } => (list, item),
            Template::Array(none) if none.is_empty() => {
                self.writer.out.extend_from_slice(b"[]");
                return Ok(());
            }
            _ => return Err(Null::Silent),
        };
        let Value::List(elements) = scope.value(list) else {
            self.writer.out.extend_from_slice(b"[]");
            return Ok(());
        };
        self.writer.out.reserve(elements.len() * EACH_BYTES);
        self.writer.out.push(b'[');
        let mut scope = *scope;
        for index in 0..elements.len() {
            scope.item = Some(elements.at(index));
            self.element(index, of.nullable, |projector| {
                projector.value(item, &scope, of, node)
            })?;
        }
        self.writer.out.push(b']');
        Ok(())
    }

    pub(super) fn element(
        &mut self,
        index: usize,
        nullable: bool,
        write: impl FnOnce(&mut Self) -> Wrote,
    ) -> Wrote {
        if index > 0 {
            self.writer.out.push(b',');
        }
        self.path.push(Step::Index(index));
        let start = self.writer.out.len();
        let wrote = write(self);
        self.path.pop();
        if wrote.is_err() && nullable && self.overflow.is_none() {
            self.writer.out.truncate(start);
            self.writer.out.extend_from_slice(b"null");
            return Ok(());
        }
        wrote
    }
}
