//! Windows that an upstream cannot be asked for: what it is asked for instead, and what of its answer is shown.
//!
//! One service counts from an end, another one has pages, a third shows all it has. Which of these an upstream's dialect
//! can say stands in its mapping; what it cannot say is made up for here, or refused where the answer would be another
//! than what was asked for.

use super::overlay::LOOKED_THROUGH;
use super::{Ask, Relay};
use crate::dialect::Dialect;
use crate::dialect::template::{Root, Source};
use crate::model::record::{Type, Typed as _};
use crate::model::{
    Command, Fault, Kind, List, Message, Messages, Operation, Outcome, Reply, Text, Time, Window,
};

/// Pages that are asked for at most to fill one window.
const PAGES: i64 = 5;

/// What the lists of an upstream's dialect can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Askable {
    /// Messages of a page, where there are pages.
    page: Option<i64>,
    /// The most that may be asked for.
    most: i64,
    offset: bool,
    ends: bool,
    before: bool,
    after: bool,
    since: bool,
    until: bool,
    order: bool,
    author: bool,
    total: bool,
}

/// A list as the upstream is asked for it, and what is then still to be done.
#[derive(Debug)]
struct Excerpt {
    asked: List,
    /// The pages that it takes, from `asked`'s own on.
    pages: i64,
    /// Messages of the answer that come before the window, at the end where it begins.
    skip: usize,
    length: Option<usize>,
    from_oldest: bool,
    /// The list's length is asked for, and what is found is counted here.
    counts: bool,
    since: Option<Time>,
    until: Option<Time>,
    author: Text,
}

impl Askable {
    pub fn of(dialect: &Dialect) -> Askable {
        let (mut placeholders, mut total) = (Vec::new(), false);
        let wants_total = path(&["window", "wants_total"]);
        for (_, exchange) in dialect.exchanges_of(Operation::List) {
            if exchange.role.calls() {
                exchange.parts.placeholders(&mut placeholders);
                let mut given = exchange.given.iter();
                total |= given.any(|(source, _)| *source.path == *wants_total);
            }
        }
        let says = |names: &[&str]| {
            let path = path(names);
            let it = |source: &Source| source.root == Root::This && *source.path == *path;
            placeholders
                .iter()
                .any(|one| it(&one.source) || one.otherwise.iter().any(it))
        };
        let of_window = |field| says(&["window", field]);
        let size = dialect.profile.page_default.map_or(1, i64::from);
        Askable {
            page: of_window("page").then_some(size.max(1)),
            most: dialect.profile.page_max.map_or(i64::MAX, i64::from),
            offset: of_window("offset"),
            ends: of_window("first") && of_window("last"),
            before: of_window("before"),
            after: of_window("after"),
            since: of_window("since"),
            until: of_window("until"),
            order: of_window("order"),
            author: says(&["author"]),
            total,
        }
    }

    /// # Errors
    /// `invalid.field`: a cursor where the upstream's lists have none.
    fn excerpt(&self, list: &List) -> Result<Excerpt, Fault> {
        let mut asked = list.clone();
        let window = &mut asked.window;
        for (cursor, field, known) in [
            (&window.before, "before", self.before),
            (&window.after, "after", self.after),
        ] {
            if !cursor.is_empty() && !known {
                let why = "it is not a cursor of this list";
                return Err(Fault::client(Kind::Field, why).field(field));
            }
        }
        let from_oldest = from_oldest(window);
        if window.limit == Some(0) {
            // Nothing else can be wanted of nothing.
            window.wants_total = Some(true);
        }
        let length = window.first.or(window.last).or(window.limit);
        let length = length.map(|length| length.max(0));
        // A cursor says by itself where to begin.
        let from_start = from_oldest && window.after.is_empty();
        if !self.ends {
            (window.first, window.last, window.limit) = (None, None, length);
        } else if from_start && !self.order {
            (window.first, window.limit) = (length, None);
        }
        // The answer is turned by it, so it stands only where it is asked for.
        window.order = match self.order {
            true => window.order.or(from_start.then_some(1)),
            false => None,
        };
        let excerpt = Excerpt {
            pages: 1,
            skip: 0,
            length: length.and_then(|length| usize::try_from(length).ok()),
            from_oldest,
            counts: window.wants_total == Some(true) && !self.total,
            since: window.since.filter(|_| !self.since),
            until: window.until.filter(|_| !self.until),
            author: match self.author {
                true => Text::default(),
                false => list.author.clone(),
            },
            asked,
        };
        let unordered = from_start && !self.ends && !self.order;
        Ok(self.reaching(excerpt, unordered))
    }

    /// Has what comes before the window left out, by the upstream or, where that cannot, by us; and as much asked for as
    /// the window is then found in.
    fn reaching(&self, mut excerpt: Excerpt, unordered: bool) -> Excerpt {
        let sifted = excerpt.sifts();
        let window = &mut excerpt.asked.window;
        let length = window.first.or(window.last).or(window.limit).unwrap_or(0);
        let before = match (window.page.take(), window.offset.take()) {
            (Some(page), _) => page.max(1).saturating_sub(1).saturating_mul(length),
            (None, offset) => offset.unwrap_or(0).max(0),
        };
        let left_out = |messages| usize::try_from(messages).unwrap_or(usize::MAX);
        let mut more = 0;
        if unordered || sifted || excerpt.counts {
            // It is looked for in what can be had.
            excerpt.skip = left_out(before);
            excerpt.pages = self.page.map_or(1, |_| PAGES);
            more = before.max(LOOKED_THROUGH.saturating_sub(length));
        } else if self.offset {
            window.offset = Some(before).filter(|before| *before > 0);
        } else if let Some(size) = self.page {
            let (first, end) = (before / size, before.saturating_add(length.max(1)));
            window.page = Some(first + 1);
            excerpt.skip = left_out(before % size);
            excerpt.pages = (end.saturating_sub(1) / size - first + 1).min(PAGES);
        } else {
            excerpt.skip = left_out(before);
            more = before;
        }
        for length in [&mut window.first, &mut window.last, &mut window.limit] {
            *length = length.map(|length| length.saturating_add(more).min(self.most));
        }
        excerpt
    }
}

impl Relay {
    /// A list, in as many questions as it takes.
    pub(super) async fn list(&self, ask: &Ask<'_>, list: &List) -> Outcome {
        let askable = &self.shared.askable[self.shared.upstreams[ask.at].config.dialect];
        let mut excerpt = askable.excerpt(list)?;
        let mut command = Command::List(std::mem::take(&mut excerpt.asked));
        let mut found: Option<Messages> = None;
        for _ in 0..excerpt.pages {
            let mut page = match self.ask(ask, &command).await? {
                Reply::Messages(page) => page,
                reply => return Ok(reply),
            };
            let last = (page.messages.len() as i64) < askable.page.unwrap_or(i64::MAX);
            if let Some(newer) = found {
                page.messages.extend(newer.messages);
            }
            found = Some(page);
            match &mut command {
                Command::List(List { window, .. }) if !last => {
                    window.page = Some(window.page.unwrap_or(1) + 1);
                }
                _ => break,
            }
        }
        let mut found = found.unwrap_or_default();
        excerpt.show(&mut found);
        let (asked, window) = (&list.window, &mut found.window);
        window.limit = asked.limit.or(asked.first).or(asked.last).or(window.limit);
        window.offset = asked.offset;
        Ok(Reply::Messages(found))
    }
}

impl Excerpt {
    /// The part of the answer that was asked for.
    fn show(&self, list: &mut Messages) {
        let messages = &mut list.messages;
        messages.retain(|message| self.wanted(message));
        let (skip, found) = (self.skip.min(messages.len()), messages.len());
        let length = self.length.unwrap_or(found).min(found - skip);
        let start = match self.from_oldest {
            true => skip,
            false => found - skip - length,
        };
        messages.truncate(start + length);
        messages.drain(..start);
        let window = &mut list.window;
        if self.counts {
            window.total = i64::try_from(found).ok();
        }
        if window.count.is_some() {
            window.count = i64::try_from(length).ok();
        }
        if start > 0 {
            window.has_previous = Some(true);
        }
        if start + length < found {
            window.has_next = Some(true);
        }
    }

    /// Are there messages that the upstream could not be told to leave out?
    fn sifts(&self) -> bool {
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

/// Does a list begin at its oldest end?
pub fn from_oldest(window: &Window) -> bool {
    let follows = !window.after.is_empty() && window.before.is_empty();
    window.first.is_some() || (window.last.is_none() && (window.order == Some(1) || follows))
}

/// The numbers of these fields, one within the other, in a command that lists messages.
fn path(names: &[&str]) -> Vec<u8> {
    let mut within = List::TYPE;
    let step = names.iter().map_while(|name| match within {
        Type::Record(schema) => {
            let (number, of) = schema.field(name)?;
            within = of;
            Some(number)
        }
        _ => None,
    });
    step.collect()
}
