//! A mapping's entries: exchanges, auth and faults.

use std::ops::Range;

use http::{HeaderName, Method};

use super::Loader;
use super::names::Names;
use super::table::{Table, Value, unknown};
use crate::dialect::exchange::*;
use crate::dialect::template::{Derive, Template};
use crate::model::record::{Schema, Type};
use crate::model::{Details, Kind, Operation, schema};

/// The scope of an entry without a command.
pub fn nothing() -> &'static Schema {
    schema::<crate::model::Done>()
}

impl Loader<'_> {
    pub fn exchange(&mut self, mut table: Table<'_, '_>, action: Option<Operation>) -> Exchange {
        let this = action.map_or(nothing(), Operation::command_schema);
        let names = Names {
            credential: true,
            ..Names::of(this)
        };
        let (methods, path) = self.request_line(&mut table, &names);
        let parts = self.parts(&mut table, &names);
        let when = self.when(&mut table, &names);
        let given = self.given(&mut table, &names);
        let role = self.role(&mut table);
        let doors = self.entry_doors(&mut table);
        let derive = match table
            .get("derive")
            .and_then(|value| Table::of(value, &mut self.problems))
        {
            Some(derives) => self.derives(&derives, &names),
            None => Vec::new(),
        };
        let reply_names = Names {
            request: Some(this),
            ..Names::of(action.map_or(nothing(), Operation::reply_schema))
        };
        let wrapped = table.flag("wrap", &mut self.problems).unwrap_or(true);
        let reply = self.reply(&mut table, &reply_names, wrapped);
        let also = self.also(&mut table, &reply_names, wrapped);
        let seal = self.seal_key(&mut table);
        let action = match action {
            Some(operation) => Action::Command(operation),
            None => self.fixed(&mut table),
        };
        let place = table.span.start;
        table.finish(&mut self.problems);
        let mut exchange = Exchange {
            action,
            role,
            doors,
            methods,
            path,
            parts,
            shared: Parts::default(),
            when,
            given,
            derive,
            reply,
            also,
            seal,
            constants: Vec::new(),
            twin: None,
            place,
        };
        exchange.constants = super::overlap::constants(&exchange);
        exchange
    }

    /// `[[answer]]` has nothing more to say; `[[refuse]]` has a kind and words.
    fn fixed(&mut self, table: &mut Table<'_, '_>) -> Action {
        let message = table
            .text("message", &mut self.problems)
            .map_or("", |(text, _)| text);
        match table.text("kind", &mut self.problems) {
            Some(kind) => Action::Refuse {
                kind: self.kind(kind).unwrap_or_default(),
                message: message.into(),
            },
            None => Action::Answer,
        }
    }

    fn kind(&mut self, (name, span): (&str, Range<usize>)) -> Option<Kind> {
        let kind = Kind::from_name(name);
        if kind.is_none() {
            let known = Kind::ALL.iter().map(|kind| kind.name());
            unknown(&mut self.problems, span, "kind of fault", name, known);
        }
        kind
    }

    fn request_line(
        &mut self,
        table: &mut Table<'_, '_>,
        names: &Names,
    ) -> (Vec<Method>, Vec<Segment>) {
        let Some((line, span)) = table.text("request", &mut self.problems) else {
            self.problems.at(
                table.span.clone(),
                "an exchange needs its request line",
                "add request = \"POST /path\"",
            );
            return (vec![Method::POST], Vec::new());
        };
        let (methods, path) = line.split_once(' ').unwrap_or((line, ""));
        let methods: Vec<Method> = methods
            .split('|')
            .filter_map(|name| match name.parse::<Method>() {
                Ok(method)
                    if matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") =>
                {
                    Some(method)
                }
                _ => {
                    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
                    unknown(
                        &mut self.problems,
                        span.clone(),
                        "method",
                        name,
                        known.into_iter(),
                    );
                    None
                }
            })
            .collect();
        if !path.starts_with('/') {
            self.problems.at(
                span.clone(),
                "the path must begin with /",
                "write METHOD /path, as in \"POST /messages\"",
            );
        }
        (methods, self.segments(path, span, names))
    }

    fn segments(&mut self, path: &str, span: Range<usize>, names: &Names) -> Vec<Segment> {
        path.split('/')
            .skip(1)
            .map(|segment| {
                if segment.contains('{') {
                    let text = self.pieces(segment, span.clone(), names);
                    Segment::Template(match <[_; 1]>::try_from(text) {
                        Ok([crate::dialect::template::Piece::Placeholder(one)]) => {
                            Template::Placeholder(one)
                        }
                        Ok(other) => Template::Text(other.into()),
                        Err(many) => Template::Text(many),
                    })
                } else {
                    Segment::Literal(segment.into())
                }
            })
            .collect()
    }

    pub fn parts(&mut self, table: &mut Table<'_, '_>, names: &Names) -> Parts {
        Parts {
            query: table.get("query").map(|value| self.template(value, names)),
            form: table.get("form").map(|value| self.template(value, names)),
            json: table.get("json").map(|value| self.template(value, names)),
            header: self.headers(table.get("header"), names),
            params: table.get("params").map(|value| self.template(value, names)),
            form_json: self.in_member(table.get("form_json"), names),
            params_json: self.in_member(table.get("params_json"), names),
            query_json: self.in_member(table.get("query_json"), names),
        }
    }

    /// `{ member = template }`, where the member's value on the wire is the template's JSON text.
    fn in_member(
        &mut self,
        value: Option<&Value<'_>>,
        names: &Names,
    ) -> Option<(Box<str>, Template)> {
        let table = value?.get_ref().as_table()?;
        let (name, template) = table.iter().next()?;
        if table.len() > 1 {
            self.problems
                .at(value?.span(), "only one member can hold JSON text", "");
        }
        Some((
            name.get_ref().as_ref().into(),
            self.template(template, names),
        ))
    }

    pub fn headers(
        &mut self,
        value: Option<&Value<'_>>,
        names: &Names,
    ) -> Vec<(HeaderName, Template)> {
        let Some(value) = value else {
            return Vec::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            self.problems.at(
                value.span(),
                "headers are a table of names and values",
                "write { Name = \"value\" }",
            );
            return Vec::new();
        };
        let mut headers = Vec::new();
        for (name, value) in table.iter() {
            match name.get_ref().to_lowercase().parse::<HeaderName>() {
                Ok(header) => headers.push((header, self.template(value, names))),
                Err(_) => {
                    self.problems.at(
                        name.span(),
                        format!("`{}` is not a header's name", name.get_ref()),
                        "",
                    );
                }
            }
        }
        headers
    }

    pub fn when(
        &mut self,
        table: &mut Table<'_, '_>,
        names: &Names,
    ) -> Vec<crate::dialect::template::Source> {
        let names = Names {
            credential: true,
            ..names.clone()
        };
        table
            .texts("when", &mut self.problems)
            .into_iter()
            .filter_map(|(path, span)| self.source(path, span, &names))
            .collect()
    }

    /// `given = { field = value }`.
    pub fn given(
        &mut self,
        table: &mut Table<'_, '_>,
        names: &Names,
    ) -> Vec<(crate::dialect::template::Source, Given)> {
        let Some(lines) = table
            .get("given")
            .and_then(|value| Table::of(value, &mut self.problems))
        else {
            return Vec::new();
        };
        let lines: Vec<_> = lines.rest().collect();
        lines
            .into_iter()
            .filter_map(|(path, span, value)| {
                let source = self.source(path, span, names)?;
                let given = match (value.get_ref(), &source.kind) {
                    (toml::de::DeValue::String(text), Type::Text) => {
                        Given::Text(text.as_ref().into())
                    }
                    (toml::de::DeValue::Integer(int), Type::Int) => {
                        Given::Int(int.as_str().parse().ok()?)
                    }
                    (toml::de::DeValue::Boolean(flag), Type::Bool) => Given::Bool(*flag),
                    (_, kind) => {
                        self.problems.at(
                            value.span(),
                            format!("`{path}` holds {}", kind.name()),
                            "",
                        );
                        return None;
                    }
                };
                Some((source, given))
            })
            .collect()
    }

    pub fn role(&mut self, table: &mut Table<'_, '_>) -> Role {
        match table.text("role", &mut self.problems) {
            None => Role::Both,
            Some(("server", _)) => Role::Server,
            Some(("client", _)) => Role::Client,
            Some((name, span)) => {
                unknown(
                    &mut self.problems,
                    span,
                    "role",
                    name,
                    ["client", "server"].into_iter(),
                );
                Role::Both
            }
        }
    }

    pub fn entry_doors(&mut self, table: &mut Table<'_, '_>) -> Vec<usize> {
        let mut named = table.texts("door", &mut self.problems);
        named.extend(table.texts("doors", &mut self.problems));
        named
            .into_iter()
            .filter_map(|(name, span)| {
                let found = self.doors.iter().position(|door| door.name == name);
                if found.is_none() {
                    let known: Vec<_> = self.doors.iter().map(|door| door.name.clone()).collect();
                    unknown(
                        &mut self.problems,
                        span,
                        "door",
                        name,
                        known.iter().map(|name| name.as_str()),
                    );
                }
                found
            })
            .collect()
    }

    fn seal_key(&mut self, table: &mut Table<'_, '_>) -> SealKey {
        match table.text("seal", &mut self.problems) {
            None | Some(("session", _)) => SealKey::Session,
            Some(("application", _)) => SealKey::Application,
            Some(("none", _)) => SealKey::None,
            Some((name, span)) => {
                let known = ["session", "application", "none"];
                unknown(
                    &mut self.problems,
                    span,
                    "key to seal with",
                    name,
                    known.into_iter(),
                );
                SealKey::None
            }
        }
    }

    fn wrapped_template(&mut self, value: &Value<'_>, names: &Names, wrapped: bool) -> Template {
        let own = self.template(value, names);
        self.wrap_around(Some(own), names, wrapped)
    }

    /// The shapes of a reply that are only read: the exchange's own, and the reply within the wrap's other shapes.
    fn also(&mut self, table: &mut Table<'_, '_>, names: &Names, wrapped: bool) -> Vec<Template> {
        let mut also = Vec::new();
        if let Some(toml::de::DeValue::Array(shapes)) =
            table.get("also").map(|value| value.get_ref())
        {
            for shape in shapes.iter() {
                also.push(self.wrapped_template(shape, names, wrapped));
            }
        }
        for other in self.wrap_also.clone().into_iter().filter(|_| wrapped) {
            let own = table.get("reply").map(|value| self.template(value, names));
            self.splice = Some(own);
            also.push(self.template(other, names));
            self.splice = None;
        }
        also
    }

    fn wrap_around(&mut self, own: Option<Template>, names: &Names, wrapped: bool) -> Template {
        let Some(wrap) = self.wrap.filter(|_| wrapped) else {
            return own.unwrap_or(Template::Array(Vec::new()));
        };
        self.splice = Some(own);
        let template = self.template(wrap, names);
        self.splice = None;
        template
    }

    fn reply(&mut self, table: &mut Table<'_, '_>, names: &Names, wrapped: bool) -> ReplyForm {
        let status = self.status(table, "reply_status");
        let header = self.headers(table.get("reply_header"), names);
        let body = match (table.get("reply"), table.get("reply_text")) {
            (Some(reply), _) => ReplyBody::Json(self.wrapped_template(reply, names, wrapped)),
            (None, Some(text)) => ReplyBody::Text(self.template(text, names)),
            (None, None) if wrapped && self.wrap.is_some() => {
                ReplyBody::Json(self.wrap_around(None, names, true))
            }
            (None, None) => ReplyBody::Empty,
        };
        ReplyForm {
            status,
            header,
            body,
        }
    }

    fn status(&mut self, table: &mut Table<'_, '_>, key: &'static str) -> Option<u16> {
        let value = table.get(key)?;
        let status = value
            .get_ref()
            .as_integer()
            .and_then(|int| int.as_str().parse::<u16>().ok());
        let status = status.filter(|status| (100..600).contains(status));
        if status.is_none() {
            self.problems.at(
                value.span(),
                "this must be an HTTP status, a number from 100 to 599",
                "",
            );
        }
        status
    }

    pub fn auth(&mut self, mut table: Table<'_, '_>) -> Auth {
        let names = Names {
            credential: true,
            ..Names::of(nothing())
        };
        let parts = self.parts(&mut table, &names);
        let role = self.role(&mut table);
        table.finish(&mut self.problems);
        Auth { parts, role }
    }

    pub fn fault(&mut self, mut table: Table<'_, '_>) -> FaultForm {
        let names = Names {
            fault: true,
            request: Some(nothing()),
            ..Names::of(schema::<Details>())
        };
        let kind = match table.text("kind", &mut self.problems) {
            Some(kind) => self.kind(kind).unwrap_or_default(),
            None => {
                self.problems.at(
                    table.span.clone(),
                    "a fault needs its kind",
                    "add kind = \"not_found.channel\"",
                );
                Kind::Internal
            }
        };
        let on = table.texts("on", &mut self.problems);
        let on = on
            .into_iter()
            .filter_map(|(name, span)| self.operation(name, span))
            .collect();
        let field = table
            .text("field", &mut self.problems)
            .map(|(field, _)| field.into());
        let doors = self.entry_doors(&mut table);
        let role = self.role(&mut table);
        let status = self.status(&mut table, "status");
        let header = self.headers(table.get("header"), &names);
        let json = table.get("json").map(|value| self.template(value, &names));
        let text = table.get("text").map(|value| self.template(value, &names));
        let graphql = table
            .get("graphql")
            .map(|value| self.template(value, &names));
        let evident = graphql.is_some();
        let body = match (json, text, graphql) {
            (Some(json), ..) => ReplyBody::Json(json),
            (_, Some(text), _) => ReplyBody::Text(text),
            (.., Some(words)) => ReplyBody::Json(super::graphql::error(words, self.style)),
            _ => ReplyBody::Empty,
        };
        let seal = self.seal_key(&mut table);
        table.finish(&mut self.problems);
        let mut constants = Vec::new();
        if let ReplyBody::Json(template) | ReplyBody::Text(template) = &body {
            template.constants("", &mut constants);
        }
        FaultForm {
            kind,
            on,
            field,
            doors,
            role,
            status,
            header,
            body,
            seal,
            constants: constants.len(),
            evident,
        }
    }

    pub fn operation(&mut self, name: &str, span: Range<usize>) -> Option<Operation> {
        let operation = Operation::from_name(name);
        if operation.is_none() {
            let known = Operation::ALL.iter().map(|operation| operation.name());
            unknown(&mut self.problems, span, "operation", name, known);
        }
        operation
    }

    /// `target = "from:codec"` lines.
    pub fn derives(&mut self, table: &Table<'_, '_>, names: &Names) -> Vec<Derive> {
        let lines: Vec<_> = table.rest().collect();
        lines
            .into_iter()
            .filter_map(|(target, span, value)| {
                let text = super::table::text(value, &mut self.problems)?;
                let (from, codec) = text.split_once(':').unwrap_or((text, ""));
                let target = self.source(target, span, names)?;
                let from = self.source(from, value.span(), names)?;
                let codec = match crate::dialect::codec::Codec::from_name(codec) {
                    Some(codec) => codec,
                    None if codec.is_empty() => Default::default(),
                    None => {
                        let known = crate::dialect::codec::Codec::NAMES.iter().copied();
                        unknown(&mut self.problems, value.span(), "codec", codec, known);
                        return None;
                    }
                };
                Some(Derive {
                    target,
                    from,
                    codec,
                })
            })
            .collect()
    }
}
