//! A document's text, guarded and parsed, and where in it things stand.
//!
//! The guard ([`scan`](super::scan)) comes first: it refuses what would cost much, and what no lexer could read in
//! Absinthe's words. The parser then borrows names and texts from the text, so a document costs about as much as
//! going over it once more. What a parser's tree is asked for in many places has its name here.

use std::borrow::Cow;
use std::collections::HashMap;

use bluejay_core::executable::{
    FragmentDefinition as _, OperationDefinition as _, Selection as _, VariableDefinition as _,
};
use bluejay_core::{AsIter, Directive as _, Value as _, ValueReference};
use bluejay_parser::ast::executable::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    VariableDefinition, VariableType,
};
use bluejay_parser::ast::{Parse, VariableArgument, VariableDirective, VariableValue};
use bluejay_parser::{Error as ParseError, HasSpan};
use smallvec::SmallVec;

use super::scan::{Lines, Scan};
use super::values::{Literal, Variables};
use super::{Error, Pos, syntax};
use crate::model::Fault;

pub use bluejay_core::OperationType;

/// Why a document comes to nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The document has mistakes.
    Errors(Vec<Error>),
    /// A plain request may not ask for it, with or without mistakes.
    Forbidden(Fault),
}

impl Failure {
    pub fn one(message: impl Into<String>, at: Pos) -> Failure {
        Failure::Errors(vec![Error::new(message, at)])
    }

    /// An error without a place.
    pub fn bare(message: impl Into<String>) -> Failure {
        Failure::Errors(vec![Error::told(message, SmallVec::new())])
    }
}

/// A text that may be parsed.
#[derive(Debug)]
pub struct Source<'t> {
    text: &'t str,
    lines: Lines,
    /// With what the specification has for what only Absinthe reads.
    usual: Cow<'t, str>,
    /// Where the usual one has a backslash more.
    backslashes: Vec<usize>,
}

impl<'t> Source<'t> {
    /// Looks a text over.
    ///
    /// # Errors
    /// It has what no lexer reads, or more than is read.
    pub fn new(text: &'t str) -> Result<Source<'t>, Failure> {
        let mut scan = Scan::new(text);
        scan.run()?;
        if !scan.tokens {
            return Err(Failure::bare("No operations provided."));
        }
        let usual = if scan.unusual {
            Cow::Owned(scan.usual())
        } else {
            Cow::Borrowed(text)
        };
        let added = scan.backslashes.iter().enumerate();
        let added = added.map(|(before, at)| before + at);
        Ok(Source {
            text,
            lines: scan.lines,
            usual,
            backslashes: added.collect(),
        })
    }

    /// # Errors
    /// It is no GraphQL that Absinthe reads, or asks for nothing.
    pub fn parse(&self) -> Result<Document<'_>, Failure> {
        let parsed = ExecutableDocument::parse(&self.usual).result;
        let parsed = parsed.map_err(|errors| self.failure(errors))?;
        let document = Document::of(self, parsed);
        if document.novel() {
            syntax::check(self.text)?;
        }
        if document.operations().is_empty() {
            return Err(Failure::bare("No operations provided."));
        }
        Ok(document)
    }

    /// What is wrong with a text that cannot be parsed, in Absinthe's words.
    fn failure(&self, errors: Vec<ParseError>) -> Failure {
        if let Err(failure) = syntax::check(self.text) {
            return failure;
        }
        // Absinthe reads some of what the parser does not. The parser tells lines and columns, by more line ends than
        // GraphQL has. Of a text of one line, that is as long as ours, the column is the number of the byte.
        let one_line = " ".repeat(self.usual.len() + 1);
        let told = ParseError::into_graphql_errors(&one_line, errors);
        let places = told.iter().flat_map(|error| &error.locations);
        let offset = places.map(|place| place.col.saturating_sub(1)).next();
        syntax::before(self.text, self.before(offset.unwrap_or(self.usual.len())))
    }

    /// Where in the text something stands that stands there in the usual one.
    fn before(&self, usual: usize) -> usize {
        usual - self.backslashes.partition_point(|added| *added < usual)
    }
}

/// A parsed text.
#[derive(Debug)]
pub struct Document<'d> {
    source: &'d Source<'d>,
    parsed: ExecutableDocument<'d>,
    /// The numbers of the fragments.
    fragments: HashMap<&'d str, usize>,
}

impl<'d> Document<'d> {
    fn of(source: &'d Source<'d>, parsed: ExecutableDocument<'d>) -> Document<'d> {
        // Of two fragments with one name the first holds: a later one is put in first.
        let fragments = parsed.fragment_definitions().iter().enumerate().rev();
        let fragments = fragments.map(|(at, fragment)| (fragment.name().as_str(), at));
        Document {
            source,
            fragments: fragments.collect(),
            parsed,
        }
    }

    pub fn operations(&self) -> &[OperationDefinition<'d>] {
        self.parsed.operation_definitions()
    }

    /// The operation of this name, or the only one.
    pub fn choose(&self, wanted: &str) -> Option<&OperationDefinition<'d>> {
        match self.operations() {
            [only] if wanted.is_empty() => Some(only),
            many => many.iter().rev().find(|one| name(one) == Some(wanted)),
        }
    }

    /// What is told when no operation is chosen.
    pub fn unchosen(&self, wanted: &str) -> Error {
        let what = match self.operations() {
            [_] if !wanted.is_empty() => {
                "The provided operation name did not match the operation in the query."
            }
            _ => "Must provide a valid operation name if query contains multiple operations.",
        };
        let given = match wanted {
            "" => "No operation name was given.".to_owned(),
            wanted => format!("The provided operation name was: {wanted:?}"),
        };
        Error::told(format!("{what}\n\n{given}\n"), SmallVec::new())
    }

    pub fn fragments(&self) -> &[FragmentDefinition<'d>] {
        self.parsed.fragment_definitions()
    }

    pub fn fragment(&self, name: &str) -> Option<&FragmentDefinition<'d>> {
        self.fragments.get(name).map(|at| &self.fragments()[*at])
    }

    /// Where a byte stands.
    pub fn place(&self, at: usize) -> Pos {
        let at = self.source.before(at);
        self.source.lines.place(self.source.text, at)
    }

    /// Where something of the document begins.
    pub fn pos(&self, of: &impl HasSpan) -> Pos {
        self.place(offset(of))
    }

    /// Where an operation begins; Absinthe does not know it of one that has variables and no name.
    pub fn begin(&self, operation: &OperationDefinition<'_>) -> SmallVec<[Pos; 1]> {
        let unknown = name(operation).is_none() && !definitions(operation).is_empty();
        let known = (!unknown).then(|| self.pos(operation));
        known.into_iter().collect()
    }

    pub fn text(&self) -> &str {
        self.source.text
    }

    /// Has it what newer specifications have, and Absinthe has not?
    fn novel(&self) -> bool {
        let operations = self.operations().iter().any(|operation| {
            let variables = definitions(operation);
            operation.as_ref().description().is_some()
                || (name(operation).is_none()
                    && variables.is_empty()
                    && !operation_directives(operation).is_empty())
                || variables.iter().any(|variable| {
                    variable.description().is_some() || variable.directives().is_some()
                })
        });
        let mut fragments = self.fragments().iter();
        operations || fragments.any(|fragment| fragment.description().is_some())
    }
}

/// The number of the byte with which something begins.
pub fn offset(of: &impl HasSpan) -> usize {
    of.span().byte_range().start
}

pub fn name<'d>(operation: &'d OperationDefinition<'d>) -> Option<&'d str> {
    operation.as_ref().name()
}

/// The members of a list that may not be there.
fn all<'d, L, T>(list: Option<&'d L>) -> &'d [T]
where
    L: AsIter<Item = T, Iterator<'d> = std::slice::Iter<'d, T>> + 'd,
{
    list.map_or(&[], |list| list.iter().as_slice())
}

/// The variables that an operation defines.
pub fn definitions<'d>(operation: &'d OperationDefinition<'d>) -> &'d [VariableDefinition<'d>] {
    all(operation.as_ref().variable_definitions())
}

pub fn operation_directives<'d>(
    operation: &'d OperationDefinition<'d>,
) -> &'d [VariableDirective<'d>] {
    all(operation.as_ref().directives())
}

pub fn fragment_directives<'d>(
    fragment: &'d FragmentDefinition<'d>,
) -> &'d [VariableDirective<'d>] {
    all(fragment.directives())
}

pub fn directives<'d>(selection: &'d Selection<'d>) -> &'d [VariableDirective<'d>] {
    all(selection.as_ref().directives())
}

pub fn directive_arguments<'d>(directive: &'d VariableDirective<'d>) -> &'d [VariableArgument<'d>] {
    all(directive.arguments())
}

/// A directive's condition.
pub fn condition<'d>(directive: &'d VariableDirective<'d>) -> Option<&'d VariableValue<'d>> {
    let arguments = directive_arguments(directive).iter();
    let mut condition = arguments.filter(|argument| argument.name().as_str() == "if");
    condition.next().map(VariableArgument::value)
}

/// Tells every variable in a value, and with which byte it begins.
pub fn variables<'d>(value: &'d VariableValue<'d>, told: &mut impl FnMut(&'d str, usize)) {
    match value.as_ref() {
        ValueReference::Variable(variable) => told(variable.as_str(), offset(variable)),
        ValueReference::List(list) => list.iter().for_each(|value| variables(value, told)),
        ValueReference::Object(object) => {
            AsIter::iter(object).for_each(|(_, value)| variables(value, told));
        }
        _ => {}
    }
}

/// Does a value depend on a variable?
pub fn open(value: &VariableValue<'_>) -> bool {
    let mut any = false;
    variables(value, &mut |_, _| any = true);
    any
}

/// Does a variable have a value, given or its own?
pub fn provides(definition: &VariableDefinition<'_>, given: &Variables) -> bool {
    match given.get(definition.variable().as_str()) {
        Some(value) => **value != Literal::Null,
        None => definition
            .default_value()
            .is_some_and(|value| Literal::from(value) != Literal::Null),
    }
}

/// A variable's type, as it is written.
pub fn type_name(of: &VariableType<'_>) -> String {
    let (inner, required) = match of {
        VariableType::Named {
            name, is_required, ..
        } => (name.as_str().to_owned(), is_required),
        VariableType::List {
            inner, is_required, ..
        } => (format!("[{}]", type_name(inner)), is_required),
    };
    inner + if *required { "!" } else { "" }
}

/// What a field or a fragment selects.
pub fn selections<'d>(set: impl Into<Option<&'d SelectionSet<'d>>>) -> &'d [Selection<'d>] {
    all(set.into())
}

pub fn arguments<'d>(field: &'d Field<'d>) -> &'d [VariableArgument<'d>] {
    all(field.arguments())
}
