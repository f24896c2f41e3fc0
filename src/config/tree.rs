//! The file and the environment as one tree, in which every key and value knows its place.
//!
//! The file comes first; a variable `SABIR__LISTEN__PUBLIC` then takes the place of `public` in `[listen]`. What the
//! keys mean is not known here. The variables stand in a text of their own, one a line, so that a mistake in one is
//! shown like a mistake in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use config::Source as _;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::notes::{Notes, Origin, Place};
use super::secret::value_in_line;

/// What the names of Sabir's own variables start with.
const PREFIX: &str = "SABIR";
const SEPARATOR: &str = "__";

#[derive(Debug)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug)]
pub enum Value {
    Text(String),
    Integer(i64),
    List(Vec<Node>),
    Table(Vec<(Key, Node)>),
    /// From the environment: text, a number or a list, as the reader wants it.
    Variable(String),
    /// Something that no key wants, by the name of its type.
    Other(&'static str),
}

#[derive(Debug)]
pub struct Key {
    pub name: String,
    pub place: Place,
}

impl Node {
    /// Reads a file's text. A text that is no TOML is a problem, and the tree holds what could be understood.
    pub fn parse(text: &str, notes: &Notes) -> Node {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or_default();
            hide_line(text, span.start, notes);
            let place = Place::in_file(span);
            let help = match error.message() {
                "duplicate key" => "keep one of the two",
                _ => "a line is `key = value`, with texts in quotes, or a heading like [listen]",
            };
            notes.at(
                place,
                format!("this is not TOML: {}", error.message()),
                help,
            );
        }
        let span = 0..0;
        node(span, DeValue::Table(document.into_inner()))
    }

    /// Puts Sabir's own variables where they belong in the tree.
    pub fn overlay(&mut self, variables: &Variables, notes: &Notes) {
        for variable in &variables.found {
            let mut steps = variable.path.split('.').peekable();
            let mut at = &mut *self;
            while let Some(step) = steps.next() {
                let name = variable.name;
                at = match at.step(step, name) {
                    Ok(child) => child,
                    Err(kind) => {
                        notes.hide(variable.value_place);
                        let message = format!("a variable cannot reach into {kind}");
                        let help = match kind {
                            "a list" => "what is written as [[…]] can only be written in the file",
                            _ => "what comes before the last two underscores must be a table",
                        };
                        notes.at(name, message, help);
                        break;
                    }
                };
                if steps.peek().is_none() {
                    // It is not in force and will not be looked at: nobody would notice that it is a secret.
                    at.hide(notes);
                    *at = Node {
                        place: variable.value_place,
                        value: Value::Variable(variable.value.clone()),
                    };
                }
            }
        }
    }

    /// The child of that name, made when there is none.
    fn step(&mut self, name: &str, place: Place) -> Result<&mut Node, &'static str> {
        let kind = self.value.kind();
        let Value::Table(entries) = &mut self.value else {
            return Err(kind);
        };
        let at = match entries.iter().position(|(key, _)| key.name == name) {
            Some(at) => at,
            None => {
                let key = Key {
                    name: name.to_owned(),
                    place,
                };
                let value = Value::Table(Vec::new());
                entries.push((key, Node { place, value }));
                entries.len() - 1
            }
        };
        Ok(&mut entries[at].1)
    }

    /// No report may show what stands here.
    pub fn hide(&self, notes: &Notes) {
        match &self.value {
            Value::List(items) => items.iter().for_each(|item| item.hide(notes)),
            Value::Table(entries) => entries.iter().for_each(|(_, node)| node.hide(notes)),
            _ => notes.hide(self.place),
        }
    }

    /// The entries, if this is a table.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn child(&self, name: &str) -> Option<&Node> {
        let entry = self.entries().iter().find(|(key, _)| key.name == name);
        entry.map(|(_, node)| node)
    }

    /// The text, if this is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => Some(text),
            _ => None,
        }
    }

    /// The names that the tables of a list give themselves, whatever else may be wrong with them.
    pub fn names_in(&self, list: &str) -> impl Iterator<Item = &str> {
        let tables = match self.child(list).map(|node| &node.value) {
            Some(Value::List(tables)) => tables.as_slice(),
            _ => &[],
        };
        tables
            .iter()
            .filter_map(|table| table.child("name")?.text())
    }
}

impl Value {
    /// The type as a message calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) | Value::Variable(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}

/// Keeps a report from showing the secret that may stand in this line.
fn hide_line(text: &str, at: usize, notes: &Notes) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    if let Some(value) = value_in_line(line) {
        notes.hide(Place::in_file(start + value..start + line.len()));
    }
}

fn node(span: Range<usize>, value: DeValue<'_>) -> Node {
    Node {
        place: Place::in_file(span),
        value: match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Value::Other("a number beyond all bounds"), Value::Integer),
            DeValue::Float(_) => Value::Other("a fraction"),
            DeValue::Boolean(_) => Value::Other("true or false"),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => Value::List(list(items)),
            DeValue::Table(entries) => Value::Table(table(entries)),
        },
    }
}

fn list(items: DeArray<'_>) -> Vec<Node> {
    items.into_iter().map(spanned).collect()
}

fn table(entries: DeTable<'_>) -> Vec<(Key, Node)> {
    let key = |key: Spanned<std::borrow::Cow<'_, str>>| Key {
        place: Place::in_file(key.span()),
        name: key.into_inner().into_owned(),
    };
    entries
        .into_iter()
        .map(|(name, value)| (key(name), spanned(value)))
        .collect()
}

fn spanned(value: Spanned<DeValue<'_>>) -> Node {
    node(value.span(), value.into_inner())
}

/// Sabir's own variables of the environment, and the text that shows them.
#[derive(Debug, Default)]
pub struct Variables {
    pub text: String,
    found: Vec<Variable>,
}

#[derive(Debug)]
struct Variable {
    /// The keys on the way, with dots between.
    path: String,
    value: String,
    name: Place,
    value_place: Place,
}

impl Variables {
    /// Picks Sabir's own variables out of an environment.
    ///
    /// # Errors
    /// What the `config` crate has to say about them.
    pub fn pick(environment: &BTreeMap<String, String>) -> Result<Variables, config::ConfigError> {
        let own = config::Environment::with_prefix(PREFIX)
            .separator(SEPARATOR)
            .ignore_empty(true)
            .source(Some(
                environment
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            ))
            .collect()?;
        let sorted: BTreeMap<String, config::Value> = own.into_iter().collect();
        let mut variables = Variables::default();
        for (path, value) in sorted {
            variables.add(path, value.into_string()?);
        }
        Ok(variables)
    }

    fn add(&mut self, path: String, value: String) {
        let name = path.replace('.', SEPARATOR).to_uppercase();
        let start = self.text.len();
        self.text.push_str(&format!("{PREFIX}{SEPARATOR}{name} = "));
        let value_start = self.text.len();
        // One line each, whatever the value; what is read is the value itself.
        self.text.push_str(&value.replace(['\n', '\r'], " "));
        self.found.push(Variable {
            name: Place::of(Origin::Environment, start..value_start - " = ".len()),
            value_place: Place::of(Origin::Environment, value_start..self.text.len()),
            path,
            value,
        });
        self.text.push('\n');
    }
}
