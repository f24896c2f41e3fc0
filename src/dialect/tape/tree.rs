//! Values that are not one text, laid onto a tape: constants of a mapping, and query strings that spell trees.
//!
//! Made when a mapping is loaded, or for the few dialects whose queries are trees; never for a JSON body.

use std::borrow::Cow;

use super::{At, Kind, Node, Tape};

/// Builds a tape from values that are not one text, such as a query string that spells a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// What stands at a place, on its own.
    pub fn copy(at: At<'_>) -> Tree {
        match at.kind() {
            Kind::Null => Tree::Null,
            Kind::Bool(flag) => Tree::Bool(flag),
            Kind::Int(int) => Tree::Int(int),
            Kind::Big(big) => Tree::Text(big.to_string()),
            Kind::Float(float) => Tree::Float(float),
            Kind::Text(text) => Tree::Text(text.to_owned()),
            Kind::Array => Tree::Array(at.elements().map(Tree::copy).collect()),
            Kind::Object => Tree::Object(
                at.members()
                    .map(|(name, value)| (name.to_owned(), Tree::copy(value)))
                    .collect(),
            ),
        }
    }

    pub fn into_tape(self) -> Tape<'static> {
        let mut tape = Tape::default();
        self.lay(&mut tape);
        tape
    }

    fn lay(self, tape: &mut Tape<'static>) {
        let opened = tape.nodes.len();
        match self {
            Tree::Null => tape.nodes.push(Node::Null),
            Tree::Bool(flag) => tape.nodes.push(Node::Bool(flag)),
            Tree::Int(int) => tape.nodes.push(Node::Int(int)),
            Tree::Float(float) => tape.nodes.push(Node::Float(float)),
            Tree::Text(text) => tape.nodes.push(Node::Text(Cow::Owned(text))),
            Tree::Array(elements) => {
                tape.nodes.push(Node::Array { nodes: 0 });
                elements.into_iter().for_each(|element| element.lay(tape));
                tape.close(opened);
            }
            Tree::Object(members) => {
                tape.nodes.push(Node::Object { nodes: 0 });
                for (name, value) in members {
                    tape.nodes.push(Node::Text(Cow::Owned(name)));
                    value.lay(tape);
                }
                tape.close(opened);
            }
        }
    }
}
