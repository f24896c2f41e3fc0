//! A plan: a document's selection laid out for execution, in the order of the answer.
//!
//! Fragments are gone and fields that share a key are one; under an interface there is a selection for each type that
//! a value may be of. Conditions on variables are decided here, so a plan with such conditions is good for one request
//! only. What a field's value comes from is known for each; which commands that makes is for [`run`](super::run).

use std::cell::Cell;
use std::rc::Rc;

use bluejay_core::executable::OperationDefinition as _;
use bluejay_parser::ast::executable::OperationDefinition;
use smallvec::SmallVec;

use super::document::{self, Document, Failure, OperationType, Source};
use super::layout::Layout;
use super::schema::{FieldDef, FieldRef, Schema, TypeRef};
use super::values::{self, Literal, Variables};
use super::{Error, Pos, Service, complexity, validate};
use crate::dialect::tape::{Tape, Tree};
use crate::dialect::write::USUAL_BYTES;
use crate::model::{Fault, Kind};

#[derive(Debug)]
pub struct Plan {
    pub operation: OperationType,
    /// In the order of their keys.
    pub roots: Vec<Node>,
    /// The roots in the document's order.
    pub order: Vec<usize>,
    variables: Vec<Definition>,
    /// The document and the operation's name, where values of variables may be wrong.
    asked: Option<(Box<str>, Box<str>)>,
    /// Good for every request with this document.
    pub lasting: bool,
    pub nodes: usize,
    /// Some arguments hold variables.
    pub open: bool,
    /// Bytes of the last answer: the next is mostly about as long.
    pub bytes: Cell<usize>,
}

/// A variable of the operation.
#[derive(Debug)]
pub struct Definition {
    name: Box<str>,
    at: Pos,
    of: TypeRef,
    default: Option<Rc<Literal>>,
}

/// A field of the answer.
#[derive(Debug)]
pub struct Node {
    pub id: usize,
    /// What stands before its value: `{"key":` of an object's first field, `,"key":` of another.
    pub lead: Lead,
    pub at: Pos,
    /// The object type that it is a field of.
    pub of: usize,
    pub field: FieldRef,
    pub nullable: bool,
    pub arguments: Arguments,
    pub means: Meaning,
    /// For each type that the value may be of; a leaf has none.
    pub children: Children,
    /// Something below it comes from a command.
    pub below: bool,
    /// It stands in no list, so it is come to once.
    pub single: bool,
}

/// Most keys fit in without an allocation.
pub type Lead = SmallVec<[u8; 24]>;

pub type Children = SmallVec<[(usize, Vec<Node>); 1]>;

/// What a field's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// From nowhere.
    Nothing,
    /// What its parent comes from has it.
    Spelt(usize),
    /// A command, whose reply is spelt so.
    Command {
        entry: usize,
        reply: usize,
        /// Its parent is a record, which fills what the arguments lack.
        filled: bool,
    },
    /// This one of the field's refusals meets it.
    Refused(usize),
    /// A text in pieces.
    Tokens,
    /// The schema.
    Meta,
}

impl Node {
    /// Its key as JSON.
    pub fn key(&self) -> &[u8] {
        &self.lead[1..self.lead.len() - 1]
    }

    pub fn is_command(&self) -> bool {
        matches!(self.means, Meaning::Command { .. })
    }

    /// The fields of its value, where that is of one type only.
    pub fn fields(&self) -> Option<&[Node]> {
        self.children.first().map(|(_, nodes)| nodes.as_slice())
    }
}

/// An argument as the document has it.
#[derive(Debug)]
pub struct Given {
    /// Its number in the schema.
    pub index: usize,
    pub name: Box<str>,
    pub at: Pos,
    pub value: Literal,
}

#[derive(Debug)]
pub enum Arguments {
    None,
    /// The same in every request.
    Ready(Tape<'static>),
    /// Some of these hold variables.
    Open(Vec<Given>),
}

impl Plan {
    /// Makes the plan of a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        service: &Service,
        text: &str,
        name: &str,
        variables: &Variables,
        post: bool,
    ) -> Result<Plan, Failure> {
        let source = Source::new(text)?;
        let document = source.parse()?;
        let chosen = document.choose(name);
        if let Some(operation) = chosen {
            forbidden(operation.as_ref().operation_type(), post)?;
        }
        let schema = &service.schema;
        let coerced = validate::check(schema, &document, name, variables)?;
        let Some(operation) = chosen else {
            return Err(Failure::bare("No operations provided."));
        };
        let kind = operation.as_ref().operation_type();
        let selection = operation.selection_set();
        complexity::check(&document, operation, service.complexity)?;
        let definitions = definitions(schema, &document, operation);
        let mut layout = Layout {
            service,
            document: &document,
            variables: (&definitions, variables),
            lasting: true,
            open: false,
            nodes: 0,
            coerced,
            errors: Vec::new(),
        };
        let root = match kind {
            OperationType::Query => Some(service.schema.query),
            OperationType::Mutation => service.schema.mutation,
            OperationType::Subscription => service.schema.subscription,
        };
        let root = root.unwrap_or(service.schema.query);
        let mut roots = layout.roots(root, selection)?;
        if !layout.errors.is_empty() {
            return Err(Failure::Errors(layout.errors));
        }
        let (nodes, lasting, open) = (layout.nodes, layout.lasting, layout.open);
        let mut order: Vec<usize> = (0..roots.len()).collect();
        order.sort_by_key(|at| roots[*at].id);
        roots.shrink_to_fit();
        Ok(Plan {
            operation: kind,
            roots,
            order,
            asked: (!definitions.is_empty()).then(|| (text.into(), name.into())),
            variables: definitions,
            lasting,
            nodes,
            open,
            bytes: Cell::new(USUAL_BYTES),
        })
    }

    /// The values of the operation's variables: those given, and defaults.
    ///
    /// # Errors
    /// One that must be there is not. Absinthe asks for those of the other operations too.
    pub fn variables(&self, given: &Variables) -> Result<Variables, Failure> {
        filled(&self.variables, given)
    }

    /// What is wrong with the document, now that values do not fit it.
    pub fn explain(&self, schema: &Schema, given: &Variables) -> Option<Failure> {
        let (text, name) = self.asked.as_ref()?;
        let source = Source::new(text).ok()?;
        validate::explain(schema, &source.parse().ok()?, name, given)
    }
}

/// Changes are asked for by POST, and nothing is pushed in answer to a plain request.
///
/// # Errors
/// It is one of these, for which the mapping has the words or these are its own.
pub fn forbidden(operation: OperationType, post: bool) -> Result<(), Failure> {
    let words = match operation {
        OperationType::Mutation if !post => "",
        OperationType::Subscription => {
            "Subscriptions cannot be run over HTTP. Please configure a websocket connection"
        }
        _ => return Ok(()),
    };
    Err(Failure::Forbidden(Fault::client(Kind::Method, words)))
}

impl Definition {
    /// The value that is given for it, or its default.
    fn value<'v>(&'v self, given: &'v Variables) -> Option<&'v Rc<Literal>> {
        given.get(&self.name).or(self.default.as_ref())
    }
}

/// Is a condition's variable true?
pub fn holds(definitions: &[Definition], given: &Variables, name: &str) -> bool {
    let mut defined = definitions.iter();
    let defined = defined.find(|defined| *defined.name == *name);
    defined
        .and_then(|defined| defined.value(given))
        .is_some_and(|value| **value == Literal::Bool(true))
}

fn definitions(
    schema: &Schema,
    document: &Document<'_>,
    operation: &OperationDefinition<'_>,
) -> Vec<Definition> {
    let definitions = document::definitions(operation).iter();
    let known = definitions.filter_map(|definition| {
        Some(Definition {
            name: definition.variable().as_str().into(),
            at: document.pos(definition.variable()),
            of: schema.resolve(definition.r#type())?,
            default: definition
                .default_value()
                .map(|value| Rc::new(value.into())),
        })
    });
    known.collect()
}

fn filled(definitions: &[Definition], given: &Variables) -> Result<Variables, Failure> {
    let mut known = Variables::default();
    let mut errors = Vec::new();
    for definition in definitions {
        let name = &definition.name;
        let value = definition.value(given);
        match value {
            _ if !definition.of.nullable && value.is_none_or(|value| **value == Literal::Null) => {
                errors.push(Error::new(
                    format!("Variable \"{name}\": Expected non-null, found null."),
                    definition.at,
                ))
            }
            // Whether it is of the right type is told of the argument in which it stands.
            Some(value) => known.set(name, value.clone()),
            None => {}
        }
    }
    if errors.is_empty() {
        Ok(known)
    } else {
        Err(Failure::Errors(errors))
    }
}

/// A field's arguments as an object, defaults included, under their names in the schema; `value` makes each what its
/// type says.
pub fn tree(
    schema: &Schema,
    definition: &FieldDef,
    at: Pos,
    mut value: impl FnMut(usize, &TypeRef) -> Result<Option<Tree>, Error>,
) -> Result<Tree, Vec<Error>> {
    let mut members = Vec::new();
    let mut errors = Vec::new();
    for (index, argument) in definition.arguments.iter().enumerate() {
        match (value(index, &argument.of), &argument.default) {
            (Ok(Some(value)), _) => members.push((String::from(&*argument.name), value)),
            (Ok(None), Some(default)) => {
                if let Ok(value) = values::coerce(default, &argument.of, schema) {
                    members.push((String::from(&*argument.name), value));
                }
            }
            (Ok(None), None) if !argument.of.nullable => {
                let expected = schema.type_name(&argument.of);
                let name = &argument.name;
                errors.push(Error::new(
                    format!("In argument \"{name}\": Expected type \"{expected}\", found null."),
                    at,
                ));
            }
            (Ok(None), None) => {}
            (Err(error), _) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(Tree::Object(members))
    } else {
        Err(errors)
    }
}
