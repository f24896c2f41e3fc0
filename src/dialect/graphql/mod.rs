//! GraphQL as a server, in Absinthe's way: a document becomes a plan of commands, and their outcomes become its answer.
//!
//! [`request`] reads the forms in which documents come over HTTP; [`scan`] and [`document`] guard and parse one, and
//! [`syntax`] tells why it cannot be; [`validate`] checks it against the [`schema`]; [`plan`] lays out its selection;
//! [`run`] asks for commands, one wave after another, and takes their outcomes; [`project`] writes the answer. Nothing
//! here acts: whoever runs a plan carries out its commands. Which field means which command, and which type shows which
//! record, is the mapping's business. The texts are those of Absinthe, which clients compare; subscriptions are not for
//! HTTP.

pub mod answer;
mod arguments;
mod budget;
mod cache;
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
mod scan;
pub mod schema;
pub mod spelling;
mod suggest;
mod syntax;
pub mod tokens;
mod uses;
mod validate;
mod values;

pub use budget::Budget;
pub use cache::Cache;
pub use document::Failure;
pub use plan::Plan;
pub use run::{Call, Run};
pub use schema::Schema;
pub use values::Variables;

use smallvec::{SmallVec, smallvec};

use self::spelling::Spellings;
use super::exchange::Given;
use super::template::{Source, Template};
use crate::model::{Kind, Operation};

/// What one door answers: its schema, and what its fields and types stand for.
#[derive(Clone, Debug, Default)]
pub struct Service {
    pub door: usize,
    pub schema: Schema,
    /// By the schema's types.
    pub types: Vec<Binding>,
    pub entries: Vec<Entry>,
    pub spellings: Spellings,
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
    /// How it is written from the record that the type shows.
    pub spelling: Option<usize>,
    /// A command of its own, by its entry, and how its reply is written.
    pub entry: Option<(usize, usize)>,
    /// A text of the record, cut into tokens of these types: text, link, picture.
    pub tokens: Option<(Source, [usize; 3])>,
    pub refused: Vec<Refused>,
}

/// A field that is refused to everybody.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Only where it is asked for with this argument and no other.
    pub argument: Option<Box<str>>,
    pub kind: Kind,
    /// Instead of the words that the mapping has for the kind.
    pub message: Box<str>,
}

/// A field that is a command.
#[derive(Clone, Debug)]
pub struct Entry {
    pub operation: Operation,
    pub arguments: Option<Template>,
    pub given: Vec<(Source, Given)>,
    /// Fields of the command that the parent's record fills.
    pub from: Vec<(Source, Source)>,
}

/// A place in a document: its line and the character in that, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    pub line: usize,
    pub column: usize,
}

impl Pos {
    pub const START: Pos = Pos { line: 1, column: 1 };
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    pub message: String,
    /// Its places, if Absinthe knows any. It is told with one all the same: programs look at the first.
    pub at: SmallVec<[Pos; 1]>,
}

/// Bytes of one error's text: it repeats what the document says, which may be long.
const MAX_MESSAGE: usize = 4_096;

impl Error {
    pub fn new(message: impl Into<String>, at: Pos) -> Error {
        Error::told(message, smallvec![at])
    }

    pub fn told(message: impl Into<String>, at: SmallVec<[Pos; 1]>) -> Error {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            let whole = |end: &usize| message.is_char_boundary(*end);
            message.truncate((0..=MAX_MESSAGE).rev().find(whole).unwrap_or_default());
            message.push('…');
        }
        Error { message, at }
    }
}
