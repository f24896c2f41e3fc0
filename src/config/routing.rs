//! `[[route]]`: the rules that lead from a client's channel to an upstream's.
//!
//! Text becomes rules here, and rules that would be equally precise are refused. Which rule wins is decided by `route`.

use super::Reading;
use super::notes::{At, Place};
use super::table::Table;
use crate::model::{LOCAL, Text, lower};
use crate::route::{Pattern, RouteRule, Target};

impl Reading<'_> {
    pub(super) fn routes(&self, top: &mut Table<'_>) -> Vec<RouteRule> {
        let mut rules: Vec<(RouteRule, Place)> = Vec::new();
        for table in top.tables("route") {
            let place = table.place;
            let Some(rule) = self.route(table) else {
                continue;
            };
            if let Some((_, first)) = rules.iter().find(|(other, _)| other.rivals(&rule)) {
                let help = format!(
                    "the other is at {}; make one more precise, or take it away",
                    self.notes.name(*first)
                );
                self.notes
                    .at(place, "two routes are for the same requests", help);
            }
            rules.push((rule, place));
        }
        rules.into_iter().map(|(rule, _)| rule).collect()
    }

    fn route(&self, mut table: Table<'_>) -> Option<RouteRule> {
        let from = table.needed(
            "from",
            "say what the route is for: from = \"keyauth:lobby\"",
        );
        let to = table.needed("to", "say where it leads: to = \"local:*\"");
        let copies = table.texts("copy").unwrap_or_default();
        let application = table.text("application");
        if let Some(application) = &application {
            self.refer("application", application, &self.names.applications);
        }
        let native_ids = table.word("ids", &["native"]).is_some();
        let split_long = table.word("too_long", &["split"]).is_some();
        let accept_stored = table.word("accept", &["stored"]).is_some();
        for (key, written) in [
            ("copy", !copies.is_empty()),
            ("too_long", split_long),
            ("accept", accept_stored),
        ] {
            if let Some(node) = table.get(key).filter(|_| written) {
                self.not_yet(key, node.place);
            }
        }
        table.close();

        let from = from.and_then(|from| self.from(&from));
        let to = to.and_then(|to| self.target(&to));
        let copies = self.copies(&copies, to.as_ref());
        let (dialect, channel) = from?;
        Some(RouteRule {
            dialect,
            channel,
            application: application.map(|application| application.value),
            to: to?,
            copies,
            native_ids,
            split_long,
            accept_stored,
        })
    }

    /// A key that is understood and cannot be kept must not be taken for one that is.
    fn not_yet(&self, key: &str, place: Place) {
        let message = format!("Sabir cannot do what `{key}` asks for yet");
        self.notes.at(place, message, "take the key away");
    }

    /// `dialect:channel`, where either may be `*`. Both are compared in lower case.
    fn from(&self, text: &At<Text>) -> Option<(Pattern, Pattern)> {
        let (dialect, channel) = self.halves(text, "dialect:channel")?;
        let dialect = At {
            value: lower(dialect).into(),
            place: text.place,
        };
        if dialect.value != "*" {
            self.refer("dialect", &dialect, &self.names.dialects);
        }
        Some((pattern(&dialect.value), pattern(&lower(channel))))
    }

    /// `upstream:channel`. A channel keeps its case, because it is the upstream's own; only those of `local` have none.
    fn target(&self, text: &At<Text>) -> Option<Target> {
        let (upstream, channel) = self.halves(text, "upstream:channel")?;
        let upstream = At {
            value: lower(upstream).into(),
            place: text.place,
        };
        let channel = if upstream.value == LOCAL {
            pattern(&lower(channel))
        } else {
            self.refer("upstream", &upstream, &self.names.upstreams);
            pattern(channel)
        };
        Some(Target {
            upstream: upstream.value,
            channel,
        })
    }

    fn copies(&self, texts: &[At<Text>], to: Option<&Target>) -> Vec<Target> {
        let mut copies = Vec::new();
        for text in texts {
            let Some(copy) = self.target(text) else {
                continue;
            };
            if Some(&copy) == to || copies.contains(&copy) {
                let message = "this is where the message goes already";
                self.notes.at(text.place, message, "take the copy away");
            }
            copies.push(copy);
        }
        copies
    }

    fn halves<'t>(&self, text: &'t At<Text>, form: &str) -> Option<(&'t str, &'t str)> {
        let halves = text.value.split_once(':');
        let halves = halves.filter(|(left, right)| !left.is_empty() && !right.is_empty());
        if halves.is_none() {
            let message = format!("`{}` is not {form}", text.value);
            let help = "write both, with a colon between; `*` stands for every channel";
            self.notes.at(text.place, message, help);
        }
        halves
    }
}

fn pattern(name: &str) -> Pattern {
    match name {
        "*" => Pattern::Any,
        name => Pattern::Exact(name.into()),
    }
}
