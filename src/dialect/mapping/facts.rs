//! A mapping's facts and doors.
//!
//! Facts are a closed list: what is not in it is a mistake in the mapping, not a setting that nobody reads.

use std::ops::Range;

use super::Loader;
use super::table::{Table, unknown};
use crate::dialect::escape::Style;
use crate::dialect::exchange::{BodyKind, Door, QueryKind, Seal};
use crate::model::profile::{IdKind, Limit, Order, Part, Precision, TokenKind, Unit};
use crate::model::{Profile, Text};

impl Loader<'_> {
    /// A text that must be one of a closed list of names.
    fn choice<T>(
        &mut self,
        found: Option<(&str, Range<usize>)>,
        what: &str,
        names: &[&str],
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let (name, span) = found?;
        let value = read(name);
        if value.is_none() {
            unknown(&mut self.problems, span, what, name, names.iter().copied());
        }
        value
    }

    pub fn facts(&mut self, mut table: Table<'_, '_>) -> (Profile, QueryKind) {
        let query = self.spelling_of(&mut table);
        let needs = table.texts("needs", &mut self.problems);
        let (page_default, page_max) = self.pair(&mut table, "page", "default", "max");
        let (length, seconds) = self.pair(&mut table, "session", "length", "seconds");
        let profile = Profile {
            text_max: self.text_max(&mut table),
            needs: self.needs(needs),
            ids: self.word(&mut table, "ids", IdKind::NAMES, IdKind::from_name),
            precision: self.word(
                &mut table,
                "precision",
                Precision::NAMES,
                Precision::from_name,
            ),
            history: table.int("history", &mut self.problems),
            page_default,
            page_max,
            order: self.word(&mut table, "order", Order::NAMES, Order::from_name),
            lists_unknown: table
                .flag("lists_unknown", &mut self.problems)
                .unwrap_or_default(),
            token: self.word(&mut table, "token", TokenKind::NAMES, TokenKind::from_name),
            token_seconds: table.int("token_seconds", &mut self.problems),
            scopes: table
                .texts("scopes", &mut self.problems)
                .into_iter()
                .map(|(name, _)| name.into())
                .collect(),
            send_scope: self.scope(&mut table, "send_scope"),
            private_scope: self.scope(&mut table, "private_scope"),
            session_length: length.unwrap_or(24),
            session_seconds: seconds.unwrap_or(86_400),
        };
        table.finish(&mut self.problems);
        (profile, query)
    }

    /// The scope that something needs.
    fn scope(&mut self, table: &mut Table<'_, '_>, key: &'static str) -> Text {
        let found = table.text(key, &mut self.problems);
        found.map_or_else(Text::default, |(name, _)| name.into())
    }

    /// A fact that is one word of a closed list.
    fn word<T: Default>(
        &mut self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        names: &[&str],
        read: fn(&str) -> Option<T>,
    ) -> T {
        let found = table.text(key, &mut self.problems);
        self.choice(found, &format!("value of {key}"), names, read)
            .unwrap_or_default()
    }

    /// How text is written and queries are read: known before anything is written or read.
    fn spelling_of(&mut self, table: &mut Table<'_, '_>) -> QueryKind {
        self.style = self.word(table, "escape", &["plain", "php"], |name| match name {
            "plain" => Some(Style::Plain),
            "php" => Some(Style::Php),
            _ => None,
        });
        self.word(table, "query", &["plain", "feathers"], |name| match name {
            "plain" => Some(QueryKind::Plain),
            "feathers" => Some(QueryKind::Feathers),
            _ => None,
        })
    }

    fn text_max(&mut self, table: &mut Table<'_, '_>) -> Option<Limit> {
        let value = table.get("text_max")?;
        let mut limit = Table::of(value, &mut self.problems)?;
        let count = limit.int("count", &mut self.problems).unwrap_or(u32::MAX);
        let unit = self.word(&mut limit, "unit", Unit::NAMES, Unit::from_name);
        limit.finish(&mut self.problems);
        Some(Limit { count, unit })
    }

    fn pair(
        &mut self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        first: &'static str,
        second: &'static str,
    ) -> (Option<u32>, Option<u32>) {
        let Some(mut inner) = table
            .get(key)
            .and_then(|value| Table::of(value, &mut self.problems))
        else {
            return (None, None);
        };
        let pair = (
            inner.int(first, &mut self.problems),
            inner.int(second, &mut self.problems),
        );
        inner.finish(&mut self.problems);
        pair
    }

    fn needs(&mut self, groups: Vec<(&str, Range<usize>)>) -> Vec<Vec<Part>> {
        groups
            .into_iter()
            .map(|(group, span)| {
                group
                    .split('|')
                    .filter_map(|name| {
                        self.choice(
                            Some((name, span.clone())),
                            "part of a message",
                            Part::NAMES,
                            Part::from_name,
                        )
                    })
                    .collect()
            })
            .collect()
    }

    pub fn bodies(&mut self, names: Vec<(&str, Range<usize>)>) -> Vec<BodyKind> {
        let kinds: Vec<BodyKind> = names
            .into_iter()
            .filter_map(|found| {
                self.choice(
                    Some(found),
                    "kind of body",
                    &["json", "form", "multipart"],
                    |name| match name {
                        "json" => Some(BodyKind::Json),
                        "form" => Some(BodyKind::Form),
                        "multipart" => Some(BodyKind::Multipart),
                        _ => None,
                    },
                )
            })
            .collect();
        if kinds.is_empty() {
            vec![BodyKind::Json]
        } else {
            kinds
        }
    }

    pub fn door(&mut self, mut table: Table<'_, '_>) -> Door {
        let problems = &mut self.problems;
        let name = table.text("name", problems);
        let path = table.text("path", problems);
        if name.is_none() {
            problems.at(
                table.span.clone(),
                "a door needs a name",
                "add name = \"…\"",
            );
        }
        if let Some((known, span)) = &name
            && self.doors.iter().any(|door| door.name == *known)
        {
            problems.at(
                span.clone(),
                format!("there is a door `{known}` already"),
                "give it a name of its own",
            );
        }
        if let Some((path, span)) = &path
            && self.doors.iter().any(|door| *door.path == **path)
        {
            problems.at(
                span.clone(),
                "another door has this path already",
                "a path belongs to one door",
            );
        }
        if let Some((path, span)) = &path
            && !path.is_empty()
            && (!path.starts_with('/') || path.ends_with('/'))
        {
            problems.at(
                span.clone(),
                "a door's path begins with / and does not end with it",
                "write \"/api\", or \"\" for the root",
            );
        }
        // An empty list is not the same as none: such a door owns nothing but itself.
        let owns_given = table.get("owns").is_some();
        let owns = table.texts("owns", problems);
        let nonce = table.flag("nonce", problems).unwrap_or_default();
        let seal = table
            .get("seal")
            .and_then(|value| Table::of(value, problems));
        let seal = seal.and_then(|table| self.seal(table));
        let header = self.door_header(&mut table);
        let schema = self.door_schema(&mut table);
        table.finish(&mut self.problems);
        Door {
            name: name.map_or("", |(name, _)| name).into(),
            path: path.map_or("", |(path, _)| path).into(),
            owns: if owns.is_empty() && !owns_given {
                vec!["".into()]
            } else {
                owns.into_iter().map(|(prefix, _)| prefix.into()).collect()
            },
            nonce,
            seal,
            header,
            schema,
        }
    }

    fn seal(&mut self, mut table: Table<'_, '_>) -> Option<Seal> {
        let kind = table.text("kind", &mut self.problems);
        self.choice(kind, "seal", &["hmac_sha256_hex"], |name| {
            (name == "hmac_sha256_hex").then_some(())
        });
        let header = table.text("header", &mut self.problems);
        let missing = table
            .text("missing", &mut self.problems)
            .map_or("", |(text, _)| text);
        let header = match header.map(|(name, span)| (name.to_lowercase().parse(), span)) {
            Some((Ok(name), _)) => Some(name),
            Some((Err(_), span)) => {
                self.problems.at(
                    span,
                    "this is not a header's name",
                    "use letters, digits and dashes",
                );
                None
            }
            None => {
                self.problems.at(
                    table.span.clone(),
                    "a seal needs a header",
                    "add header = \"…\"",
                );
                None
            }
        };
        table.finish(&mut self.problems);
        Some(Seal {
            header: header?,
            missing: missing.into(),
        })
    }
}
