//! A tape: a JSON document, a form or a query string as one flat list of nodes that borrow from the bytes.
//!
//! Every body is read into a tape once. Choosing between exchanges, reading fields and trying one fault after another
//! then walk the tape; nothing is parsed twice, and there is no tree of boxed values. JSON is read by `serde_json`
//! (which bounds the depth), so this file only lays out what it reports. Before it on the journey: `wire`, which has
//! the bytes; after it: `template`, which says what to look for.

mod tree;

pub use tree::Tree;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::escape;

/// One node; a container is followed by its contents and knows where they end.
#[derive(Clone, Debug, PartialEq)]
enum Node<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer above `i64::MAX`: an id, never to pass through a float.
    Big(u64),
    Float(f64),
    Text(Cow<'a, str>),
    Array {
        end: usize,
    },
    /// The contents alternate: the member's name as a text, then its value.
    Object {
        end: usize,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Tape<'a> {
    nodes: Vec<Node<'a>>,
}

/// A place on a tape.
#[derive(Clone, Copy, Debug)]
pub struct At<'t> {
    tape: &'t Tape<'t>,
    index: usize,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind<'t> {
    Null,
    Bool(bool),
    Int(i64),
    Big(u64),
    Float(f64),
    Text(&'t str),
    Array,
    Object,
}

impl<'a> Tape<'a> {
    /// Reads one JSON document.
    ///
    /// # Errors
    /// What `serde_json` says: not JSON, not UTF-8, deeper than 128, or something after the end.
    pub fn json(bytes: &'a [u8]) -> Result<Tape<'a>, serde_json::Error> {
        // A guess from the shortest usual member, `"a":1,`, spares the growing of small tapes.
        let mut tape = Tape {
            nodes: Vec::with_capacity(bytes.len() / 12 + 4),
        };
        // Checked as a whole once, which is far faster than text by text.
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
        let mut reader = serde_json::Deserializer::from_str(text);
        Builder(&mut tape).deserialize(&mut reader)?;
        reader.end()?;
        Ok(tape)
    }

    /// An object of texts, as forms and query strings are; the first pair that cannot be read is the error.
    ///
    /// # Errors
    /// What the pairs say.
    pub fn of_pairs<E>(
        pairs: impl Iterator<Item = Result<(Cow<'a, str>, Cow<'a, str>), E>>,
        expected: usize,
    ) -> Result<Tape<'a>, E> {
        let mut tape = Tape {
            nodes: Vec::with_capacity(1 + 2 * expected),
        };
        tape.nodes.push(Node::Object { end: 0 });
        for pair in pairs {
            let (name, value) = pair?;
            tape.nodes.push(Node::Text(name));
            tape.nodes.push(Node::Text(value));
        }
        tape.close(0);
        Ok(tape)
    }

    /// A text alone, as a header's value or a path's segment is.
    pub fn of_text(text: &'a str) -> Tape<'a> {
        Tape {
            nodes: vec![Node::Text(Cow::Borrowed(text))],
        }
    }

    /// The whole document; `None` for an empty tape.
    pub fn root(&self) -> Option<At<'_>> {
        // A `Tape<'a>` is covariant, so a borrow of it is a tape of that borrow.
        (!self.nodes.is_empty()).then_some(At {
            tape: self,
            index: 0,
        })
    }

    fn close(&mut self, opened: usize) {
        let end = self.nodes.len();
        match &mut self.nodes[opened] {
            Node::Array { end: place } | Node::Object { end: place } => *place = end,
            _ => {}
        }
    }

    /// The first member name that an object has twice, which readers understand differently.
    pub fn doubled_member(&self) -> Option<&str> {
        for (index, node) in self.nodes.iter().enumerate() {
            if !matches!(node, Node::Object { .. }) {
                continue;
            }
            let mut seen = HashSet::new();
            let mut few: [&str; 16] = [""; 16];
            for (count, (name, _)) in (At { tape: self, index }).members().enumerate() {
                // Small objects are compared pairwise: that is cheaper than hashing.
                let doubled = if count < few.len() {
                    let doubled = few[..count].contains(&name);
                    few[count] = name;
                    doubled
                } else {
                    if count == few.len() {
                        seen.extend(few);
                    }
                    !seen.insert(name)
                };
                if doubled {
                    return Some(name);
                }
            }
        }
        None
    }
}

impl<'t> At<'t> {
    pub fn kind(self) -> Kind<'t> {
        match &self.tape.nodes[self.index] {
            Node::Null => Kind::Null,
            Node::Bool(flag) => Kind::Bool(*flag),
            Node::Int(int) => Kind::Int(*int),
            Node::Big(big) => Kind::Big(*big),
            Node::Float(float) => Kind::Float(*float),
            Node::Text(text) => Kind::Text(text),
            Node::Array { .. } => Kind::Array,
            Node::Object { .. } => Kind::Object,
        }
    }

    /// The index of the first node behind this one and all that it holds.
    fn end(self) -> usize {
        match &self.tape.nodes[self.index] {
            Node::Array { end } | Node::Object { end } => *end,
            _ => self.index + 1,
        }
    }

    /// The members of an object; nothing for anything else.
    pub fn members(self) -> impl Iterator<Item = (&'t str, At<'t>)> {
        let end = if matches!(self.kind(), Kind::Object) {
            self.end()
        } else {
            0
        };
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let Node::Text(name) = &self.tape.nodes[next] else {
                return None;
            };
            let value = At {
                tape: self.tape,
                index: next + 1,
            };
            next = value.end();
            Some((name.as_ref(), value))
        })
    }

    /// The elements of an array; nothing for anything else.
    pub fn elements(self) -> impl Iterator<Item = At<'t>> {
        let end = if matches!(self.kind(), Kind::Array) {
            self.end()
        } else {
            0
        };
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            let element = At {
                tape: self.tape,
                index: next,
            };
            (next < end).then(|| {
                next = element.end();
                element
            })
        })
    }

    /// The member of an object.
    pub fn member(self, name: &str) -> Option<At<'t>> {
        self.members()
            .find(|(member, _)| *member == name)
            .map(|(_, value)| value)
    }

    /// The member of an object, looked for first where the last one ended: mostly the wire has the template's order.
    pub fn next_member(self, names: &[Box<str>], next: &mut usize) -> Option<At<'t>> {
        let end = self.end();
        if *next > self.index
            && *next < end
            && let Node::Text(name) = &self.tape.nodes[*next]
            && names.first().is_some_and(|wanted| **wanted == **name)
        {
            let value = At {
                tape: self.tape,
                index: *next + 1,
            };
            *next = value.end();
            return Some(value);
        }
        let value = names.iter().find_map(|name| self.member(name))?;
        *next = value.end();
        Some(value)
    }

    /// Where the first member stands, for [`At::next_member`].
    pub fn first_member(self) -> usize {
        self.index + 1
    }

    /// Writes the value as JSON text.
    pub fn write_json(self, out: &mut String) {
        match self.kind() {
            Kind::Null => out.push_str("null"),
            Kind::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
            Kind::Int(int) => out.push_str(itoa::Buffer::new().format(int)),
            Kind::Big(big) => out.push_str(itoa::Buffer::new().format(big)),
            Kind::Float(float) => {
                let _ = write!(out, "{}", ryu::Buffer::new().format(float));
            }
            Kind::Text(text) => escape::json_string(text, out),
            Kind::Array => {
                let mut lead = '[';
                for element in self.elements() {
                    out.push(lead);
                    element.write_json(out);
                    lead = ',';
                }
                out.push_str(if lead == '[' { "[]" } else { "]" });
            }
            Kind::Object => {
                let mut lead = '{';
                for (name, value) in self.members() {
                    out.push(lead);
                    escape::json_string(name, out);
                    out.push(':');
                    value.write_json(out);
                    lead = ',';
                }
                out.push_str(if lead == '{' { "{}" } else { "}" });
            }
        }
    }
}

/// Appends what `serde_json` reports to a tape.
struct Builder<'b, 'a>(&'b mut Tape<'a>);

impl<'a> DeserializeSeed<'a> for Builder<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Builder<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.nodes.push(Node::Null);
        Ok(())
    }
    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.0.nodes.push(Node::Bool(flag));
        Ok(())
    }
    fn visit_i64<E>(self, int: i64) -> Result<(), E> {
        self.0.nodes.push(Node::Int(int));
        Ok(())
    }
    fn visit_u64<E>(self, big: u64) -> Result<(), E> {
        self.0
            .nodes
            .push(i64::try_from(big).map_or(Node::Big(big), Node::Int));
        Ok(())
    }
    fn visit_f64<E>(self, float: f64) -> Result<(), E> {
        self.0.nodes.push(Node::Float(float));
        Ok(())
    }
    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.0.nodes.push(Node::Text(Cow::Borrowed(text)));
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.nodes.push(Node::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }
    fn visit_seq<S: SeqAccess<'a>>(self, mut elements: S) -> Result<(), S::Error> {
        let opened = self.0.nodes.len();
        self.0.nodes.push(Node::Array { end: 0 });
        while elements.next_element_seed(Builder(self.0))?.is_some() {}
        self.0.close(opened);
        Ok(())
    }
    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<(), M::Error> {
        let opened = self.0.nodes.len();
        self.0.nodes.push(Node::Object { end: 0 });
        while members.next_key_seed(Builder(self.0))?.is_some() {
            members.next_value_seed(Builder(self.0))?;
        }
        self.0.close(opened);
        Ok(())
    }
}
