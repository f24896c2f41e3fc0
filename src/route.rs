//! Where a command goes: from a client's dialect, application and channel to an upstream and a channel there.
//!
//! Rules are tried in the order of their precision, never in the order of the file. The way back is here too: what an
//! upstream's channel is called by a client, and which channels a client sees at all, so that a list shows exactly the
//! channels that a send would reach. After `auth`, before `relay`; no IO, and no knowledge of what an upstream is.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::model::{Fault, Kind, LOCAL, Text, lower};

/// One `[[route]]`: what it is for, and where that goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRule {
    pub dialect: Pattern,
    /// The client's name of the channel, lower case.
    pub channel: Pattern,
    /// Only what this application sends.
    pub application: Option<Text>,
    pub to: Target,
    /// Durable copies, in the order of the file.
    pub copies: Vec<Target>,
    /// Clients see the upstream's own ids.
    pub native_ids: bool,
    /// A text that grows past the upstream's limit is sent in parts instead of being refused.
    pub split_long: bool,
    /// The client has its success once the message is stored, before the upstream has it.
    pub accept_stored: bool,
}

/// One name, or every name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pattern {
    #[default]
    Any,
    Exact(Text),
}

/// A channel at an upstream; any channel means the one of the name that the client used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Target {
    pub upstream: Text,
    pub channel: Pattern,
}

/// The choice for one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    pub upstream: Text,
    /// The channel as the upstream calls it.
    pub channel: Text,
    pub copies: Vec<Destination>,
    pub native_ids: bool,
    pub split_long: bool,
    pub accept_stored: bool,
}

/// A channel at an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    pub upstream: Text,
    pub channel: Text,
}

/// Something that a list over all channels of a client must read. No channel of an upstream is in two of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// All channels that the upstream lists and for which [`Routes::client_channel`] has a name.
    Every { upstream: Text },
    /// One channel, with the name that the client has for it.
    One {
        upstream: Text,
        channel: Text,
        client_channel: Text,
    },
}

/// All rules, ordered for the question that each request asks.
#[derive(Clone, Debug)]
pub struct Routes {
    /// The most precise first.
    rules: Vec<RouteRule>,
    /// The rules for one channel, by its name.
    exact: HashMap<Text, Vec<usize>>,
    /// The rules for every channel.
    any: Vec<usize>,
    /// The rules for one channel, by what it is called at the other end.
    back: HashMap<Text, Vec<usize>>,
}

impl Routes {
    /// Takes the rules in any order. Without a rule, everything goes to `local` under its own name.
    pub fn new(mut rules: Vec<RouteRule>) -> Routes {
        if rules.is_empty() {
            rules.push(RouteRule {
                to: Target {
                    upstream: LOCAL.into(),
                    channel: Pattern::Any,
                },
                ..RouteRule::default()
            });
        }
        // Stable, so that of two equal rules, which the configuration refuses, the first would win.
        rules.sort_by_key(|rule| Reverse(rule.precision()));
        let mut routes = Routes {
            exact: HashMap::new(),
            any: Vec::new(),
            back: HashMap::new(),
            rules,
        };
        for (at, rule) in routes.rules.iter().enumerate() {
            let Pattern::Exact(name) = &rule.channel else {
                routes.any.push(at);
                continue;
            };
            routes.exact.entry(name.clone()).or_default().push(at);
            let there = lower(&rule.to.destination(name).channel).into();
            routes.back.entry(there).or_default().push(at);
        }
        routes
    }

    /// Where a client's channel leads.
    ///
    /// # Errors
    /// `not_found.channel` if no rule is for it: what is not routed does not exist, and never falls back to `local`.
    pub fn select(&self, dialect: &str, application: &str, channel: &str) -> Result<Route, Fault> {
        let rule = self
            .winner(dialect, application, channel)
            .ok_or_else(|| Fault::client(Kind::Channel, "no such channel").value(channel))?;
        let to = rule.to.destination(channel);
        let copies = rule.copies.iter().map(|copy| copy.destination(channel));
        Ok(Route {
            upstream: to.upstream,
            channel: to.channel,
            copies: copies.collect(),
            native_ids: rule.native_ids,
            split_long: rule.split_long,
            accept_stored: rule.accept_stored,
        })
    }

    /// What a list over all channels of a client must read and merge.
    pub fn visible(&self, dialect: &str, application: &str) -> Vec<Source> {
        let mut sources = Vec::new();
        let mut whole = None;
        if let Some(rule) = self.winner_of(&self.any, dialect, application) {
            match &rule.to.channel {
                Pattern::Any => {
                    whole = Some(&rule.to.upstream);
                    sources.push(Source::Every {
                        upstream: rule.to.upstream.clone(),
                    });
                }
                Pattern::Exact(channel) => {
                    sources.extend(self.one(dialect, application, &rule.to.upstream, channel))
                }
            }
        }
        for rule in &self.rules {
            let Pattern::Exact(name) = &rule.channel else {
                continue;
            };
            if !rule.admits(dialect, application) || whole == Some(&rule.to.upstream) {
                continue;
            }
            let there = rule.to.destination(name);
            let one = self.one(dialect, application, &there.upstream, &there.channel);
            sources.extend(one.filter(|one| !sources.contains(one)));
        }
        sources
    }

    /// The client's name for a channel of an upstream: selecting that name leads back to the channel.
    ///
    /// `None` if the client cannot reach the channel.
    pub fn client_channel(
        &self,
        dialect: &str,
        application: &str,
        upstream: &str,
        channel: &str,
    ) -> Option<Text> {
        let folded = lower(channel);
        let named = self.back.get(folded.as_ref()).into_iter().flatten();
        let names = named.filter_map(|&at| match &self.rules[at].channel {
            Pattern::Exact(name) => Some(name.as_str()),
            Pattern::Any => None,
        });
        names
            .chain([channel])
            .find(|name| {
                let there = self
                    .winner(dialect, application, name)
                    .map(|rule| rule.to.destination(name));
                there.is_some_and(|there| {
                    there.upstream == upstream && lower(&there.channel) == folded
                })
            })
            .map(Text::from)
    }

    fn one(&self, dialect: &str, application: &str, upstream: &str, there: &str) -> Option<Source> {
        Some(Source::One {
            upstream: upstream.into(),
            channel: there.into(),
            client_channel: self.client_channel(dialect, application, upstream, there)?,
        })
    }

    fn winner(&self, dialect: &str, application: &str, channel: &str) -> Option<&RouteRule> {
        if channel.is_empty() {
            return None;
        }
        let exact = self.exact.get(lower(channel).as_ref());
        exact
            .and_then(|rules| self.winner_of(rules, dialect, application))
            .or_else(|| self.winner_of(&self.any, dialect, application))
    }

    fn winner_of(&self, among: &[usize], dialect: &str, application: &str) -> Option<&RouteRule> {
        among
            .iter()
            .map(|&at| &self.rules[at])
            .find(|rule| rule.admits(dialect, application))
    }
}

impl RouteRule {
    /// Are both rules for the same requests, so that neither is the more precise?
    pub fn rivals(&self, other: &RouteRule) -> bool {
        (&self.dialect, &self.channel, &self.application)
            == (&other.dialect, &other.channel, &other.application)
    }

    fn precision(&self) -> (bool, bool, bool) {
        (
            self.channel != Pattern::Any,
            self.dialect != Pattern::Any,
            self.application.is_some(),
        )
    }

    /// Is the rule for what this client sends, to whatever channel?
    fn admits(&self, dialect: &str, application: &str) -> bool {
        let same_dialect = match &self.dialect {
            Pattern::Any => true,
            Pattern::Exact(name) => name == dialect,
        };
        same_dialect
            && self
                .application
                .as_ref()
                .is_none_or(|name| name == application)
    }
}

impl Target {
    /// The channel that this means for a client's channel. Names in `local` are lower case; others keep their case.
    fn destination(&self, channel: &str) -> Destination {
        let channel = match &self.channel {
            Pattern::Exact(there) => there.clone(),
            Pattern::Any if self.upstream == LOCAL => lower(channel).into(),
            Pattern::Any => channel.into(),
        };
        Destination {
            upstream: self.upstream.clone(),
            channel,
        }
    }
}
