//! Reads one table, key by key, each as the type it must have.
//!
//! A key that was never asked for is unknown: what a part reads is the list of what may be written. Every reader gives
//! a usable value after a mistake too, so that reading goes on and finds the next one.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::notes::{At, Notes, Origin, Place};
use super::tree::{Key, Node, Value};
use super::{Draft, Reading};
use crate::diagnose::{nearest, suggest};
use crate::model::{Secret, Text};

pub struct Table<'t> {
    reading: &'t Reading<'t>,
    /// As the file has it: `[listen]`.
    title: String,
    pub place: Place,
    entries: &'t [(Key, Node)],
    asked: Vec<&'static str>,
    /// This is no table, which has been told: what it lacks needs no telling.
    broken: bool,
    /// What is unknown here may be a misspelt secret.
    has_secrets: bool,
}

impl<'t> Table<'t> {
    /// Starts reading a table; what is none is a problem and reads as an empty one.
    pub fn open(reading: &'t Reading<'t>, node: &'t Node, title: impl Into<String>) -> Table<'t> {
        let title = title.into();
        let broken = !matches!(node.value, Value::Table(_));
        if broken {
            node.hide(&reading.notes);
            let message = format!("{title} must be a table, not {}", node.value.kind());
            reading
                .notes
                .at(node.place, message, "a table is { key = value, … }");
        }
        Table {
            reading,
            title,
            place: node.place,
            entries: node.entries(),
            asked: Vec::new(),
            broken,
            has_secrets: false,
        }
    }

    /// Ends reading: what is left over is unknown.
    pub fn close(self) {
        for (key, node) in self.entries {
            if self.asked.contains(&key.name.as_str()) {
                continue;
            }
            if self.has_secrets || node.place.origin == Origin::Environment {
                node.hide(self.notes());
            }
            let message = match node.place.origin {
                Origin::File => format!("unknown key `{}` in {}", key.name, self.title),
                Origin::Environment => {
                    format!("this variable sets an unknown key of {}", self.title)
                }
            };
            let help = suggest(&key.name, self.asked.iter().copied());
            self.notes().at(key.place, message, help);
        }
    }

    /// All entries, where the keys are names that a person chose.
    pub fn named(mut self) -> Vec<(At<Text>, &'t Node)> {
        let entries = std::mem::take(&mut self.entries);
        let name = |key: &Key| At {
            value: Text::from(key.name.as_str()),
            place: key.place,
        };
        entries
            .iter()
            .map(|(key, node)| (name(key), node))
            .collect()
    }

    pub fn text(&mut self, key: &'static str) -> Option<At<Text>> {
        let node = self.get(key)?;
        match node.text() {
            Some(text) if text.trim().is_empty() => {
                let message = format!("`{key}` is empty");
                let help = "write something, or leave the key out";
                self.notes().at(node.place, message, help);
                None
            }
            Some(text) => Some(At {
                value: text.into(),
                place: node.place,
            }),
            None => {
                self.wrong(key, node, "text");
                None
            }
        }
    }

    /// A text that must be there; the help says what for.
    pub fn needed(&mut self, key: &'static str, help: &str) -> Option<At<Text>> {
        self.must_have(key, help);
        self.text(key)
    }

    pub fn needed_secret(&mut self, key: &'static str) -> Option<At<Secret>> {
        self.must_have(key, &format!("write {key} = {{ env = \"NAME\" }}"));
        self.secret(key)
    }

    fn must_have(&self, key: &str, help: &str) {
        if !self.broken && !self.has(key) {
            let message = format!("{} has no `{key}`", self.title);
            self.notes().at(self.place, message, help);
        }
    }

    /// A text without its place; empty when there is none.
    pub fn plain(&mut self, key: &'static str) -> Text {
        self.text(key).map(|text| text.value).unwrap_or_default()
    }

    /// One of the words that are known for the key.
    pub fn word(&mut self, key: &'static str, known: &[&'static str]) -> Option<&'static str> {
        let word = self.text(key)?;
        self.known_word(&word, key, known)
    }

    pub fn known_word(
        &self,
        word: &At<Text>,
        key: &str,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let found = known.iter().copied().find(|known| *known == word.value);
        if found.is_none() {
            let message = format!("`{}` is no word for `{key}`", word.value);
            let help = suggest(&word.value, known.iter().copied());
            self.notes().at(word.place, message, help);
        }
        found
    }

    pub fn whole(&mut self, key: &'static str, allowed: RangeInclusive<u32>) -> Option<u32> {
        let node = self.get(key)?;
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong(key, node, "a whole number");
            return None;
        };
        let fits = u32::try_from(number)
            .ok()
            .filter(|fits| allowed.contains(fits));
        if fits.is_none() {
            let (least, most) = (allowed.start(), allowed.end());
            let message = format!("`{key}` must be from {least} to {most}");
            self.notes().at(node.place, message, "");
        }
        fits
    }

    /// A list of texts; in a variable they are separated by commas.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<At<Text>>> {
        let node = self.get(key)?;
        let place = node.place;
        match &node.value {
            Value::List(items) => Some(self.items(key, items)),
            Value::Variable(text) => Some(
                text.split(',')
                    .map(|item| Text::from(item.trim()))
                    .map(|value| At { value, place })
                    .collect(),
            ),
            _ => {
                self.wrong(key, node, "a list of texts");
                None
            }
        }
    }

    fn items(&self, key: &str, items: &[Node]) -> Vec<At<Text>> {
        let mut texts = Vec::new();
        for item in items {
            match item.text() {
                Some(text) if !text.trim().is_empty() => texts.push(At {
                    value: text.into(),
                    place: item.place,
                }),
                Some(_) => self.notes().at(item.place, "this text is empty", ""),
                None => {
                    let message =
                        format!("`{key}` is a list of texts; this is {}", item.value.kind());
                    self.notes()
                        .at(item.place, message, "texts stand in quotes");
                }
            }
        }
        texts
    }

    pub fn table(&mut self, key: &'static str) -> Option<Table<'t>> {
        let node = self.get(key)?;
        Some(Table::open(self.reading, node, format!("`{key}`")))
    }

    /// The tables of a list, each under the heading that it has in a file.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'t>> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            node.hide(self.notes());
            let help = format!("write [[{key}]] with two brackets, once for each");
            let message = format!("`{key}` must be a list of tables");
            self.notes().at(node.place, message, help);
            return Vec::new();
        };
        items
            .iter()
            .map(|item| Table::open(self.reading, item, format!("[[{key}]]")))
            .collect()
    }

    /// A secret; empty when there is none.
    pub fn secret(&mut self, key: &'static str) -> Option<At<Secret>> {
        self.has_secrets = true;
        let node = self.get(key)?;
        let value = self.reading.secret(node, key)?;
        let place = node.place;
        Some(At { value, place })
    }

    /// A value whose type the caller knows.
    pub fn get(&mut self, key: &'static str) -> Option<&'t Node> {
        self.asked.push(key);
        let entries = self.entries;
        let entry = entries.iter().find(|(entry, _)| entry.name == key)?;
        Some(&entry.1)
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry.name == key)
    }

    fn wrong(&self, key: &str, node: &Node, wanted: &str) {
        let message = format!("`{key}` must be {wanted}, not {}", node.value.kind());
        let help = match wanted {
            "text" => "texts stand in quotes",
            "a list of texts" => "write [\"…\", \"…\"]",
            _ => "",
        };
        self.notes().at(node.place, message, help);
    }

    fn notes(&self) -> &'t Notes {
        &self.reading.notes
    }
}

/// The names that may be referred to. They are known before anything is read, so that the order does not matter.
#[derive(Debug, Default)]
pub struct Names {
    pub dialects: Vec<String>,
    pub upstreams: Vec<String>,
    pub accounts: Vec<String>,
    pub applications: Vec<String>,
}

impl Names {
    pub fn of(tree: &Node, dialects: &[&str]) -> Names {
        let upstreams = tree.child("upstream").map_or(&[][..], Node::entries);
        Names {
            dialects: dialects.iter().map(|name| (*name).to_owned()).collect(),
            upstreams: upstreams.iter().map(|(key, _)| key.name.clone()).collect(),
            accounts: tree.names_in("account").map(str::to_owned).collect(),
            applications: tree.names_in("application").map(str::to_owned).collect(),
        }
    }
}

impl<'a> Reading<'a> {
    pub fn new(draft: &'a Draft, notes: Notes, names: Names) -> Reading<'a> {
        Reading {
            notes,
            names,
            draft,
            taken: Default::default(),
        }
    }

    /// Is this one of the names? If not, it is a problem.
    pub fn refer(&self, what: &str, name: &At<Text>, known: &[String]) -> bool {
        let found = known.iter().any(|known| *known == name.value);
        if !found {
            let help = match (nearest(&name.value, known.iter().map(String::as_str)), what) {
                (None, "upstream") => "write it as [upstream.NAME], or use `local`".to_owned(),
                (None, "account" | "application") if known.is_empty() => {
                    format!("write it as [[{what}]]")
                }
                _ => suggest(&name.value, known.iter().map(String::as_str)),
            };
            let message = format!("there is no {what} `{}`", name.value);
            self.notes.at(name.place, message, help);
        }
        found
    }

    /// Two of a kind must differ in this. The value may be a secret, so it is not told.
    pub fn once(&self, kind: &str, key: &str, value: &str, place: Place) {
        if value.is_empty() {
            return;
        }
        let mut taken = self.taken.borrow_mut();
        let claim = (format!("{kind} {key}"), value.to_lowercase());
        match taken.get(&claim) {
            Some(first) => {
                let help = format!("the first is at {}", self.notes.name(*first));
                let message = format!("another {kind} has the same {key}");
                self.notes.at(place, message, help);
            }
            None => {
                taken.insert(claim, place);
            }
        }
    }
}

/// What has been given once, by what it is and its value.
pub type Taken = BTreeMap<(String, String), Place>;
