//! Secrets: named in the file, found in the environment or in a file of their own, never printed.
//!
//! A secret is resolved while the configuration is read, so that a missing one is a mistake with a place and not a
//! surprise at the first request. What stands in the configuration itself is starred out of every report.

use std::fs::File;
use std::io::Read;

use super::Reading;
use super::notes::{At, Place};
use super::table::Table;
use super::tree::{Node, Value};
use crate::diagnose::{nearest, suggest};
use crate::model::record::{Schema, Slot, Value as Field};
use crate::model::{Credential, Secret, Text, schema};

/// A secret is a line or a key, never a document.
const LONGEST: u64 = 64 * 1024;

/// The parts of a credential that name somebody and prove nothing.
const OPEN: &[&str] = &["username", "email", "client_id"];

impl Reading<'_> {
    /// What a key says about a secret, made into the secret itself.
    pub fn secret(&self, node: &Node, key: &str) -> Option<Secret> {
        match &node.value {
            Value::Table(_) => self.reference(node, key),
            Value::Text(text) => {
                node.hide(&self.notes);
                if !OPEN.contains(&key) {
                    let warning = format!(
                        "`{key}` stands in the file for all to read; write {{ env = \"NAME\" }} or {{ file = \"path\" }}"
                    );
                    self.notes.warn(node.place, &warning);
                }
                self.nonblank(text, key, node.place)
            }
            Value::Variable(text) => {
                node.hide(&self.notes);
                self.nonblank(text, key, node.place)
            }
            other => {
                node.hide(&self.notes);
                let message = format!("`{key}` must be a secret, not {}", other.kind());
                let help = "write { env = \"NAME\" } or { file = \"path\" }";
                self.notes.at(node.place, message, help);
                None
            }
        }
    }

    fn reference(&self, node: &Node, key: &str) -> Option<Secret> {
        let mut table = Table::open(self, node, format!("`{key}`"));
        let (env, file) = (table.text("env"), table.text("file"));
        let named = table.has("env") || table.has("file");
        table.close();
        match (env, file) {
            (Some(name), None) => self.in_variable(&name, key),
            (None, Some(path)) => self.in_file(&path, key),
            (Some(_), Some(path)) => {
                let message = format!("`{key}` has two sources");
                self.notes
                    .at(path.place, message, "keep `env` or `file`, not both");
                None
            }
            (None, None) => {
                if !named {
                    let message = format!("`{key}` does not say where the secret is");
                    let help = "write { env = \"NAME\" } or { file = \"path\" }";
                    self.notes.at(node.place, message, help);
                }
                None
            }
        }
    }

    fn in_variable(&self, name: &At<Text>, key: &str) -> Option<Secret> {
        match self.draft.environment.get(name.value.as_str()) {
            Some(value) => self.nonblank(value, key, name.place),
            None => {
                let message = format!("the variable `{}` is not set", name.value);
                let help = "set it before Sabir starts: variables are read once, at start";
                self.notes.at(name.place, message, help);
                None
            }
        }
    }

    fn in_file(&self, path: &At<Text>, key: &str) -> Option<Secret> {
        let full = self.draft.folder.join(path.value.as_str());
        self.draft.takes_in(full.clone());
        let mut text = String::new();
        let read = File::open(full).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        match read {
            Ok(length) if length as u64 == LONGEST => {
                let message = format!("the file with `{key}` is too long for a secret");
                self.notes.at(
                    path.place,
                    message,
                    "it holds the secret alone, on one line",
                );
                None
            }
            Ok(_) => self.nonblank(text.trim_end_matches(['\n', '\r']), key, path.place),
            Err(error) => {
                let message = format!("the file with `{key}` cannot be read: {error}");
                let help = "a path is taken from the configuration file's own folder";
                self.notes.at(path.place, message, help);
                None
            }
        }
    }

    fn nonblank(&self, text: &str, key: &str, place: Place) -> Option<Secret> {
        if text.trim().is_empty() {
            let message = format!("the secret of `{key}` is empty");
            self.notes
                .at(place, message, "an empty secret would let anybody in");
            return None;
        }
        Some(Secret(text.into()))
    }

    /// A table of what proves somebody, with the keys that the model's credential has.
    pub fn credential(&self, node: &Node, title: &str) -> Credential {
        let fields: &Schema = schema::<Credential>();
        let mut credential = Credential::default();
        for (key, value) in Table::open(self, node, title).named() {
            let Some((number, _)) = fields.field(&key.value) else {
                value.hide(&self.notes);
                let message = format!("a credential has no `{}`", key.value);
                let help = suggest(&key.value, fields.fields.iter().map(|(name, _)| *name));
                self.notes.at(key.place, message, help);
                continue;
            };
            if let Some(secret) = self.secret(value, &key.value) {
                // A credential holds texts alone, so that no value can be of the wrong type.
                let _ = credential.set(&[number], Field::Text(&secret.0));
            }
        }
        credential
    }
}

/// Where in a line of a file the value of a secret begins, if the line seems to hold one.
///
/// Of a line that is no TOML nobody knows what its words are, and yet it is about to be shown.
pub fn value_in_line(line: &str) -> Option<usize> {
    let fields = schema::<Credential>().fields.iter();
    let secrets = || {
        let names = fields.clone().map(|(name, _)| *name);
        names.filter(|name| !OPEN.contains(name))
    };
    let named = line
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .find(|word| nearest(word, secrets()).is_some())?;
    let after = line.find(named)? + named.len();
    Some(
        line[after..]
            .find('=')
            .map_or(after, |sign| after + sign + 1),
    )
}
