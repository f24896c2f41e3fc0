//! The parts of a request: query, body and headers.
//!
//! An exchange, `[every]` and `[[auth]]` all have them; a client writes them together.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderName, HeaderValue};

use super::Role;
use crate::dialect::fields;
use crate::dialect::headers::Headers;
use crate::dialect::template::{Absence, Member, Placeholder, Root, Scope, Source, Template};
use crate::dialect::write::Writer;

/// The places of a request that templates fill.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub query: Option<Template>,
    pub form: Option<Template>,
    pub json: Option<Template>,
    pub header: Vec<Header>,
    pub params: Option<Template>,
    /// A member whose value is the JSON text of the template.
    pub form_json: Option<(Box<str>, Template)>,
    pub params_json: Option<(Box<str>, Template)>,
    pub query_json: Option<(Box<str>, Template)>,
}

impl Parts {
    pub const fn nothing() -> Parts {
        Parts {
            query: None,
            form: None,
            json: None,
            header: Vec::new(),
            params: None,
            form_json: None,
            params_json: None,
            query_json: None,
        }
    }

    /// These parts without the members that others write.
    pub fn without(&self, others: &Parts) -> Parts {
        let rest = |mine: &Option<Template>, theirs: &Option<Template>| match (mine, theirs) {
            (Some(Template::Object(mine)), Some(Template::Object(theirs))) => {
                let rest = mine.iter().filter(|member| {
                    let name = member.names.first();
                    name.is_none() || !theirs.iter().any(|other| other.names.first() == name)
                });
                Some(Template::Object(rest.cloned().collect()))
            }
            (mine, _) => mine.clone(),
        };
        Parts {
            query: rest(&self.query, &others.query),
            form: rest(&self.form, &others.form),
            json: rest(&self.json, &others.json),
            params: rest(&self.params, &others.params),
            header: self
                .header
                .iter()
                .filter(|mine| !others.header.iter().any(|other| other.name == mine.name))
                .cloned()
                .collect(),
            ..Parts::default()
        }
    }

    /// What a server still has to read of these parts once it has chosen them and read what others have: neither
    /// constants, which were compared for the choice, nor what the others read in the same way.
    pub fn unread(&self, others: &Parts) -> Parts {
        let rest = |mine: &Option<Template>, theirs: &Option<Template>| {
            let Some(Template::Object(mine)) = mine else {
                return mine.clone();
            };
            let theirs = match theirs {
                Some(Template::Object(theirs)) => theirs.as_slice(),
                _ => &[],
            };
            let constant = |member: &Member| {
                member.dynamic.is_none() && matches!(member.template, Template::Constant(_))
            };
            let known = |member: &Member| theirs.iter().any(|other| same_reading(member, other));
            let mut unread = mine.clone();
            unread.retain(|member| !constant(member) && !known(member));
            Some(Template::Object(unread))
        };
        Parts {
            query: rest(&self.query, &others.query),
            form: rest(&self.form, &others.form),
            json: rest(&self.json, &others.json),
            params: rest(&self.params, &others.params),
            ..self.clone()
        }
    }

    /// Every placeholder of every place.
    pub fn placeholders<'p>(&'p self, found: &mut Vec<&'p Placeholder>) {
        let bodies = [&self.query, &self.form, &self.json, &self.params]
            .into_iter()
            .flatten();
        let members = [&self.form_json, &self.params_json, &self.query_json]
            .into_iter()
            .flatten()
            .map(|(_, template)| template);
        let headers = self.header.iter().map(|header| &header.template);
        bodies
            .chain(members)
            .chain(headers)
            .for_each(|template| template.placeholders(found));
    }
}

/// Would reading either put the same into the same place? Said only of what stands in no message.
fn same_reading(one: &Member, other: &Member) -> bool {
    let (Template::Placeholder(mine), Template::Placeholder(theirs)) =
        (&one.template, &other.template)
    else {
        return false;
    };
    one.names == other.names
        && matches!(mine.source.root, Root::App | Root::Credential)
        && (mine.source.root, &mine.source.path) == (theirs.source.root, &theirs.source.path)
        && mine.codec == theirs.codec
        && matches!(
            (&mine.absence, &theirs.absence),
            (Absence::Required, Absence::Required) | (Absence::LeftOut, Absence::LeftOut)
        )
}

/// One header's line.
#[derive(Clone, Debug)]
pub struct Header {
    /// In lower case.
    pub name: HeaderName,
    pub template: Template,
    /// The value, where it is always the same.
    pub fixed: Option<HeaderValue>,
    /// The text stands in it as RFC 7617 has it, behind the scheme and in base64.
    basic: bool,
}

/// What stands before the base64; a scheme's name may be in any case.
const BASIC: &str = "Basic ";

impl Header {
    pub fn new(name: HeaderName, template: Template) -> Header {
        let fixed = template.always().and_then(|constant| {
            let value = HeaderValue::from_str(&constant.text);
            value.ok()
        });
        Header {
            name,
            template,
            fixed,
            basic: false,
        }
    }

    /// Credentials of the scheme Basic, with the text that is within them.
    pub fn basic(template: Template) -> Header {
        Header {
            name: AUTHORIZATION,
            template,
            fixed: None,
            basic: true,
        }
    }

    /// The text that its template reads; nothing where it is not there, or is none.
    pub fn text<'h>(&self, headers: &'h Headers) -> Option<Cow<'h, str>> {
        let value = headers.text(self.name.as_str())?;
        if !self.basic {
            return Some(value.into());
        }
        let (scheme, encoded) = value.split_at_checked(BASIC.len())?;
        let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        scheme.eq_ignore_ascii_case(BASIC).then(|| text.into())
    }

    /// What its template wrote, as it stands on the wire.
    fn spelt<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.basic {
            true => format!("{BASIC}{}", STANDARD.encode(text)).into(),
            false => text.into(),
        }
    }

    /// Writes the line, unless its value is absent. False if the value is none that a line can hold.
    pub fn write<'d>(&'d self, writer: &mut Writer<'d>, scope: &Scope<'_>) -> bool {
        if let Some(fixed) = &self.fixed {
            return fields::add(&mut writer.out, &self.name, fixed.as_bytes());
        }
        writer
            .with_text(&self.template, scope, |text, writer| {
                let text = self.spelt(text);
                fields::add(&mut writer.out, &self.name, text.as_bytes())
            })
            .unwrap_or(true)
    }

    /// The line's value in a scope; nothing where it is absent.
    pub fn value<'d>(
        &'d self,
        writer: &mut Writer<'d>,
        scope: &Scope<'_>,
    ) -> Option<Result<HeaderValue, InvalidHeaderValue>> {
        if let Some(fixed) = &self.fixed {
            return Some(Ok(fixed.clone()));
        }
        writer.with_text(&self.template, scope, |text, _| {
            HeaderValue::from_str(&self.spelt(text))
        })
    }
}

#[derive(Clone, Debug)]
pub struct Auth {
    pub parts: Parts,
    pub role: Role,
    /// What a client must know to write it.
    pub needs: Vec<Source>,
    /// It stands in headers alone, so it is known before the body is.
    pub in_headers: bool,
}

impl Auth {
    pub fn new(parts: Parts, role: Role) -> Auth {
        let mut placeholders = Vec::new();
        parts.placeholders(&mut placeholders);
        let required = placeholders
            .iter()
            .filter(|placeholder| matches!(placeholder.absence, Absence::Required));
        let needs = required
            .map(|placeholder| placeholder.source.clone())
            .collect();
        let mut in_headers = Vec::new();
        parts
            .header
            .iter()
            .for_each(|header| header.template.placeholders(&mut in_headers));
        let in_headers = in_headers.len() == placeholders.len();
        Auth {
            parts,
            role,
            needs,
            in_headers,
        }
    }
}
