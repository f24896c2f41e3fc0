//! GraphQL as a server, in Absinthe's way: a document becomes a plan of commands, and their outcomes become its answer.
//!
//! [`request`] reads the forms in which documents come over HTTP; [`document`] guards and parses one; [`validate`]
//! checks it against the [`schema`]; [`plan`] lays out its selection; [`run`] asks for commands, one wave after
//! another, and takes their outcomes; [`project`] writes the answer. Nothing here acts: whoever runs a plan carries
//! out its commands. Which field means which command, and which type shows which record, is the mapping's business.
//! The texts are those of Absinthe, which clients compare; subscriptions are not for HTTP.

pub mod answer;
mod budget;
mod command;
mod complexity;
mod describe;
pub mod document;
mod introspect;
mod layout;
pub mod plan;
pub mod project;
pub mod request;
mod run;
pub mod schema;
mod suggest;
pub mod tokens;
mod uses;
mod validate;
mod values;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use async_graphql_parser::Pos;

pub use budget::Budget;
pub use document::Failure;
pub use plan::Plan;
pub use run::{Call, Run};
pub use schema::Schema;
pub use values::Variables;

use super::exchange::Given;
use super::template::{Source, Template};
use crate::model::Operation;

/// What one door answers: its schema, and what its fields and types stand for.
#[derive(Clone, Debug, Default)]
pub struct Service {
    pub door: usize,
    pub schema: Schema,
    /// By the schema's types.
    pub types: Vec<Binding>,
    pub entries: Vec<Entry>,
    /// The most fields that a document may ask for.
    pub complexity: u32,
    /// Fields of a channel that are filled from others: what reading derives is the other way round in writing.
    pub channel: Vec<(Source, Source)>,
}

/// What a type shows.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// By the type's fields.
    pub fields: Vec<Origin>,
}

/// Where a field's value comes from; from nowhere, it is null.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Written from the record that the type shows.
    pub template: Option<Template>,
    /// A command of its own.
    pub entry: Option<usize>,
    /// A text of the record, cut into tokens of these types: text, link, picture.
    pub tokens: Option<(Source, [usize; 3])>,
}

/// A field that is a command.
#[derive(Clone, Debug)]
pub struct Entry {
    pub operation: Operation,
    pub arguments: Option<Template>,
    pub given: Vec<(Source, Given)>,
    /// Fields of the command that the parent's record fills.
    pub from: Vec<(Source, Source)>,
    pub reply: Template,
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub message: String,
    pub at: Pos,
}

/// Bytes of one error's text: it repeats what the document says, which may be long.
const MAX_MESSAGE: usize = 4_096;

impl Error {
    pub fn new(message: impl Into<String>, at: Pos) -> Error {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            let whole = |end: &usize| message.is_char_boundary(*end);
            message.truncate((0..=MAX_MESSAGE).rev().find(whole).unwrap_or_default());
            message.push('…');
        }
        Error { message, at }
    }
}

/// Documents that are remembered, and the longest of them.
const REMEMBERED: usize = 256;
const REMEMBERED_BYTES: usize = 4_096;

/// The plans of documents that came before: bots send few texts, again and again.
#[derive(Default)]
pub struct Cache {
    plans: RefCell<HashMap<String, Rc<Plan>>>,
}

impl Cache {
    /// The plan of a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn plan(
        &self,
        service: &Service,
        text: &str,
        name: &str,
        variables: &Variables,
        post: bool,
    ) -> Result<Rc<Plan>, Failure> {
        if text.len() > REMEMBERED_BYTES {
            return Plan::new(service, text, name, variables, post).map(Rc::new);
        }
        // No text of a document has the separator in it and passes.
        let key = if name.is_empty() {
            format!("{}\0{text}", service.door)
        } else {
            format!("{}\0{text}\0{name}", service.door)
        };
        if let Some(plan) = self.plans.borrow().get(&key) {
            return plan::forbidden(plan.operation, post).map(|()| plan.clone());
        }
        let plan = Rc::new(Plan::new(service, text, name, variables, post)?);
        if plan.lasting {
            let mut plans = self.plans.borrow_mut();
            if plans.len() >= REMEMBERED {
                plans.clear();
            }
            plans.insert(key, plan.clone());
        }
        Ok(plan)
    }
}
