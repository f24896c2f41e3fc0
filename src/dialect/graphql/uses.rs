//! What each operation of a document uses: fragments and variables, directly or in the fragments that it spreads.
//!
//! Each fragment is walked once, however often it is spread, and by however many operations.

use std::collections::{HashMap, HashSet};

use bluejay_parser::ast::executable::{
    FragmentDefinition, OperationDefinition, Selection, VariableDefinition,
};
use bluejay_parser::ast::{VariableArgument, VariableDirective};

use super::Error;
use super::document::{self, Document, arguments, directives, selections};
use super::validate::MAX_ERRORS;

/// What stands in one place, without what it spreads.
#[derive(Default)]
struct Own<'d> {
    variables: Vec<&'d str>,
    spreads: Vec<&'d str>,
}

impl<'d> Own<'d> {
    fn directives(&mut self, directives: &'d [VariableDirective<'d>]) {
        for directive in directives {
            self.arguments(document::directive_arguments(directive));
        }
    }

    fn arguments(&mut self, arguments: &'d [VariableArgument<'d>]) {
        for argument in arguments {
            document::variables(argument.value(), &mut |variable, _| {
                self.variables.push(variable);
            });
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
                    self.selections(selections(inline.selection_set()));
                }
                Selection::FragmentSpread(spread) => self.spreads.push(spread.name().as_str()),
            }
        }
    }
}

/// Of all fragments of a document, by their names, what stands in them.
pub struct Fragments<'d>(HashMap<&'d str, Own<'d>>);

impl<'d> Fragments<'d> {
    pub fn of(document: &'d Document<'d>) -> Fragments<'d> {
        let known = document.fragments().iter().map(|fragment| {
            let mut own = Own::default();
            own.directives(document::fragment_directives(fragment));
            own.selections(selections(fragment.selection_set()));
            (fragment.name().as_str(), own)
        });
        // Of two with one name the first holds, here as in the document.
        Fragments(known.rev().collect())
    }

    fn spreads(&self, fragment: &str) -> &[&'d str] {
        self.0.get(fragment).map_or(&[], |own| &own.spreads)
    }

    /// Fragments that come to themselves again.
    pub fn cycles(&self, document: &Document<'_>) -> Vec<Error> {
        let mut errors = Vec::new();
        for fragment in document.fragments() {
            let name = fragment.name().as_str();
            if errors.len() >= MAX_ERRORS {
                break;
            }
            if let Some(way) = self.way_back(name) {
                let via: Vec<String> = way.iter().map(|name| format!("\"{name}\"")).collect();
                let via = match via.as_slice() {
                    [_] => String::new(),
                    many => format!(" via {}", many.join(", ")),
                };
                let message = format!("Cannot spread fragment \"{name}\" within itself{via}.");
                errors.push(Error::new(message, document.pos(fragment)));
            }
        }
        errors
    }

    /// The way from a fragment back to itself, as Erlang's `digraph` finds it: by the last spread first, and over others
    /// if there is such a way.
    fn way_back(&self, name: &'d str) -> Option<Vec<&'d str>> {
        let mut way = Vec::new();
        let mut seen = HashSet::from([name]);
        let mut waiting = vec![self.spreads(name).iter().rev()];
        while let Some(next) = waiting.last_mut() {
            match next.next() {
                Some(found) if *found == name && !way.is_empty() => {
                    way.push(name);
                    return Some(way);
                }
                Some(found) if seen.insert(found) => {
                    way.push(*found);
                    waiting.push(self.spreads(found).iter().rev());
                }
                Some(_) => {}
                None => {
                    waiting.pop();
                    way.pop();
                }
            }
        }
        self.spreads(name).contains(&name).then(|| vec![name])
    }

    /// The fragments that can be spread, each behind those that it spreads. There are no cycles.
    pub fn ordered(&self, document: &'d Document<'d>) -> Vec<&'d FragmentDefinition<'d>> {
        let mut ordered = Vec::new();
        let mut seen = HashSet::new();
        for fragment in document.fragments() {
            self.follow(fragment.name().as_str(), document, &mut seen, &mut ordered);
        }
        ordered
    }

    fn follow(
        &self,
        name: &'d str,
        document: &'d Document<'d>,
        seen: &mut HashSet<&'d str>,
        ordered: &mut Vec<&'d FragmentDefinition<'d>>,
    ) {
        if let Some(fragment) = document.fragment(name)
            && seen.insert(name)
        {
            for spread in self.spreads(name) {
                self.follow(spread, document, seen, ordered);
            }
            ordered.push(fragment);
        }
    }
}

/// What an operation uses and defines.
pub struct Uses<'d> {
    pub operation: &'d OperationDefinition<'d>,
    pub variables: HashSet<&'d str>,
    pub fragments: HashSet<&'d str>,
    /// Each with how often it is defined.
    pub defined: HashMap<&'d str, (&'d VariableDefinition<'d>, usize)>,
}

impl<'d> Uses<'d> {
    pub fn of(operation: &'d OperationDefinition<'d>, fragments: &Fragments<'d>) -> Uses<'d> {
        let mut own = Own::default();
        own.directives(document::operation_directives(operation));
        own.selections(selections(operation.selection_set()));
        let mut uses = Uses {
            operation,
            variables: own.variables.into_iter().collect(),
            fragments: HashSet::new(),
            defined: HashMap::new(),
        };
        let mut waiting = own.spreads;
        while let Some(name) = waiting.pop() {
            if let Some(own) = fragments.0.get(name)
                && uses.fragments.insert(name)
            {
                uses.variables.extend(&own.variables);
                waiting.extend(&own.spreads);
            }
        }
        for definition in document::definitions(operation) {
            let name = definition.variable().as_str();
            let known = uses.defined.entry(name).or_insert((definition, 0));
            *known = (definition, known.1 + 1);
        }
        uses
    }

    /// Does it use a variable that it does not define?
    pub fn lacks(&self, variable: &str) -> bool {
        self.variables.contains(variable) && !self.defined.contains_key(variable)
    }
}
