//! Laying out a plan: fragments are resolved, fields that share a key become one, conditions are decided.
//!
//! After this a plan has no fragments, aliases or conditions any more: only keys, fields and what is under them.

use std::collections::HashSet;

use async_graphql_parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::{Name, Value};
use smallvec::{SmallVec, smallvec};

use super::document::Failure;
use super::plan::{Arguments, Children, Definition, Node, holds, tree};
use super::schema::{Base, FieldDef, FieldRef};
use super::values::{self, Variables};
use super::{Error, Origin, Refused, Service};
use crate::dialect::template::Template;

/// Fields that a plan may have; types under interfaces may multiply what a document asks for.
const MAX_NODES: usize = 20_000;

/// A plan being made.
pub struct Layout<'d> {
    pub service: &'d Service,
    pub document: &'d ExecutableDocument,
    /// The operation's variables, and what is given for them.
    pub variables: (&'d [Definition], &'d Variables),
    pub lasting: bool,
    pub nodes: usize,
    pub errors: Vec<Error>,
}

/// The fields that share a key.
struct Group<'d> {
    key: &'d Name,
    fields: SmallVec<[&'d Positioned<Field>; 2]>,
}

type Groups<'d> = SmallVec<[Group<'d>; 8]>;

impl<'d> Layout<'d> {
    /// The fields of an object type that selections ask for; `single` if the object stands in no list.
    pub fn nodes(
        &mut self,
        of: usize,
        sets: &[&'d SelectionSet],
        single: bool,
    ) -> Result<Vec<Node>, Failure> {
        let mut groups = Groups::new();
        let mut seen = HashSet::new();
        for set in sets {
            self.collect(of, set, &mut seen, &mut groups);
        }
        let mut nodes = Vec::with_capacity(groups.len());
        for group in groups {
            nodes.push(self.node(of, &group, single)?);
        }
        // The sign behind a key comes before all that a longer one goes on with.
        nodes.sort_by(|left, right| left.lead.cmp(&right.lead));
        Ok(nodes)
    }

    fn collect(
        &mut self,
        of: usize,
        set: &'d SelectionSet,
        seen: &mut HashSet<&'d Name>,
        groups: &mut Groups<'d>,
    ) {
        for item in &set.items {
            if !self.included(item.node.directives()) {
                continue;
            }
            match &item.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    match groups.iter_mut().find(|group| group.key == key) {
                        Some(group) => group.fields.push(field),
                        None => groups.push(Group {
                            key,
                            fields: smallvec![field],
                        }),
                    }
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let on = condition.map(|condition| condition.node.on.node.as_str());
                    if self.applies(of, on) {
                        self.collect(of, &inline.node.selection_set.node, seen, groups);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.document.fragments.get(name);
                    if let Some(fragment) = fragment
                        && self.applies(of, Some(&fragment.node.type_condition.node.on.node))
                        && seen.insert(name)
                    {
                        self.collect(of, &fragment.node.selection_set.node, seen, groups);
                    }
                }
            }
        }
    }

    fn applies(&self, of: usize, on: Option<&str>) -> bool {
        let schema = &self.service.schema;
        on.is_none_or(|on| {
            schema
                .find(on)
                .is_some_and(|on| schema.types[on].possible.contains(&of))
        })
    }

    /// What `@skip` and `@include` say.
    fn included(&mut self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.node.get_argument("if");
            let holds = match condition.map(|value| &value.node) {
                Some(Value::Boolean(flag)) => *flag,
                Some(Value::Variable(name)) => {
                    self.lasting = false;
                    holds(self.variables.0, self.variables.1, name)
                }
                _ => false,
            };
            holds == (directive.node.name.node == "include")
        })
    }

    fn node(&mut self, of: usize, group: &Group<'d>, single: bool) -> Result<Node, Failure> {
        let schema = &self.service.schema;
        let field = group.fields[0];
        let id = self.nodes;
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Failure::one("The document is too complex", field.pos));
        }
        let found = schema.field(of, &field.node.name.node);
        let definition = found.and_then(|found| schema.definition(of, found));
        let (Some(found), Some(definition)) = (found, definition) else {
            // Only a fragment on an interface comes here, for a type that it was not validated for.
            let on = &schema.types[of].name;
            let message = format!(
                "Cannot query field \"{}\" on type \"{on}\".",
                field.node.name.node
            );
            return Err(Failure::one(message, field.pos));
        };
        let arguments = self.arguments(&field.node, definition, field.pos);
        let sets: SmallVec<[&SelectionSet; 2]> = group
            .fields
            .iter()
            .map(|field| &field.node.selection_set.node)
            .collect();
        let mut children = Children::new();
        let inner = definition.of.named();
        let within = single && matches!(definition.of.base, Base::Named(_));
        let leaf = !schema.composite(inner);
        if !leaf {
            for possible in &schema.types[inner].possible {
                children.push((*possible, self.nodes(*possible, &sets, within)?));
            }
        }
        let refused = self.refused(of, found, definition, &field.node);
        let call = match refused {
            Some(_) => None,
            None => self.call(of, found, &children),
        };
        let below = children
            .iter()
            .flat_map(|(_, nodes)| nodes)
            .any(|node| node.call.is_some() || node.below);
        Ok(Node {
            id,
            lead: ["\"", group.key, "\":"].concat().into(),
            at: field.pos,
            of,
            field: found,
            nullable: definition.of.nullable,
            arguments,
            call,
            refused,
            children,
            leaf,
            below,
            single,
        })
    }

    fn arguments(&mut self, field: &Field, definition: &FieldDef, at: Pos) -> Arguments {
        if definition.arguments.is_empty() {
            return Arguments::None;
        }
        let mut used = Vec::new();
        for (_, value) in &field.arguments {
            values::variables_in(&value.node, &mut used);
        }
        let given = &field.arguments;
        if !used.is_empty() {
            return Arguments::Open(given.clone());
        }
        let schema = &self.service.schema;
        match tree(schema, definition, given, &Variables::default(), at) {
            Ok(tree) => Arguments::Ready(tree.into_tape()),
            Err(errors) => {
                self.errors.extend(errors);
                Arguments::None
            }
        }
    }

    fn refused(
        &self,
        of: usize,
        field: FieldRef,
        definition: &FieldDef,
        asked: &Field,
    ) -> Option<usize> {
        let FieldRef::Own(at) = field else {
            return None;
        };
        let origin: &Origin = self.service.types.get(of)?.fields.get(at)?;
        let given = |wanted: &str| match asked.arguments.as_slice() {
            [(name, _)] => definition
                .argument(&name.node)
                .is_some_and(|at| *definition.arguments[at].name == *wanted),
            _ => false,
        };
        let met = |refused: &Refused| refused.argument.as_deref().is_none_or(given);
        origin.refused.iter().position(met)
    }

    /// The command that a field's value comes from, unless its parent's record has all that is asked for.
    fn call(&self, of: usize, field: FieldRef, children: &[(usize, Vec<Node>)]) -> Option<usize> {
        let FieldRef::Own(at) = field else {
            return None;
        };
        let origin: &Origin = self.service.types.get(of)?.fields.get(at)?;
        let entry = origin.entry?;
        match &origin.template {
            Some(template) if self.covers(template, children) => None,
            _ => Some(entry),
        }
    }

    fn covers(&self, template: &Template, children: &[(usize, Vec<Node>)]) -> bool {
        let Template::Object(members) = template else {
            return true;
        };
        let schema = &self.service.schema;
        let mut nodes = children.iter().flat_map(|(_, nodes)| nodes);
        nodes.all(|node| {
            let name = schema
                .definition(node.of, node.field)
                .map(|field| &*field.name);
            let member = |name: &str| {
                members
                    .iter()
                    .any(|member| member.names.iter().any(|known| **known == *name))
            };
            node.field == FieldRef::Typename || name.is_some_and(member)
        })
    }
}
