//! Validation, with the rules that Absinthe has and with its texts, in the order in which it tells what they find.
//!
//! Absinthe runs one rule after another over a tree, and then gathers the errors by the tree: fragments before operations,
//! the last operation first; of a field what is selected, then arguments, then directives; and of one thing what the last
//! rule found first. So one walk in this order, with the rules of each thing turned round, tells the same. A walk over a
//! good document knows no variables' values and stops at the first error: only then is it walked with the values, to
//! tell everything. Fragments that spread each other in a ring end the matter at once.

use bluejay_core::executable::OperationDefinition as _;
use bluejay_parser::ast::executable::{
    Field, FragmentDefinition, FragmentSpread, InlineFragment, OperationDefinition, Selection,
    VariableDefinition,
};
use smallvec::SmallVec;

use super::arguments::Host;
use super::document::{
    self, Document, Failure, OperationType, arguments, directives, offset, selections,
};
use super::schema::{FieldDef, Schema};
use super::uses::{Fragments, Uses};
use super::values::{Literal, Variables};
use super::{Error, Pos, suggest, syntax};
use crate::dialect::tape::Tree;

/// Mistakes that are told; nobody reads more.
pub(super) const MAX_ERRORS: usize = 100;
/// Bytes of variables that are filled in to see what is wrong with them.
const MAX_FILLED: usize = 1 << 20;

/// Arguments without variables, made what their types say, by the bytes with which their names begin.
pub type Coerced = Vec<(usize, Tree)>;

/// A walk over a document.
pub struct Validation<'d> {
    pub schema: &'d Schema,
    pub document: &'d Document<'d>,
    pub uses: Vec<Uses<'d>>,
    /// Those of the operations that what is walked belongs to.
    pub within: SmallVec<[usize; 1]>,
    /// The chosen operation.
    pub operation: Option<&'d OperationDefinition<'d>>,
    /// All values that were given, and those of the operation's variables; a walk over a good document has none.
    pub values: Option<(&'d Variables, Variables)>,
    /// Bytes of them that may still be filled in.
    pub room: usize,
    pub coerced: Coerced,
    pub errors: Vec<Error>,
}

/// Checks everything that does not depend on the variables' values, and keeps what was made of arguments.
///
/// # Errors
/// Every mistake.
pub fn check<'d>(
    schema: &'d Schema,
    document: &'d Document<'d>,
    name: &str,
    given: &'d Variables,
) -> Result<Coerced, Failure> {
    let (errors, coerced) = walked(schema, document, name, None);
    if errors.is_empty() {
        return Ok(coerced);
    }
    Err(explain(schema, document, name, given).unwrap_or(Failure::Errors(errors)))
}

/// Everything that is wrong with a document and its variables.
pub fn explain<'d>(
    schema: &'d Schema,
    document: &'d Document<'d>,
    name: &str,
    given: &'d Variables,
) -> Option<Failure> {
    if let Err(failure) = syntax::check(document.text()) {
        return Some(failure);
    }
    let (mut errors, _) = walked(schema, document, name, Some(given));
    // What is found at one place in several ways is told once.
    let mut told = std::collections::HashSet::new();
    errors.retain(|error| told.insert(error.clone()));
    (!errors.is_empty()).then_some(Failure::Errors(errors))
}

fn walked<'d>(
    schema: &'d Schema,
    document: &'d Document<'d>,
    name: &str,
    given: Option<&'d Variables>,
) -> (Vec<Error>, Coerced) {
    let fragments = Fragments::of(document);
    let errors = fragments.cycles(document);
    if !errors.is_empty() {
        return (errors, Coerced::new());
    }
    let operation = document.choose(name);
    let operations = document.operations().iter();
    let mut validation = Validation {
        schema,
        document,
        uses: operations.map(|one| Uses::of(one, &fragments)).collect(),
        within: SmallVec::new(),
        operation,
        values: given.map(|given| (given, provided(operation, given))),
        room: MAX_FILLED,
        coerced: Coerced::new(),
        errors,
    };
    if operation.is_none() {
        validation.errors.push(document.unchosen(name));
    }
    for fragment in fragments.ordered(document) {
        validation.fragment(fragment);
    }
    for at in (0..validation.uses.len()).rev() {
        validation.operation(at);
    }
    (validation.errors, validation.coerced)
}

/// The values of an operation's variables.
fn provided(operation: Option<&OperationDefinition<'_>>, given: &Variables) -> Variables {
    let mut provided = Variables::default();
    for definition in operation.into_iter().flat_map(document::definitions) {
        let name = definition.variable().as_str();
        let default = || {
            definition
                .default_value()
                .map(|value| Literal::from(value).into())
        };
        if let Some(value) = given.get(name).cloned().or_else(default) {
            provided.set(name, value);
        }
    }
    provided
}

/// The name of what stands for operations of a kind, as directives have it.
fn placement(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "QUERY",
        OperationType::Mutation => "MUTATION",
        OperationType::Subscription => "SUBSCRIPTION",
    }
}

impl<'d> Validation<'d> {
    /// Tells a mistake at a byte of the document.
    pub(super) fn error(&mut self, message: impl Into<String>, at: usize) {
        if !self.full() {
            let at = self.document.place(at);
            self.error_in(message, [at].into_iter().collect());
        }
    }

    pub(super) fn error_in(&mut self, message: impl Into<String>, at: SmallVec<[Pos; 1]>) {
        if !self.full() {
            self.errors.push(Error::told(message, at));
        }
    }

    /// Enough mistakes are known: what looks for more can stop.
    pub(super) fn full(&self) -> bool {
        let most = self.values.as_ref().map_or(1, |_| MAX_ERRORS);
        self.errors.len() >= most
    }

    /// Is what is walked the chosen operation's? Absinthe asks for the values of all operations' variables; but programs
    /// send all they have in one document, with values for what they ask, and are none the worse for an answer.
    pub(super) fn is_chosen(&self) -> bool {
        let mut within = self.within.iter().map(|at| self.uses[*at].operation);
        let chosen = self.operation;
        within.any(|one| chosen.is_some_and(|chosen| std::ptr::eq(one, chosen)))
    }

    /// A place in an operation, and the operation's own.
    pub(super) fn in_operation(&self, at: usize, operation: usize) -> SmallVec<[Pos; 1]> {
        let mut places = self.document.begin(self.uses[operation].operation);
        places.insert(0, self.document.place(at));
        places
    }

    fn fragment(&mut self, fragment: &'d FragmentDefinition<'d>) {
        let name = fragment.name().as_str();
        let users = self.uses.iter().enumerate();
        let users = users.filter(|(_, uses)| uses.fragments.contains(name));
        self.within = users.map(|(at, _)| at).collect();
        let of = fragment.type_condition().named_type().as_str();
        let of = self.known_type(of, offset(fragment));
        if self.within.is_empty() {
            let message = format!("Fragment \"{name}\" is never used.");
            self.error(message, offset(fragment));
        }
        self.selections(of, selections(fragment.selection_set()));
        self.directives(
            document::fragment_directives(fragment),
            "FRAGMENT_DEFINITION",
        );
    }

    /// The type that a fragment is for.
    fn known_type(&mut self, name: &str, at: usize) -> Option<usize> {
        let found = self.schema.find(name);
        if found.is_none() {
            self.error(format!("Unknown type \"{name}\"."), at);
        }
        found
    }

    fn operation(&mut self, at: usize) {
        self.within = [at].into_iter().collect();
        let operation = self.uses[at].operation;
        let kind = operation.as_ref().operation_type();
        let root = match kind {
            OperationType::Query => Some(self.schema.query),
            OperationType::Mutation => self.schema.mutation,
            OperationType::Subscription => self.schema.subscription,
        };
        let items = selections(operation.selection_set());
        if kind == OperationType::Subscription && items.len() > 1 && self.is_chosen() {
            let message = "Only one field is permitted on the root object when subscribing";
            self.error_in(message, self.document.begin(operation));
        }
        if root.is_none() {
            let message = format!("Operation \"{kind}\" not supported");
            self.error_in(message, self.document.begin(operation));
        }
        if self.uses.len() > 1 {
            self.alone(operation);
        }
        self.selections(root, items);
        for definition in document::definitions(operation) {
            self.definition(definition);
        }
        self.directives(document::operation_directives(operation), placement(kind));
    }

    /// An operation beside others has a name, and that alone.
    fn alone(&mut self, operation: &'d OperationDefinition<'d>) {
        let begin = self.document.begin(operation);
        let Some(name) = document::name(operation) else {
            let message = "This anonymous operation must be the only defined operation.";
            return self.error_in(message, begin);
        };
        let mut named = self.uses.iter().map(|uses| document::name(uses.operation));
        let mut shared = named.by_ref().filter(|other| *other == Some(name));
        if shared.nth(1).is_some() {
            let message = format!("There can only be one operation named \"{name}\".");
            self.error_in(message, begin);
        }
    }

    fn definition(&mut self, definition: &'d VariableDefinition<'d>) {
        let (name, at) = (
            definition.variable().as_str(),
            offset(definition.variable()),
        );
        let (of, shown) = (
            definition.r#type(),
            document::type_name(definition.r#type()),
        );
        match self.schema.resolve(of) {
            Some(found) if self.schema.composite(found.named()) => self.error(
                format!("Variable \"{name}\" cannot be non-input type \"{shown}\"."),
                at,
            ),
            Some(_) => {}
            None => {
                let inner = shown.trim_matches(|char| matches!(char, '[' | ']' | '!'));
                let suggestion = suggest::of_type(self.schema, inner);
                self.error(format!("Unknown type \"{inner}\".{suggestion}"), at);
            }
        }
        if let Some((given, _)) = &self.values
            && self.is_chosen()
            && shown.ends_with('!')
            && !document::provides(definition, given)
        {
            self.error(
                format!("Variable \"{name}\": Expected non-null, found null."),
                at,
            );
        }
        self.defined_once_and_used(name, at);
    }

    fn defined_once_and_used(&mut self, name: &str, at: usize) {
        let times = |uses: &Uses<'_>| uses.defined.get(name).map_or(0, |(_, times)| *times);
        if self
            .within
            .iter()
            .any(|within| times(&self.uses[*within]) > 1)
        {
            let message = format!("There can only be one variable named \"{name}\".");
            self.error(message, at);
        }
        // Every operation with a variable of this name is asked.
        for other in (0..self.uses.len()).rev() {
            let uses = &self.uses[other];
            if times(uses) > 0 && !uses.variables.contains(name) && !self.full() {
                let operation = document::name(uses.operation);
                let of = operation.map_or(String::new(), |of| format!(" in operation \"{of}\""));
                let places = self.in_operation(at, other);
                self.error_in(format!("Variable \"{name}\" is never used{of}."), places);
            }
        }
    }

    fn selections(&mut self, of: Option<usize>, items: &'d [Selection<'d>]) {
        for item in items {
            if self.full() {
                return;
            }
            let placement = match item {
                Selection::Field(field) => {
                    self.field(of, field);
                    "FIELD"
                }
                Selection::FragmentSpread(spread) => {
                    self.spread(of, spread);
                    "FRAGMENT_SPREAD"
                }
                Selection::InlineFragment(inline) => {
                    self.inline(of, inline);
                    "INLINE_FRAGMENT"
                }
            };
            self.directives(directives(item), placement);
        }
    }

    fn spread(&mut self, of: Option<usize>, spread: &'d FragmentSpread<'d>) {
        let (name, at) = (spread.name().as_str(), offset(spread));
        match (self.document.fragment(name), of) {
            (Some(fragment), Some(of)) => {
                let within = fragment.type_condition().named_type().as_str();
                self.overlap(of, self.schema.find(within), at);
            }
            (Some(_), None) => {}
            (None, _) => self.error(format!("Unknown fragment \"{name}\""), at),
        }
    }

    fn inline(&mut self, of: Option<usize>, inline: &'d InlineFragment<'d>) {
        let at = offset(inline);
        let condition = inline.type_condition();
        let condition = condition.map(|condition| condition.named_type().as_str());
        let inner = condition.map_or(of, |name| self.schema.find(name));
        if let Some(of) = of {
            self.overlap(of, inner, at);
        }
        if let Some(name) = condition {
            self.known_type(name, at);
        }
        self.selections(inner, selections(inline.selection_set()));
    }

    /// Can what stands here be what a fragment is for?
    fn overlap(&mut self, of: usize, inner: Option<usize>, at: usize) {
        let schema = self.schema;
        if inner.is_some_and(|inner| schema.overlap(of, inner)) {
            return;
        }
        let names = |of: Option<usize>| {
            let possible = of.into_iter().flat_map(|of| &schema.types[of].possible);
            let names: Vec<&str> = possible.map(|of| &*schema.types[*of].name).collect();
            format!("{names:?}")
        };
        let (parent, spread) = (names(Some(of)), names(inner));
        self.error(
            format!(
                "Fragment spread has no type overlap with parent.\nParent possible types: {parent}\nSpread possible types: {spread}\n"
            ),
            at,
        );
    }

    fn field(&mut self, of: Option<usize>, field: &'d Field<'d>) {
        let (schema, at) = (self.schema, offset(field));
        let name = field.name().as_str();
        let definition = of.and_then(|of| {
            let found = schema.field(of, name)?;
            schema.definition(of, found)
        });
        match (definition, of) {
            (Some(definition), _) => self.leaf(field, definition),
            (None, Some(of)) => {
                let suggestion = suggest::of_field(schema, of, name);
                let on = &schema.types[of].name;
                let message =
                    format!("Cannot query field \"{name}\" on type \"{on}\".{suggestion}");
                self.error(message, at);
            }
            (None, None) => {}
        }
        let inner = definition.map(|definition| definition.of.named());
        self.selections(inner, selections(field.selection_set()));
        let host = Host {
            at,
            name,
            known: definition.map(|definition| definition.arguments.as_slice()),
            of,
        };
        self.arguments(&host, arguments(field));
    }

    /// Fields are selected of what has any, and of nothing else.
    fn leaf(&mut self, field: &Field<'_>, definition: &FieldDef) {
        let name = field.name().as_str();
        let empty = selections(field.selection_set()).is_empty();
        let composite = self.schema.composite(definition.of.named());
        if composite != empty {
            return;
        }
        let of = self.schema.type_name(&definition.of);
        let message = if composite {
            format!(
                "Field \"{name}\" of type \"{of}\" must have a selection of subfields. Did you mean \"{name} {{ ... }}\"?"
            )
        } else {
            format!(
                "Field \"{name}\" must not have a selection since type \"{of}\" has no subfields."
            )
        };
        self.error(message, offset(field));
    }
}
