//! Validation, with the rules that Absinthe has, in its order, and with its texts.
//!
//! Each fragment is looked at once, however often it is spread. Two rules end the matter at once, as in Absinthe: an
//! operation that cannot be chosen, and fragments that spread each other in a ring.

use std::collections::HashMap;

use async_graphql_parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
    Selection, SelectionSet, VariableDefinition,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::Name;
use smallvec::SmallVec;

use super::document::Failure;
use super::schema::{FieldDef, Schema, Shape, TypeRef};
use super::uses::cycles;
use super::values::{self, Variables};
use super::{Error, document};
use crate::dialect::tape::Tree;

/// Mistakes that are told; nobody reads more.
pub(super) const MAX_ERRORS: usize = 100;

/// The operation that is meant, and its name.
pub type Chosen<'d> = (Option<&'d Name>, &'d Positioned<OperationDefinition>);

/// Finds the operation of this name, or the only one.
///
/// # Errors
/// There is none, or it is not said which.
pub fn choose<'d>(document: &'d ExecutableDocument, name: &str) -> Result<Chosen<'d>, Failure> {
    let found = match &document.operations {
        DocumentOperations::Single(only) if name.is_empty() => Some((None, only)),
        DocumentOperations::Multiple(many) if name.is_empty() && many.len() == 1 => many
            .iter()
            .next()
            .map(|(name, operation)| (Some(name), operation)),
        DocumentOperations::Multiple(many) => many
            .get_key_value(name)
            .map(|(name, operation)| (Some(name), operation)),
        DocumentOperations::Single(_) => None,
    };
    found.ok_or_else(|| {
        let what = match document.operations.iter().count() {
            1 => "The provided operation name did not match the operation in the query.",
            _ => "Must provide a valid operation name if query contains multiple operations.",
        };
        let given = match name {
            "" => "No operation name was given.".to_owned(),
            name => format!("The provided operation name was: {name:?}"),
        };
        let first = document
            .operations
            .iter()
            .map(|(_, operation)| operation.pos)
            .min();
        Failure::one(
            format!("{what}\n\n{given}\n"),
            first.unwrap_or(document::START),
        )
    })
}

/// Arguments without variables, made what their types say, by the places of their names.
pub type Coerced = Vec<(Pos, Tree)>;

/// A walk over a document.
pub struct Validation<'d> {
    pub schema: &'d Schema,
    pub document: &'d ExecutableDocument,
    /// The operation's, if it has one.
    name: Option<&'d Name>,
    pub errors: Vec<Error>,
    coerced: Coerced,
    /// Variables of the operation, each with its definition.
    pub(super) defined: HashMap<&'d str, &'d VariableDefinition>,
}

/// Checks everything that does not depend on the variables' values, and keeps what was made of arguments.
///
/// # Errors
/// Every mistake.
pub fn check<'d>(
    schema: &'d Schema,
    document: &'d ExecutableDocument,
    chosen: &Chosen<'d>,
) -> Result<Coerced, Failure> {
    let mut errors = cycles(document);
    let mut coerced = Coerced::new();
    if errors.is_empty() {
        let (name, operation) = chosen;
        let mut validation = Validation {
            schema,
            document,
            name: *name,
            errors,
            coerced,
            defined: operation
                .node
                .variable_definitions
                .iter()
                .map(|definition| (definition.node.name.node.as_str(), &definition.node))
                .collect(),
        };
        validation.uses(*name, operation);
        validation.operation(operation);
        Validation {
            errors,
            coerced,
            ..
        } = validation;
    }
    errors.sort_by_key(|error| (error.at.line, error.at.column));
    if errors.is_empty() {
        Ok(coerced)
    } else {
        Err(Failure::Errors(errors))
    }
}

impl<'d> Validation<'d> {
    pub(super) fn error(&mut self, message: impl Into<String>, at: Pos) {
        if !self.full() {
            self.errors.push(Error::new(message, at));
        }
    }

    /// Enough mistakes are known: what looks for more can stop.
    pub(super) fn full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    fn operation(&mut self, operation: &'d Positioned<OperationDefinition>) {
        for definition in &operation.node.variable_definitions {
            let of = &definition.node.var_type.node;
            let (variable, shown) = (&definition.node.name.node, of.to_string());
            match self.schema.resolve(of) {
                None => {
                    let name = shown.trim_matches(|char| matches!(char, '[' | ']' | '!'));
                    self.error(format!("Unknown type \"{name}\"."), definition.pos);
                }
                Some(found) if self.schema.composite(found.named()) => self.error(
                    format!("Variable \"{variable}\" cannot be non-input type \"{shown}\"."),
                    definition.pos,
                ),
                Some(_) => {}
            }
        }
        let root = match operation.node.ty {
            OperationType::Query => Some(self.schema.query),
            OperationType::Mutation => self.schema.mutation,
            OperationType::Subscription => self.schema.subscription,
        };
        let Some(root) = root else {
            return self.error(
                format!("Operation \"{}\" not supported", operation.node.ty),
                operation.pos,
            );
        };
        let items = &operation.node.selection_set.node.items;
        if operation.node.ty == OperationType::Subscription && items.len() > 1 {
            self.error(
                "Only one field is permitted on the root object when subscribing",
                operation.pos,
            );
        }
        self.directives(&operation.node.directives, Some(operation.node.ty));
        self.selection(root, &operation.node.selection_set.node);
        for fragment in self.document.fragments.values() {
            let name = &fragment.node.type_condition.node.on.node;
            match self.schema.find(name) {
                Some(of) => self.selection(of, &fragment.node.selection_set.node),
                None => self.error(
                    format!("Unknown type \"{name}\"."),
                    fragment.node.type_condition.pos,
                ),
            }
        }
    }

    fn selection(&mut self, of: usize, selection: &'d SelectionSet) {
        for item in &selection.items {
            if self.full() {
                return;
            }
            self.directives(item.node.directives(), None);
            match &item.node {
                Selection::Field(field) => self.field(of, &field.node, item.pos),
                Selection::FragmentSpread(_) => {}
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let inner = match condition {
                        None => Some(of),
                        Some(condition) => {
                            let name = &condition.node.on.node;
                            let found = self.schema.find(name);
                            if found.is_none() {
                                self.error(format!("Unknown type \"{name}\"."), condition.pos);
                            }
                            found
                        }
                    };
                    if let Some(inner) = inner {
                        self.selection(inner, &inline.node.selection_set.node);
                    }
                }
            }
        }
    }

    fn field(&mut self, of: usize, field: &'d Field, at: Pos) {
        let schema = self.schema;
        let name = &field.name.node;
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
        self.arguments(of, field, definition, at);
        let inner = definition.of.named();
        let items = &field.selection_set.node.items;
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
            _ => self.selection(inner, &field.selection_set.node),
        }
    }

    fn arguments(&mut self, of: usize, field: &'d Field, definition: &'d FieldDef, at: Pos) {
        let mut given: SmallVec<[(usize, Pos); 8]> = SmallVec::new();
        for given_argument in &field.arguments {
            let (name, value) = given_argument;
            if self.full() {
                return;
            }
            let Some(found) = definition.argument(&name.node) else {
                let (field, on) = (&field.name.node, &self.schema.types[of].name);
                self.error(
                    format!(
                        "Unknown argument \"{}\" on field \"{field}\" of type \"{on}\".",
                        name.node
                    ),
                    name.pos,
                );
                continue;
            };
            let before = given.iter_mut().find(|(known, _)| *known == found);
            if let Some((_, before)) = before {
                let first = std::mem::replace(before, name.pos);
                self.error("Duplicate argument name.", first);
                self.error("Duplicate argument name.", name.pos);
                continue;
            }
            given.push((found, name.pos));
            let argument = &definition.arguments[found];
            if !values::open(&value.node) {
                let none = Variables::default();
                match values::argument(self.schema, given_argument, &argument.of, &none) {
                    // An interface's field may say another type than that of the object which it is asked of.
                    Ok(Some(value)) if self.schema.types[of].shape == Shape::Object => {
                        self.coerced.push((name.pos, value));
                    }
                    Ok(_) => {}
                    Err(error) => self.error(error.message, error.at),
                }
            } else if let async_graphql_value::Value::Variable(variable) = &value.node {
                self.variable_type(
                    variable,
                    &argument.of,
                    argument.default.is_some(),
                    value.pos,
                );
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
                    at,
                );
            }
        }
    }

    /// Is a variable's type good for the place where it stands?
    fn variable_type(&mut self, name: &Name, wanted: &TypeRef, defaulted: bool, at: Pos) {
        let Some(definition) = self.defined.get(name.as_str()) else {
            return;
        };
        let Some(mut found) = self.schema.resolve(&definition.var_type.node) else {
            return;
        };
        if definition.default_value.is_some() {
            found.nullable = false;
        }
        let wanted_here = TypeRef {
            nullable: wanted.nullable || defaulted,
            ..wanted.clone()
        };
        if !accepts(&wanted_here, &found) {
            let found = definition.var_type.node.to_string();
            let expected = self.schema.type_name(wanted);
            let variable = match self.name {
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
    fn directives(&mut self, directives: &'d [Positioned<Directive>], on: Option<OperationType>) {
        for directive in directives {
            let name = &directive.node.name.node;
            if !matches!(name.as_str(), "skip" | "include") {
                self.error(format!("Unknown directive `{name}'."), directive.pos);
                continue;
            }
            if let Some(on) = on {
                let on = on.to_string().to_uppercase();
                self.error(
                    format!("Directive `{name}' may not be used on {on}."),
                    directive.pos,
                );
            }
            let condition = directive.node.get_argument("if");
            use async_graphql_value::Value;
            match condition.map(|value| &value.node) {
                Some(Value::Boolean(_) | Value::Variable(_)) => {}
                Some(other) => {
                    let shown = values::written(other);
                    self.error(
                        format!("Argument \"if\" has invalid value {shown}."),
                        directive.pos,
                    );
                }
                None => self.error(
                    "In argument \"if\": Expected type \"Boolean!\", found null.",
                    directive.pos,
                ),
            }
        }
    }
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
