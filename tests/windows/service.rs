//! A chat service that is made up: its messages, what its lists can be asked for, and how it behaves.
//!
//! Of what it is asked it understands what its dialect can say and nothing else.

use proptest::prelude::*;

use sabir::dialect::builtin;
use sabir::model::{Fault, List, Message, Messages, Person, Text, Time};
use sabir::relay::window::{Askable, End, QUESTIONS, Walk};

/// Those that have lists.
pub const DIALECTS: [&str; 7] = [
    "keyauth", "rooms", "glimesh", "chats", "slack", "discord", "matrix",
];

pub fn askable(dialect: &str) -> Askable {
    let mut known = builtin::BUILTIN.iter();
    let (name, source, schema) = known.find(|(name, ..)| *name == dialect).unwrap();
    Askable::of(&builtin::compile(name, source, *schema).unwrap())
}

/// How a service is made up.
#[derive(Clone)]
pub struct Made {
    pub dialect: usize,
    /// What is changed of what that can be asked for.
    pub changed: u16,
    /// The most that it shows at once.
    pub size: usize,
    /// Of each message: how many seconds it is after the one before, and whether bob said it.
    pub steps: Vec<(i64, bool)>,
    pub odd: Odd,
}

/// What services may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odd {
    /// It shows less than it is asked for.
    pub cap: Option<usize>,
    /// So many messages are said before each further question.
    pub arrivals: usize,
    /// Each answer begins with so many that the one before has shown.
    pub overlap: usize,
    /// Every second answer is empty and leads on.
    pub gaps: bool,
    /// It says in so many words that there is no more.
    pub says_no: bool,
}

pub struct Service {
    pub askable: Askable,
    /// Oldest first.
    pub messages: Vec<Message>,
    pub size: usize,
    pub odd: Odd,
    /// How often it was asked for this list.
    pub asked: usize,
}

pub fn made() -> impl Strategy<Value = Made> {
    let steps = proptest::collection::vec((0_i64..3, any::<bool>()), 0..60);
    let changed = prop_oneof![Just(0), any::<u16>()];
    let (dialect, size) = (0..DIALECTS.len(), 1_usize..9);
    (dialect, changed, size, steps).prop_map(|(dialect, changed, size, steps)| Made {
        dialect,
        changed,
        size,
        steps,
        odd: Odd::default(),
    })
}

pub fn odd() -> impl Strategy<Value = Odd> {
    let cap = proptest::option::of(1_usize..5);
    (cap, 0_usize..4, 0_usize..3, any::<bool>(), any::<bool>()).prop_map(
        |(cap, arrivals, overlap, gaps, says_no)| Odd {
            cap,
            arrivals,
            overlap,
            gaps,
            says_no,
        },
    )
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = DIALECTS[self.dialect];
        write!(f, "{name} {:b} by {}, ", self.changed, self.size)?;
        write!(f, "{:?}, {:?}", self.odd, self.times())
    }
}

impl Made {
    /// When each message was said, in seconds.
    pub fn times(&self) -> Vec<i64> {
        let sum = |at: &mut i64, (step, _): &(i64, bool)| {
            *at += step;
            Some(*at)
        };
        self.steps.iter().scan(1_000, sum).collect()
    }

    fn askable(&self) -> Askable {
        thread_local! {
            static ALL: Vec<Askable> = DIALECTS.iter().map(|name| askable(name)).collect();
        }
        let mut askable = ALL.with(|all| all[self.dialect]);
        let facts = [
            &mut askable.since,
            &mut askable.until,
            &mut askable.author,
            &mut askable.order,
            &mut askable.inclusive,
            &mut askable.total,
            &mut askable.back.id,
            &mut askable.onward.id,
            &mut askable.back.tells_more,
            &mut askable.onward.tells_more,
            &mut askable.ends,
        ];
        for (bit, fact) in facts.into_iter().enumerate() {
            *fact ^= self.changed & (1 << bit) != 0;
        }
        askable
    }

    pub fn service(&self) -> Service {
        let (mut askable, mut odd, mut size) = (self.askable(), self.odd, self.size);
        if !askable.length && askable.page.is_none() {
            // All that it keeps.
            (size, odd) = (1_000, Odd::default());
        }
        askable.most = size as i64;
        askable.page = askable.page.map(|_| size as i64);
        // Answers that show nothing but what is newer than the one before are those of no service.
        let least = size.min(odd.cap.unwrap_or(size));
        odd.overlap = odd.overlap.min(least - 1);
        odd.arrivals = odd.arrivals.min(least - odd.overlap);
        let by = |bob: &bool| if *bob { "bob" } else { "eve" };
        let said = self.times().into_iter().zip(&self.steps).enumerate();
        Service {
            askable,
            messages: said
                .map(|(number, (at, (_, bob)))| message(number, at, by(bob)))
                .collect(),
            size,
            odd,
            asked: 0,
        }
    }
}

impl Service {
    /// How long a list may be so that all of it is surely seen.
    pub fn reach(&self) -> usize {
        let least = self.size.min(self.odd.cap.unwrap_or(self.size));
        let mut step = (least - self.odd.overlap).saturating_sub(self.odd.arrivals);
        if self.odd.gaps {
            step /= 2;
        }
        match self.askable.follows(true) && self.askable.follows(false) {
            true => step * QUESTIONS as usize,
            false => step,
        }
    }

    pub fn answer(&mut self, asked: &List) -> Messages {
        let (askable, window) = (self.askable, &asked.window);
        self.asked += 1;
        assert!(self.asked as i64 <= QUESTIONS, "too many questions");
        let size = window.length().unwrap();
        assert!((1..=askable.most).contains(&size), "{size} are no answer");
        assert!(
            window.order.is_none() || askable.order,
            "answers are turned"
        );
        if self.asked > 1 {
            self.arrive();
        }
        let (onward, mut rows) = self.rows(asked);
        let total = rows.len();
        if !onward {
            rows.reverse();
        }
        let mut skip = match askable.page {
            Some(_) => (window.page.unwrap_or(1) as usize - 1).saturating_mul(self.size),
            None if askable.offset => window.offset.unwrap_or(0) as usize,
            None => 0,
        };
        if self.asked > 1 {
            skip = skip.saturating_sub(self.odd.overlap);
        }
        rows.drain(..skip.min(total));
        let (left, way) = (rows.len(), askable.way(onward));
        // Pages have their size, and where nothing else tells of more, a short answer says that there is none.
        let cap = self.odd.cap.filter(|_| askable.page.is_none());
        let cap = cap.filter(|_| way.cursor || way.tells_more);
        rows.truncate(match askable.page {
            _ if way.cursor && self.odd.gaps && self.asked % 2 == 1 => 0,
            None if askable.length => cap.unwrap_or(self.size).min(size as usize),
            _ => self.size,
        });
        let more = rows.len() < left;
        let mut page = Messages::default();
        if way.cursor || way.tells_more {
            let cursor = match (rows.last(), onward) {
                _ if !more || !way.cursor => Text::default(),
                (Some(last), true) => cursor(last + 1 - self.odd.overlap.min(rows.len() - 1)),
                (Some(last), false) => cursor(last + self.odd.overlap.min(rows.len() - 1)),
                // Another one of the same place.
                (None, true) if window.after.is_empty() => cursor(0),
                (None, true) => format!("{}~", window.after).into(),
                (None, false) if window.before.is_empty() => cursor(self.messages.len()),
                (None, false) => format!("{}~", window.before).into(),
            };
            // That there is no more, some say by saying nothing.
            let more = Some(more).filter(|more| way.tells_more && (*more || self.odd.says_no));
            match onward {
                true => (page.window.has_next, page.window.end) = (more, cursor),
                false => (page.window.has_previous, page.window.start) = (more, cursor),
            }
        }
        if !onward {
            rows.reverse();
        }
        let told = askable.total && window.wants_total == Some(true);
        page.window.total = told.then_some(total as i64);
        page.messages = rows.iter().map(|at| self.messages[*at].clone()).collect();
        page
    }

    fn arrive(&mut self) {
        for _ in 0..self.odd.arrivals {
            let last = self.messages.last();
            let seconds = last.map_or(1_000, |last| last.created_at.unwrap().seconds());
            let number = last.map_or(0, |last| number(&last.id) + 1);
            self.messages.push(message(number, seconds + 1, "bob"));
        }
    }

    /// The messages of the list that is asked for, and whether it counts from the oldest.
    fn rows(&self, asked: &List) -> (bool, Vec<usize>) {
        let (askable, window) = (self.askable, &asked.window);
        let said = |text: &Text, way: bool| Some(text.clone()).filter(|it| way && !it.is_empty());
        let before = said(&window.before, askable.back.cursor);
        let after = said(&window.after, askable.onward.cursor);
        let before_id = said(&window.before_id, askable.back.id);
        let after_id = said(&window.after_id, askable.onward.id);
        let begins = after.is_some() || after_id.is_some();
        let onward = match (askable.ends, askable.order) {
            (true, _) => window.first.is_some(),
            (_, true) => window.order == Some(1),
            _ => begins && before.is_none() && before_id.is_none(),
        };
        let inclusive = askable.inclusive && window.inclusive == Some(true);
        let wanted = |(at, one): &(usize, &Message)| {
            let of = |id: &Text| number(&one.id).cmp(&number(id));
            let bound = |id: &Option<Text>, side| {
                id.as_ref()
                    .is_none_or(|id| of(id) == side || (inclusive && of(id).is_eq()))
            };
            let (since, until) = (window.since, window.until);
            before.as_ref().is_none_or(|cursor| *at < place(cursor))
                && after.as_ref().is_none_or(|cursor| *at >= place(cursor))
                && bound(&before_id, std::cmp::Ordering::Less)
                && bound(&after_id, std::cmp::Ordering::Greater)
                && (!askable.since || since.is_none_or(|since| one.created_at >= Some(since)))
                && (!askable.until || until.is_none_or(|until| one.created_at <= Some(until)))
                && (!askable.author || asked.author.is_empty() || asked.author == one.author.id)
        };
        let rows = self.messages.iter().enumerate().filter(wanted);
        (onward, rows.map(|(at, _)| at).collect())
    }
}

/// A cursor of the service, before the message in this place.
fn cursor(at: usize) -> Text {
    format!("c{at}").into()
}

fn place(cursor: &str) -> usize {
    let place = cursor.strip_prefix('c').unwrap();
    place.trim_end_matches('~').parse().unwrap()
}

pub fn number(id: &str) -> usize {
    id.strip_prefix('m').unwrap().parse().unwrap()
}

fn message(number: usize, seconds: i64, author: &str) -> Message {
    Message {
        id: format!("m{number}").into(),
        author: Person {
            id: author.into(),
            ..Person::default()
        },
        created_at: Some(Time::from_seconds(seconds)),
        ..Message::default()
    }
}

/// What a list comes to over a service; `times` are when its messages were said, as the ids' store knows them.
pub fn over(service: &mut Service, list: &List, times: &[i64]) -> Result<Messages, Fault> {
    let mut ends = [false, true].map(|after| End::of(&list.window, after));
    for end in ends.iter_mut().flatten() {
        end.second = times.get(number(&end.id)).copied();
    }
    let askable = service.askable;
    service.asked = 0;
    let mut walk = Walk::new(&askable, list, ends)?;
    while let Some(question) = walk.question() {
        walk.answer(service.answer(&question));
    }
    walk.shown()
}
