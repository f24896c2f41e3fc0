//! Validation of arguments, of fields and of directives: each known, given once, and of its type.
//!
//! They are told in Absinthe's order, as in [`validate`](super::validate): those that are missing before those that are
//! given, and of each its own mistakes before those of its value.

use bluejay_core::{Value as _, ValueReference};
use bluejay_parser::ast::executable::VariableDefinition;
use bluejay_parser::ast::{VariableArgument, VariableDirective, VariableValue};

use super::document::{self, offset};
use super::schema::{Base, InputDef, Shape, TypeRef};
use super::validate::Validation;
use super::values::{self, Literal, Variables};

/// What has arguments.
pub struct Host<'d> {
    pub at: usize,
    pub name: &'d str,
    /// The arguments that it has, if it is known itself.
    pub known: Option<&'d [InputDef]>,
    /// The type that it is a field of; a directive is of none.
    pub of: Option<usize>,
}

/// What is known of an argument's value.
enum Value {
    /// It is one that its type takes, or that is not to be seen without the variables.
    Good,
    Missing,
    Wrong(String),
}

/// An argument with this name in other letters is the same.
fn known<'d>(inputs: &'d [InputDef], name: &str) -> Option<&'d InputDef> {
    super::schema::input(inputs, name).map(|at| &inputs[at])
}

impl<'d> Validation<'d> {
    pub(super) fn arguments(&mut self, host: &Host<'d>, given: &'d [VariableArgument<'d>]) {
        for missing in host.known.into_iter().flat_map(|all| missing(all, given)) {
            self.missing(missing, host.at);
        }
        for argument in given {
            if self.full() {
                return;
            }
            let (name, at) = (argument.name().as_str(), offset(argument));
            let mut same = given.iter().filter(|other| other.name().as_str() == name);
            if same.nth(1).is_some() {
                self.error("Duplicate argument name.", at);
            }
            let found = host.known.and_then(|all| known(all, name));
            match found {
                Some(input) => self.value(host, input, argument),
                None => self.unknown(host, name, at),
            }
            if let (Some(input), ValueReference::Variable(_)) = (found, argument.value().as_ref()) {
                self.variable_types(input, argument.value());
            }
            self.undefined(argument.value());
            self.repeated(argument.value());
        }
    }

    /// Of something unknown on what is unknown nothing is told.
    fn unknown(&mut self, host: &Host<'d>, name: &str, at: usize) {
        let on = match (host.of, host.known) {
            (Some(of), _) => {
                let of = &self.schema.types[of].name;
                format!("field \"{}\" of type \"{of}\"", host.name)
            }
            (None, Some(_)) => format!("directive \"@{}\"", host.name),
            (None, None) => return,
        };
        self.error(format!("Unknown argument \"{name}\" on {on}."), at);
    }

    fn missing(&mut self, input: &InputDef, at: usize) {
        let (name, expected) = (&input.name, self.schema.type_name(&input.of));
        self.error(
            format!("In argument \"{name}\": Expected type \"{expected}\", found null."),
            at,
        );
    }

    /// Is an argument's value there, and of its type?
    fn value(&mut self, host: &Host<'d>, input: &InputDef, given: &'d VariableArgument<'d>) {
        let literal = Literal::from(given.value());
        match self.valued(host, input, (given, &literal)) {
            Value::Good => {}
            Value::Missing => self.missing(input, offset(given)),
            Value::Wrong(message) => self.error(message, offset(given)),
        }
    }

    fn valued(
        &mut self,
        host: &Host<'d>,
        input: &InputDef,
        (given, literal): (&'d VariableArgument<'d>, &Literal),
    ) -> Value {
        let (schema, name) = (self.schema, given.name().as_str());
        let required = !input.of.nullable && input.default.is_none();
        // Values are given for the chosen operation's variables alone.
        if literal.open() && !self.is_chosen() {
            return Value::Good;
        }
        let found = match (&self.values, literal) {
            (None, Literal::Variable(variable)) => {
                let definitions = self.operation.into_iter().flat_map(document::definitions);
                let defined =
                    definitions.filter(|definition| definition.variable().as_str() == &**variable);
                return match defined.count() {
                    0 if required => Value::Missing,
                    _ => Value::Good,
                };
            }
            (None, _) if literal.open() => return Value::Good,
            (None, _) => {
                values::argument(schema, (name, literal), &input.of, &Variables::default())
            }
            (Some((_, values)), _) => {
                let weight = values.weight(literal);
                let Some(room) = self.room.checked_sub(weight) else {
                    return Value::Good;
                };
                self.room = room;
                values::argument(schema, (name, literal), &input.of, values)
            }
        };
        match found {
            // An interface's field may say another type than that of the object which it is asked of.
            Ok(Some(value)) => {
                let object = host.of.map(|of| schema.types[of].shape) == Some(Shape::Object);
                if object && self.values.is_none() {
                    self.coerced.push((offset(given), value));
                }
                Value::Good
            }
            Ok(None) if required => Value::Missing,
            Ok(None) => Value::Good,
            Err(message) => Value::Wrong(message),
        }
    }

    /// Is a variable's type good for the place where it stands, in each operation that comes there?
    fn variable_types(&mut self, input: &InputDef, value: &'d VariableValue<'d>) {
        let ValueReference::Variable(variable) = value.as_ref() else {
            return;
        };
        let name = variable.as_str();
        for at in 0..self.within.len() {
            if self.full() {
                return;
            }
            let uses = &self.uses[self.within[at]];
            let Some((definition, _)) = uses.defined.get(name) else {
                continue;
            };
            let resolved = self.schema.resolve(definition.r#type());
            if resolved.is_some_and(|found| compatible(&found, &input.of, definition, input)) {
                continue;
            }
            let found = document::type_name(definition.r#type());
            let expected = self.schema.type_name(&input.of);
            let variable = match document::name(uses.operation) {
                Some(operation) => format!("In operation `{operation}`, variable"),
                None => "Variable".to_owned(),
            };
            self.error(
                format!("{variable} `${name}` of type `{found}` found as input to argument of type `{expected}`."),
                offset(value),
            );
        }
    }

    /// Variables in a value that an operation uses and does not define.
    fn undefined(&mut self, value: &'d VariableValue<'d>) {
        let mut variables = Vec::new();
        document::variables(value, &mut |name, at| variables.push((name, at)));
        for (name, place) in variables {
            for at in (0..self.uses.len()).rev() {
                if self.full() {
                    return;
                }
                if !self.uses[at].lacks(name) {
                    continue;
                }
                let operation = document::name(self.uses[at].operation);
                let by = operation.map_or(String::new(), |by| format!(" by operation \"{by}\""));
                let places = self.in_operation(place, at);
                self.error_in(format!("Variable \"{name}\" is not defined{by}."), places);
            }
        }
    }

    /// Fields of an object that has them twice.
    fn repeated(&mut self, value: &'d VariableValue<'d>) {
        match value.as_ref() {
            ValueReference::List(list) => {
                for element in bluejay_core::AsIter::iter(list) {
                    self.repeated(element);
                }
            }
            ValueReference::Object(object) => {
                let fields = || bluejay_core::AsIter::iter(object);
                for (name, value) in fields() {
                    let mut same = fields().filter(|(other, _)| other.as_str() == name.as_str());
                    if same.nth(1).is_some() {
                        self.error("Duplicate input field name.", offset(name));
                    }
                    self.repeated(value);
                }
            }
            _ => {}
        }
    }

    /// Those of something that is named so where directives are placed.
    pub(super) fn directives(
        &mut self,
        directives: &'d [VariableDirective<'d>],
        placement: &'static str,
    ) {
        const PLACES: [&str; 3] = ["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"];
        for directive in directives {
            let (name, at) = (directive.name().as_str(), offset(directive));
            let known = matches!(name, "skip" | "include");
            let mut same = directives.iter().filter(|one| one.name().as_str() == name);
            if known && same.nth(1).is_some() {
                let message = format!("Directive `{name}' cannot be applied repeatedly.");
                self.error(message, at);
            }
            if !known {
                self.error(format!("Unknown directive `{name}'."), at);
            } else if !PLACES.contains(&placement) {
                let message = format!("Directive `{name}' may not be used on {placement}.");
                self.error(message, at);
            }
            let host = Host {
                at,
                name,
                known: known.then_some(&*self.schema.condition),
                of: None,
            };
            self.arguments(&host, document::directive_arguments(directive));
        }
    }
}

/// The arguments that must be given and are not, in the order in which Absinthe tells of them: its schema's turned round.
fn missing<'d>(all: &'d [InputDef], given: &[VariableArgument<'_>]) -> Vec<&'d InputDef> {
    let required = all
        .iter()
        .filter(|input| !input.of.nullable && input.default.is_none());
    let mut missing: Vec<&InputDef> = required
        .filter(|input| {
            let mut given = given
                .iter()
                .filter_map(|one| known(all, one.name().as_str()));
            !given.any(|given| std::ptr::eq(given, *input))
        })
        .collect();
    missing.sort_by(|left, right| right.key.cmp(&left.key));
    missing
}

/// Does a place of one type take a variable of another?
fn compatible(
    found: &TypeRef,
    wanted: &TypeRef,
    definition: &VariableDefinition<'_>,
    input: &InputDef,
) -> bool {
    if found == wanted {
        return true;
    }
    if !found.nullable {
        let nullable = TypeRef {
            nullable: true,
            base: found.base.clone(),
        };
        return compatible(&nullable, wanted, definition, input);
    }
    match (&found.base, &wanted.base) {
        (Base::List(found), Base::List(wanted_item)) if wanted.nullable => {
            compatible(found, wanted_item, definition, input)
        }
        (found, wanted_base) => {
            let defaulted = input.default.is_some() || definition.default_value().is_some();
            !wanted.nullable && found == wanted_base && defaulted
        }
    }
}
