//! Moderation in `local`: who is kept from speaking in a channel, since when and by whom.
//!
//! What was done is in the store before it is in force. Whether a person may speak is asked on every send, and so it is
//! answered from memory; the store is read at start alone. Who may moderate is decided before.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::{Local, no_person, unavailable};
use crate::model::{
    Fault, Kind, LOCAL, ListModerators, Moderate, Moderation, Moderations, Outcome, Participant,
    Participants, Person, Reply, Text, Time, Window, lower,
};
use crate::store::{Store, StoreError, Verdict};

/// Everyone who is or was barred, by channel and person.
#[derive(Default)]
pub struct Bars(RwLock<HashMap<(Text, Text), Bar>>);

#[derive(Clone, Copy, Default)]
struct Bar {
    until: Option<Time>,
    for_ever: bool,
}

impl Bars {
    /// Takes up who the store says is kept from speaking.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(store: &dyn Store) -> Result<Bars, StoreError> {
        let barred = store.barred(LOCAL).await?;
        let bars = barred.into_iter().map(|barred| {
            let bar = Bar {
                until: barred.until,
                for_ever: barred.for_ever,
            };
            ((barred.channel, barred.person), bar)
        });
        Ok(Bars(RwLock::new(bars.collect())))
    }

    fn change(&self, channel: &Text, person: &Text, change: impl FnOnce(&mut Bar)) {
        let mut bars = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(bars.entry((channel.clone(), person.clone())).or_default());
    }

    fn of(&self, channel: &str, person: &Text) -> Option<Bar> {
        let bars = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if bars.is_empty() {
            return None;
        }
        bars.get(&(channel.into(), person.clone())).copied()
    }
}

impl Local {
    /// May this person speak in a channel now?
    ///
    /// # Errors
    /// `forbidden.banned`, or `forbidden.muted` with its end.
    pub fn unbarred(&self, channel: &str, person: &Person, now: Time) -> Result<(), Fault> {
        let Some(bar) = self.bars.of(&lower(channel), &person.id) else {
            return Ok(());
        };
        if bar.for_ever {
            return Err(Fault::client(Kind::Banned, "banned from this channel"));
        }
        let Some(until) = bar.until.filter(|until| now < *until) else {
            return Ok(());
        };
        let mut fault = Fault::client(Kind::Muted, "may not speak in this channel for a while");
        fault.details.until = Some(until);
        // Rounded up: who waits so long may speak.
        fault.details.minutes = Some((until.0 - now.0 - 1) / 60_000_000 + 1);
        Err(fault)
    }

    pub(super) async fn moderate(&self, asked: &Moderate, by: &Person, now: Time) -> Outcome {
        let person = self
            .person(&asked.person, "")
            .ok_or_else(|| no_person(&asked.person))?;
        let (action, verdict, until) = deed(asked, now)?;
        let done = Moderation {
            action: action.into(),
            channel: lower(&asked.channel).into(),
            person: Box::new(person),
            moderator: Box::new(by.clone()),
            created_at: Some(now),
            until,
            ..Moderation::default()
        };
        let done = self
            .store
            .moderate(LOCAL, done, verdict)
            .await
            .map_err(unavailable)?
            .ok_or_else(|| Fault::client(Kind::Conflict, "the person is not banned"))?;
        self.bars
            .change(&done.channel, &done.person.id, |bar| match verdict {
                Verdict::Bars if until.is_none() => bar.for_ever = true,
                Verdict::Bars => bar.until = bar.until.max(until),
                Verdict::Frees => bar.for_ever = false,
                Verdict::Nothing => {}
            });
        Ok(Reply::Moderation(done.into()))
    }

    /// Bans, or all that was done, with the people as they are now known.
    pub(super) async fn moderations(&self, channel: &str, bans: bool, window: &Window) -> Outcome {
        let found = self
            .store
            .moderations(LOCAL, &lower(channel), bans, window)
            .await;
        let (mut moderations, window) = found.map_err(unavailable)?;
        for done in &mut moderations {
            for person in [&mut done.person, &mut done.moderator] {
                // Whoever has no account any more is still known by its id.
                **person = self.person(&person.id, "").unwrap_or_else(|| Person {
                    name: person.id.clone(),
                    ..(**person).clone()
                });
            }
        }
        Ok(Reply::Moderations(Moderations {
            moderations,
            window: Box::new(window),
        }))
    }

    /// The moderators that the operator named.
    pub(super) fn moderators(&self, list: &ListModerators) -> Outcome {
        let named = self.rule(&list.channel).map(|rule| &rule.moderators[..]);
        let participants: Vec<Participant> = named
            .unwrap_or_default()
            .iter()
            .filter_map(|name| self.person("", name))
            .map(|person| Participant {
                id: person.id.clone(),
                person,
                channel: list.channel.clone(),
                ..Participant::default()
            })
            .collect();
        let (participants, window) = crate::relay::page(participants, &list.window)?;
        Ok(Reply::Participants(Participants {
            participants,
            window: Box::new(window),
        }))
    }
}

/// What is done, by its name in the log, what that means for the person, and until when.
fn deed(asked: &Moderate, now: Time) -> Result<(&'static str, Verdict, Option<Time>), Fault> {
    let Some(deed) = asked.deed() else {
        return Err(match asked.action.as_str() {
            "timeout" => Fault::client(Kind::Field, "a timeout has a length").field("seconds"),
            other => {
                Fault::client(Kind::Unsupported, "moderators cannot do that here").value(other)
            }
        });
    };
    let verdict = match deed {
        "unban" => Verdict::Frees,
        _ => Verdict::Bars,
    };
    let until = asked.seconds.filter(|_| asked.action == "timeout");
    Ok((
        deed,
        verdict,
        until.map(|seconds| now.plus_seconds(seconds)),
    ))
}
