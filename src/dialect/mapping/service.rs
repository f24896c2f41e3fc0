//! GraphQL as a server: a door's schema, and what its fields and types stand for.
//!
//! An entry with `graphql = "Type.field"` makes the field a command; `[type.X]` makes a type's fields those of a record.
//! Everything else of the schema is null, which the schema must allow.

use std::ops::Range;

use http::{HeaderName, HeaderValue};
use toml::de::DeValue;

use super::Loader;
use super::entry::{Meant, nothing};
use super::names::Names;
use super::table::{Table, Value, unknown};
use crate::dialect::exchange::{Dialect, DoorSchema, Role};
use crate::dialect::graphql::spelling::Spellings;
use crate::dialect::graphql::tokens::Token;
use crate::dialect::graphql::{Binding, Entry, Origin, Refused, Schema, Service};
use crate::dialect::template::{Source, Template};
use crate::model::record::{Type, Typed as _};
use crate::model::{Operation, schema};

/// The most fields of one document where a door does not say.
const COMPLEXITY: u32 = 10_000;

/// A field that an entry says something of.
pub struct ServedField {
    /// `Type.field`
    place: String,
    span: Range<usize>,
    doors: Vec<usize>,
    meant: Served,
}

/// What a field comes to.
#[derive(Clone)]
enum Served {
    Command(Box<Entry>, Template),
    Answer(Template),
    Refused(Refused),
}

impl Loader<'_> {
    pub fn door_header(&mut self, table: &mut Table<'_, '_>) -> Vec<(HeaderName, HeaderValue)> {
        let Some(headers) = table
            .get("header")
            .and_then(|value| Table::of(value, &mut self.problems))
        else {
            return Vec::new();
        };
        let found: Vec<_> = headers.rest().collect();
        found
            .into_iter()
            .filter_map(|(name, span, value)| {
                let text = super::table::text(value, &mut self.problems)?;
                match (name.to_lowercase().parse(), HeaderValue::from_str(text)) {
                    (Ok(name), Ok(value)) => Some((name, value)),
                    _ => {
                        self.problems.at(span, "not a header", "");
                        None
                    }
                }
            })
            .collect()
    }

    pub fn door_schema(&mut self, table: &mut Table<'_, '_>) -> Option<DoorSchema> {
        let mut schema = table
            .get("schema")
            .and_then(|value| Table::of(value, &mut self.problems))?;
        let extend = schema.text("extend", &mut self.problems);
        let without = schema.texts("without", &mut self.problems);
        let complexity = schema.int("complexity", &mut self.problems);
        schema.finish(&mut self.problems);
        Some(DoorSchema {
            extend: extend.map(|(text, _)| text.to_owned()).unwrap_or_default(),
            without: without
                .into_iter()
                .map(|(place, _)| place.to_owned())
                .collect(),
            complexity: complexity.unwrap_or(COMPLEXITY),
        })
    }

    /// Reads an entry as a served field; which role it has is said in any case.
    pub fn served_field(
        &mut self,
        table: &mut Table<'_, '_>,
        field: &Value<'_>,
        operation: Operation,
    ) -> Role {
        let role = self.role(table);
        let from = table.get("from");
        if !role.serves() {
            return role;
        }
        let Some(place) = super::table::text(field, &mut self.problems) else {
            return role;
        };
        let names = Names::of(operation.command_schema());
        let arguments = table
            .get("arguments")
            .map(|value| self.template(value, &names));
        let given = self.given(table, &names);
        let doors = self.entry_doors(table);
        let reply_names = Names {
            request: Some(operation.command_schema()),
            ..Names::of(operation.reply_schema())
        };
        let reply = table
            .get("reply")
            .map(|value| self.template(value, &reply_names));
        let from = from.map_or_else(Vec::new, |value| self.from(value, place, &names));
        self.fields.push(ServedField {
            place: place.to_owned(),
            span: field.span(),
            doors,
            meant: Served::Command(
                Box::new(Entry {
                    operation,
                    arguments,
                    given,
                    from,
                }),
                reply.unwrap_or(Template::Object(Vec::new())),
            ),
        });
        role
    }

    /// Reads what is answered or refused without a command, which may be said of several fields at once.
    pub fn fixed_field(&mut self, table: &mut Table<'_, '_>, field: &Value<'_>, meant: Meant) {
        let doors = self.entry_doors(table);
        let meant = if let Meant::Refuse = meant {
            let argument = table.text("argument", &mut self.problems);
            let message = table.text("message", &mut self.problems);
            Served::Refused(Refused {
                argument: argument.map(|(name, _)| name.into()),
                kind: self.needed_kind(table),
                message: message.map_or("", |(text, _)| text).into(),
            })
        } else {
            let reply = table.get("reply");
            let reply = reply.map(|value| self.template(value, &Names::of(nothing())));
            Served::Answer(reply.unwrap_or(Template::Object(Vec::new())))
        };
        for field in fields(field) {
            if let Some(place) = super::table::text(field, &mut self.problems) {
                self.fields.push(ServedField {
                    place: place.to_owned(),
                    span: field.span(),
                    doors: doors.clone(),
                    meant: meant.clone(),
                });
            }
        }
    }

    /// `from = { command's field = "parent's field" }`
    fn from(&mut self, value: &Value<'_>, place: &str, names: &Names) -> Vec<(Source, Source)> {
        let Some(table) = Table::of(value, &mut self.problems) else {
            return Vec::new();
        };
        let parent = place.split_once('.').map_or("", |(parent, _)| parent);
        let Some(of) = self
            .shapes
            .iter()
            .find(|shape| shape.name == parent)
            .map(|shape| shape.of)
        else {
            let message = format!("`{parent}` shows no record to take fields from");
            self.problems
                .at(value.span(), message, "say which with [type.X] of = \"…\"");
            return Vec::new();
        };
        let lines: Vec<_> = table.rest().collect();
        lines
            .into_iter()
            .filter_map(|(target, span, value)| {
                let text = super::table::text(value, &mut self.problems)?;
                let target = self.source(target, span, names)?;
                let source = self.source(text, value.span(), &Names::of(of))?;
                Some((target, source))
            })
            .collect()
    }

    /// The services of all doors that have a schema.
    pub fn services(
        &mut self,
        dialect: &mut Dialect,
        text: Option<&str>,
        tokens: Option<&Value<'_>>,
    ) {
        let served = std::mem::take(&mut self.fields);
        let tokens = tokens.and_then(|value| self.tokens(value));
        for (door, facts) in dialect.doors.iter().enumerate() {
            let Some(wanted) = &facts.schema else {
                continue;
            };
            let without: Vec<&str> = wanted.without.iter().map(String::as_str).collect();
            let schema = match Schema::of(text.unwrap_or_default(), &wanted.extend, &without) {
                Ok(schema) => schema,
                Err(error) => {
                    let message = format!(
                        "the schema of the door `{}` cannot be read: {error}",
                        facts.name
                    );
                    self.problems.at(0..0, message, "");
                    continue;
                }
            };
            let mut service = Service {
                door,
                schema,
                complexity: wanted.complexity,
                ..Service::default()
            };
            service.channel = self.channel_fills(dialect);
            for at in 0..service.schema.types.len() {
                let made = (&service.schema, &mut service.spellings);
                let binding = self.binding(made, at, dialect, &tokens);
                service.types.push(binding);
            }
            for field in &served {
                if field.doors.is_empty() || field.doors.contains(&door) {
                    self.served(&mut service, field);
                }
            }
            self.check_sources(&service);
            dialect.services.push(service);
        }
    }

    /// What channels derive, the other way round.
    fn channel_fills(&self, dialect: &Dialect) -> Vec<(Source, Source)> {
        let channels = self
            .shapes
            .iter()
            .zip(&dialect.shapes)
            .filter(|(head, _)| head.of.name == schema::<crate::model::Channel>().name);
        channels
            .flat_map(|(_, shape)| &shape.derive)
            .map(|derive| (derive.from.clone(), derive.target.clone()))
            .collect()
    }

    fn binding(
        &self,
        (schema, spellings): (&Schema, &mut Spellings),
        at: usize,
        dialect: &Dialect,
        tokens: &Option<TokensHead>,
    ) -> Binding {
        let found = &schema.types[at];
        let shape = dialect.shapes.iter().find(|shape| shape.name == found.name);
        let members = match shape.map(|shape| &shape.template) {
            Some(Template::Object(members)) => members.as_slice(),
            _ => &[],
        };
        let fields = found.fields.iter().map(|field| {
            let member = members
                .iter()
                .find(|member| member.names.contains(&field.name));
            let cut = tokens
                .as_ref()
                .filter(|head| head.place == format!("{}.{}", found.name, field.name))
                .and_then(|head| {
                    let types = [0, 1, 2].map(|kind| schema.find(&head.types[kind]));
                    Some((head.from.clone(), [types[0]?, types[1]?, types[2]?]))
                });
            Origin {
                spelling: member.map(|member| spellings.add(&member.template, &field.of, schema)),
                entry: None,
                tokens: cut,
                refused: Vec::new(),
            }
        });
        Binding {
            fields: fields.collect(),
        }
    }

    fn served(&mut self, service: &mut Service, field: &ServedField) {
        let (of, name) = field.place.split_once('.').unwrap_or((&field.place, ""));
        let at = service.schema.find(of);
        let found = at.and_then(|at| {
            let fields = &service.schema.types[at].fields;
            Some((at, fields.iter().position(|known| *known.name == *name)?))
        });
        let Some((at, number)) = found else {
            let known = at.map_or_else(Vec::new, |at| {
                let fields = service.schema.types[at].fields.iter();
                fields.map(|known| format!("{of}.{}", known.name)).collect()
            });
            let known = known.iter().map(String::as_str);
            return unknown(
                &mut self.problems,
                field.span.clone(),
                "field of the schema",
                &field.place,
                known,
            );
        };
        let origin = &mut service.types[at].fields[number];
        let definition = &service.schema.types[at].fields[number];
        let mut spelt = |template: &Template| {
            let spellings = &mut service.spellings;
            spellings.add(template, &definition.of, &service.schema)
        };
        match &field.meant {
            Served::Refused(refused) => {
                let arguments = &definition.arguments;
                let known = |name: &str| arguments.iter().any(|argument| *argument.name == *name);
                if let Some(name) = refused.argument.as_deref().filter(|name| !known(name)) {
                    let names = arguments.iter().map(|argument| &*argument.name);
                    let span = field.span.clone();
                    unknown(&mut self.problems, span, "argument", name, names);
                }
                origin.refused.push(refused.clone());
            }
            Served::Answer(template) if origin.spelling.is_none() => {
                origin.spelling = Some(spelt(template));
            }
            Served::Command(entry, reply) if origin.entry.is_none() => {
                origin.entry = Some((service.entries.len(), spelt(reply)));
                service.entries.push((**entry).clone());
            }
            _ => {}
        }
    }

    /// A field that cannot be null needs something to be written from.
    fn check_sources(&mut self, service: &Service) {
        let bound = |binding: &Binding| binding.fields.iter().any(|field| field.spelling.is_some());
        for (of, binding) in service.schema.types.iter().zip(&service.types) {
            for (field, origin) in of.fields.iter().zip(&binding.fields) {
                let sourced =
                    origin.spelling.is_some() || origin.entry.is_some() || origin.tokens.is_some();
                if bound(binding) && !field.of.nullable && !sourced {
                    let message = format!(
                        "`{}.{}` cannot be null and comes from nowhere",
                        of.name, field.name
                    );
                    self.problems.at(
                        0..0,
                        message,
                        "write it in the type's table, or make it a command with an entry",
                    );
                }
            }
        }
    }

    /// `[tokens]`: the field that shows a text in pieces, the text, and the types of the pieces.
    fn tokens(&mut self, value: &Value<'_>) -> Option<TokensHead> {
        let mut table = Table::of(value, &mut self.problems)?;
        let (place, span) = table.text("field", &mut self.problems)?;
        let (from, from_span) = table.text("from", &mut self.problems)?;
        let types = table.texts("types", &mut self.problems);
        table.finish(&mut self.problems);
        let parent = place.split_once('.').map_or("", |(parent, _)| parent);
        let of = self
            .shapes
            .iter()
            .find(|shape| shape.name == parent)
            .map(|shape| shape.of);
        let from = self.source(
            from,
            from_span,
            &Names::of(of.unwrap_or(schema::<crate::model::Done>())),
        )?;
        let types: Vec<String> = types.into_iter().map(|(name, _)| name.to_owned()).collect();
        let Ok(types) = <[String; 3]>::try_from(types) else {
            self.problems.at(
                span,
                "three types are needed: of plain texts, of links, of pictures",
                "",
            );
            return None;
        };
        debug_assert!(matches!(Token::TYPE, Type::Record(_)));
        Some(TokensHead {
            place: place.to_owned(),
            from,
            types,
        })
    }
}

fn fields<'v, 'm>(value: &'v Value<'m>) -> Vec<&'v Value<'m>> {
    match value.get_ref() {
        DeValue::Array(fields) => fields.iter().collect(),
        _ => vec![value],
    }
}

struct TokensHead {
    place: String,
    from: Source,
    types: [String; 3],
}
