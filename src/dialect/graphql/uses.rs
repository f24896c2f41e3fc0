//! What an operation uses of a document: fragments and variables, each known, used, and in no ring.
//!
//! Each fragment is walked once, however often it is spread; what is asked twice is answered from memory.

use std::collections::{HashMap, HashSet};

use bluejay_parser::ast::executable::Selection;
use bluejay_parser::ast::{VariableArgument, VariableDirective};

use super::Error;
use super::document::{self, Document, arguments, directives, offset, selections};
use super::validate::{MAX_ERRORS, Validation};

/// The names that a selection spreads, fields and inline fragments entered.
fn spreads<'d>(items: &'d [Selection<'d>], found: &mut Vec<&'d str>) {
    for item in items {
        match item {
            Selection::Field(field) => spreads(selections(field.selection_set()), found),
            Selection::InlineFragment(inline) => spreads(selections(inline.selection_set()), found),
            Selection::FragmentSpread(spread) => found.push(spread.name().as_str()),
        }
    }
}

/// Fragments that come to themselves again.
pub fn cycles(document: &Document<'_>) -> Vec<Error> {
    let fragments = document.fragments().iter();
    let edges: HashMap<&str, Vec<&str>> = fragments
        .map(|fragment| {
            let mut found = Vec::new();
            spreads(selections(fragment.selection_set()), &mut found);
            (fragment.name().as_str(), found)
        })
        .collect();
    let mut errors = Vec::new();
    for fragment in document.fragments() {
        let name = fragment.name().as_str();
        if errors.len() >= MAX_ERRORS {
            break;
        }
        let mut seen = HashSet::new();
        let mut waiting: Vec<(&str, Vec<&str>)> = vec![(name, Vec::new())];
        while let Some((at, way)) = waiting.pop() {
            for next in edges.get(at).into_iter().flatten().copied() {
                if next == name {
                    let via: Vec<String> = way
                        .iter()
                        .chain([&name])
                        .map(|name| format!("\"{name}\""))
                        .collect();
                    let via = if way.is_empty() {
                        String::new()
                    } else {
                        format!(" via {}", via.join(", "))
                    };
                    errors.push(Error::new(
                        format!("Cannot spread fragment \"{name}\" within itself{via}."),
                        document.pos(fragment),
                    ));
                    waiting.clear();
                    break;
                }
                if seen.insert(next) {
                    waiting.push((next, [&way[..], &[next]].concat()));
                }
            }
        }
    }
    errors
}

/// What an operation uses, directly or in fragments.
#[derive(Default)]
struct Uses<'d> {
    variables: Vec<(&'d str, usize)>,
    spreads: Vec<(&'d str, usize)>,
}

impl<'d> Uses<'d> {
    fn directives(&mut self, directives: &'d [VariableDirective<'d>]) {
        for directive in directives {
            self.arguments(document::directive_arguments(directive));
        }
    }

    fn arguments(&mut self, arguments: &'d [VariableArgument<'d>]) {
        for argument in arguments {
            let value = argument.value();
            let at = offset(value);
            document::variables(value, &mut |name| self.variables.push((name, at)));
        }
    }

    fn selections(&mut self, items: &'d [Selection<'d>]) {
        for item in items {
            self.directives(directives(item));
            match item {
                Selection::Field(field) => {
                    self.arguments(arguments(field));
                    self.selections(selections(field.selection_set()));
                }
                Selection::InlineFragment(inline) => {
                    self.selections(selections(inline.selection_set()))
                }
                Selection::FragmentSpread(spread) => {
                    self.spreads.push((spread.name().as_str(), offset(spread)))
                }
            }
        }
    }
}

impl<'d> Validation<'d> {
    /// Fragments and variables: known, defined and used.
    pub(super) fn uses(&mut self) {
        let (document, operation) = (self.document, self.operation);
        let mut uses = Uses::default();
        uses.directives(document::operation_directives(operation));
        uses.selections(selections(operation.selection_set()));
        let mut reached: HashSet<&str> = HashSet::new();
        let mut next = 0;
        while let Some((fragment, at)) = uses.spreads.get(next).copied() {
            next += 1;
            match document.fragment(fragment) {
                Some(found) if reached.insert(fragment) => {
                    uses.selections(selections(found.selection_set()))
                }
                Some(_) => {}
                None => self.error(format!("Unknown fragment \"{fragment}\""), at),
            }
        }
        self.unused();
        let name = document::name(operation);
        let of = name.map_or(String::new(), |name| format!(" in operation \"{name}\""));
        let by = name.map_or(String::new(), |name| format!(" by operation \"{name}\""));
        let mut used = HashSet::new();
        for (variable, at) in &uses.variables {
            if used.insert(*variable) && !self.defined.contains_key(variable) {
                self.error(format!("Variable \"{variable}\" is not defined{by}."), *at);
            }
        }
        let mut times: HashMap<&str, usize> = HashMap::new();
        let definitions = document::definitions(operation);
        for definition in definitions {
            *times.entry(definition.variable().as_str()).or_default() += 1;
        }
        for definition in definitions {
            let variable = definition.variable().as_str();
            if times.get(variable).is_some_and(|times| *times > 1) {
                self.error(
                    format!("There can only be one variable named \"{variable}\"."),
                    offset(definition.variable()),
                );
            }
            if !used.contains(variable) {
                self.error(
                    format!("Variable \"{variable}\" is never used{of}."),
                    offset(definition.variable()),
                );
            }
        }
    }

    /// Fragments that nothing spreads; those that another operation does are none.
    fn unused(&mut self) {
        let document = self.document;
        if document.fragments().is_empty() {
            return;
        }
        let mut spread = Vec::new();
        for operation in document.operations() {
            spreads(selections(operation.selection_set()), &mut spread);
        }
        for fragment in document.fragments() {
            spreads(selections(fragment.selection_set()), &mut spread);
        }
        let spread: HashSet<&str> = spread.into_iter().collect();
        for fragment in document.fragments() {
            let name = fragment.name().as_str();
            if !spread.contains(name) {
                self.error(
                    format!("Fragment \"{name}\" is never used."),
                    offset(fragment),
                );
            }
        }
    }
}
