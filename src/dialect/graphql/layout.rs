//! Laying out a plan: fragments are resolved, fields that share a key become one, conditions are decided.
//!
//! After this a plan has no fragments, aliases or conditions any more: only keys, fields and what is under them.

use std::collections::HashSet;

use bluejay_core::{Value as _, ValueReference};
use bluejay_parser::ast::VariableDirective;
use bluejay_parser::ast::executable::{Field, Selection, SelectionSet};
use smallvec::{SmallVec, smallvec};

use super::document::{self, Document, Failure, arguments, directives, offset, selections};
use super::plan::{Arguments, Children, Definition, Given, Lead, Meaning, Node, holds, tree};
use super::schema::{Base, FieldDef, FieldRef, TypeRef};
use super::spelling::{Fields, Spelling};
use super::validate::Coerced;
use super::values::{self, Literal, Variables};
use super::{Error, Origin, Pos, Refused, Service};

/// Fields that a plan may have; types under interfaces may multiply what a document asks for.
const MAX_NODES: usize = 20_000;

/// A plan being made.
pub struct Layout<'d> {
    pub service: &'d Service,
    pub document: &'d Document<'d>,
    /// The operation's variables, and what is given for them.
    pub variables: (&'d [Definition], &'d Variables),
    pub lasting: bool,
    /// Some arguments hold variables.
    pub open: bool,
    pub nodes: usize,
    /// Arguments that have been made what their types say.
    pub coerced: Coerced,
    pub errors: Vec<Error>,
}

/// Where an object stands.
#[derive(Clone, Copy)]
struct Place<'d> {
    /// Its fields as the mapping spells them out; without these it shows a record.
    spelt: Option<&'d Fields>,
    /// It stands in no list.
    single: bool,
}

/// The fields that share a key.
struct Group<'d> {
    key: &'d str,
    fields: SmallVec<[&'d Field<'d>; 2]>,
}

type Groups<'d> = SmallVec<[Group<'d>; 8]>;

impl<'d> Layout<'d> {
    /// The fields of a root, in the order of their keys.
    pub fn roots(
        &mut self,
        of: usize,
        selection: &'d SelectionSet<'d>,
    ) -> Result<Vec<Node>, Failure> {
        let groups = self.groups(of, [selections(selection)].into_iter());
        let place = Place {
            spelt: None,
            single: true,
        };
        self.nodes(of, &groups, place)
    }

    /// The fields of an object type that selections ask for.
    fn groups(&mut self, of: usize, sets: impl Iterator<Item = &'d [Selection<'d>]>) -> Groups<'d> {
        let mut groups = Groups::new();
        let mut seen = HashSet::new();
        for set in sets {
            self.collect(of, set, &mut seen, &mut groups);
        }
        groups
    }

    /// The same laid out, in the order of their keys.
    fn nodes(
        &mut self,
        of: usize,
        groups: &Groups<'d>,
        place: Place<'d>,
    ) -> Result<Vec<Node>, Failure> {
        let mut nodes = Vec::with_capacity(groups.len());
        for group in groups {
            nodes.push(self.node(of, group, place)?);
        }
        // The sign behind a key comes before all that a longer one goes on with.
        nodes.sort_by(|left, right| left.lead.cmp(&right.lead));
        if let Some(first) = nodes.first_mut() {
            first.lead[0] = b'{';
        }
        Ok(nodes)
    }

    fn collect(
        &mut self,
        of: usize,
        items: &'d [Selection<'d>],
        seen: &mut HashSet<&'d str>,
        groups: &mut Groups<'d>,
    ) {
        for item in items {
            if !self.included(directives(item)) {
                continue;
            }
            match item {
                Selection::Field(field) => {
                    let key = field.response_key();
                    match groups.iter_mut().find(|group| group.key == key) {
                        Some(group) => group.fields.push(field),
                        None => groups.push(Group {
                            key,
                            fields: smallvec![field],
                        }),
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.type_condition();
                    if self.applies(of, on.map(|on| on.named_type().as_str())) {
                        self.collect(of, selections(inline.selection_set()), seen, groups);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.name().as_str();
                    if let Some(fragment) = self.document.fragment(name)
                        && self.applies(of, Some(fragment.type_condition().named_type().as_str()))
                        && seen.insert(name)
                    {
                        self.collect(of, selections(fragment.selection_set()), seen, groups);
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
    fn included(&mut self, directives: &'d [VariableDirective<'d>]) -> bool {
        directives.iter().all(|directive| {
            let condition = document::condition(directive);
            let holds = match condition.map(|value| value.as_ref()) {
                Some(ValueReference::Boolean(flag)) => flag,
                Some(ValueReference::Variable(name)) => {
                    self.lasting = false;
                    holds(self.variables.0, self.variables.1, name.as_str())
                }
                _ => false,
            };
            holds == (directive.name().as_str() == "include")
        })
    }

    fn node(&mut self, of: usize, group: &Group<'d>, place: Place<'d>) -> Result<Node, Failure> {
        let service = self.service;
        let schema = &service.schema;
        let field = group.fields[0];
        let (name, at) = (field.name().as_str(), self.document.pos(field));
        let id = self.nodes;
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Failure::one("The document is too complex", at));
        }
        let found = schema.field(of, name);
        let definition = found.and_then(|found| schema.definition(of, found));
        let (Some(found), Some(definition)) = (found, definition) else {
            // Only a fragment on an interface comes here, for a type that it was not validated for.
            let on = &schema.types[of].name;
            let message = format!("Cannot query field \"{name}\" on type \"{on}\".");
            return Err(Failure::one(message, at));
        };
        let arguments = self.arguments(field, definition, at);
        let mut groups: SmallVec<[(usize, Groups<'d>); 1]> = SmallVec::new();
        let inner = definition.of.named();
        if schema.composite(inner) {
            for possible in &schema.types[inner].possible {
                let fields = group.fields.iter();
                let sets = fields.map(|field| selections(field.selection_set()));
                groups.push((*possible, self.groups(*possible, sets)));
            }
        }
        let means = self.means((of, found), (field, definition), &groups, place);
        let within = Place {
            spelt: match means {
                Meaning::Spelt(spelling)
                | Meaning::Command {
                    reply: spelling, ..
                } => service.spellings.fields(spelling),
                _ => None,
            },
            single: place.single && matches!(definition.of.base, Base::Named(_)),
        };
        let mut children = Children::new();
        for (possible, groups) in &groups {
            children.push((*possible, self.nodes(*possible, groups, within)?));
        }
        let mut nodes = children.iter().flat_map(|(_, nodes)| nodes);
        let below = nodes.any(|node| node.is_command() || node.below);
        let mut lead = Lead::from_slice(b",\"");
        lead.extend_from_slice(group.key.as_bytes());
        lead.extend_from_slice(b"\":");
        Ok(Node {
            id,
            lead,
            at,
            of,
            field: found,
            nullable: definition.of.nullable,
            arguments,
            means,
            children,
            below,
            single: place.single,
        })
    }

    fn arguments(&mut self, field: &'d Field<'d>, definition: &FieldDef, at: Pos) -> Arguments {
        if definition.arguments.is_empty() {
            return Arguments::None;
        }
        let given = arguments(field).iter().filter_map(|given| {
            let index = definition.argument(given.name().as_str())?;
            Some((index, given))
        });
        let given: SmallVec<[_; 4]> = given.collect();
        if given.iter().any(|(_, given)| document::open(given.value())) {
            self.open = true;
            let given = given.iter().map(|(index, given)| Given {
                index: *index,
                name: given.name().as_str().into(),
                at: self.document.pos(*given),
                value: given.value().into(),
            });
            return Arguments::Open(given.collect());
        }
        let (schema, document) = (&self.service.schema, self.document);
        let coerced = &mut self.coerced;
        let value = |wanted: usize, of: &TypeRef| {
            let Some((_, given)) = given.iter().find(|(index, _)| *index == wanted) else {
                return Ok(None);
            };
            let at = offset(*given);
            if let Some(known) = coerced.iter().position(|(known, _)| *known == at) {
                return Ok(Some(coerced.swap_remove(known).1));
            }
            let (name, value) = (given.name().as_str(), Literal::from(given.value()));
            values::argument(schema, (name, &value), of, &Variables::default())
                .map_err(|message| Error::new(message, document.place(at)))
        };
        match tree(schema, definition, at, value) {
            Ok(tree) => Arguments::Ready(tree.into_tape()),
            Err(errors) => {
                self.errors.extend(errors);
                Arguments::None
            }
        }
    }

    /// What a field's value comes from.
    fn means(
        &self,
        (of, field): (usize, FieldRef),
        (asked, definition): (&Field<'_>, &FieldDef),
        groups: &[(usize, Groups<'d>)],
        place: Place<'d>,
    ) -> Meaning {
        let FieldRef::Own(at) = field else {
            return Meaning::Meta;
        };
        let types = &self.service.types;
        let Some(origin) = types.get(of).and_then(|binding| binding.fields.get(at)) else {
            return Meaning::Nothing;
        };
        if let Some(refused) = refused(origin, asked, definition) {
            return Meaning::Refused(refused);
        }
        if let Some((entry, reply)) = origin.entry
            && !origin.spelling.is_some_and(|at| self.covers(at, groups))
        {
            let filled = place.spelt.is_none();
            return Meaning::Command {
                entry,
                reply,
                filled,
            };
        }
        let spelling = match place.spelt {
            Some(fields) => fields.get(at).copied().flatten(),
            None if origin.tokens.is_some() => return Meaning::Tokens,
            None => origin.spelling,
        };
        spelling.map_or(Meaning::Nothing, Meaning::Spelt)
    }

    /// Has what a field is spelt from all that is asked for?
    fn covers(&self, spelling: usize, groups: &[(usize, Groups<'d>)]) -> bool {
        let Spelling::Object(fields) = self.service.spellings.get(spelling) else {
            return true;
        };
        groups.iter().all(|(of, groups)| {
            groups.iter().all(|group| {
                let name = group.fields[0].name().as_str();
                match self.service.schema.field(*of, name) {
                    Some(FieldRef::Own(at)) => fields.get(at).is_some_and(Option::is_some),
                    found => found == Some(FieldRef::Typename),
                }
            })
        })
    }
}

/// The first of a field's refusals that meets how it is asked for.
fn refused(origin: &Origin, asked: &Field<'_>, definition: &FieldDef) -> Option<usize> {
    let given = |wanted: &str| match arguments(asked) {
        [only] => definition
            .argument(only.name().as_str())
            .is_some_and(|at| *definition.arguments[at].name == *wanted),
        _ => false,
    };
    let met = |refused: &Refused| refused.argument.as_deref().is_none_or(given);
    origin.refused.iter().position(met)
}
