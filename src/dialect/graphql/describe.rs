//! The parts of an answer that no outcome has: a text in tokens, and what the schema says of itself.
//!
//! They are made from records and the schema at hand; nothing is asked of anybody for them.

use super::introspect::{Item, Shown};
use super::plan::Node;
use super::project::{Null, Projector, Step, Wrote};
use super::schema::{Base, FieldRef, TypeRef};
use super::tokens;
use crate::dialect::escape::{Style, json_text};
use crate::dialect::tape::Kind;
use crate::dialect::template::Scope;
use crate::model::Arrival;
use crate::model::record::Value;

impl<'r> Projector<'r> {
    /// A text's tokens, each in the type that it is of.
    pub(super) fn tokens(&mut self, scope: &Scope<'_>, node: &'r Node) -> Wrote {
        let origin = self.run.origin(node);
        let Some((source, types)) = origin.and_then(|origin| origin.tokens.as_ref()) else {
            return Err(Null::Silent);
        };
        let Value::Text(text) = scope.value(source) else {
            return Err(Null::Silent);
        };
        let arrival = Arrival::default();
        let app = Default::default();
        self.writer.out.push(b'[');
        for (index, (kind, token)) in tokens::cut(text).iter().enumerate() {
            let of = types.get(*kind).copied().unwrap_or_default();
            let nodes = node.children.iter().find(|(possible, _)| *possible == of);
            self.element(index, true, |projector| match nodes {
                Some((_, nodes)) => projector.object(nodes, &Scope::new(token, &arrival, &app)),
                None => Err(Null::Silent),
            })?;
        }
        self.writer.out.push(b']');
        Ok(())
    }

    /// A field that no type lists.
    pub(super) fn meta(&mut self, node: &'r Node) -> Wrote {
        let schema = &self.run.service.schema;
        let shown = match node.field {
            FieldRef::Own(_) => Shown::Null,
            FieldRef::Typename => {
                let name = &schema.types[node.of].name;
                json_text(name, Style::Plain, &mut self.writer.out);
                return Ok(());
            }
            FieldRef::Schema => Shown::One(Item::Schema),
            FieldRef::Type => {
                let arguments = self.run.arguments(node);
                let name = arguments.and_then(|tape| tape.root()?.member("name"));
                let found = match name.map(|name| name.kind()) {
                    Some(Kind::Text(name)) => schema.find(name),
                    _ => None,
                };
                found.map_or(Shown::Null, |found| {
                    Shown::One(Item::Type(TypeRef {
                        nullable: true,
                        base: Base::Named(found),
                    }))
                })
            }
        };
        self.intro(shown, node)
    }

    /// What the schema says of itself.
    fn intro(&mut self, shown: Shown<'r>, node: &'r Node) -> Wrote {
        if !self.run.budget.tell() {
            return Err(self.too_large(node));
        }
        match shown {
            Shown::Null => Err(Null::Silent),
            Shown::Bool(flag) => {
                let text: &[u8] = if flag { b"true" } else { b"false" };
                self.writer.out.extend_from_slice(text);
                Ok(())
            }
            Shown::Text(text) => {
                json_text(&text, Style::Plain, &mut self.writer.out);
                Ok(())
            }
            Shown::Texts(texts) => {
                self.writer.out.push(b'[');
                for (index, text) in texts.iter().enumerate() {
                    if index > 0 {
                        self.writer.out.push(b',');
                    }
                    json_text(text, Style::Plain, &mut self.writer.out);
                }
                self.writer.out.push(b']');
                Ok(())
            }
            Shown::Many(items) => {
                self.writer.out.push(b'[');
                for (index, item) in items.into_iter().enumerate() {
                    self.element(index, true, |projector| {
                        projector.intro(Shown::One(item), node)
                    })?;
                }
                self.writer.out.push(b']');
                Ok(())
            }
            Shown::One(item) => self.intro_object(&item, node),
        }
    }

    fn intro_object(&mut self, item: &Item<'r>, node: &'r Node) -> Wrote {
        let schema = &self.run.service.schema;
        let Some(nodes) = node.fields() else {
            return Err(Null::Silent);
        };
        if nodes.is_empty() {
            self.writer.out.push(b'{');
        }
        for child in nodes {
            self.writer.out.extend_from_slice(&child.lead);
            self.path.push(Step::Key(child));
            let start = self.writer.out.len();
            let shown = match child.field {
                FieldRef::Own(at) => item.member(schema, &schema.types[child.of].fields[at].name),
                _ => Shown::Text(schema.types[child.of].name.to_string()),
            };
            let wrote = self.intro(shown, child);
            self.path.pop();
            if self.overflow.is_some() {
                return Err(Null::Told);
            }
            if wrote.is_err() {
                self.writer.out.truncate(start);
                self.writer.out.extend_from_slice(b"null");
            }
        }
        self.writer.out.push(b'}');
        Ok(())
    }
}
