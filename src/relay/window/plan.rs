//! How a window is looked for in an upstream's list: what is asked first, and what is left to do with the answers.
//!
//! Each condition is told to the upstream where its lists can be asked so; otherwise it stays one of the part that is
//! picked out of what they show. Pure; [`walk`](super::walk) asks.

use super::askable::Askable;
use super::part::{End, Part};
use super::{BY_ID, LOOKED_THROUGH, QUESTIONS};
use crate::model::{Fault, Kind, List, Text, Time, Window};

#[derive(Debug)]
pub(super) struct Plan {
    pub asked: List,
    pub part: Part,
    /// The walk begins at the end that the window is counted from.
    pub in_order: bool,
    /// So many of the part are left out at that end, and so many shown.
    pub skip: i64,
    pub length: i64,
    /// All of the part is to be found, for the sake of their number.
    pub counts: bool,
    /// The questions are enough for the window, if the upstream shows as much as it can.
    pub fits: bool,
}

impl Plan {
    /// # Errors
    /// `invalid.field`: a cursor where the upstream's lists have none.
    pub fn new(
        askable: &Askable,
        list: &List,
        [before, after]: [Option<End>; 2],
    ) -> Result<Plan, Fault> {
        let window = &list.window;
        // Nothing else can be wanted of nothing.
        let wants_total = window.wants_total == Some(true) || window.limit == Some(0);
        let mut asked = List {
            window: Window {
                before: own(&window.before, askable.back.cursor, "window.before")?,
                after: own(&window.after, askable.onward.cursor, "window.after")?,
                since: window.since.filter(|_| askable.since),
                until: window.until.filter(|_| askable.until),
                wants_total: wants_total.then_some(true),
                ..Window::default()
            },
            ..list.clone()
        };
        let onward = window.from_oldest() && askable.leads_onward(&asked.window, after.as_ref());
        let (near, far) = turned(onward, after, before);
        let near = near.and_then(|near| askable.begin(&mut asked.window, near, onward));
        // The answer is turned by it, so it stands only where it is asked for.
        asked.window.order = match onward {
            _ if !askable.order => None,
            true => Some(1),
            false => window.order.filter(|order| *order < 0),
        };
        let bounded = near.is_some() || far.is_some();
        let mut part = Part {
            onward,
            begun: near.is_none(),
            near,
            far,
            since: window.since.filter(|_| !askable.since),
            until: window.until.filter(|_| !askable.until),
            ..Part::default()
        };
        // Ends are found among everybody's messages.
        if bounded || !askable.author {
            part.author = std::mem::take(&mut asked.author);
        }
        let whole = !bounded && !part.sifts();
        let length = window.length().unwrap_or(LOOKED_THROUGH).max(0);
        let mut plan = Plan {
            asked,
            part,
            in_order: onward == window.from_oldest(),
            skip: window.skipped(length),
            length,
            counts: wants_total && !(whole && askable.total),
            fits: false,
        };
        plan.measure(askable, whole);
        Ok(plan)
    }

    /// Has what is skipped left out by the upstream, if it can and nothing else is to be done; and asks for so much that
    /// the window is in it.
    fn measure(&mut self, askable: &Askable, whole: bool) {
        let (asked, onward) = (&mut self.asked.window, self.part.onward);
        let mut size = self.length;
        if !whole || !self.in_order || self.counts {
            size = size.saturating_add(self.skip).max(LOOKED_THROUGH);
        } else if askable.offset {
            asked.offset = Some(std::mem::take(&mut self.skip)).filter(|skip| *skip > 0);
        } else if let Some(page) = askable.page {
            asked.page = Some((self.skip / page).saturating_add(1));
            self.skip %= page;
        } else {
            size = size.saturating_add(self.skip);
        }
        // Services take none for a mistake, or for no limit.
        let size = Some(size.clamp(1, askable.most));
        match (askable.ends, onward) {
            (true, true) => asked.first = size,
            (true, false) => asked.last = size,
            (false, _) => asked.limit = size,
        }
        let most = askable.page.unwrap_or(askable.most);
        let reach = match askable.follows(onward) {
            true => most.saturating_mul(QUESTIONS),
            false => most,
        };
        let begins = self.part.near.is_none() && self.in_order && !self.part.sifts();
        self.fits = begins && self.needed() <= reach;
    }

    /// Is all that is shown of the window found?
    pub fn filled(&self) -> bool {
        let enough = self.in_order && self.found() >= self.needed();
        self.part.begun && (self.part.passed || enough)
    }

    fn needed(&self) -> i64 {
        self.length.saturating_add(self.skip)
    }

    pub fn found(&self) -> i64 {
        self.part.found.len() as i64
    }
}

impl Askable {
    /// Can the upstream be asked for what comes first after this end, or first of all?
    fn leads_onward(&self, asked: &Window, after: Option<&End>) -> bool {
        match after {
            _ if !asked.after.is_empty() => true,
            None => self.order || self.ends,
            Some(end) => {
                self.names(end, true) || (self.order && self.since && end.second.is_some())
            }
        }
    }

    /// Can a list be asked to begin at this end?
    fn names(&self, end: &End, onward: bool) -> bool {
        self.way(onward).id && (!end.inclusive || self.inclusive)
    }

    /// Tells the upstream where the window begins, as far as it can be told. Returns the end if it is still to be found.
    fn begin(&self, asked: &mut Window, near: End, onward: bool) -> Option<End> {
        if self.names(&near, onward) {
            asked.inclusive = near.inclusive.then_some(true);
            *beginning(asked, onward).1 = near.id;
            return None;
        }
        // What was created in the same second is taken off again.
        match (near.second.map(Time::from_seconds), onward) {
            (Some(second), true) if self.since => asked.since = asked.since.max(Some(second)),
            (Some(second), false) if self.until => {
                let until = second.plus_seconds(1);
                asked.until = Some(asked.until.map_or(until, |told| told.min(until)));
            }
            _ => {}
        }
        // A cursor is further on than what was asked for first.
        Some(near).filter(|_| beginning(asked, onward).0.is_empty())
    }
}

/// What comes first and last on the way, of what is older and what is newer; and the other way round.
pub(super) fn turned<T>(onward: bool, older: T, newer: T) -> (T, T) {
    match onward {
        true => (older, newer),
        false => (newer, older),
    }
}

/// The cursor and the message that a question begins at.
pub(super) fn beginning(asked: &mut Window, onward: bool) -> (&mut Text, &mut Text) {
    match onward {
        true => (&mut asked.after, &mut asked.after_id),
        false => (&mut asked.before, &mut asked.before_id),
    }
}

/// A cursor, if it is one of the upstream's own.
fn own(cursor: &Text, known: bool, field: &'static str) -> Result<Text, Fault> {
    if cursor.is_empty() || cursor.starts_with(BY_ID) {
        return Ok(Text::default());
    }
    match known {
        true => Ok(cursor.clone()),
        false => Err(no_cursor(field)),
    }
}

pub(super) fn no_cursor(field: &'static str) -> Fault {
    Fault::client(Kind::Field, "it is not a cursor of this list").field(field)
}
