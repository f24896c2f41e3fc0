//! A plan: a document's selection laid out for execution, in the order of the answer.
//!
//! Fragments are gone and fields that share a key are one; under an interface there is a selection for each type that
//! a value may be of. Conditions on variables are decided here, so a plan with such conditions is good for one request
//! only. What a field's value comes from is known for each; which commands that makes is for [`run`](super::run).

use std::collections::HashSet;

use async_graphql_parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::{Name, Value};

use super::document::{self, Failure};
use super::schema::{FieldDef, FieldRef, Schema, TypeRef};
use super::values::{self, Literal, Variables};
use super::{Error, Origin, Service, complexity, validate};
use crate::dialect::escape::{Style, json_text};
use crate::dialect::tape::{Tape, Tree};
use crate::dialect::template::Template;

/// Fields that a plan may have; types under interfaces may multiply what a document asks for.
const MAX_NODES: usize = 20_000;

#[derive(Debug)]
pub struct Plan {
    pub operation: OperationType,
    /// In the order of their keys.
    pub roots: Vec<Node>,
    /// The roots in the document's order.
    pub order: Vec<usize>,
    variables: Vec<Definition>,
    /// Good for every request with this document.
    pub lasting: bool,
    pub nodes: usize,
}

/// A variable of the operation.
#[derive(Debug)]
struct Definition {
    name: Box<str>,
    at: Pos,
    of: TypeRef,
    default: Option<Literal>,
}

/// A field of the answer.
#[derive(Debug)]
pub struct Node {
    pub id: usize,
    pub key: Box<str>,
    /// `"key":`, ready to be written.
    pub lead: Box<[u8]>,
    pub at: Pos,
    /// The object type that it is a field of.
    pub of: usize,
    pub field: FieldRef,
    pub arguments: Arguments,
    /// For each type that the value may be of.
    pub children: Vec<(usize, Vec<Node>)>,
    /// The command that its value comes from.
    pub call: Option<usize>,
    /// Something below it comes from a command.
    pub below: bool,
}

#[derive(Debug)]
pub enum Arguments {
    None,
    /// The same in every request.
    Ready(Tape<'static>),
    /// Some of these hold variables.
    Open(Vec<(Name, Value, Pos)>),
}

impl Plan {
    /// Makes the plan of a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        service: &Service,
        text: &str,
        name: &str,
        variables: &Variables,
    ) -> Result<Plan, Failure> {
        let document = document::parse(text)?;
        let chosen = validate::choose(&document, name)?;
        let (named, operation) = chosen;
        validate::check(&service.schema, &document, &chosen)?;
        let selection = &operation.node.selection_set.node;
        let asked = complexity::of(&document, selection);
        if asked > u64::from(service.complexity) {
            let name = named.map_or(String::new(), |name| format!(" {name}"));
            let most = service.complexity;
            return Err(Failure::one(
                format!(
                    "Operation{name} is too complex: complexity is {asked} and maximum is {most}"
                ),
                operation.pos,
            ));
        }
        let definitions = definitions(&service.schema, &operation.node)?;
        let known = filled(&definitions, &service.schema, variables).unwrap_or_default();
        let mut layout = Layout {
            service,
            document: &document,
            variables: &known,
            lasting: true,
            nodes: 0,
            errors: Vec::new(),
        };
        let root = match operation.node.ty {
            OperationType::Query => Some(service.schema.query),
            OperationType::Mutation => service.schema.mutation,
            OperationType::Subscription => service.schema.subscription,
        };
        let mut roots = layout.nodes(root.unwrap_or(service.schema.query), &[selection])?;
        if !layout.errors.is_empty() {
            return Err(Failure::Errors(layout.errors));
        }
        let (nodes, lasting) = (layout.nodes, layout.lasting);
        let mut order: Vec<usize> = (0..roots.len()).collect();
        order.sort_by_key(|at| roots[*at].id);
        roots.shrink_to_fit();
        Ok(Plan {
            operation: operation.node.ty,
            roots,
            order,
            variables: definitions,
            lasting,
            nodes,
        })
    }

    /// Why it may not be run in a plain request: changes are asked for by POST, and nothing is pushed here.
    pub fn forbidden(&self, post: bool) -> Option<&'static str> {
        match self.operation {
            OperationType::Mutation if !post => {
                Some("Can only perform a mutation from a POST request")
            }
            OperationType::Subscription => Some(
                "Subscriptions cannot be run over HTTP. Please configure a websocket connection",
            ),
            _ => None,
        }
    }

    /// The values of the operation's variables: those given, checked, and defaults.
    ///
    /// # Errors
    /// One is missing or of another type.
    pub fn variables(&self, schema: &Schema, given: &Variables) -> Result<Variables, Failure> {
        filled(&self.variables, schema, given)
    }
}

fn definitions(
    schema: &Schema,
    operation: &OperationDefinition,
) -> Result<Vec<Definition>, Failure> {
    let mut definitions = Vec::new();
    for definition in &operation.variable_definitions {
        let found = &definition.node;
        let Some(of) = schema.resolve(&found.var_type.node) else {
            continue;
        };
        definitions.push(Definition {
            name: found.name.node.as_str().into(),
            at: definition.pos,
            of,
            default: found
                .default_value
                .as_ref()
                .map(|value| values::constant(&value.node)),
        });
    }
    Ok(definitions)
}

fn filled(
    definitions: &[Definition],
    schema: &Schema,
    given: &Variables,
) -> Result<Variables, Failure> {
    let mut known = Variables::default();
    let mut errors = Vec::new();
    for definition in definitions {
        let name = &definition.name;
        let value = given.get(name).or(definition.default.as_ref());
        match value {
            None | Some(Literal::Null) if !definition.of.nullable => errors.push(Error::new(
                format!("Variable \"{name}\": Expected non-null, found null."),
                definition.at,
            )),
            None => {}
            Some(value) => {
                if values::coerce(value, &definition.of, schema).is_err() {
                    let expected = schema.type_name(&definition.of);
                    errors.push(Error::new(
                        format!(
                            "Variable \"{name}\": Expected type \"{expected}\", found {value}."
                        ),
                        definition.at,
                    ));
                }
                known.set(name, value.clone());
            }
        }
    }
    if errors.is_empty() {
        Ok(known)
    } else {
        Err(Failure::Errors(errors))
    }
}

/// A plan being made.
struct Layout<'d> {
    service: &'d Service,
    document: &'d ExecutableDocument,
    variables: &'d Variables,
    lasting: bool,
    nodes: usize,
    errors: Vec<Error>,
}

/// The fields that share a key.
struct Group<'d> {
    key: &'d Name,
    fields: Vec<&'d Positioned<Field>>,
}

impl<'d> Layout<'d> {
    /// The fields of an object type that selections ask for.
    fn nodes(&mut self, of: usize, sets: &[&'d SelectionSet]) -> Result<Vec<Node>, Failure> {
        let mut groups: Vec<Group<'d>> = Vec::new();
        let mut seen = HashSet::new();
        for set in sets {
            self.collect(of, set, &mut seen, &mut groups);
        }
        let mut nodes = Vec::with_capacity(groups.len());
        for group in groups {
            nodes.push(self.node(of, &group)?);
        }
        nodes.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(nodes)
    }

    fn collect(
        &mut self,
        of: usize,
        set: &'d SelectionSet,
        seen: &mut HashSet<&'d Name>,
        groups: &mut Vec<Group<'d>>,
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
                            fields: vec![field],
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
                    self.variables.get(name) == Some(&Literal::Bool(true))
                }
                _ => false,
            };
            holds == (directive.node.name.node == "include")
        })
    }

    fn node(&mut self, of: usize, group: &Group<'d>) -> Result<Node, Failure> {
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
        let sets: Vec<&SelectionSet> = group
            .fields
            .iter()
            .map(|field| &field.node.selection_set.node)
            .collect();
        let mut children = Vec::new();
        let inner = definition.of.named();
        if schema.composite(inner) {
            for possible in &schema.types[inner].possible {
                children.push((*possible, self.nodes(*possible, &sets)?));
            }
        }
        let below = children
            .iter()
            .flat_map(|(_, nodes)| nodes)
            .any(|node| node.call.is_some() || node.below);
        let mut lead = Vec::new();
        json_text(group.key, Style::Plain, &mut lead);
        lead.push(b':');
        Ok(Node {
            id,
            key: group.key.as_str().into(),
            lead: lead.into(),
            at: field.pos,
            of,
            field: found,
            arguments,
            call: self.call(of, found, &children),
            children,
            below,
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
        let given: Vec<(Name, Value, Pos)> = field
            .arguments
            .iter()
            .map(|(name, value)| (name.node.clone(), value.node.clone(), name.pos))
            .collect();
        if !used.is_empty() {
            return Arguments::Open(given);
        }
        let schema = &self.service.schema;
        match tree(schema, definition, &given, &Variables::default(), at) {
            Ok(tree) => Arguments::Ready(tree.into_tape()),
            Err(errors) => {
                self.errors.extend(errors);
                Arguments::None
            }
        }
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

/// A field's arguments as an object, defaults included, under their names in the schema.
pub fn tree(
    schema: &Schema,
    definition: &FieldDef,
    given: &[(Name, Value, Pos)],
    variables: &Variables,
    at: Pos,
) -> Result<Tree, Vec<Error>> {
    let mut members = Vec::new();
    let mut errors = Vec::new();
    for (index, argument) in definition.arguments.iter().enumerate() {
        let found = given
            .iter()
            .find(|(name, ..)| definition.argument(name) == Some(index));
        let value = match found {
            Some((name, value, at)) => {
                values::argument(schema, name, value, &argument.of, variables, *at)
            }
            None => Ok(None),
        };
        match (value, &argument.default) {
            (Ok(Some(value)), _) => members.push((argument.name.to_string(), value)),
            (Ok(None), Some(default)) => {
                if let Ok(value) = values::coerce(&values::constant(default), &argument.of, schema)
                {
                    members.push((argument.name.to_string(), value));
                }
            }
            (Ok(None), None) if !argument.of.nullable => {
                let expected = schema.type_name(&argument.of);
                let name = &argument.name;
                errors.push(Error::new(
                    format!("In argument \"{name}\": Expected type \"{expected}\", found null."),
                    at,
                ));
            }
            (Ok(None), None) => {}
            (Err(error), _) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(Tree::Object(members))
    } else {
        Err(errors)
    }
}
