//! A mapping's facts and doors.

use std::ops::Range;

use super::Loader;
use super::table::{Table, unknown};
use crate::dialect::escape::Style;
use crate::dialect::exchange::{BodyKind, Door, QueryKind, Seal};
use crate::model::Profile;
use crate::model::profile::{IdKind, Limit, Order, Part, Precision, TokenKind, Unit};

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
        let text_max = match table
            .get("text_max")
            .and_then(|value| Table::of(value, &mut self.problems))
        {
            Some(mut limit) => {
                let count = limit.int("count", &mut self.problems).unwrap_or(u32::MAX);
                let unit = limit.text("unit", &mut self.problems);
                let unit = self
                    .choice(unit, "unit", Unit::NAMES, Unit::from_name)
                    .unwrap_or_default();
                limit.finish(&mut self.problems);
                Some(Limit { count, unit })
            }
            None => None,
        };
        let needs = table.texts("needs", &mut self.problems);
        let needs = self.needs(needs);
        let ids = table.text("ids", &mut self.problems);
        let precision = table.text("precision", &mut self.problems);
        let order = table.text("order", &mut self.problems);
        let token = table.text("token", &mut self.problems);
        let query = table.text("query", &mut self.problems);
        let escape = table.text("escape", &mut self.problems);
        // Read before anything is written in it.
        if let Some(style) = self.choice(escape, "style", &["plain", "php"], |name| match name {
            "plain" => Some(Style::Plain),
            "php" => Some(Style::Php),
            _ => None,
        }) {
            self.style = style;
        }
        let query = self.choice(
            query,
            "kind of query",
            &["plain", "feathers"],
            |name| match name {
                "plain" => Some(QueryKind::Plain),
                "feathers" => Some(QueryKind::Feathers),
                _ => None,
            },
        );
        let (page_default, page_max) = self.pair(&mut table, "page", "default", "max");
        let (session_length, session_seconds) =
            self.pair(&mut table, "session", "length", "seconds");
        let profile = Profile {
            text_max,
            needs,
            ids: self
                .choice(ids, "kind of ids", IdKind::NAMES, IdKind::from_name)
                .unwrap_or_default(),
            precision: self
                .choice(
                    precision,
                    "precision",
                    Precision::NAMES,
                    Precision::from_name,
                )
                .unwrap_or_default(),
            history: table.int("history", &mut self.problems),
            page_default,
            page_max,
            order: self
                .choice(order, "order", Order::NAMES, Order::from_name)
                .unwrap_or_default(),
            lists_unknown: table
                .flag("lists_unknown", &mut self.problems)
                .unwrap_or_default(),
            token: self
                .choice(
                    token,
                    "kind of token",
                    TokenKind::NAMES,
                    TokenKind::from_name,
                )
                .unwrap_or_default(),
            token_seconds: table.int("token_seconds", &mut self.problems),
            session_length: session_length.unwrap_or(24),
            session_seconds: session_seconds.unwrap_or(86_400),
        };
        table.finish(&mut self.problems);
        (profile, query.unwrap_or_default())
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
        let owns = table.texts("owns", problems);
        let nonce = table.flag("nonce", problems).unwrap_or_default();
        let seal = table
            .get("seal")
            .and_then(|value| Table::of(value, problems));
        let seal = seal.and_then(|table| self.seal(table));
        table.finish(&mut self.problems);
        Door {
            name: name.map_or("", |(name, _)| name).into(),
            path: path.map_or("", |(path, _)| path).into(),
            owns: if owns.is_empty() {
                vec!["".into()]
            } else {
                owns.into_iter().map(|(prefix, _)| prefix.into()).collect()
            },
            nonce,
            seal,
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
