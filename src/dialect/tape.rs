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

/// One node; a container is followed by its contents and knows how many nodes the whole of it is.
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
        nodes: usize,
    },
    /// The contents alternate: the member's name as a text, then its value.
    Object {
        nodes: usize,
    },
}

impl Node<'_> {
    fn nodes(&self) -> usize {
        match self {
            Node::Array { nodes } | Node::Object { nodes } => *nodes,
            _ => 1,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Tape<'a> {
    nodes: Vec<Node<'a>>,
}

/// A place on a tape: the nodes of one value.
#[derive(Clone, Copy, Debug)]
pub struct At<'t>(&'t [Node<'t>]);

/// Some of an object's members, up to its last.
#[derive(Clone, Copy, Debug)]
pub struct Members<'t>(&'t [Node<'t>]);

/// A text that stands alone, as a header's value or a path's segment does.
pub struct Leaf<'a>(Node<'a>);

impl<'a> Leaf<'a> {
    pub fn text(text: &'a str) -> Leaf<'a> {
        Leaf(Node::Text(Cow::Borrowed(text)))
    }

    pub fn at(&self) -> At<'_> {
        At(std::slice::from_ref(&self.0))
    }
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
        // Checked as a whole once, which is far faster than text by text.
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
        Tape::json_text(text)
    }

    /// Reads one JSON document out of a text.
    ///
    /// # Errors
    /// As [`Tape::json`].
    pub fn json_text(text: &'a str) -> Result<Tape<'a>, serde_json::Error> {
        // A guess from the shortest usual member, `"a":1,`, spares the growing of small tapes.
        let mut tape = Tape {
            nodes: Vec::with_capacity(text.len() / 12 + 4),
        };
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
        tape.nodes.push(Node::Object { nodes: 0 });
        for pair in pairs {
            let (name, value) = pair?;
            tape.nodes.push(Node::Text(name));
            tape.nodes.push(Node::Text(value));
        }
        tape.close(0);
        Ok(tape)
    }

    /// The whole document; `None` for an empty tape.
    pub fn root(&self) -> Option<At<'_>> {
        // A `Tape<'a>` is covariant, so a borrow of it is a tape of that borrow.
        (!self.nodes.is_empty()).then_some(At(&self.nodes))
    }

    fn close(&mut self, opened: usize) {
        let all = self.nodes.len() - opened;
        if let Some(Node::Array { nodes } | Node::Object { nodes }) = self.nodes.get_mut(opened) {
            *nodes = all;
        }
    }

    /// The first member name that an object has twice, which readers understand differently.
    pub fn doubled_member(&self) -> Option<&str> {
        for (index, node) in self.nodes.iter().enumerate() {
            let Node::Object { nodes } = node else {
                continue;
            };
            let object = At(&self.nodes[index..index + nodes]);
            let mut seen = HashSet::new();
            let mut few: [&str; 16] = [""; 16];
            for (count, (name, _)) in object.members().enumerate() {
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
        match self.0.first() {
            None | Some(Node::Null) => Kind::Null,
            Some(Node::Bool(flag)) => Kind::Bool(*flag),
            Some(Node::Int(int)) => Kind::Int(*int),
            Some(Node::Big(big)) => Kind::Big(*big),
            Some(Node::Float(float)) => Kind::Float(*float),
            Some(Node::Text(text)) => Kind::Text(text),
            Some(Node::Array { .. }) => Kind::Array,
            Some(Node::Object { .. }) => Kind::Object,
        }
    }

    pub fn is_null(self) -> bool {
        matches!(self.0, [] | [Node::Null, ..])
    }

    /// The first value of these nodes, and what stands behind it.
    fn split(nodes: &'t [Node<'t>]) -> Option<(At<'t>, &'t [Node<'t>])> {
        let (value, behind) = nodes.split_at_checked(nodes.first()?.nodes())?;
        Some((At(value), behind))
    }

    /// The members of an object; nothing for anything else.
    pub fn members(self) -> Members<'t> {
        Members(match self.0 {
            [Node::Object { .. }, rest @ ..] => rest,
            _ => &[],
        })
    }

    /// The elements of an array; nothing for anything else.
    pub fn elements(self) -> impl Iterator<Item = At<'t>> {
        let mut rest = match self.0 {
            [Node::Array { .. }, rest @ ..] => rest,
            _ => &[],
        };
        std::iter::from_fn(move || {
            let (element, behind) = At::split(rest)?;
            rest = behind;
            Some(element)
        })
    }

    /// The member of an object.
    pub fn member(self, name: &str) -> Option<At<'t>> {
        self.members().find(name)
    }

    /// The member of an object under any of its names, looked for first at `next`, which is moved behind it: mostly the
    /// wire has the template's order.
    pub fn next_member(self, names: &[Box<str>], next: &mut Members<'t>) -> Option<At<'t>> {
        let mut ahead = *next;
        if let Some((name, value)) = ahead.next()
            && names.first().is_some_and(|wanted| **wanted == *name)
        {
            *next = ahead;
            return Some(value);
        }
        names.iter().find_map(|name| {
            let mut members = self.members();
            let value = members.find(name)?;
            *next = members;
            Some(value)
        })
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

impl<'t> Members<'t> {
    /// The first of this name.
    fn find(&mut self, name: &str) -> Option<At<'t>> {
        Iterator::find(self, |(member, _)| *member == name).map(|(_, value)| value)
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, At<'t>);

    fn next(&mut self) -> Option<(&'t str, At<'t>)> {
        let [Node::Text(name), behind @ ..] = self.0 else {
            return None;
        };
        let (value, behind) = At::split(behind)?;
        self.0 = behind;
        Some((name, value))
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
        self.0.nodes.push(Node::Array { nodes: 0 });
        while elements.next_element_seed(Builder(self.0))?.is_some() {}
        self.0.close(opened);
        Ok(())
    }
    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<(), M::Error> {
        let opened = self.0.nodes.len();
        self.0.nodes.push(Node::Object { nodes: 0 });
        while members.next_key_seed(Builder(self.0))?.is_some() {
            members.next_value_seed(Builder(self.0))?;
        }
        self.0.close(opened);
        Ok(())
    }
}
