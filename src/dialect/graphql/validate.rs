//! Validation, with the rules that Absinthe has, in its order, and with its texts.
//!
//! Each fragment is looked at once, however often it is spread. Two rules end the matter at once, as in Absinthe: an
//! operation that cannot be chosen, and fragments that spread each other in a ring.

use std::collections::HashMap;

use bluejay_core::executable::OperationDefinition as _;
use bluejay_parser::ast::VariableDirective;
use bluejay_parser::ast::executable::{
    Field, OperationDefinition, Selection, TypeCondition, VariableDefinition, VariableType,
};
use smallvec::SmallVec;

use super::document::{
    self, Document, Failure, OperationType, arguments, directives, offset, selections,
};
use super::schema::{FieldDef, Schema, Shape, TypeRef};
use super::uses::cycles;
use super::values::{self, Literal, Variables};
use super::{Error, Pos};
use crate::dialect::tape::Tree;

/// Mistakes that are told; nobody reads more.
pub(super) const MAX_ERRORS: usize = 100;

/// Finds the operation of this name, or the only one.
///
/// # Errors
/// There is none, or it is not said which.
pub fn choose<'d>(
    document: &'d Document<'d>,
    name: &str,
) -> Result<&'d OperationDefinition<'d>, Failure> {
    let operations = document.operations();
    let found = match operations {
        [only] if name.is_empty() => Some(only),
        many => many
            .iter()
            .find(|one| document::name(one).is_some_and(|known| known == name)),
    };
    found.ok_or_else(|| {
        let what = match operations {
            [_] => "The provided operation name did not match the operation in the query.",
            _ => "Must provide a valid operation name if query contains multiple operations.",
        };
        let given = match name {
            "" => "No operation name was given.".to_owned(),
            name => format!("The provided operation name was: {name:?}"),
        };
        let first = operations.first();
        Failure::one(
            format!("{what}\n\n{given}\n"),
            first.map_or(Pos::START, |first| document.pos(first)),
        )
    })
}

/// Arguments without variables, made what their types say, by the bytes with which their names begin.
pub type Coerced = Vec<(usize, Tree)>;

/// A walk over a document.
pub struct Validation<'d> {
    pub schema: &'d Schema,
    pub document: &'d Document<'d>,
    pub operation: &'d OperationDefinition<'d>,
    pub errors: Vec<Error>,
    coerced: Coerced,
    /// Variables of the operation, each with its definition.
    pub(super) defined: HashMap<&'d str, &'d VariableDefinition<'d>>,
}

/// Checks everything that does not depend on the variables' values, and keeps what was made of arguments.
///
/// # Errors
/// Every mistake.
pub fn check<'d>(
    schema: &'d Schema,
    document: &'d Document<'d>,
    operation: &'d OperationDefinition<'d>,
) -> Result<Coerced, Failure> {
    let mut errors = cycles(document);
    let mut coerced = Coerced::new();
    if errors.is_empty() {
        let definitions = document::definitions(operation).iter();
        let mut validation = Validation {
            schema,
            document,
            operation,
            errors,
            coerced,
            defined: definitions
                .map(|definition| (definition.variable().as_str(), definition))
                .collect(),
        };
        validation.uses();
        validation.operation();
        Validation {
            errors,
            coerced,
            ..
        } = validation;
    }
    errors.sort_by_key(|error| error.at);
    if errors.is_empty() {
        Ok(coerced)
    } else {
        Err(Failure::Errors(errors))
    }
}

impl<'d> Validation<'d> {
    /// Tells a mistake at a byte of the document.
    pub(super) fn error(&mut self, message: impl Into<String>, at: usize) {
        if !self.full() {
            self.errors
                .push(Error::new(message, self.document.place(at)));
        }
    }

    /// Enough mistakes are known: what looks for more can stop.
    pub(super) fn full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    fn operation(&mut self) {
        let (document, operation) = (self.document, self.operation);
        for definition in document::definitions(operation) {
            let (variable, at) = (
                definition.variable().as_str(),
                offset(definition.variable()),
            );
            let (of, shown) = (definition.r#type(), written(definition.r#type()));
            match self.schema.resolve(of) {
                None => {
                    let name = shown.trim_matches(|char| matches!(char, '[' | ']' | '!'));
                    self.error(format!("Unknown type \"{name}\"."), at);
                }
                Some(found) if self.schema.composite(found.named()) => self.error(
                    format!("Variable \"{variable}\" cannot be non-input type \"{shown}\"."),
                    at,
                ),
                Some(_) => {}
            }
        }
        let kind = operation.as_ref().operation_type();
        let root = match kind {
            OperationType::Query => Some(self.schema.query),
            OperationType::Mutation => self.schema.mutation,
            OperationType::Subscription => self.schema.subscription,
        };
        let Some(root) = root else {
            return self.error(
                format!("Operation \"{kind}\" not supported"),
                offset(operation),
            );
        };
        let items = selections(operation.selection_set());
        if kind == OperationType::Subscription && items.len() > 1 {
            self.error(
                "Only one field is permitted on the root object when subscribing",
                offset(operation),
            );
        }
        self.directives(document::operation_directives(operation), Some(kind));
        self.selections(root, items);
        for fragment in document.fragments() {
            if let Some(of) = self.condition(fragment.type_condition()) {
                self.selections(of, selections(fragment.selection_set()));
            }
        }
    }

    /// The type that a fragment is for.
    fn condition(&mut self, condition: &TypeCondition<'_>) -> Option<usize> {
        let name = condition.named_type();
        let found = self.schema.find(name.as_str());
        if found.is_none() {
            let on = self.document.before(name);
            self.error(format!("Unknown type \"{}\".", name.as_str()), on);
        }
        found
    }

    fn selections(&mut self, of: usize, items: &'d [Selection<'d>]) {
        for item in items {
            if self.full() {
                return;
            }
            self.directives(directives(item), None);
            match item {
                Selection::Field(field) => self.field(of, field),
                Selection::FragmentSpread(_) => {}
                Selection::InlineFragment(inline) => {
                    let inner = match inline.type_condition() {
                        None => Some(of),
                        Some(condition) => self.condition(condition),
                    };
                    if let Some(inner) = inner {
                        self.selections(inner, selections(inline.selection_set()));
                    }
                }
            }
        }
    }

    fn field(&mut self, of: usize, field: &'d Field<'d>) {
        let (schema, at) = (self.schema, offset(field));
        let name = field.name().as_str();
        let definition = schema
            .field(of, name)
            .and_then(|found| schema.definition(of, found));
        let Some(definition) = definition else {
            let suggestion = super::suggest::suggestion(schema, of, name);
            let on = &schema.types[of].name;
            return self.error(
                format!("Cannot query field \"{name}\" on type \"{on}\".{suggestion}"),
                at,
            );
        };
        self.arguments(of, field, definition);
        let inner = definition.of.named();
        let items = selections(field.selection_set());
        let shown = || schema.type_name(&definition.of);
        match (schema.composite(inner), items.is_empty()) {
            (true, true) => self.error(
                format!("Field \"{name}\" of type \"{}\" must have a selection of subfields. Did you mean \"{name} {{ ... }}\"?", shown()),
                at,
            ),
            (false, false) => self.error(
                format!("Field \"{name}\" must not have a selection since type \"{}\" has no subfields.", shown()),
                at,
            ),
            _ => self.selections(inner, items),
        }
    }

    fn arguments(&mut self, of: usize, field: &'d Field<'d>, definition: &'d FieldDef) {
        let mut given: SmallVec<[(usize, usize); 8]> = SmallVec::new();
        for given_argument in arguments(field) {
            let (name, at) = (given_argument.name().as_str(), offset(given_argument));
            if self.full() {
                return;
            }
            let Some(found) = definition.argument(name) else {
                let (field, on) = (field.name().as_str(), &self.schema.types[of].name);
                self.error(
                    format!("Unknown argument \"{name}\" on field \"{field}\" of type \"{on}\"."),
                    at,
                );
                continue;
            };
            let before = given.iter_mut().find(|(known, _)| *known == found);
            if let Some((_, before)) = before {
                let first = std::mem::replace(before, at);
                self.error("Duplicate argument name.", first);
                self.error("Duplicate argument name.", at);
                continue;
            }
            given.push((found, at));
            let argument = &definition.arguments[found];
            let literal = Literal::from(given_argument.value());
            if let Literal::Variable(variable) = &literal {
                let at = offset(given_argument.value());
                self.variable_type(variable, &argument.of, argument.default.is_some(), at);
            } else if !literal.open() {
                let none = Variables::default();
                match values::argument(self.schema, (name, &literal), &argument.of, &none) {
                    // An interface's field may say another type than that of the object which it is asked of.
                    Ok(Some(value)) if self.schema.types[of].shape == Shape::Object => {
                        self.coerced.push((at, value));
                    }
                    Ok(_) => {}
                    Err(message) => self.error(message, at),
                }
            }
        }
        for (index, argument) in definition.arguments.iter().enumerate() {
            if !argument.of.nullable
                && argument.default.is_none()
                && !given.iter().any(|(known, _)| *known == index)
            {
                let expected = self.schema.type_name(&argument.of);
                self.error(
                    format!(
                        "In argument \"{}\": Expected type \"{expected}\", found null.",
                        argument.name
                    ),
                    offset(field),
                );
            }
        }
    }

    /// Is a variable's type good for the place where it stands?
    fn variable_type(&mut self, name: &str, wanted: &TypeRef, defaulted: bool, at: usize) {
        let Some(definition) = self.defined.get(name).copied() else {
            return;
        };
        let Some(mut found) = self.schema.resolve(definition.r#type()) else {
            return;
        };
        if definition.default_value().is_some() {
            found.nullable = false;
        }
        let wanted_here = TypeRef {
            nullable: wanted.nullable || defaulted,
            ..wanted.clone()
        };
        if !accepts(&wanted_here, &found) {
            let found = written(definition.r#type());
            let expected = self.schema.type_name(wanted);
            let variable = match document::name(self.operation) {
                Some(operation) => format!("In operation `{operation}`, variable"),
                None => "Variable".to_owned(),
            };
            self.error(
                format!("{variable} `${name}` of type `{found}` found as input to argument of type `{expected}`."),
                at,
            );
        }
    }

    /// Those of a field or a fragment's place, or of something else, where none of them has a meaning.
    fn directives(&mut self, directives: &'d [VariableDirective<'d>], on: Option<OperationType>) {
        for directive in directives {
            let (name, at) = (directive.name().as_str(), offset(directive));
            if !matches!(name, "skip" | "include") {
                self.error(format!("Unknown directive `{name}'."), at);
                continue;
            }
            if let Some(on) = on {
                let on = on.as_ref().to_uppercase();
                self.error(format!("Directive `{name}' may not be used on {on}."), at);
            }
            match document::condition(directive).map(Literal::from) {
                Some(Literal::Bool(_) | Literal::Variable(_)) => {}
                Some(other) => {
                    let shown = values::shown(&other);
                    self.error(format!("Argument \"if\" has invalid value {shown}."), at);
                }
                None => self.error(
                    "In argument \"if\": Expected type \"Boolean!\", found null.",
                    at,
                ),
            }
        }
    }
}

/// A variable's type, as it is written.
fn written(of: &VariableType<'_>) -> String {
    let (inner, required) = match of {
        VariableType::Named {
            name, is_required, ..
        } => (name.as_str().to_owned(), is_required),
        VariableType::List {
            inner, is_required, ..
        } => (format!("[{}]", written(inner)), is_required),
    };
    inner + if *required { "!" } else { "" }
}

fn accepts(wanted: &TypeRef, found: &TypeRef) -> bool {
    use super::schema::Base;
    (wanted.nullable || !found.nullable)
        && match (&wanted.base, &found.base) {
            (Base::Named(wanted), Base::Named(found)) => wanted == found,
            (Base::List(wanted), Base::List(found)) => accepts(wanted, found),
            (Base::List(wanted), Base::Named(_)) => accepts(wanted, found),
            _ => false,
        }
}
