//! The walk through an upstream's list that finds a window: one question after the other, and what is told in the end.
//!
//! It goes back from the newest message, or onward from the oldest, or from where the window begins as far as the
//! upstream can be told. Pure: questions go out, answers come in.

use std::collections::HashSet;

use super::QUESTIONS;
use super::askable::Askable;
use super::part::End;
use super::plan::{Plan, beginning, no_cursor, turned};
use crate::model::{Fault, Kind, List, Message, Messages, Text, Window};

pub struct Walk<'a> {
    askable: &'a Askable,
    list: &'a List,
    plan: Plan,
    /// Questions that may still be asked.
    left: i64,
    /// The upstream has more where its last answer ended.
    more: bool,
    /// What was met already: others speak between two answers, and messages move from one into the next.
    met: HashSet<Text>,
    /// What the upstream tells of where the walk began, and the cursor where it has come to.
    near: Edge,
    reached: Text,
    total: Option<i64>,
}

/// What is told of an end: whether there is more beyond it, and the cursor there.
type Edge = (Option<bool>, Text);

impl<'a> Walk<'a> {
    /// # Errors
    /// `invalid.field`: a cursor where the upstream's lists have none.
    pub fn new(
        askable: &'a Askable,
        list: &'a List,
        ends: [Option<End>; 2],
    ) -> Result<Walk<'a>, Fault> {
        Ok(Walk {
            askable,
            list,
            plan: Plan::new(askable, list, ends)?,
            left: QUESTIONS,
            more: true,
            met: HashSet::new(),
            near: Edge::default(),
            reached: Text::default(),
            total: None,
        })
    }

    /// What is to be asked next; nothing if the window is found or cannot be.
    pub fn question(&self) -> Option<List> {
        (self.left > 0).then(|| self.plan.asked.clone())
    }

    pub fn answer(&mut self, page: Messages) {
        let Plan { asked, part, .. } = &mut self.plan;
        let (asked, onward) = (&mut asked.window, part.onward);
        let told = *page.window;
        let older = (told.has_previous, told.start);
        let (near, far) = turned(onward, older, (told.has_next, told.end));
        if self.left == QUESTIONS {
            (self.near, self.total) = (near, told.total);
        }
        // One that was asked for leads nowhere.
        let new = far.1 != *beginning(asked, onward).0;
        self.reached = if new { far.1 } else { Text::default() };
        let mut messages = page.messages;
        if !onward {
            messages.reverse();
        }
        let askable = self.askable;
        let way = askable.way(onward);
        self.more = match (way.tells_more, way.cursor) {
            (true, _) => far.0 == Some(true),
            (false, true) => !self.reached.is_empty(),
            (false, false) => askable.is_full(asked, &messages, told.total),
        };
        let goes_on = self.more && askable.follow(asked, onward, &self.reached, &messages);
        let met = |message: &Message| self.met.contains(&message.id);
        let again = messages.iter().rposition(met);
        for message in messages.drain(again.map_or(0, |at| at + 1)..) {
            self.met.insert(message.id.clone());
            part.meet(message);
        }
        let done = self.plan.filled() && (!self.plan.counts || self.plan.part.passed);
        self.left = if goes_on && !done { self.left - 1 } else { 0 };
    }

    /// # Errors
    /// `unsupported`: the window is further back than was looked; `invalid.field`: it begins or ends nowhere.
    pub fn shown(self) -> Result<Messages, Fault> {
        let (plan, asked) = (self.plan, &self.list.window);
        let lost = plan.part.lost().filter(|_| !self.more);
        if let Some(end) = lost {
            return Err(no_cursor(end.field));
        }
        let found = plan.found();
        if self.more && !plan.filled() && !(plan.fits && found >= plan.skip) {
            let why = "that is further back than this upstream can be asked for";
            return Err(Fault::client(Kind::Unsupported, why));
        }
        let part = plan.part;
        let mut messages = part.found;
        if !part.onward {
            messages.reverse();
        }
        // A cursor of the upstream's stands at the end of what it showed, not of what is left of that.
        let near = match part.near {
            Some(_) => Edge::default(),
            None => self.near,
        };
        let far = match part.passed {
            true => (Some(false), Text::default()),
            false => (Some(self.more), self.reached),
        };
        let (mut older, mut newer) = turned(part.onward, near, far);
        let (cut_older, cut_newer) = asked.cut(&mut messages, plan.skip, plan.length);
        for (edge, cut, cursor) in [
            (&mut older, cut_older, &asked.after),
            (&mut newer, cut_newer, &asked.before),
        ] {
            if cut {
                edge.1 = Text::default();
            }
            // Where a client's cursor is, a message is.
            if cut || !cursor.is_empty() {
                edge.0 = Some(true);
            }
        }
        let window = Window {
            limit: Some(plan.length),
            offset: asked.offset,
            count: Some(messages.len() as i64),
            total: match plan.counts {
                true => Some(found).filter(|_| !self.more || part.passed),
                false => self.total,
            },
            has_previous: older.0,
            has_next: newer.0,
            start: older.1,
            end: newer.1,
            ..Window::default()
        };
        Ok(Messages {
            messages,
            window: Box::new(window),
        })
    }
}

impl Askable {
    /// Did an answer show as much as was asked for, so that there may be more?
    fn is_full(&self, asked: &Window, messages: &[Message], total: Option<i64>) -> bool {
        let shown = messages.len() as i64;
        match (self.page, total) {
            (Some(page), _) => shown >= page,
            (None, Some(total)) if self.offset => {
                asked.offset.unwrap_or(0).saturating_add(shown) < total
            }
            (None, _) => self.length && asked.length().is_some_and(|length| shown >= length),
        }
    }

    /// Turns a question to what comes after its answer, if that can be asked for.
    fn follow(
        &self,
        asked: &mut Window,
        onward: bool,
        reached: &Text,
        messages: &[Message],
    ) -> bool {
        if self.page.is_some() {
            asked.page = Some(asked.page.unwrap_or(1).saturating_add(1));
            return true;
        }
        let (way, offset) = (self.way(onward), asked.offset.take().unwrap_or(0));
        let (cursor, id) = beginning(asked, onward);
        match messages.last() {
            _ if way.cursor && !reached.is_empty() => *cursor = reached.clone(),
            Some(last) if way.id => {
                (*cursor, *id) = (Text::default(), last.id.clone());
                asked.inclusive = None;
            }
            Some(_) if self.offset => {
                asked.offset = Some(offset.saturating_add(messages.len() as i64));
            }
            _ => return false,
        }
        true
    }
}
