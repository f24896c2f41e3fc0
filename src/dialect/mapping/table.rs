//! A TOML table with its places, read key by key.
//!
//! What nobody asked for is an error that names the nearest key. It knows TOML and nothing of mappings.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnose::{Problems, suggest};

pub type Value<'i> = Spanned<DeValue<'i>>;

/// A table being read.
pub struct Table<'t, 'i> {
    table: &'t DeTable<'i>,
    pub span: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'t, 'i> Table<'t, 'i> {
    pub fn new(table: &'t DeTable<'i>, span: Range<usize>) -> Table<'t, 'i> {
        Table {
            table,
            span,
            asked: Vec::new(),
        }
    }

    /// The value as a table; anything else is an error.
    pub fn of(value: &'t Value<'i>, problems: &mut Problems) -> Option<Table<'t, 'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::new(table, value.span())),
            other => {
                wrong_type(problems, value.span(), "table", other);
                None
            }
        }
    }

    pub fn get(&mut self, key: &'static str) -> Option<&'t Value<'i>> {
        self.asked.push(key);
        self.table
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| value)
    }

    pub fn text(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<(&'t str, Range<usize>)> {
        let value = self.get(key)?;
        text(value, problems).map(|text| (text, value.span()))
    }

    pub fn int(&mut self, key: &'static str, problems: &mut Problems) -> Option<u32> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Integer(int) if int.as_str().parse::<u32>().is_ok() => {
                int.as_str().parse().ok()
            }
            other => {
                wrong_type(problems, value.span(), "whole number from 0", other);
                None
            }
        }
    }

    pub fn flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                wrong_type(problems, value.span(), "true or false", other);
                None
            }
        }
    }

    /// One text or an array of texts.
    pub fn texts(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Vec<(&'t str, Range<usize>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(array) => array
                .iter()
                .filter_map(|value| Some((text(value, problems)?, value.span())))
                .collect(),
            _ => text(value, problems)
                .map(|text| vec![(text, value.span())])
                .unwrap_or_default(),
        }
    }

    /// The elements of an array; anything else is an error.
    pub fn array(&mut self, key: &'static str, problems: &mut Problems) -> Vec<&'t Value<'i>> {
        match self.get(key).map(|value| (value.get_ref(), value.span())) {
            None => Vec::new(),
            Some((DeValue::Array(elements), _)) => elements.iter().collect(),
            Some((other, span)) => {
                wrong_type(problems, span, "array", other);
                Vec::new()
            }
        }
    }

    /// The tables of an array of tables.
    pub fn tables(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Table<'t, 'i>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        tables(value, problems)
    }

    /// Reports all but the first of keys that exclude each other.
    pub fn only_one(&self, keys: &[&str], what: &str, problems: &mut Problems) {
        let mut found = self
            .table
            .iter()
            .filter(|(name, _)| keys.contains(&name.get_ref().as_ref()));
        let Some((first, _)) = found.next() else {
            return;
        };
        for (name, _) in found {
            let message = format!("{what} has `{}` already", first.get_ref());
            problems.at(
                name.span(),
                message,
                format!("keep one of `{}`", keys.join("`, `")),
            );
        }
    }

    /// Every member that was not asked for.
    pub fn rest(&self) -> impl Iterator<Item = (&'t str, Range<usize>, &'t Value<'i>)> {
        self.table
            .iter()
            .filter(|(name, _)| !self.asked.contains(&name.get_ref().as_ref()))
            .map(|(name, value)| (name.get_ref().as_ref(), name.span(), value))
    }

    /// Reports every member that was not asked for.
    pub fn finish(self, problems: &mut Problems) {
        for (name, span, _) in self.rest() {
            unknown(problems, span, "key", name, self.asked.iter().copied());
        }
    }
}

/// The tables of an array of tables.
pub fn tables<'t, 'i>(value: &'t Value<'i>, problems: &mut Problems) -> Vec<Table<'t, 'i>> {
    match value.get_ref() {
        DeValue::Array(array) => array
            .iter()
            .filter_map(|value| Table::of(value, problems))
            .collect(),
        other => {
            wrong_type(problems, value.span(), "array of tables", other);
            Vec::new()
        }
    }
}

pub fn text<'t>(value: &'t Value<'_>, problems: &mut Problems) -> Option<&'t str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text),
        other => {
            wrong_type(problems, value.span(), "text", other);
            None
        }
    }
}

fn wrong_type(problems: &mut Problems, span: Range<usize>, wanted: &str, found: &DeValue<'_>) {
    let (a, help) = match wanted {
        "table" => ("a", "write { name = value }"),
        "array" => ("an", "write [ … ]"),
        "array of tables" => ("an", "put [[ ]] around the name and the lines below it"),
        "text" => ("", "write it in quotes"),
        "true or false" => ("", "write one of the two without quotes"),
        _ => ("a", "write digits without quotes"),
    };
    let wanted = format!("{a} {wanted}");
    let message = format!(
        "this must be {}, not {}",
        wanted.trim_start(),
        found.type_str()
    );
    problems.at(span, message, help);
}

/// Reports a name that is not among the known ones, with the nearest or all of them.
pub fn unknown<'n>(
    problems: &mut Problems,
    span: Range<usize>,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) {
    problems.at(
        span,
        format!("unknown {what} `{name}`"),
        suggest(name, known),
    );
}
