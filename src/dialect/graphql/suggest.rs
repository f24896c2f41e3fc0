//! What a query may have meant by a field that is not there, as Absinthe suggests it.
//!
//! Names are compared by the Jaro measure, and what is near enough is offered, the nearest first.

use super::schema::{Schema, underscore};

/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.7;
const MOST: usize = 5;
/// Comparing takes time by the length of both; no field's name comes near this.
const LONGEST: usize = 64;

/// The suggestion behind an error, or nothing.
pub fn suggestion(schema: &Schema, of: usize, name: &str) -> String {
    if name.len() > LONGEST {
        return String::new();
    }
    let key = underscore(name);
    let has = |of: &usize| {
        schema.types[*of]
            .fields
            .iter()
            .any(|field| field.key() == key)
    };
    let mut types: Vec<usize> = schema.types[of]
        .possible
        .iter()
        .copied()
        .filter(has)
        .collect();
    if of != schema.query && !types.is_empty() {
        let mut interfaces: Vec<usize> = types
            .iter()
            .flat_map(|of| schema.types[*of].interfaces.iter().copied())
            .filter(|interface| has(interface))
            .collect();
        interfaces.dedup();
        interfaces.extend(types);
        types = interfaces;
        let names: Vec<&str> = types.iter().map(|of| &*schema.types[*of].name).collect();
        return format!(
            " Did you mean to use an inline fragment on {}?",
            listed(&names)
        );
    }
    let mut fields: Vec<(f64, &str, &str)> = schema.types[of]
        .fields
        .iter()
        .map(|field| (strsim::jaro(field.key(), &key), field.key(), &*field.name))
        .filter(|(alike, ..)| *alike >= ALIKE)
        .collect();
    fields.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    if fields.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = fields.iter().map(|(.., name)| *name).collect();
    format!(" Did you mean {}?", listed(&names))
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| format!("\"{name}\""))
        .collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [left, right] => format!("{left} or {right}"),
        [many @ .., last] => format!("{}, or {last}", many.join(", ")),
    }
}
