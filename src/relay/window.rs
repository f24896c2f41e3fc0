//! Windows that an upstream cannot be asked for: what it is asked for instead, and what of its answer is shown.
//!
//! One service counts from an end, another one has pages, a third shows all it has. Which of these an upstream's dialect
//! can say stands in its mapping; what it cannot say is made up for here, or refused where the answer would be another
//! than what was asked for.

mod excerpt;

use excerpt::{End, Excerpt};

use super::overlay::LOOKED_THROUGH;
use super::{Ask, Relay};
use crate::dialect::Dialect;
use crate::dialect::template::{Root, Source};
use crate::model::record::{Type, Typed as _};
use crate::model::{
    Command, Fault, Kind, List, Messages, Operation, Outcome, Reply, Text, Time, Window,
};

/// What a cursor begins with that stands for a message, by its id: of a list whose upstream has no cursors.
pub const BY_ID: &str = "sabir:";

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
    before_id: bool,
    after_id: bool,
    inclusive: bool,
    /// So many, and no more.
    length: bool,
    since: bool,
    until: bool,
    order: bool,
    author: bool,
    total: bool,
}

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
            before_id: of_window("before_id"),
            after_id: of_window("after_id"),
            inclusive: of_window("inclusive"),
            length: of_window("limit") || of_window("last"),
            since: of_window("since"),
            until: of_window("until"),
            order: of_window("order"),
            author: says(&["author"]),
            total,
        }
    }

    /// # Errors
    /// `invalid.field`: a cursor where the upstream's lists have none.
    fn excerpt(&self, list: &List, ends: [Option<End>; 2]) -> Result<Excerpt, Fault> {
        let mut asked = list.clone();
        let window = &mut asked.window;
        let from_oldest = window.from_oldest();
        for (cursor, field, known) in [
            (&mut window.before, "window.before", self.before),
            (&mut window.after, "window.after", self.after),
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
            pages: 1,
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
            true => (&mut excerpt.after, self.after_id, &mut window.after_id),
            false => (&mut excerpt.before, self.before_id, &mut window.before_id),
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
        let mut more = 0;
        if within || sifted || excerpt.counts {
            // It is looked for in what can be had.
            excerpt.skip = left_out(before);
            excerpt.pages = PAGES;
            more = (before + 1).max(LOOKED_THROUGH.saturating_sub(length));
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

    /// Is there more to be had than an answer shows?
    fn more(&self, window: &Window, page: &Messages) -> bool {
        let shown = page.messages.len() as i64;
        let asked = window.first.or(window.last).or(window.limit);
        let full = match self.page {
            Some(size) => shown >= size,
            None => self.length && asked.is_some_and(|asked| shown >= asked),
        };
        let goes_on = full || (self.before && !page.window.start.is_empty());
        page.window.has_previous.unwrap_or(goes_on)
    }

    /// Turns a question to what comes before its answer, if that can be asked for.
    fn turn_back(&self, window: &mut Window, page: &Messages) -> bool {
        if self.page.is_some() {
            window.page = Some(window.page.unwrap_or(1) + 1);
            return true;
        }
        if self.before && !page.window.start.is_empty() {
            window.before = page.window.start.clone();
            return true;
        }
        match page.messages.first() {
            Some(oldest) if self.before_id => {
                (window.before_id, window.inclusive) = (oldest.id.clone(), None);
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
        for _ in 0..excerpt.pages {
            let command = Command::List(asked.clone());
            let mut page = match self.ask(ask, &command).await? {
                Reply::Messages(page) => page,
                reply => return Ok(reply),
            };
            more = askable.more(&asked.window, &page);
            let goes_on = more && !excerpt.onward && askable.turn_back(&mut asked.window, &page);
            if let Some(newer) = found {
                page.messages.extend(newer.messages);
                page.window.end = newer.window.end;
            }
            let enough = excerpt.filled(&page.messages);
            found = Some(page);
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
