//! What of an upstream's answer is shown: the part that was asked for of the window.
//!
//! The upstream was asked before for enough of it, as far as it can be asked at all; here messages are only left out.

use std::ops::Range;

use crate::model::{Fault, Kind, List, Message, Messages, Text, Time, Window};

/// A list as the upstream is asked for it, and what is then still to be done.
#[derive(Debug)]
pub(super) struct Excerpt {
    pub asked: List,
    /// The questions are for all of the window and nothing else: where the answers fall short of it, and there is more,
    /// the upstream shows no more at once, or it goes on changing.
    pub told: bool,
    /// What the window is between, as far as the upstream was not told.
    pub before: Option<End>,
    pub after: Option<End>,
    /// The answer may fall short of where the window begins.
    pub searched: bool,
    /// Messages of the answer that come before the window, at the end where it begins.
    pub skip: usize,
    pub length: Option<usize>,
    pub from_oldest: bool,
    /// The answer goes on to what is newer than it.
    pub onward: bool,
    /// The list's length is asked for, and what is found is counted here.
    pub counts: bool,
    pub since: Option<Time>,
    pub until: Option<Time>,
    pub author: Text,
}

/// An end of a window that is a message.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub id: Text,
    pub inclusive: bool,
    /// When it was created, as far as that is known. Not every service orders finer than this.
    pub second: Option<i64>,
}

/// What of an answer is not shown.
struct Left {
    newer: bool,
    older: bool,
    /// What is older than the window's end is no part of it at all.
    all_older: bool,
}

impl End {
    fn place(&self, messages: &[Message]) -> Option<usize> {
        messages.iter().position(|message| message.id == self.id)
    }

    /// Is a message surely older than this one, which may be gone?
    fn follows(&self, message: &Message) -> bool {
        let (of, at) = (message.created_at.map(Time::seconds), self.second);
        of.is_some() && at.is_some() && of < at
    }

    /// Is a message surely newer?
    fn precedes(&self, message: &Message) -> bool {
        let (of, at) = (message.created_at.map(Time::seconds), self.second);
        of.is_some() && at.is_some() && of > at
    }

    /// Does a list that goes back, or onward, reach it?
    fn reached(&self, messages: &[Message], onward: bool) -> bool {
        let beyond = |message| match onward {
            true => self.precedes(message),
            false => self.follows(message),
        };
        self.place(messages).is_some() || messages.iter().any(beyond)
    }
}

impl Excerpt {
    /// The message where the window begins, if the upstream was not told of it.
    pub fn beginning(&self) -> Option<&End> {
        match self.from_oldest {
            true => self.after.as_ref(),
            false => self.before.as_ref(),
        }
    }

    /// Do these messages go past the end that the window has where they go on to?
    fn passed(&self, messages: &[Message]) -> bool {
        let mut moments = messages.iter().filter_map(|message| message.created_at);
        let (end, beyond) = match self.onward {
            true => (
                &self.before,
                self.until.is_some_and(|until| moments.any(|at| at > until)),
            ),
            false => (
                &self.after,
                self.since.is_some_and(|since| moments.any(|at| at < since)),
            ),
        };
        let reached = |end: &End| end.reached(messages, self.onward);
        beyond || end.as_ref().is_some_and(reached)
    }

    /// Is all that is shown of the window in these messages?
    fn filled(&self, messages: &[Message]) -> bool {
        if self.passed(messages) {
            return true;
        }
        if self.from_oldest && !self.onward {
            return false;
        }
        let begun = self.beginning().filter(|_| self.searched);
        let reached = begun.is_none_or(|begin| begin.reached(messages, false));
        let within = messages[self.bounds(messages)].iter();
        let wanted = within.filter(|message| self.wanted(message)).count();
        let unbounded = if self.told { 0 } else { usize::MAX };
        let length = self.length.unwrap_or(unbounded);
        reached && wanted >= length.saturating_add(self.skip)
    }

    /// Need no more be asked for?
    pub fn enough(&self, messages: &[Message]) -> bool {
        self.filled(messages) && (!self.counts || self.passed(messages))
    }

    fn bounds(&self, messages: &[Message]) -> Range<usize> {
        let stop = self.stop(messages);
        self.start(messages).min(stop)..stop
    }

    /// Where the messages end that stand before the window's end. One that is not there, because it was taken away, is
    /// known by when it was created.
    fn stop(&self, messages: &[Message]) -> usize {
        let Some(end) = &self.before else {
            return messages.len();
        };
        let newer = || messages.iter().position(|message| end.precedes(message));
        match end.place(messages) {
            Some(at) => at + usize::from(end.inclusive),
            None => newer().unwrap_or(messages.len()),
        }
    }

    fn start(&self, messages: &[Message]) -> usize {
        let Some(end) = &self.after else { return 0 };
        match end.place(messages) {
            Some(at) => at + usize::from(!end.inclusive),
            None => messages
                .iter()
                .rposition(|message| end.follows(message))
                .map_or(0, |at| at + 1),
        }
    }

    /// Leaves the part of the answer that was asked for; `more`: the upstream has more where the answer ends.
    ///
    /// # Errors
    /// `unsupported`: the window is further back than was looked.
    pub fn show(&self, list: &mut Messages, more: bool) -> Result<(), Fault> {
        let messages = &mut list.messages;
        if more && !self.told && !self.filled(messages) {
            return Err(too_far());
        }
        let counted = !more || self.passed(messages);
        let Range { start, end } = self.bounds(messages);
        let oldest = messages.first().and_then(|message| message.created_at);
        let mut left = Left {
            newer: end < messages.len(),
            older: false,
            all_older: start > 0 || (oldest.is_some() && oldest < self.since),
        };
        messages.truncate(end);
        messages.drain(..start);
        messages.retain(|message| self.wanted(message));
        let (skip, found) = (self.skip.min(messages.len()), messages.len());
        let length = self.length.unwrap_or(found).min(found - skip);
        let start = match self.from_oldest {
            true => skip,
            false => found - skip - length,
        };
        messages.truncate(start + length);
        messages.drain(..start);
        left.older = start > 0;
        left.newer |= start + length < found;
        let window = &mut list.window;
        if self.counts && counted {
            window.total = i64::try_from(found).ok();
        } else if self.sifts() {
            window.total = None;
        }
        if window.count.is_some() {
            window.count = i64::try_from(length).ok();
        }
        self.tell(window, &left, more);
        Ok(())
    }

    /// Says what there is before and after the part that is shown. A cursor of the upstream's stands at the end of what
    /// it showed, not of what is left.
    fn tell(&self, window: &mut Window, left: &Left, more: bool) {
        if left.older || left.all_older {
            window.has_previous = Some(left.older);
            window.start = Text::default();
        } else if !self.onward {
            window.has_previous = Some(more);
        }
        if left.newer {
            window.has_next = Some(true);
            window.end = Text::default();
        } else if self.onward {
            window.has_next = Some(more);
        }
    }

    /// Are there messages that the upstream could not be told to leave out?
    pub fn sifts(&self) -> bool {
        self.since.is_some() || self.until.is_some() || !self.author.is_empty()
    }

    fn wanted(&self, message: &Message) -> bool {
        let (at, by) = (message.created_at, &message.author);
        self.since
            .is_none_or(|since| at.is_none_or(|at| at >= since))
            && self
                .until
                .is_none_or(|until| at.is_none_or(|at| at <= until))
            && (self.author.is_empty() || self.author == by.id || self.author == by.name)
    }
}

fn too_far() -> Fault {
    let why = "that is further back than this upstream can be asked for";
    Fault::client(Kind::Unsupported, why)
}
