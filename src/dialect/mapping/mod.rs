//! Mappings: the file that describes a dialect, read and compiled once.
//!
//! Everything that can be wrong in a mapping is found here, all of a file at once, each with its place and what to do;
//! what comes out cannot be wrong any more. The reference of the language is `mappings/README.md`. What a mapping
//! means at run time is not decided here but in `server` and `client`.

mod compile;
mod entry;
mod facts;
mod graphql;
mod names;
mod overlap;
mod parts;
mod reply;
mod schema;
mod service;
mod table;

use toml::de::DeTable;

use super::escape::Style;
use super::exchange::{Dialect, Door, Role};
use super::template::{Shape, Template};
use crate::diagnose::Problems;
use crate::model::record::{Schema, Type, Typed};
use crate::model::{
    Channel, Media, Message, Mine, Moderation, Operation, Participant, Person, Session, Window,
};
use entry::Meant;
use names::Names;
use table::{Table, Value, unknown};

/// A mapping while it is being read.
pub struct Loader<'m> {
    pub problems: Problems,
    style: Style,
    shapes: Vec<ShapeHead>,
    doors: Vec<Door>,
    /// `[wrap]`'s template, compiled anew around each reply.
    wrap: Option<&'m Value<'m>>,
    /// Other shapes around replies, only read.
    wrap_also: Vec<&'m Value<'m>>,
    /// While a wrap is compiled: the reply that stands in for `{reply}`, if there is one.
    splice: Option<Option<Template>>,
    /// GraphQL fields that are commands.
    fields: Vec<service::ServedField>,
}

/// A shape's name and record, known before any template is compiled.
struct ShapeHead {
    name: String,
    of: &'static Schema,
}

/// A shape's number, its members, and the schema's type that it is, if it is one.
type ShapeBody<'m> = (
    usize,
    Table<'m, 'm>,
    Option<(&'m str, std::ops::Range<usize>)>,
);

/// The records that can have a shape, by the names that mappings use.
const RECORDS: [(&str, Type); 11] = [
    ("token", super::graphql::tokens::Token::TYPE),
    ("message", Message::TYPE),
    ("media", Media::TYPE),
    ("mine", Mine::TYPE),
    ("person", Person::TYPE),
    ("participant", Participant::TYPE),
    ("channel", Channel::TYPE),
    ("window", Window::TYPE),
    ("session", Session::TYPE),
    ("moderation", Moderation::TYPE),
    ("app", crate::model::App::TYPE),
];

/// Reads a mapping.
///
/// `name` is the dialect's, `file` what a person calls the file; `schema` is the text of the GraphQL schema beside it.
///
/// # Errors
/// Everything that is wrong in the file.
pub fn load(
    name: &str,
    file: &str,
    source: &str,
    schema: Option<&str>,
) -> Result<Dialect, Box<Problems>> {
    let problems = Problems::new(file, source);
    let (document, errors) = DeTable::parse_recoverable(source);
    let mut loader = Loader {
        problems,
        style: Style::Plain,
        shapes: Vec::new(),
        doors: Vec::new(),
        wrap: None,
        wrap_also: Vec::new(),
        splice: None,
        fields: Vec::new(),
    };
    for error in &errors {
        loader
            .problems
            .at(error.span().unwrap_or(0..0), error.message(), "");
    }
    if !errors.is_empty() {
        return loader.problems.finish(Dialect::default()).map_err(Box::new);
    }
    let dialect = loader.dialect(
        name,
        Table::new(document.get_ref(), document.span()),
        schema,
    );
    loader.problems.finish(dialect).map_err(Box::new)
}

/// What may stand at the top besides exchanges, which stand under the names of their operations.
const KEYS: [&str; 14] = [
    "about", "answer", "auth", "bodies", "door", "every", "example", "facts", "fault", "refuse",
    "shape", "tokens", "type", "wrap",
];

impl<'m> Loader<'m> {
    fn dialect(&mut self, name: &str, mut top: Table<'m, 'm>, schema: Option<&str>) -> Dialect {
        let mut dialect = Dialect {
            name: name.into(),
            ..Dialect::default()
        };
        dialect.about = top
            .text("about", &mut self.problems)
            .map(|(text, _)| text.to_owned())
            .unwrap_or_default();
        dialect.example = top
            .text("example", &mut self.problems)
            .map(|(text, _)| text.trim().to_owned())
            .unwrap_or_default();
        let bodies = top.texts("bodies", &mut self.problems);
        dialect.bodies = self.bodies(bodies);
        if let Some(facts) = top
            .get("facts")
            .and_then(|value| Table::of(value, &mut self.problems))
        {
            (dialect.profile, dialect.query) = self.facts(facts);
        }
        let doors_schema = self.doors_of(&mut top, &mut dialect, schema);
        let bodies = self.shape_heads(&mut top);
        self.wrap = self.wrap_of(&mut top);
        for (head, table, of) in bodies {
            if let Some((name, span)) = of {
                self.typed_shape(name, span, &table, &doors_schema);
            }
            let shape = self.shape(head, &table);
            dialect.shapes.push(shape);
        }
        self.every_of(&mut top, &mut dialect);
        for auth in top.tables("auth", &mut self.problems) {
            let auth = self.auth(auth);
            dialect.auth.push(auth);
        }
        let tokens = top.get("tokens");
        self.entries(&mut top, &mut dialect, &doors_schema);
        self.services(&mut dialect, schema, tokens);
        for fault in top.tables("fault", &mut self.problems) {
            let fault = self.fault(fault);
            dialect.faults.push(fault);
        }
        for exchange in &mut dialect.exchanges {
            exchange.shared = dialect.every.without(&exchange.parts).into();
            exchange.unread = exchange.parts.unread(&dialect.every).into();
        }
        self.settle(&mut dialect.exchanges);
        overlap::tag(&mut dialect);
        dialect.style = self.style;
        dialect
    }

    /// Reads the doors, and gives the schema with what they have beside it.
    fn doors_of(
        &mut self,
        top: &mut Table<'m, 'm>,
        dialect: &mut Dialect,
        schema: Option<&str>,
    ) -> schema::Schema {
        for door in top.tables("door", &mut self.problems) {
            let door = self.door(door);
            self.doors.push(door);
        }
        if self.doors.is_empty() {
            self.problems.at(
                0..0,
                "a mapping needs a door",
                "add [[door]] with name = \"…\" and path = \"…\"",
            );
        }
        dialect.doors = self.doors.clone();
        let mut schema = schema::Schema::of(schema, &mut self.problems);
        for door in dialect.doors.iter().filter_map(|door| door.schema.as_ref()) {
            schema.extend(&door.extend);
        }
        schema
    }

    fn every_of(&mut self, top: &mut Table<'m, 'm>, dialect: &mut Dialect) {
        if let Some(mut every) = top
            .get("every")
            .and_then(|value| Table::of(value, &mut self.problems))
        {
            let names = Names {
                credential: true,
                ..Names::of(entry::nothing())
            };
            dialect.reply_header =
                self.headers(every.get("reply_header"), &Names::of(entry::nothing()));
            dialect.every = self.parts(&mut every, &names);
            every.finish(&mut self.problems);
        }
    }

    /// Reads the shapes' names, so that templates can name shapes that stand below them.
    fn shape_heads(&mut self, top: &mut Table<'m, 'm>) -> Vec<ShapeBody<'m>> {
        let mut bodies = Vec::new();
        for key in ["shape", "type"] {
            let Some(table) = top
                .get(key)
                .and_then(|value| Table::of(value, &mut self.problems))
            else {
                continue;
            };
            for (name, span, value) in table.rest() {
                let Some(mut shape) = Table::of(value, &mut self.problems) else {
                    continue;
                };
                if self.shapes.iter().any(|known| known.name == name) {
                    let message = format!("there is a shape `{name}` already");
                    let help = "give one of the two another name, and say `of` which record it is";
                    self.problems.at(span.clone(), message, help);
                }
                let schema_type = (key == "type").then(|| (name, span.clone()));
                let of = shape.text("of", &mut self.problems);
                let (record, span) = of.unwrap_or((name, span));
                let found = RECORDS.iter().find(|(known, _)| *known == record);
                let Some((_, Type::Record(of))) = found else {
                    unknown(
                        &mut self.problems,
                        span,
                        "record",
                        record,
                        RECORDS.iter().map(|(name, _)| *name),
                    );
                    continue;
                };
                self.shapes.push(ShapeHead {
                    name: name.to_owned(),
                    of,
                });
                bodies.push((self.shapes.len() - 1, shape, schema_type));
            }
        }
        bodies
    }

    fn shape(&mut self, head: usize, table: &Table<'m, 'm>) -> Shape {
        let names = Names::of(self.shapes[head].of);
        let mut members = Vec::new();
        let mut derive = Vec::new();
        for (key, span, value) in table.rest() {
            if key == "derive"
                && let Some(lines) = Table::of(value, &mut self.problems)
            {
                derive = self.derives(&lines, &names);
                continue;
            }
            let member = self.member(key, span.clone(), value, &names);
            self.add_member(&mut members, member, span);
        }
        Shape {
            name: self.shapes[head].name.as_str().into(),
            template: Template::Object(members),
            derive,
        }
    }

    fn wrap_of(&mut self, top: &mut Table<'m, 'm>) -> Option<&'m Value<'m>> {
        let mut wrap = top
            .get("wrap")
            .and_then(|value| Table::of(value, &mut self.problems))?;
        let ok = wrap.get("ok");
        if ok.is_none() {
            self.problems.at(
                wrap.span.clone(),
                "a wrap needs the template of a success",
                "add ok = { … }",
            );
        }
        self.wrap_also = wrap.array("also", &mut self.problems);
        wrap.finish(&mut self.problems);
        ok
    }

    fn entries(&mut self, top: &mut Table<'m, 'm>, dialect: &mut Dialect, schema: &schema::Schema) {
        for (key, span, value) in top.rest().collect::<Vec<_>>() {
            let meant = match key {
                "fault" | "auth" | "every" => continue,
                "answer" => Meant::Answer,
                "refuse" => Meant::Refuse,
                _ => match Operation::from_name(key) {
                    Some(operation) => Meant::Command(operation),
                    None => {
                        let operations = Operation::ALL.iter().map(|operation| operation.name());
                        let known = KEYS.into_iter().chain(operations);
                        unknown(&mut self.problems, span, "key", key, known);
                        continue;
                    }
                },
            };
            for mut table in table::tables(value, &mut self.problems) {
                let exchange = match (table.get("graphql"), meant) {
                    (Some(field), Meant::Command(operation)) => {
                        match self.served_field(&mut table, field, operation) {
                            Role::Server => {
                                table.finish(&mut self.problems);
                                None
                            }
                            _ => self.graphql_exchange(table, field, operation, dialect, schema),
                        }
                    }
                    (Some(field), Meant::Answer | Meant::Refuse) => {
                        self.fixed_field(&mut table, field, meant);
                        table.finish(&mut self.problems);
                        None
                    }
                    (None, _) => Some(self.exchange(table, meant)),
                };
                dialect.exchanges.extend(exchange);
            }
        }
    }
}
