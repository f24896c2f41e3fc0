//! GraphQL entries as a client: a field of a schema becomes an ordinary exchange.
//!
//! The query's text is made here, once, out of the schema and the shapes: variables typed as the schema types the
//! arguments, and a selection of just what the reply's template reads. What is left for run time is a POST of JSON like
//! any other. Answering GraphQL is another matter and not done here.

use std::fmt::Write as _;
use std::ops::Range;

use async_graphql_parser::types::FieldDefinition;
use http::Method;

use super::Loader;
use super::names::Names;
use super::schema::{Schema, base};
use super::table::{Table, Value, unknown};
use crate::dialect::escape::{self, Style};
use crate::dialect::exchange::*;
use crate::dialect::tape::Tree;
use crate::dialect::template::{Constant, Member, Root, Template};
use crate::model::Operation;
use crate::model::record::Type;

/// A field with its arguments, on the way from the root to what is wanted.
struct Step<'s> {
    name: String,
    definition: &'s FieldDefinition,
    arguments: Vec<Member>,
}

impl Loader<'_> {
    pub fn graphql_exchange(
        &mut self,
        mut table: Table<'_, '_>,
        field: &Value<'_>,
        operation: Operation,
        dialect: &Dialect,
        schema: &Schema,
    ) -> Option<Exchange> {
        let names = Names {
            credential: true,
            ..Names::of(operation.command_schema())
        };
        let place = super::table::text(field, &mut self.problems)?;
        let mut steps = Vec::new();
        if let Some(mut via) = table
            .get("via")
            .and_then(|value| Table::of(value, &mut self.problems))
        {
            let (field, span) = via.text("field", &mut self.problems)?;
            steps.push(self.step(field, span, via.get("arguments"), &names, schema)?);
            via.finish(&mut self.problems);
        }
        steps.push(self.step(place, field.span(), table.get("arguments"), &names, schema)?);
        let root = keyword(place, schema, steps.len());
        let Some(keyword) = root else {
            self.problems.at(
                field.span(),
                format!("`{place}` is not a field of a root type"),
                "add via = { field = \"RootType.field\", arguments = { … } }, the way there",
            );
            return None;
        };
        let reply_names = Names {
            request: Some(operation.command_schema()),
            ..Names::of(operation.reply_schema())
        };
        let reply = table.get("reply");
        if let (Some(reply), Some(step)) = (reply, steps.last()) {
            self.selectable(reply, base(&step.definition.ty.node), schema);
        }
        let reply = reply.map(|value| self.template(value, &reply_names));
        // The rest of the entry is read as of any other; its request line is ours.
        let mut exchange = self.exchange_parts(table, operation, field.span());
        let reply = reply.unwrap_or(Template::Object(Vec::new()));
        let text = query_text(keyword, &steps, &reply, &dialect.shapes);
        let variables = steps
            .iter()
            .flat_map(|step| step.arguments.iter().cloned())
            .collect();
        exchange.parts.json = Some(Template::Object(vec![
            member(
                "query",
                Template::Constant(Constant::new(Tree::Text(text), self.style)),
                self.style,
            ),
            demanded(member("variables", Template::Object(variables), self.style)),
        ]));
        let body = steps.iter().rev().fold(reply, |inner, step| {
            Template::Object(vec![demanded(member(&step.name, inner, self.style))])
        });
        let body = Template::Object(vec![demanded(member("data", body, self.style))]);
        exchange.reply = ReplyForm {
            body: ReplyBody::Json(body),
            ..ReplyForm::default()
        };
        exchange.constants = super::overlap::constants(&exchange);
        Some(exchange.settled())
    }

    fn step<'s>(
        &mut self,
        place: &str,
        span: Range<usize>,
        arguments: Option<&Value<'_>>,
        names: &Names,
        schema: &'s Schema,
    ) -> Option<Step<'s>> {
        let Some(definition) = schema.field(place) else {
            if schema.is_empty() {
                self.problems.at(
                    span,
                    "there is no schema that has this field",
                    "put a schema beside the mapping, under its name with .graphql",
                );
                return None;
            }
            let known = schema.places();
            let known = known.iter().map(String::as_str);
            unknown(
                &mut self.problems,
                span,
                "field of the schema",
                place,
                known,
            );
            return None;
        };
        let members = self.arguments(arguments, definition, span, names);
        Some(Step {
            name: definition.name.node.to_string(),
            definition,
            arguments: members,
        })
    }

    /// The members that fill a field's arguments.
    fn arguments(
        &mut self,
        written: Option<&Value<'_>>,
        definition: &FieldDefinition,
        field: Range<usize>,
        names: &Names,
    ) -> Vec<Member> {
        let table = written.and_then(|value| Table::of(value, &mut self.problems));
        let known = |name: &str| {
            let mut arguments = definition.arguments.iter();
            arguments.any(|argument| argument.node.name.node.as_str() == name)
        };
        let mut members = Vec::new();
        for (name, span, value) in table.iter().flat_map(Table::rest) {
            if known(name) {
                members.push(self.member(name, span, value, names));
                continue;
            }
            let arguments = definition.arguments.iter();
            let arguments = arguments.map(|argument| argument.node.name.node.as_str());
            unknown(&mut self.problems, span, "argument", name, arguments);
        }
        for argument in &definition.arguments {
            let name = argument.node.name.node.as_str();
            let needed = !argument.node.ty.node.nullable && argument.node.default_value.is_none();
            if needed
                && !table
                    .iter()
                    .flat_map(Table::rest)
                    .any(|(written, ..)| written == name)
            {
                self.problems.at(
                    field.clone(),
                    format!("the schema demands the argument `{name}`"),
                    format!("add {name} = \"{{…}}\" to the arguments"),
                );
            }
        }
        members
    }

    fn exchange_parts(
        &mut self,
        mut table: Table<'_, '_>,
        operation: Operation,
        place: Range<usize>,
    ) -> Exchange {
        let names = Names {
            credential: true,
            ..Names::of(operation.command_schema())
        };
        let when = self.when(&mut table, &names);
        let given = self.given(&mut table, &names);
        let role = self.role(&mut table);
        let doors = self.entry_doors(&mut table);
        table.finish(&mut self.problems);
        Exchange {
            action: Action::Command(operation),
            // What a client of ours asks is any query text; that is not matched against ours.
            role: if role == Role::Server {
                role
            } else {
                Role::Client
            },
            doors,
            methods: vec![Method::POST],
            path: Vec::new(),
            parts: Parts::default(),
            shared: Box::default(),
            unread: Box::default(),
            when,
            given,
            derive: Vec::new(),
            reply: ReplyForm::default(),
            also: Vec::new(),
            seal: SealKey::None,
            constants: Vec::new(),
            tag: None,
            twin: None,
            own_credential: false,
            mark: Vec::new(),
            place,
        }
    }
}

/// The keyword of the operation that a field at the root belongs to.
fn keyword(place: &str, schema: &Schema, steps: usize) -> Option<&'static str> {
    let of = place.split_once('.').map_or("", |(of, _)| of);
    match of {
        _ if steps > 1 => Some("query"),
        _ if of == schema.query => Some("query"),
        _ if of == schema.mutation => Some("mutation"),
        _ => None,
    }
}

fn member(name: &str, template: Template, style: Style) -> Member {
    let mut lead = Vec::new();
    escape::json_text(name, style, &mut lead);
    lead.push(b':');
    Member {
        names: vec![name.into()],
        dynamic: None,
        lead: lead.into(),
        selects: template.selects(),
        demanded: false,
        template,
    }
}

/// A field that failed is null, and its parents may be too.
fn demanded(member: Member) -> Member {
    Member {
        demanded: true,
        ..member
    }
}

/// The body of an error answer: what clients compare is the message.
pub fn error(words: Template, style: Style) -> Template {
    let error = Template::Object(vec![member("message", words, style)]);
    Template::Object(vec![demanded(member(
        "errors",
        Template::Array(vec![error]),
        style,
    ))])
}

fn query_text(
    keyword: &str,
    steps: &[Step<'_>],
    reply: &Template,
    shapes: &[crate::dialect::template::Shape],
) -> String {
    let mut variables = Vec::new();
    for step in steps {
        for argument in &step.arguments {
            let name = argument.names.first().map_or("", |name| name);
            let definition = step
                .definition
                .arguments
                .iter()
                .find(|known| known.node.name.node.as_str() == name);
            let kind = definition
                .map(|known| known.node.ty.node.to_string())
                .unwrap_or_default();
            variables.push(format!("${name}:{kind}"));
        }
    }
    let mut text = keyword.to_owned();
    if !variables.is_empty() {
        let _ = write!(text, "({})", variables.join(","));
    }
    for step in steps {
        let arguments: Vec<String> = step
            .arguments
            .iter()
            .filter_map(|argument| argument.names.first().map(|name| format!("{name}:${name}")))
            .collect();
        let _ = write!(text, "{{{}", step.name);
        if !arguments.is_empty() {
            let _ = write!(text, "({})", arguments.join(","));
        }
    }
    text.push_str(&selection(reply, shapes));
    text.push_str(&"}".repeat(steps.len()));
    text
}

/// Is there nothing in it to be read?
fn nobodys(template: &Template) -> bool {
    match template {
        Template::Constant(_) => true,
        Template::Placeholder(placeholder) => placeholder.source.root == Root::Nobody,
        Template::Object(members) => members.iter().all(|member| nobodys(&member.template)),
        _ => false,
    }
}

/// What a template reads, as a selection in braces; nothing for a scalar.
fn selection(template: &Template, shapes: &[crate::dialect::template::Shape]) -> String {
    match template {
        Template::Object(members) => {
            let fields: Vec<String> = members
                .iter()
                .filter(|member| !nobodys(&member.template))
                .filter_map(|member| {
                    Some(format!(
                        "{}{}",
                        member.names.first()?,
                        selection(&member.template, shapes)
                    ))
                })
                .collect();
            format!("{{{}}}", fields.join(" "))
        }
        Template::Placeholder(placeholder)
            if matches!(placeholder.source.kind, Type::Record(_)) =>
        {
            match placeholder.shape.and_then(|shape| shapes.get(shape)) {
                Some(shape) => selection(&shape.template, shapes),
                None => String::new(),
            }
        }
        Template::Each { item, .. } => selection(item, shapes),
        Template::Array(elements) => elements
            .first()
            .map(|element| selection(element, shapes))
            .unwrap_or_default(),
        _ => String::new(),
    }
}
