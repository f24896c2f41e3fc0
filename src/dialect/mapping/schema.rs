//! The GraphQL schema beside a mapping: what its fields are called and demand, and whether the mapping agrees.
//!
//! Only what queries are made from is kept. What the fields mean is said by the mapping's own types and entries.

use std::collections::HashMap;
use std::ops::Range;

use async_graphql_parser::parse_schema;
use async_graphql_parser::types::{
    self as schema, BaseType, FieldDefinition, ServiceDocument, TypeKind, TypeSystemDefinition,
};
use toml::de::DeValue;

use super::Loader;
use super::table::{Table, Value, unknown};
use crate::diagnose::Problems;

/// A GraphQL schema, as far as queries are made from it.
#[derive(Default)]
pub struct Schema {
    /// Type name → field name → definition.
    fields: HashMap<String, HashMap<String, FieldDefinition>>,
    pub query: String,
    pub mutation: String,
}

impl Schema {
    /// Reads a schema's text; no text is a schema without types.
    pub fn of(text: Option<&str>, problems: &mut Problems) -> Schema {
        let Some(text) = text else {
            return Schema::default();
        };
        match parse_schema(text) {
            Ok(document) => Schema::collect(document),
            Err(error) => {
                let place = error.positions().next();
                let place = place.map_or(String::new(), |pos| format!(" at {pos}"));
                // The reader draws the line too, but ours is a report on another file.
                let words = error.to_string();
                let why = words.rsplit("= ").next().unwrap_or_default();
                problems.at(
                    0..0,
                    format!("the GraphQL schema beside this mapping cannot be read{place}: {why}"),
                    "mend the .graphql file",
                );
                Schema::default()
            }
        }
    }

    fn collect(document: ServiceDocument) -> Schema {
        let mut schema = Schema {
            query: "Query".into(),
            mutation: "Mutation".into(),
            ..Schema::default()
        };
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(roots) => {
                    if let Some(query) = &roots.node.query {
                        schema.query = query.node.to_string();
                    }
                    if let Some(mutation) = &roots.node.mutation {
                        schema.mutation = mutation.node.to_string();
                    }
                }
                TypeSystemDefinition::Type(definition) => {
                    let fields = match definition.node.kind {
                        TypeKind::Object(object) => object.fields,
                        TypeKind::Interface(interface) => interface.fields,
                        _ => continue,
                    };
                    let fields = fields
                        .into_iter()
                        .map(|field| (field.node.name.node.to_string(), field.node))
                        .collect();
                    let known = schema
                        .fields
                        .entry(definition.node.name.node.to_string())
                        .or_default();
                    known.extend::<HashMap<_, _>>(fields);
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        schema
    }

    /// Adds what a door has beside the schema. What cannot be read is told where the door's own schema is made.
    pub fn extend(&mut self, text: &str) {
        let Ok(document) = parse_schema(text) else {
            return;
        };
        for (of, fields) in Schema::collect(document).fields {
            let known = self.fields.entry(of).or_default();
            for (name, field) in fields {
                known.entry(name).or_insert(field);
            }
        }
    }

    pub fn field(&self, place: &str) -> Option<&FieldDefinition> {
        let (of, field) = place.split_once('.')?;
        self.fields.get(of)?.get(field)
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Every field, as mappings name them.
    pub fn places(&self) -> Vec<String> {
        let types = self.fields.iter();
        types
            .flat_map(|(of, fields)| fields.keys().map(move |field| format!("{of}.{field}")))
            .collect()
    }
}

/// The type's name, without its lists and exclamation marks.
pub fn base(of: &schema::Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => base(inner),
    }
}

impl Loader<'_> {
    /// Checks a `[type.X]` against the schema: its fields are the type's, and none that is never null is missing.
    pub fn typed_shape(
        &mut self,
        name: &str,
        span: Range<usize>,
        table: &Table<'_, '_>,
        schema: &Schema,
    ) {
        let Some(fields) = schema.fields.get(name) else {
            let known = schema.fields.keys().map(String::as_str);
            unknown(&mut self.problems, span, "type of the schema", name, known);
            return;
        };
        let members = || table.rest().filter(|(key, ..)| *key != "derive");
        for (key, at, value) in members() {
            self.selected(key, at, value, name, schema);
        }
        let mut missing: Vec<&str> = fields
            .iter()
            .filter(|(_, field)| !field.ty.node.nullable && field.arguments.is_empty())
            .map(|(field, _)| field.as_str())
            .filter(|field| !members().any(|(key, ..)| key == *field))
            .collect();
        missing.sort_unstable();
        for field in missing {
            self.problems.at(
                span.clone(),
                format!("`{name}.{field}` is never null, and nothing says what it is"),
                format!("add {field} = \"{{…}}\""),
            );
        }
    }

    /// Checks that what a template selects of a type are its fields.
    pub fn selectable(&mut self, value: &Value<'_>, of: &str, schema: &Schema) {
        match value.get_ref() {
            DeValue::Table(members) => members.iter().for_each(|(key, value)| {
                self.selected(key.get_ref(), key.span(), value, of, schema)
            }),
            DeValue::Array(elements) => elements
                .iter()
                .for_each(|element| self.selectable(element, of, schema)),
            _ => {}
        }
    }

    fn selected(
        &mut self,
        key: &str,
        span: Range<usize>,
        value: &Value<'_>,
        of: &str,
        schema: &Schema,
    ) {
        // A type that the schema does not spell out, a scalar or a union, has nothing to be checked against.
        let Some(fields) = schema.fields.get(of) else {
            return;
        };
        match fields.get(key) {
            Some(field) => self.selectable(value, base(&field.ty.node), schema),
            None => {
                let known = fields.keys().map(String::as_str);
                unknown(
                    &mut self.problems,
                    span,
                    &format!("field of {of}"),
                    key,
                    known,
                );
            }
        }
    }
}
