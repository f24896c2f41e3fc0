//! Which of several exchanges with one path a request means, settled when the mapping is loaded.
//!
//! Constants select. Entries are tried in the order of how many they have, so that the one whose constants contain the
//! other's wins; among equally many the file's order decides. Two entries with just the same constants are an error,
//! unless they are twins: the same request and command, with replies that `when` tells apart.

use std::collections::BTreeSet;

use super::Loader;
use crate::dialect::exchange::*;
use crate::dialect::tape::Kind;
use crate::dialect::template::Template;

/// The constants that select an exchange, each with its place; which kind of body it has counts as one.
pub fn constants(exchange: &Exchange) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let parts = &exchange.parts;
    let whole = [
        ("query", &parts.query),
        ("form", &parts.form),
        ("json", &parts.json),
        ("params", &parts.params),
    ];
    for (place, template) in whole {
        if let Some(template) = template {
            template.constants(place, &mut found);
        }
    }
    for (place, member) in [("form", &parts.form_json), ("params", &parts.params_json)] {
        if let Some((name, template)) = member {
            template.constants(&format!("{place}.{name}"), &mut found);
        }
    }
    for Header { name, template, .. } in &parts.header {
        template.constants(&format!("header.{name}"), &mut found);
    }
    if let Some(body) = body_kind(parts) {
        found.push(("body".into(), body.into()));
    }
    found
}

/// Finds the member that tells most requests apart, so that one look at it spares trying one entry after another.
pub fn tag(dialect: &mut Dialect) {
    let served = dialect.exchanges.iter().filter(|one| one.role.serves());
    let tags: Vec<_> = served.flat_map(|one| texts(&one.parts)).collect();
    let often =
        |(names, _): &(&[Box<str>], _)| tags.iter().filter(|(other, _)| other == names).count();
    let most = tags.iter().max_by_key(|tag| often(tag));
    let names = most.map(|(names, _)| names.to_vec()).unwrap_or_default();
    for exchange in &mut dialect.exchanges {
        let tag = texts(&exchange.parts).find(|(own, _)| *own == names);
        exchange.tag = tag.map(|(_, text)| text.into());
    }
    dialect.tag = names;
}

/// The members that must hold a certain text, wherever they stand, with that text.
fn texts(parts: &Parts) -> impl Iterator<Item = (&[Box<str>], &str)> {
    let members = match &parts.params {
        Some(Template::Object(members)) => members.as_slice(),
        _ => &[],
    };
    members.iter().filter_map(|member| match &member.template {
        Template::Constant(constant) if member.dynamic.is_none() => {
            match constant.tape.root()?.kind() {
                Kind::Text(text) => Some((member.names.as_slice(), text)),
                _ => None,
            }
        }
        _ => None,
    })
}

/// What the request's body must look like to be read at all.
fn body_kind(parts: &Parts) -> Option<&'static str> {
    if parts.query_json.is_some() {
        return Some("none but a query");
    }
    match (&parts.json, &parts.form, &parts.form_json) {
        (Some(Template::Array(_) | Template::Each { .. }), ..) => Some("a JSON array"),
        (Some(_), ..) => Some("a JSON object"),
        (_, Some(_), _) | (.., Some(_)) => Some("a form"),
        _ => None,
    }
}

impl Loader<'_> {
    /// Finds twins and overlaps.
    pub fn settle(&mut self, exchanges: &mut [Exchange]) {
        for later in 1..exchanges.len() {
            for earlier in 0..later {
                let (first, second) = (&exchanges[earlier], &exchanges[later]);
                if !could_meet(first, second) {
                    continue;
                }
                let (left, right) = (set(first), set(second));
                if left != right {
                    continue;
                }
                if is_twin(first, second) {
                    if exchanges[earlier].twin.is_none() {
                        exchanges[earlier].twin = Some(later);
                    }
                    break;
                }
                let other = self.problems.place(first.place.start);
                let apart =
                    if first.operation().is_some() && first.operation() == second.operation() {
                        "a constant, or by `when`: then one may be the reply to the other's request"
                    } else {
                        "a constant, a path, a method or a door"
                    };
                self.problems.at(
                    second.place.clone(),
                    "one request could mean this entry and another",
                    format!("the other stands at {other}; tell them apart by {apart}"),
                );
            }
        }
    }
}

type Constants<'e> = BTreeSet<(&'e str, &'e str)>;

fn set(exchange: &Exchange) -> Constants<'_> {
    exchange
        .constants
        .iter()
        .map(|(place, value)| (place.as_str(), value.as_str()))
        .collect()
}

/// Same method, door and path, and both served.
fn could_meet(first: &Exchange, second: &Exchange) -> bool {
    first.role.serves()
        && second.role.serves()
        && first
            .methods
            .iter()
            .any(|method| second.methods.contains(method))
        && (first.doors.is_empty()
            || second.doors.is_empty()
            || first.doors.iter().any(|door| second.doors.contains(door)))
        && first.path.len() == second.path.len()
        && first
            .path
            .iter()
            .zip(&second.path)
            .all(|(left, right)| match (left, right) {
                (Segment::Literal(left), Segment::Literal(right)) => left == right,
                (Segment::Template(_), Segment::Template(_)) => true,
                // Static segments beat parameters.
                _ => false,
            })
}

/// Same command, and told apart when the reply is rendered.
fn is_twin(first: &Exchange, second: &Exchange) -> bool {
    first.operation().is_some()
        && first.operation() == second.operation()
        && (!first.when.is_empty() || !second.when.is_empty())
}
