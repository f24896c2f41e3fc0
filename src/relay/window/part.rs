//! The part of a list that a window is, picked out of the messages that are met on the way through an upstream's list.
//!
//! Messages come one by one in the order of the walk, which goes back or onward; nothing is asked here. What the
//! upstream was told to leave out is no condition of the part any more.

use std::cmp::Ordering;

use super::BY_ID;
use crate::model::{Message, Text, Time, Window};

#[derive(Debug, Default)]
pub(super) struct Part {
    /// Does the walk go from older to newer?
    pub onward: bool,
    /// The ends that the walk comes to first and last.
    pub near: Option<End>,
    pub far: Option<End>,
    pub since: Option<Time>,
    pub until: Option<Time>,
    pub author: Text,
    /// What was met of it, in the order of the walk.
    pub found: Vec<Message>,
    /// The near end is behind.
    pub begun: bool,
    /// The far end is behind.
    pub passed: bool,
    /// The message at the far end was met.
    pub ended: bool,
}

/// An end of a window that is a message.
#[derive(Clone, Debug)]
pub struct End {
    /// The window's field that names it.
    pub field: &'static str,
    pub id: Text,
    pub inclusive: bool,
    /// When it was created, as far as that is known. Not every service orders finer than this.
    pub second: Option<i64>,
}

impl Part {
    /// Are messages left out for what they are?
    pub fn sifts(&self) -> bool {
        self.since.is_some() || self.until.is_some() || !self.author.is_empty()
    }

    /// Takes the next message on the way. An end that is gone is known by its second, and what stands in that is taken.
    pub fn meet(&mut self, message: Message) {
        let mut within = !self.ended;
        if let Some(near) = &self.near {
            let place = near.place(&message, self.onward);
            if near.id == message.id {
                self.found.clear();
                self.begun = true;
                within &= near.inclusive;
            } else if !self.begun {
                self.begun = place == Some(Ordering::Greater);
                within &= place != Some(Ordering::Less);
            }
        }
        if let Some(far) = &self.far {
            let here = far.id == message.id;
            let beyond = far.place(&message, self.onward) == Some(Ordering::Greater);
            within &= !beyond && (!here || far.inclusive);
            self.ended |= here;
            self.passed |= here || beyond;
        }
        let at = message.created_at;
        let early = at.zip(self.since).is_some_and(|(at, since)| at < since);
        let late = at.zip(self.until).is_some_and(|(at, until)| at > until);
        self.passed |= if self.onward { late } else { early };
        let by = &message.author;
        let wanted = self.author.is_empty() || self.author == by.id || self.author == by.name;
        if within && wanted && !early && !late {
            self.found.push(message);
        }
    }

    /// An end that was not met, and whose place nothing tells.
    pub fn lost(&self) -> Option<&End> {
        let near = self.near.as_ref().filter(|_| !self.begun);
        let far = self.far.as_ref().filter(|_| !self.passed);
        let place = |end: &End, message| end.place(message, self.onward);
        let lost = |end: &&End| self.found.iter().any(|one| place(end, one).is_none());
        near.into_iter().chain(far).find(lost)
    }
}

impl End {
    /// The message that a window is to be after, or before. A cursor that names one is further on than what was asked
    /// for first.
    pub fn of(window: &Window, after: bool) -> Option<End> {
        let (cursor, id, fields) = match after {
            true => (
                &window.after,
                &window.after_id,
                ["window.after", "window.after_id"],
            ),
            false => (
                &window.before,
                &window.before_id,
                ["window.before", "window.before_id"],
            ),
        };
        let (field, id, inclusive) = match cursor.strip_prefix(BY_ID) {
            Some(id) => (fields[0], id, false),
            None => (fields[1], &**id, window.inclusive == Some(true)),
        };
        (!id.is_empty()).then(|| End {
            field,
            id: id.into(),
            inclusive,
            second: None,
        })
    }

    /// Where a message stands on a way to this end, as far as its time tells.
    fn place(&self, message: &Message, onward: bool) -> Option<Ordering> {
        let place = message.created_at?.seconds().cmp(&self.second?);
        Some(match onward {
            true => place,
            false => place.reverse(),
        })
    }
}
