//! The answer of a plan: outcomes and records become bytes, keys in alphabetical order as Absinthe writes them.
//!
//! A field without a value is null; where the schema allows no null, its parent is null instead, and so on upwards.
//! Failed fields are null with an error beside the data. Nothing is built in between: values go straight out.

use super::plan::{Meaning, Node};
use super::run::{Lookup, Run};
use super::spelling::Spelling;
use super::{Entry, Error, Pos, Refused};
use crate::dialect::escape::{Style, json_text};
use crate::dialect::exchange::FaultForm;
use crate::dialect::template::{Scope, Template};
use crate::dialect::write::Writer;
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
    /// Each with the way to it, by which they are told.
    errors: Vec<(Vec<usize>, Vec<u8>)>,
    /// Bytes that the answer may still have, those written included.
    room: usize,
    /// Where the answer became too large to be given.
    pub(super) overflow: Option<Pos>,
}

impl<'s> Run<'s> {
    /// Writes the answer.
    pub fn render(&self) -> Vec<u8> {
        let mut projector = Projector {
            run: self,
            writer: Writer::with_room(&self.dialect.shapes, Style::Plain, self.plan.bytes.get()),
            path: Vec::new(),
            errors: Vec::new(),
            room: self.budget.bytes(),
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
        self.plan.bytes.set(answer.len());
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
        told(&error.at, error.message.as_str(), &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

fn told(places: &[Pos], message: &str, out: &mut Vec<u8>) {
    // A program that is about reads the first place without a look whether there is one.
    let places = match places {
        [] => &[Pos::START],
        places => places,
    };
    let place = |at: &Pos| format!("{{\"column\":{},\"line\":{}}}", at.column, at.line);
    let places: Vec<String> = places.iter().map(place).collect();
    let lead = format!("\"locations\":[{}],\"message\":", places.join(","));
    out.extend_from_slice(lead.as_bytes());
    json_text(message, Style::Plain, out);
}

impl<'r> Projector<'r> {
    fn finish(mut self) -> Vec<u8> {
        if !self.errors.is_empty() {
            // Absinthe tells the last first.
            self.errors.sort_by(|(left, _), (right, _)| right.cmp(left));
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
        told(&[at], message, &mut out);
        out.extend_from_slice(b",\"path\":[");
        for (index, step) in self.path.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match step {
                Step::Key(node) => out.extend_from_slice(node.key()),
                Step::Index(index) => out.extend_from_slice(index.to_string().as_bytes()),
            }
        }
        out.extend_from_slice(b"]}");
        self.room = self.room.saturating_sub(out.len());
        let way = self.path.iter().map(|step| match step {
            Step::Key(node) => node.id,
            Step::Index(index) => *index,
        });
        self.errors.push((way.collect(), out));
        Null::Told
    }

    /// Too much is no answer at all: a part of it would be taken for the whole.
    pub(super) fn too_large(&mut self, node: &Node) -> Null {
        self.overflow.get_or_insert(node.at);
        Null::Told
    }

    pub(super) fn object(&mut self, nodes: &'r [Node], scope: &Scope<'_>) -> Wrote {
        let Some(first) = nodes.first() else {
            self.writer.out.extend_from_slice(b"{}");
            return Ok(());
        };
        if !self.run.budget.steps(nodes.len()) {
            return Err(self.too_large(first));
        }
        for node in nodes {
            self.writer.out.extend_from_slice(&node.lead);
            let start = self.writer.out.len();
            let wrote = match node.means {
                _ if start > self.room => Err(self.too_large(node)),
                Meaning::Spelt(at) => match self.run.service.spellings.get(at) {
                    // Most fields are; nothing else of a value's writing is needed for them, not even where they are.
                    Spelling::Leaf(template) => self.leaf(template, scope),
                    spelling => self.at(node, |here| here.spelt(spelling, scope, node)),
                },
                _ => self.at(node, |here| here.unspelt(node, scope)),
            };
            wrote.or_else(|null| self.null(node, start, null))?;
        }
        self.writer.out.push(b'}');
        Ok(())
    }

    /// Does something at a field's place, for what errors tell of it.
    fn at<R>(&mut self, node: &'r Node, what: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(Step::Key(node));
        let done = what(self);
        self.path.pop();
        done
    }

    /// A field without a value: null where that is allowed, and else its parent has none either.
    fn null(&mut self, node: &'r Node, start: usize, null: Null) -> Wrote {
        self.writer.out.truncate(start);
        if self.overflow.is_none() && node.nullable {
            self.writer.out.extend_from_slice(b"null");
            return Ok(());
        }
        Err(match null {
            Null::Told => Null::Told,
            Null::Silent => self.at(node, |here| {
                here.error(node.at, "Cannot return null for non-nullable field")
            }),
        })
    }

    /// What comes from elsewhere than the record at hand; apart, because what most fields are is to stay small.
    #[inline(never)]
    fn unspelt(&mut self, node: &'r Node, scope: &Scope<'_>) -> Wrote {
        let run = self.run;
        match node.means {
            Meaning::Command {
                entry,
                reply,
                filled,
            } => self.called(node, (entry, filled), reply, scope),
            Meaning::Refused(at) => match run.origin(node) {
                Some(origin) => Err(self.refused(node, &origin.refused[at])),
                None => Err(Null::Silent),
            },
            Meaning::Tokens => self.tokens(scope, node),
            Meaning::Meta => self.meta(node),
            Meaning::Nothing | Meaning::Spelt(_) => Err(Null::Silent),
        }
    }

    fn called(
        &mut self,
        node: &'r Node,
        (at, filled): (usize, bool),
        spelling: usize,
        scope: &Scope<'_>,
    ) -> Wrote {
        let run = self.run;
        if !run.budget.look_up() {
            return Err(self.too_large(node));
        }
        let entry = &run.service.entries[at];
        match run.found(node, (at, filled), scope) {
            Ok(Lookup::Settled(asked, Ok(reply))) => {
                let spelling = run.service.spellings.get(spelling);
                self.spelt(spelling, &run.scope(reply, asked), node)
            }
            // What the parent's record names and is not there is nothing, where nobody asked for it by an argument.
            Ok(Lookup::Settled(_, Err(fault)))
                if fault.kind.is(Kind::NotFound)
                    && entry.arguments.is_none()
                    && run.one_or_none(node) =>
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

    fn spelt(&mut self, spelling: &'r Spelling, scope: &Scope<'_>, node: &'r Node) -> Wrote {
        match spelling {
            Spelling::Leaf(template) => self.leaf(template, scope),
            Spelling::Record(placeholder) => match (scope.filled(placeholder), node.fields()) {
                (Value::Record(record), Some(nodes)) => self.object(nodes, &scope.of(record)),
                _ => Err(Null::Silent),
            },
            Spelling::Object(_) => match node.fields() {
                Some(nodes) => self.object(nodes, scope),
                None => Err(Null::Silent),
            },
            Spelling::List { of, item, nullable } => {
                self.list(scope.value(of), (*item, *nullable), scope, node)
            }
            Spelling::Always(json) => {
                self.writer.out.extend_from_slice(json);
                Ok(())
            }
            Spelling::Nothing => Err(Null::Silent),
        }
    }

    #[inline]
    fn leaf(&mut self, template: &'r Template, scope: &Scope<'_>) -> Wrote {
        match self.writer.present(template, scope) {
            true => Ok(()),
            false => Err(Null::Silent),
        }
    }

    fn list(
        &mut self,
        list: Value<'_>,
        (item, nullable): (usize, bool),
        scope: &Scope<'_>,
        node: &'r Node,
    ) -> Wrote {
        let item = self.run.service.spellings.get(item);
        self.writer.out.push(b'[');
        if let Value::List(elements) = list {
            let mut scope = *scope;
            for index in 0..elements.len() {
                scope.item = Some(elements.at(index));
                self.element(index, nullable, |projector| {
                    projector.spelt(item, &scope, node)
                })?;
            }
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
