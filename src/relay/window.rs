//! Windows that an upstream cannot be asked for: what it is asked for instead, and what of its answer is shown.
//!
//! One service counts from an end, another one has pages, a third shows all it has. Which of these an upstream's dialect
//! can say stands in its mapping; what it cannot say is made up for here, or refused where the answer would be another
//! than what was asked for.

mod askable;
mod excerpt;

use std::collections::HashSet;

pub use askable::Askable;
use excerpt::{End, Excerpt};

use super::overlay::LOOKED_THROUGH;
use super::{Ask, Relay};
use crate::model::{
    Command, Fault, Kind, List, Message, Messages, Outcome, Reply, Text, Time, Window,
};

/// What a cursor begins with that stands for a message, by its id: of a list whose upstream has no cursors.
pub const BY_ID: &str = "sabir:";

/// Questions that are asked at most to fill one window.
const QUESTIONS: i64 = 6;

/// Where the upstream's answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// At an end of what it was asked for.
    AtItsEnd,
    /// Where the window does: it was told.
    Told,
    /// The window's beginning is somewhere within it.
    Anywhere,
}

impl Askable {
    /// # Errors
    /// `invalid.field`: a cursor where the upstream's lists have none.
    fn excerpt(&self, list: &List, ends: [Option<End>; 2]) -> Result<Excerpt, Fault> {
        let mut asked = list.clone();
        let window = &mut asked.window;
        let from_oldest = window.from_oldest();
        for (cursor, field, known) in [
            (&mut window.before, "window.before", self.back.cursor),
            (&mut window.after, "window.after", self.onward.cursor),
        ] {
            if cursor.starts_with(BY_ID) {
                cursor.clear();
            }
            if !cursor.is_empty() && !known {
                let why = "it is not a cursor of this list";
                return Err(Fault::client(Kind::Field, why).field(field));
            }
        }
        if window.limit == Some(0) {
            // Nothing else can be wanted of nothing.
            window.wants_total = Some(true);
        }
        let length = window.first.or(window.last).or(window.limit);
        let length = length.map(|length| length.max(0));
        let [before, after] = ends;
        let mut excerpt = Excerpt {
            told: false,
            searched: false,
            skip: 0,
            length: length.and_then(|length| usize::try_from(length).ok()),
            from_oldest,
            onward: false,
            counts: window.wants_total == Some(true) && !self.total,
            since: window.since.filter(|_| !self.since),
            until: window.until.filter(|_| !self.until),
            author: match self.author {
                true => Text::default(),
                false => list.author.clone(),
            },
            before,
            after,
            asked,
        };
        let begins = self.begin(&mut excerpt);
        let (from_oldest, within) = (excerpt.from_oldest, excerpt.beginning().is_some());
        let window = &mut excerpt.asked.window;
        let first = from_oldest && begins == Begins::AtItsEnd && !self.order;
        if !self.ends || begins == Begins::Anywhere {
            (window.first, window.last, window.limit) = (None, None, length);
        } else if first {
            (window.first, window.limit) = (length, None);
        }
        let unordered = from_oldest && (begins == Begins::Anywhere || (first && !self.ends));
        // The answer is turned by it, so it stands only where it is asked for.
        window.order = match begins {
            _ if !self.order || unordered => None,
            Begins::AtItsEnd if from_oldest => Some(1),
            _ => window.order,
        };
        excerpt.onward = excerpt.asked.window.from_oldest();
        excerpt.searched = within && (unordered || begins == Begins::Anywhere);
        Ok(self.reaching(excerpt, within || unordered))
    }

    /// Tells the upstream where the window begins, as far as it can be told.
    fn begin(&self, excerpt: &mut Excerpt) -> Begins {
        let window = &mut excerpt.asked.window;
        (window.before_id, window.after_id) = (Text::default(), Text::default());
        let inclusive = window.inclusive.take();
        let (end, known, id) = match excerpt.from_oldest {
            true => (&mut excerpt.after, self.onward.id, &mut window.after_id),
            false => (&mut excerpt.before, self.back.id, &mut window.before_id),
        };
        let Some(begin) = end else {
            // A cursor says by itself where to begin.
            return match window.after.is_empty() {
                true => Begins::AtItsEnd,
                false => Begins::Told,
            };
        };
        if known && (!begin.inclusive || self.inclusive) {
            *id = std::mem::take(&mut begin.id);
            window.inclusive = inclusive.filter(|_| begin.inclusive);
            *end = None;
            return Begins::Told;
        }
        // What was created in the same second is taken off again.
        let narrowed = begin.second.filter(|_| match excerpt.from_oldest {
            true => self.since,
            false => self.until,
        });
        match (excerpt.from_oldest, narrowed.map(Time::from_seconds)) {
            (_, None) => Begins::Anywhere,
            (true, since) => {
                window.since = window.since.max(since);
                Begins::AtItsEnd
            }
            (false, Some(second)) => {
                let until = second.plus_seconds(1);
                window.until = Some(window.until.map_or(until, |told| told.min(until)));
                Begins::Anywhere
            }
        }
    }

    /// Has what comes before the window left out, by the upstream or, where that cannot, by us; and as much asked for as
    /// the window is then found in.
    fn reaching(&self, mut excerpt: Excerpt, within: bool) -> Excerpt {
        let sifted = excerpt.sifts();
        let window = &mut excerpt.asked.window;
        let length = window.first.or(window.last).or(window.limit).unwrap_or(0);
        let before = match (window.page.take(), window.offset.take()) {
            (Some(page), _) => page.max(1).saturating_sub(1).saturating_mul(length),
            (None, offset) => offset.unwrap_or(0).clamp(0, i64::MAX - 1),
        };
        let left_out = |messages| usize::try_from(messages).unwrap_or(usize::MAX);
        let mut added = 0;
        if within || sifted || excerpt.counts {
            // It is looked for in what can be had.
            excerpt.skip = left_out(before);
            let least = LOOKED_THROUGH.saturating_sub(length);
            added = before.saturating_add(1).max(least);
        } else if self.offset {
            window.offset = Some(before).filter(|before| *before > 0);
            excerpt.told = self.length && length <= self.most;
        } else if let Some(size) = self.page {
            window.page = Some((before / size).saturating_add(1));
            excerpt.skip = left_out(before % size);
            excerpt.told = length.saturating_add(before % size) <= size.saturating_mul(QUESTIONS);
        } else {
            excerpt.skip = left_out(before);
            excerpt.told = self.length && length <= self.most && before == 0;
            added = before;
        }
        for length in [&mut window.first, &mut window.last, &mut window.limit] {
            *length = length.map(|length| length.saturating_add(added).min(self.most));
        }
        excerpt
    }

    /// Has the upstream more where its answer ends?
    fn more(&self, asked: &Window, page: &Messages, onward: bool) -> bool {
        let way = self.way(onward);
        let (told, cursor) = match onward {
            true => (page.window.has_next, &page.window.end),
            false => (page.window.has_previous, &page.window.start),
        };
        if way.tells_more {
            return told == Some(true);
        }
        if way.cursor && way.tells_cursor {
            return !cursor.is_empty();
        }
        let shown = page.messages.len() as i64;
        let asked = asked.first.or(asked.last).or(asked.limit);
        match self.page {
            Some(size) => shown >= size,
            None => self.length && asked.is_some_and(|asked| shown >= asked),
        }
    }

    /// Turns a question to what comes after its answer, on the way it goes, if that can be asked for.
    fn turn(&self, window: &mut Window, page: &Messages, onward: bool) -> bool {
        if self.page.is_some() {
            window.page = Some(window.page.unwrap_or(1).saturating_add(1));
            return true;
        }
        let way = self.way(onward);
        let (told, messages) = (&page.window, &page.messages);
        let (reached, last, cursor, id) = match onward {
            true => (
                &told.end,
                messages.last(),
                &mut window.after,
                &mut window.after_id,
            ),
            false => (
                &told.start,
                messages.first(),
                &mut window.before,
                &mut window.before_id,
            ),
        };
        if way.cursor && !reached.is_empty() {
            *cursor = reached.clone();
            return true;
        }
        match last {
            Some(last) if way.id => {
                *id = last.id.clone();
                *cursor = Text::default();
                window.inclusive = None;
                true
            }
            _ => false,
        }
    }
}

impl Relay {
    /// A list, in as many questions as it takes.
    pub(super) async fn list(&self, ask: &Ask<'_>, list: &List) -> Outcome {
        let askable = &self.shared.askable[self.shared.upstreams[ask.at].config.dialect];
        let window = &list.window;
        let ends = [
            self.end(ask, list, &window.before, &window.before_id)
                .await?,
            self.end(ask, list, &window.after, &window.after_id).await?,
        ];
        let mut excerpt = askable.excerpt(list, ends)?;
        let mut asked = std::mem::take(&mut excerpt.asked);
        let mut found: Option<Messages> = None;
        let mut more = true;
        for _ in 0..QUESTIONS {
            let command = Command::List(asked.clone());
            let page = match self.ask(ask, &command).await? {
                Reply::Messages(page) => page,
                reply => return Ok(reply),
            };
            more = askable.more(&asked.window, &page, excerpt.onward);
            let goes_on = more && askable.turn(&mut asked.window, &page, excerpt.onward);
            let whole = match found {
                None => page,
                Some(older) if excerpt.onward => joined(older, page),
                Some(newer) => joined(page, newer),
            };
            let enough = excerpt.enough(&whole.messages);
            found = Some(whole);
            if enough || !goes_on {
                break;
            }
        }
        let mut found = found.unwrap_or_default();
        excerpt.show(&mut found, more)?;
        let (asked, window) = (&list.window, &mut found.window);
        window.limit = asked.limit.or(asked.first).or(asked.last).or(window.limit);
        window.offset = asked.offset;
        Ok(Reply::Messages(found))
    }

    /// The message that a list begins or ends at; a cursor that names one is further on than what was asked for first.
    async fn end(
        &self,
        ask: &Ask<'_>,
        list: &List,
        cursor: &str,
        id: &str,
    ) -> Result<Option<End>, Fault> {
        let (id, inclusive) = match cursor.strip_prefix(BY_ID) {
            Some(id) => (id, false),
            None => (id, list.window.inclusive == Some(true)),
        };
        if id.is_empty() {
            return Ok(None);
        }
        let upstream = &self.shared.upstreams[ask.at].config.name;
        let numbers = &self.shared.ids.numbers;
        let created_at = numbers.moment(upstream, &list.channel, id).await?;
        Ok(Some(End {
            id: id.into(),
            inclusive,
            second: created_at.map(Time::seconds),
        }))
    }
}

/// Two answers as one. What was said while they were asked for may have moved messages from one into the other.
fn joined(mut older: Messages, newer: Messages) -> Messages {
    let shown: HashSet<&Text> = newer.messages.iter().map(|message| &message.id).collect();
    let again = |message: &Message| !message.id.is_empty() && shown.contains(&message.id);
    if let Some(at) = older.messages.iter().position(again) {
        older.messages.truncate(at);
    }
    older.messages.extend(newer.messages);
    older.window.end = newer.window.end;
    older.window.has_next = newer.window.has_next;
    older
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::builtin;

    fn askable(dialect: &str) -> Askable {
        let mut known = builtin::BUILTIN.iter();
        let (name, source, schema) = known.find(|(name, ..)| *name == dialect).unwrap();
        Askable::of(&builtin::compile(name, source, *schema).unwrap())
    }

    fn shown(ids: &[&str]) -> Messages {
        let message = |id: &&str| Message {
            id: (*id).into(),
            ..Message::default()
        };
        Messages {
            messages: ids.iter().map(message).collect(),
            ..Messages::default()
        }
    }

    #[test]
    fn a_question_goes_on_from_the_last_answer_alone() {
        let (slack, mut asked) = (askable("slack"), Window::default());
        let mut page = shown(&["c", "d"]);
        page.window.start = "on".into();
        assert!(slack.turn(&mut asked, &page, false));
        assert_eq!((&*asked.before, &*asked.before_id), ("on", ""));
        assert!(slack.turn(&mut asked, &shown(&["a", "b"]), false));
        assert_eq!((&*asked.before, &*asked.before_id), ("", "a"));
        assert!(!slack.turn(&mut asked, &shown(&[]), false));
    }

    #[test]
    fn what_moved_while_pages_were_read_is_shown_once() {
        let mut newer = shown(&["c", "d"]);
        newer.window.has_next = Some(true);
        newer.window.end = "end".into();
        let mut older = shown(&["a", "b", "c"]);
        older.window.start = "start".into();
        let whole = joined(older, newer);
        let ids: Vec<_> = whole.messages.iter().map(|one| &*one.id).collect();
        assert_eq!(ids, ["a", "b", "c", "d"]);
        assert_eq!(whole.window.has_next, Some(true));
        assert_eq!((&*whole.window.start, &*whole.window.end), ("start", "end"));
        for (older, newer, whole) in [
            (&["a"][..], &[][..], &["a"][..]),
            (&["d", "e", "f"], &["c", "d", "e"], &["c", "d", "e"]),
        ] {
            assert_eq!(joined(shown(older), shown(newer)), shown(whole));
        }
    }

    #[test]
    fn a_page_may_be_further_back_than_numbers_go() {
        let list = List {
            author: "somebody".into(),
            window: Window {
                page: Some(i64::MAX),
                limit: Some(i64::MAX),
                ..Window::default()
            },
            ..List::default()
        };
        let excerpt = askable("chats").excerpt(&list, [None, None]).unwrap();
        assert_eq!(excerpt.asked.window.limit, Some(20));
    }
}
