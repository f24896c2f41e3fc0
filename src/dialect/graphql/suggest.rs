//! What a query may have meant by a field that is not there, as Absinthe suggests it.
//!
//! Names are compared by the Jaro measure, and what is near enough is offered, the nearest last.

use super::schema::{InputDef, Schema, underscore};

/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.7;
const MOST: usize = 5;
/// Comparing takes time by the length of both; no field's name comes near this.
const LONGEST: usize = 64;

/// What stands behind an error about a field, or nothing.
pub fn of_field(schema: &Schema, of: usize, name: &str) -> String {
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
        let interfaces = types.iter().flat_map(|of| &schema.types[*of].interfaces);
        let interfaces: Vec<usize> = interfaces.copied().filter(has).collect();
        types.extend(interfaces);
        let mut names: Vec<&str> = types.iter().map(|of| &*schema.types[*of].name).collect();
        names.sort_unstable();
        names.dedup();
        return format!(
            " Did you mean to use an inline fragment on {}?",
            listed(&names)
        );
    }
    let fields = schema.types[of].fields.iter();
    let meta = schema.meta.iter().filter(|field| {
        let found = schema.field(of, &field.name);
        found.is_some()
    });
    let fields = fields.chain(meta).map(|field| (field.key(), &*field.name));
    near(&key, fields)
}

/// What stands behind an error about a field of an input object. Absinthe compares the name as it is given, and suggests
/// names in the letters of the schema's insides.
pub fn of_input(inputs: &[InputDef], name: &str) -> String {
    near(name, inputs.iter().map(|input| (&*input.key, &*input.key)))
}

/// What stands behind an error about a variable's type.
pub fn of_type(schema: &Schema, name: &str) -> String {
    let types = schema.types.iter().map(|of| (&*of.name, &*of.name));
    near(name, types.filter(|(name, _)| *name != "__Meta"))
}

/// The names that are near to one, each told in its second form. Absinthe sorts them so that the nearest comes last.
fn near<'n>(name: &str, known: impl Iterator<Item = (&'n str, &'n str)>) -> String {
    if name.len() > LONGEST {
        return String::new();
    }
    let mut near: Vec<(f64, &str, &str)> = known
        .map(|(known, told)| (strsim::jaro(known, name), known, told))
        .filter(|(alike, ..)| *alike >= ALIKE)
        .collect();
    near.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(right.1)));
    if near.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = near.iter().map(|(.., told)| *told).collect();
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
