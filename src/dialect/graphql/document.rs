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
    VariableDefinition,
};
use bluejay_parser::ast::{Parse, VariableArgument, VariableDirective, VariableValue};
use bluejay_parser::{Error as ParseError, HasSpan};

use super::scan::{self, Scan};
use super::{Error, Pos};
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
}

/// A text that may be parsed.
#[derive(Debug)]
pub struct Source<'t> {
    /// With blanks of the specification for those of Absinthe.
    text: Cow<'t, str>,
    /// Where its lines begin.
    lines: Vec<usize>,
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
            return Err(Failure::one("No operations provided.", Pos::START));
        }
        let text = if scan.unusual {
            Cow::Owned(scan.usual())
        } else {
            Cow::Borrowed(text)
        };
        Ok(Source {
            text,
            lines: scan.lines,
        })
    }

    /// # Errors
    /// It is no GraphQL, or has names twice.
    pub fn parse(&self) -> Result<Document<'_>, Failure> {
        let parsed = ExecutableDocument::parse(&self.text).result;
        let parsed = parsed.map_err(|errors| self.failure(errors))?;
        let document = Document::of(self, parsed);
        if let Some(description) = document.description() {
            return Err(self.unexpected(description));
        }
        match document.misnamed() {
            errors if errors.is_empty() => Ok(document),
            errors => Err(Failure::Errors(errors)),
        }
    }

    /// The first of a parser's errors, in Absinthe's words.
    fn failure(&self, errors: Vec<ParseError>) -> Failure {
        // The parser tells lines and columns, by more line ends than GraphQL has. Of a text of one line, that is as long
        // as ours, the column is the number of the byte.
        let one_line = " ".repeat(self.text.len() + 1);
        let told = ParseError::into_graphql_errors(&one_line, errors);
        let places = told.iter().flat_map(|error| &error.locations);
        let offset = places.map(|place| place.col.saturating_sub(1)).next();
        self.unexpected(offset.unwrap_or(self.text.len()))
    }

    /// An error at the first token from a byte on.
    fn unexpected(&self, offset: usize) -> Failure {
        let (offset, at) = Scan::new(&self.text).token_from(offset);
        let message = format!("syntax error before: {}", spelt(&self.text[offset..]));
        Failure::one(message, at)
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
        let fragments = parsed.fragment_definitions().iter().enumerate();
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

    pub fn fragments(&self) -> &[FragmentDefinition<'d>] {
        self.parsed.fragment_definitions()
    }

    pub fn fragment(&self, name: &str) -> Option<&FragmentDefinition<'d>> {
        self.fragments.get(name).map(|at| &self.fragments()[*at])
    }

    /// Where a byte stands.
    pub fn place(&self, at: usize) -> Pos {
        scan::place(&self.source.text, &self.source.lines, at)
    }

    /// Where something of the document begins.
    pub fn pos(&self, of: &impl HasSpan) -> Pos {
        self.place(offset(of))
    }

    /// The byte with which the token before something begins.
    pub fn before(&self, of: &impl HasSpan) -> usize {
        Scan::new(&self.source.text).token_before(offset(of))
    }

    /// Where the first description begins: the newest specification has them, and Absinthe has not.
    fn description(&self) -> Option<usize> {
        let operations = self.operations().iter().filter_map(|operation| {
            let described = operation.as_ref().description().is_some();
            let variables = || {
                let mut variables = definitions(operation).iter();
                variables.find(|variable| variable.description().is_some())
            };
            match described {
                true => Some(offset(operation)),
                false => variables().map(|variable| self.before(variable.variable())),
            }
        });
        let fragments = self.fragments().iter();
        let fragments = fragments.filter(|fragment| fragment.description().is_some());
        operations.chain(fragments.map(offset)).min()
    }

    /// Operations and fragments that share a name, or have none beside others.
    fn misnamed(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        let operations = self.operations();
        if operations.is_empty() {
            errors.push(Error::new("No operations provided.", Pos::START));
        }
        if operations.len() > 1 {
            for operation in operations.iter().filter(|one| name(one).is_none()) {
                errors.push(Error::new(
                    "This anonymous operation must be the only defined operation.",
                    self.pos(operation),
                ));
            }
            let named = operations.iter().filter_map(|one| Some((name(one)?, one)));
            self.shared("operation", named, &mut errors);
        }
        let fragments = self.fragments().iter();
        let named = fragments.map(|fragment| (fragment.name().as_str(), fragment));
        if self.fragments.len() < self.fragments().len() {
            self.shared("fragment", named, &mut errors);
        }
        errors
    }

    fn shared<'n, T: HasSpan + 'n>(
        &self,
        what: &str,
        named: impl Iterator<Item = (&'n str, &'n T)> + Clone,
        errors: &mut Vec<Error>,
    ) {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (name, _) in named.clone() {
            *times.entry(name).or_default() += 1;
        }
        for (name, one) in named.filter(|(name, _)| times.get(name) > Some(&1)) {
            let message = format!("There can only be one {what} named \"{name}\".");
            errors.push(Error::new(message, self.pos(one)));
        }
    }
}

/// The number of the byte with which something begins.
pub fn offset(of: &impl HasSpan) -> usize {
    of.span().byte_range().start
}

pub fn name<'d>(operation: &'d OperationDefinition<'d>) -> Option<&'d str> {
    operation.as_ref().name()
}

/// The variables that an operation defines.
pub fn definitions<'d>(operation: &'d OperationDefinition<'d>) -> &'d [VariableDefinition<'d>] {
    let definitions = operation.as_ref().variable_definitions();
    definitions.map_or(&[], |definitions| definitions.iter().as_slice())
}

pub fn operation_directives<'d>(
    operation: &'d OperationDefinition<'d>,
) -> &'d [VariableDirective<'d>] {
    let directives = operation.as_ref().directives();
    directives.map_or(&[], |directives| directives.iter().as_slice())
}

pub fn directives<'d>(selection: &'d Selection<'d>) -> &'d [VariableDirective<'d>] {
    let directives = selection.as_ref().directives();
    directives.map_or(&[], |directives| directives.iter().as_slice())
}

pub fn directive_arguments<'d>(directive: &'d VariableDirective<'d>) -> &'d [VariableArgument<'d>] {
    let arguments = directive.arguments();
    arguments.map_or(&[], |arguments| arguments.iter().as_slice())
}

/// A directive's condition.
pub fn condition<'d>(directive: &'d VariableDirective<'d>) -> Option<&'d VariableValue<'d>> {
    let arguments = directive_arguments(directive).iter();
    let mut condition = arguments.filter(|argument| argument.name().as_str() == "if");
    condition.next().map(VariableArgument::value)
}

/// Tells every variable in a value.
pub fn variables<'d>(value: &'d VariableValue<'d>, told: &mut impl FnMut(&'d str)) {
    match value.as_ref() {
        ValueReference::Variable(variable) => told(variable.as_str()),
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
    variables(value, &mut |_| any = true);
    any
}

/// What a field or a fragment selects.
pub fn selections<'d>(set: impl Into<Option<&'d SelectionSet<'d>>>) -> &'d [Selection<'d>] {
    set.into().map_or(&[], |set| set.iter().as_slice())
}

pub fn arguments<'d>(field: &'d Field<'d>) -> &'d [VariableArgument<'d>] {
    let arguments = field.arguments();
    arguments.map_or(&[], |arguments| arguments.iter().as_slice())
}

/// A token as an error names it: signs and words of the language in single quotes, others in double quotes.
fn spelt(rest: &str) -> String {
    const WORDS: [&str; 7] = [
        "query",
        "mutation",
        "subscription",
        "fragment",
        "on",
        "true",
        "false",
    ];
    let Some(first) = rest.chars().next() else {
        return String::new();
    };
    if first.is_ascii_alphanumeric() || first == '_' || first == '-' {
        let end = rest[1..]
            .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_' || char == '.'))
            .map_or(rest.len(), |end| end + 1);
        let word = &rest[..end];
        return if WORDS.contains(&word) {
            format!("'{word}'")
        } else {
            format!("\"{word}\"")
        };
    }
    if rest.starts_with("...") {
        return "'...'".into();
    }
    if first == '"' {
        let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
        return format!("{:?}", &rest[..end]);
    }
    format!("'{first}'")
}
