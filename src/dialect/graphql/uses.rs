//! What an operation uses of a document: fragments and variables, each known, used, and in no ring.
//!
//! Each fragment is walked once, however often it is spread; what is asked twice is answered from memory.

use std::collections::{HashMap, HashSet};

use async_graphql_parser::types::{
    Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::Name;

use super::Error;
use super::validate::{MAX_ERRORS, Validation};
use super::values;

/// The spreads of a selection, fields and inline fragments entered.
fn spreads<'d>(selection: &'d SelectionSet, found: &mut Vec<(&'d Name, Pos)>) {
    for item in &selection.items {
        match &item.node {
            Selection::Field(field) => spreads(&field.node.selection_set.node, found),
            Selection::InlineFragment(inline) => spreads(&inline.node.selection_set.node, found),
            Selection::FragmentSpread(spread) => {
                found.push((&spread.node.fragment_name.node, item.pos))
            }
        }
    }
}

/// Fragments that come to themselves again.
pub fn cycles(document: &ExecutableDocument) -> Vec<Error> {
    let edges: HashMap<&Name, Vec<&Name>> = document
        .fragments
        .iter()
        .map(|(name, fragment)| {
            let mut found = Vec::new();
            spreads(&fragment.node.selection_set.node, &mut found);
            (name, found.into_iter().map(|(name, _)| name).collect())
        })
        .collect();
    let mut errors = Vec::new();
    for (name, fragment) in &document.fragments {
        if errors.len() >= MAX_ERRORS {
            break;
        }
        let mut seen = HashSet::new();
        let mut waiting: Vec<(&Name, Vec<&Name>)> = vec![(name, Vec::new())];
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
                        fragment.pos,
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
    variables: Vec<(&'d str, Pos)>,
    spreads: Vec<(&'d Name, Pos)>,
}

impl<'d> Uses<'d> {
    fn directives(&mut self, directives: &'d [Positioned<Directive>]) {
        for directive in directives {
            self.arguments(&directive.node.arguments);
        }
    }

    fn arguments(
        &mut self,
        arguments: &'d [(Positioned<Name>, Positioned<async_graphql_value::Value>)],
    ) {
        for (_, value) in arguments {
            let mut found = Vec::new();
            values::variables_in(&value.node, &mut found);
            self.variables
                .extend(found.into_iter().map(|name| (name.as_str(), value.pos)));
        }
    }

    fn selection(&mut self, selection: &'d SelectionSet) {
        for item in &selection.items {
            self.directives(item.node.directives());
            match &item.node {
                Selection::Field(field) => {
                    self.arguments(&field.node.arguments);
                    self.selection(&field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => {
                    self.selection(&inline.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => self
                    .spreads
                    .push((&spread.node.fragment_name.node, item.pos)),
            }
        }
    }
}

impl<'d> Validation<'d> {
    /// Fragments and variables: known, defined and used.
    pub(super) fn uses(
        &mut self,
        name: Option<&Name>,
        operation: &'d Positioned<OperationDefinition>,
    ) {
        let mut uses = Uses::default();
        uses.directives(&operation.node.directives);
        uses.selection(&operation.node.selection_set.node);
        let mut reached: HashSet<&Name> = HashSet::new();
        let mut next = 0;
        while let Some((fragment, at)) = uses.spreads.get(next).copied() {
            next += 1;
            match self.document.fragments.get(fragment) {
                Some(found) if reached.insert(fragment) => {
                    uses.selection(&found.node.selection_set.node)
                }
                Some(_) => {}
                None => self.error(format!("Unknown fragment \"{fragment}\""), at),
            }
        }
        self.unused();
        let of = name.map_or(String::new(), |name| format!(" in operation \"{name}\""));
        let by = name.map_or(String::new(), |name| format!(" by operation \"{name}\""));
        let mut used = HashSet::new();
        for (variable, at) in &uses.variables {
            if used.insert(*variable) && !self.defined.contains_key(variable) {
                self.error(format!("Variable \"{variable}\" is not defined{by}."), *at);
            }
        }
        let mut times: HashMap<&str, usize> = HashMap::new();
        for definition in &operation.node.variable_definitions {
            *times.entry(definition.node.name.node.as_str()).or_default() += 1;
        }
        for definition in &operation.node.variable_definitions {
            let variable = definition.node.name.node.as_str();
            if times.get(variable).is_some_and(|times| *times > 1) {
                self.error(
                    format!("There can only be one variable named \"{variable}\"."),
                    definition.pos,
                );
            }
            if !used.contains(variable) {
                self.error(
                    format!("Variable \"{variable}\" is never used{of}."),
                    definition.pos,
                );
            }
        }
    }

    /// Fragments that nothing spreads; those that another operation does are none.
    fn unused(&mut self) {
        if self.document.fragments.is_empty() {
            return;
        }
        let mut everywhere = Uses::default();
        let operations = self.document.operations.iter().map(|(_, found)| found);
        for operation in operations {
            everywhere.selection(&operation.node.selection_set.node);
        }
        for fragment in self.document.fragments.values() {
            everywhere.selection(&fragment.node.selection_set.node);
        }
        let spread: HashSet<&Name> = everywhere.spreads.iter().map(|(name, _)| *name).collect();
        for (fragment, found) in &self.document.fragments {
            if !spread.contains(fragment) {
                self.error(format!("Fragment \"{fragment}\" is never used."), found.pos);
            }
        }
    }
}
