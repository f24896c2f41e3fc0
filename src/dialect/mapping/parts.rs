//! The parts of a request: query, body and headers, wherever a mapping writes them.
//!
//! Exchanges, `[every]` and `[[auth]]` have the same parts and are read by the same lines.

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderName, Method};

use super::Loader;
use super::entry::nothing;
use super::names::Names;
use super::table::{Table, Value};
use crate::dialect::exchange::*;
use crate::dialect::template::Template;

/// Fields that whoever writes the message must write.
const FRAMING: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

impl Loader<'_> {
    pub fn parts(&mut self, table: &mut Table<'_, '_>, names: &Names) -> Parts {
        Parts {
            query: self.pairs(table.get("query"), names),
            form: self.pairs(table.get("form"), names),
            json: table.get("json").map(|value| self.template(value, names)),
            header: self.request_headers(table, names),
            params: self.pairs(table.get("params"), names),
            form_json: self.in_member(table.get("form_json"), names),
            params_json: self.in_member(table.get("params_json"), names),
            query_json: self.in_member(table.get("query_json"), names),
        }
    }

    /// Names and values; there is no form of an array.
    fn pairs(&mut self, value: Option<&Value<'_>>, names: &Names) -> Option<Template> {
        let value = value?;
        Table::of(value, &mut self.problems)?;
        Some(self.template(value, names))
    }

    /// Reports bodies that a request cannot have together, or at all.
    pub fn bodies_agree(&mut self, table: &Table<'_, '_>, methods: &[Method]) {
        let kinds = ["json", "form", "form_json", "params_json"];
        table.only_one(&kinds, "this request", &mut self.problems);
        if !methods.contains(&Method::GET) {
            return;
        }
        for (key, span, _) in table.rest() {
            if matches!(key, "json" | "form" | "form_json") {
                self.problems.at(
                    span,
                    "a GET request has no body",
                    "put its members in `query`, or in `params` if other methods send them in a body",
                );
            }
        }
    }

    /// `{ member = template }`, where the member's value on the wire is the template's JSON text.
    fn in_member(
        &mut self,
        value: Option<&Value<'_>>,
        names: &Names,
    ) -> Option<(Box<str>, Template)> {
        let value = value?;
        let members = Table::of(value, &mut self.problems)?;
        let mut members = members.rest();
        let Some((name, _, template)) = members.next() else {
            self.problems.at(
                value.span(),
                "a member that holds JSON text is missing",
                "write { member = template }",
            );
            return None;
        };
        if let Some((_, span, _)) = members.next() {
            self.problems.at(
                span,
                "only one member can hold JSON text",
                "put what belongs together under one member",
            );
        }
        Some((name.into(), self.template(template, names)))
    }

    /// The headers by their names, and the one that has a place of its own because of what it is written in.
    fn request_headers(&mut self, table: &mut Table<'_, '_>, names: &Names) -> Vec<Header> {
        let mut headers = self.headers(table.get("header"), names);
        if let Some(value) = table.get("basic") {
            if headers.iter().any(|known| known.name == AUTHORIZATION) {
                let message = "the header `Authorization` stands here twice";
                let help = "keep either `basic` or the line in `header`";
                self.problems.at(value.span(), message, help);
            }
            headers.push(Header::basic(self.template(value, names)));
        }
        headers
    }

    pub fn headers(&mut self, value: Option<&Value<'_>>, names: &Names) -> Vec<Header> {
        let Some(value) = value else {
            return Vec::new();
        };
        let Some(table) = Table::of(value, &mut self.problems) else {
            return Vec::new();
        };
        let mut headers: Vec<Header> = Vec::new();
        for (name, span, value) in table.rest() {
            match name.to_lowercase().parse::<HeaderName>() {
                Ok(header) if headers.iter().any(|known| known.name == header) => {
                    let message = format!("the header `{name}` stands here twice");
                    self.problems
                        .at(span, message, "names of headers do not differ by case");
                }
                Ok(header) if FRAMING.contains(&header) => {
                    let message = format!("the header `{name}` is not a mapping's to say");
                    let help = "Sabir writes it, because it tells where a message goes and ends";
                    self.problems.at(span, message, help);
                }
                Ok(header) => headers.push(Header::new(header, self.template(value, names))),
                Err(_) => {
                    let message = format!("`{name}` is not a header's name");
                    self.problems
                        .at(span, message, "use letters, digits and dashes");
                }
            }
        }
        headers
    }

    pub fn auth(&mut self, mut table: Table<'_, '_>) -> Auth {
        let names = Names {
            credential: true,
            ..Names::of(nothing())
        };
        let parts = self.parts(&mut table, &names);
        let role = self.role(&mut table);
        table.finish(&mut self.problems);
        Auth::new(parts, role)
    }
}
