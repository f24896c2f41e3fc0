//! What mappings have on the wire and nowhere else: names of members and texts that no code may know.

use std::collections::{BTreeMap, BTreeSet};

use sabir::model::record::{Schema, Type};
use sabir::model::{App, Arrival, Credential, Details, Kind, Operation, schema};

use super::source::{files, root, short};

/// Words that many languages and protocols have in common, and that are nobody's in particular.
const GENERAL: &str = "
    text/html payload
    accept allow application/json authorization bearer charset=utf-8 content content-type delete endpoint location
    method retry-after status user-agent version x-www-form-urlencoded
    __typename boolean errors integer locations mutation number object operationname string subscription variables
    default format offline option result source target unknown values
";

/// Every word and text of the mappings that is distinctive enough to belong to one of them.
pub fn wire_words() -> BTreeMap<String, String> {
    let mut ours = our_words();
    ours.extend(GENERAL.split_whitespace().map(str::to_owned));
    let mut found = Vec::new();
    for path in files(&root().join("mappings"), "toml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let mapping: toml::Table = text.parse().unwrap();
        let mut words = Vec::new();
        for (section, value) in &mapping {
            gather_section(section, value, &mut words, &mut ours);
        }
        found.extend(words.into_iter().map(|word| (word, short(&path))));
    }
    found.retain(|(word, _)| {
        word.chars().count() > 5
            && word.chars().any(char::is_alphabetic)
            && !ours.contains(&word.to_lowercase())
    });
    found.into_iter().collect()
}

/// The keys of an entry whose values are shapes on the wire; all others belong to the language.
const SHAPES: &str = "
    query form json header params form_json params_json query_json reply reply_header reply_text text also ok arguments
";

/// Tells what a section of a mapping has on the wire from what belongs to the language of mappings.
fn gather_section(
    section: &str,
    value: &toml::Value,
    words: &mut Vec<String>,
    language: &mut BTreeSet<String>,
) {
    language.insert(section.to_owned());
    match value {
        toml::Value::Array(entries) => entries
            .iter()
            .for_each(|entry| gather_section(section, entry, words, language)),
        toml::Value::Table(shapes) if matches!(section, "shape" | "type") => {
            for shape in shapes.values().filter_map(toml::Value::as_table) {
                for (key, value) in shape {
                    if !matches!(key.as_str(), "of" | "derive") {
                        words.extend(key.split('|').map(str::to_owned));
                        gather(value, words);
                    }
                }
            }
        }
        toml::Value::Table(entry) => {
            for (key, value) in entry {
                language.insert(key.clone());
                match key.as_str() {
                    key if section != "facts"
                        && SHAPES.split_whitespace().any(|shape| shape == key) =>
                    {
                        gather(value, words);
                    }
                    "graphql" if section == "fault" => gather(value, words),
                    "request" | "graphql" => {
                        for literal in literals(value.as_str().unwrap_or_default()) {
                            words.extend(literal.split([' ', '/', '|', '.']).map(str::to_owned));
                        }
                    }
                    _ => language.extend(value.as_str().map(str::to_owned)),
                }
            }
        }
        _ => {}
    }
}

/// The member names and the constant texts of a template.
fn gather(value: &toml::Value, words: &mut Vec<String>) {
    match value {
        toml::Value::Table(members) => {
            for (key, value) in members {
                words.extend(key.split('|').map(str::to_owned));
                gather(value, words);
            }
        }
        toml::Value::Array(elements) => elements.iter().for_each(|element| gather(element, words)),
        toml::Value::String(text) if !text.contains('{') => words.push(text.clone()),
        // A single word beside a placeholder is a piece of a sentence.
        toml::Value::String(text) => {
            words.extend(literals(text).into_iter().filter(|said| said.contains(' ')));
        }
        _ => {}
    }
}

/// What a text says outside of its placeholders, and in those that are nobody's field.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, piece) in text.split('{').enumerate() {
        let (inside, outside) = match piece.split_once('}') {
            Some(halves) if index > 0 => halves,
            _ => ("", piece),
        };
        // What stands for a missing field is ours to word; what is nobody's field is the wire's.
        let default = inside.strip_prefix("_|").unwrap_or_default();
        let default = default
            .rsplit_once(':')
            .map_or(default, |(default, _)| default);
        found.extend([default, outside].map(|literal| literal.trim_matches('"').to_owned()));
    }
    found
}

/// The model's own words, in lower case.
fn our_words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for operation in Operation::ALL {
        words.insert(operation.name().to_owned());
        add_fields(operation.command_schema(), &mut words);
        add_fields(operation.reply_schema(), &mut words);
    }
    for schema in [
        schema::<App>(),
        schema::<Arrival>(),
        schema::<Credential>(),
        schema::<Details>(),
    ] {
        add_fields(schema, &mut words);
    }
    for kind in Kind::ALL {
        words.extend(kind.name().split('.').map(str::to_owned));
    }
    words
}

fn add_fields(schema: &Schema, words: &mut BTreeSet<String>) {
    words.insert(schema.name.to_lowercase());
    for (name, kind) in schema.fields {
        if words.insert((*name).to_owned()) {
            add_type(kind, words);
        }
    }
}

fn add_type(kind: &Type, words: &mut BTreeSet<String>) {
    match kind {
        Type::Record(schema) => add_fields(schema, words),
        Type::List(item) => add_type(item, words),
        _ => {}
    }
}

/// Does a literal say what belongs to a mapping?
///
/// In prose a plain word is only a word; as a literal of its own, or in one without blanks, it is the wire's.
pub fn holds(literal: &str, wire: &str) -> bool {
    if wire.contains(' ') {
        return wire.chars().count() > 15 && literal.contains(wire);
    }
    let plain = wire.chars().all(|letter| letter.is_ascii_lowercase());
    if plain && literal.contains(char::is_whitespace) {
        return false;
    }
    literal.match_indices(wire).any(|(start, _)| {
        let before = literal[..start].chars().next_back();
        let after = literal[start + wire.len()..].chars().next();
        let inside = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}
