//! Reading a request's places into a command: path, headers, query and body.
//!
//! Which exchange the request is has been decided by then; what is missing is named as the wire names it.

use crate::dialect::exchange::*;
use crate::dialect::headers::Headers;
use crate::dialect::query;
use crate::dialect::read::{Field, Fit, Miss, Reader, matches, members_match};
use crate::dialect::tape::{Kind, Leaf, Tape};
use crate::dialect::template::{Target, Template};
use crate::dialect::wire::{Incoming, Parsed};

impl Dialect {
    /// The first candidate whose constants are all there.
    pub(super) fn choose(
        &self,
        incoming: &Incoming<'_>,
        parsed: &Parsed<'_>,
        candidates: &[usize],
        bodies: Bodies,
    ) -> Option<usize> {
        let tag = parsed.params().text(&self.tag);
        candidates.iter().copied().find(|index| {
            let Exchange {
                parts, tag: wanted, ..
            } = &self.exchanges[*index];
            if wanted.is_some() && wanted.as_deref() != tag {
                return false;
            }
            let place = |template: &Option<Template>, field: Option<Field<'_>>| {
                template
                    .as_ref()
                    .is_none_or(|template| matches(template, field, Fit::Constants))
            };
            place(&parts.query, parsed.query_field())
                && place(&parts.form, parsed.form_field())
                && parts
                    .json
                    .as_ref()
                    .is_none_or(|json| matches_body(json, parsed, bodies))
                && match &parts.params {
                    Some(Template::Object(members)) => {
                        members_match(members, &parsed.params(), Fit::Constants)
                    }
                    _ => true,
                }
                && parts
                    .form_json
                    .as_ref()
                    .is_none_or(|(name, _)| holds(parsed.form_field(), name))
                && parts
                    .query_json
                    .as_ref()
                    .is_none_or(|(name, _)| holds(parsed.query_field(), name))
                && parts.params_json.as_ref().is_none_or(|(name, _)| {
                    let params = parsed.params();
                    holds(params.first, name) || holds(params.then, name)
                })
                && parts.header.iter().all(|header| {
                    let text = header.text(incoming.headers);
                    let leaf = text.as_deref().map(Leaf::text);
                    let field = leaf.as_ref().map(Field::leaf);
                    matches(&header.template, field, Fit::Constants)
                })
        })
    }
}

/// What a request without a body is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bodies {
    AsSent,
    /// An empty object, whose missing members are then named.
    Forgotten,
}

fn matches_body(json: &Template, parsed: &Parsed<'_>, bodies: Bodies) -> bool {
    match parsed.json_field() {
        None if parsed.body.is_none() && bodies == Bodies::Forgotten => {
            !json.selects() && matches!(json, Template::Object(_))
        }
        field => field.is_some() && matches(json, field, Fit::Constants),
    }
}

fn holds(field: Option<Field<'_>>, name: &str) -> bool {
    field.is_some_and(|field| field.at.member(name).is_some())
}

pub(super) fn read_segments(
    reader: &mut Reader<'_>,
    exchange: &Exchange,
    incoming: &Incoming<'_>,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    let templates = exchange.path.iter().filter_map(|segment| match segment {
        Segment::Template(template) => Some(template),
        Segment::Literal(_) => None,
    });
    for (template, raw) in templates.zip(incoming.segments) {
        let name = path_name(template);
        let Ok(text) = query::segment(raw) else {
            return Err(Miss::IllTyped(name.into()));
        };
        // A dot segment names another place than it seems to, in every service.
        if matches!(&*text, "." | ".." | "") {
            return Err(Miss::IllTyped(name.into()));
        }
        reader
            .place(template, Some(&text), target)
            .map_err(|miss| match miss {
                Miss::Blank(_) => Miss::Blank(name.into()),
                Miss::IllTyped(_) => Miss::IllTyped(name.into()),
            })?;
    }
    Ok(())
}

fn path_name(template: &Template) -> &str {
    match template {
        Template::Placeholder(placeholder) => &placeholder.path,
        _ => "path",
    }
}

pub(super) fn read_headers(
    reader: &mut Reader<'_>,
    parts: &Parts,
    headers: &Headers,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    parts.header.iter().try_for_each(|header| {
        let text = header.text(headers);
        reader
            .place(&header.template, text.as_deref(), target)
            .map_err(|miss| match miss {
                Miss::Blank(_) => Miss::Blank(header.name.to_string()),
                Miss::IllTyped(_) => Miss::IllTyped(header.name.to_string()),
            })
    })
}

pub(super) fn read_parts(
    reader: &mut Reader<'_>,
    parts: &Parts,
    incoming: &Incoming<'_>,
    parsed: &Parsed<'_>,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    read_headers(reader, parts, incoming.headers, target)?;
    if let Some(Template::Object(members)) = &parts.params {
        reader.members(members, &parsed.params(), target)?;
    }
    if let Some(query) = &parts.query {
        reader.read(query, parsed.query_field(), target)?;
    }
    if let Some(form) = &parts.form {
        reader.read(form, parsed.form_field(), target)?;
    }
    if let Some(json) = &parts.json {
        reader.read(json, parsed.json_field(), target)?;
    }
    for (member, field) in [
        (&parts.form_json, parsed.form_field()),
        (&parts.query_json, parsed.query_field()),
        (&parts.params_json, parsed.params().first),
        (&parts.params_json, parsed.params().then),
    ] {
        if let (Some((name, template)), Some(field)) = (member, field) {
            read_in_member(reader, name, template, field, target)?;
        }
    }
    Ok(())
}

/// Reads a member whose value is JSON, or JSON text.
fn read_in_member(
    reader: &mut Reader<'_>,
    name: &str,
    template: &Template,
    field: Field<'_>,
    target: &mut Target<'_>,
) -> Result<(), Miss> {
    let Some(at) = field.at.member(name) else {
        return Ok(());
    };
    if !field.textual {
        return reader.read(template, Some(Field { at, textual: false }), target);
    }
    let Kind::Text(text) = at.kind() else {
        return Err(Miss::IllTyped(name.into()));
    };
    let Ok(tape) = Tape::json_text(text) else {
        return Err(Miss::IllTyped(name.into()));
    };
    if !tape
        .root()
        .is_some_and(|at| matches(template, Some(Field { at, textual: false }), Fit::Constants))
    {
        return Err(Miss::IllTyped(name.into()));
    }
    reader.read(
        template,
        tape.root().map(|at| Field { at, textual: false }),
        target,
    )
}
