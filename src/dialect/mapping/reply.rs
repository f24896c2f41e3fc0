//! What comes back: an exchange's reply and the forms of faults.
//!
//! A wrap is put around a reply here, once, so that no reply is wrapped at run time.

use super::Loader;
use super::entry::nothing;
use super::names::Names;
use super::table::{Table, Value, unknown};
use crate::dialect::exchange::*;
use crate::dialect::template::Template;
use crate::model::{Details, schema};

impl Loader<'_> {
    pub fn seal_key(&mut self, table: &mut Table<'_, '_>) -> SealKey {
        match table.text("seal", &mut self.problems) {
            None | Some(("session", _)) => SealKey::Session,
            Some(("application", _)) => SealKey::Application,
            Some(("none", _)) => SealKey::None,
            Some((name, span)) => {
                let known = ["session", "application", "none"];
                unknown(&mut self.problems, span, "key to seal with", name, known);
                SealKey::None
            }
        }
    }

    fn wrapped_template(&mut self, value: &Value<'_>, names: &Names, wrapped: bool) -> Template {
        let own = self.template(value, names);
        self.wrap_around(Some(own), names, wrapped)
    }

    /// The shapes of a reply that are only read: the exchange's own, and the reply within the wrap's other shapes.
    pub fn also(
        &mut self,
        table: &mut Table<'_, '_>,
        names: &Names,
        wrapped: bool,
    ) -> Vec<Template> {
        let shapes = table.array("also", &mut self.problems);
        let mut also: Vec<Template> = shapes
            .into_iter()
            .map(|shape| self.wrapped_template(shape, names, wrapped))
            .collect();
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

    pub fn reply(&mut self, table: &mut Table<'_, '_>, names: &Names, wrapped: bool) -> ReplyForm {
        let status = self.status(table, "reply_status");
        let header = self.headers(table.get("reply_header"), names);
        table.only_one(
            &["reply", "reply_text"],
            "this exchange",
            &mut self.problems,
        );
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
                "this must be an HTTP status",
                "write a number from 100 to 599",
            );
        }
        status
    }

    pub fn fault(&mut self, mut table: Table<'_, '_>) -> FaultForm {
        let names = Names {
            fault: true,
            request: Some(nothing()),
            ..Names::of(schema::<Details>())
        };
        let kind = self.needed_kind(&mut table);
        table.only_one(
            &["json", "text", "graphql"],
            "this fault",
            &mut self.problems,
        );
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
}
