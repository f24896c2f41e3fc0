//! Every window of a list, over every kind of upstream, shows what the store would show over the same messages.
//!
//! Upstreams are made up: what each can be asked for comes from the mappings and is changed at will, and they are as odd
//! as services are. Nothing is sent; `tests/paging.rs` asks by the wire.

#[path = "windows/service.rs"]
mod service;

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::Index;
use service::{Made, askable, made, number, odd, over};

use sabir::model::{Kind, List, Message, Messages, Text, Time, Window};
use sabir::relay::window::{BY_ID, Walk};
use sabir::store::window::slice;

/// What a list comes to over the store.
struct Local {
    ids: Vec<Text>,
    total: i64,
    older: bool,
    newer: bool,
}

/// The store knows a message's place even if it is gone.
fn at_home(messages: &[Message], list: &List) -> Local {
    let window = &list.window;
    let inclusive = window.inclusive == Some(true);
    let within = |one: &&Message| {
        let of = |id: &Text| number(&one.id).cmp(&number(id));
        let (before, after) = (&window.before_id, &window.after_id);
        (before.is_empty() || of(before).is_lt() || (inclusive && of(before).is_eq()))
            && (after.is_empty() || of(after).is_gt() || (inclusive && of(after).is_eq()))
            && window
                .since
                .is_none_or(|since| one.created_at >= Some(since))
            && window
                .until
                .is_none_or(|until| one.created_at <= Some(until))
            && (list.author.is_empty() || list.author == one.author.id)
    };
    let narrowed: Vec<&Message> = messages.iter().filter(within).collect();
    let row = |cursor: &Text| match cursor.strip_prefix(BY_ID) {
        None => Text::default(),
        Some(id) => {
            let row = narrowed.iter().position(|one| one.id == id);
            row.unwrap().to_string().into()
        }
    };
    let asked = Window {
        before: row(&window.before),
        after: row(&window.after),
        ..window.clone()
    };
    let total = narrowed.len() as i64;
    let part = slice(&asked, total, 1_000).unwrap();
    let end = part.start + part.count;
    let rows = &narrowed[part.start as usize..end as usize];
    Local {
        ids: rows.iter().map(|one| one.id.clone()).collect(),
        total,
        older: part.start > 0,
        newer: end < total,
    }
}

fn ids(list: &Messages) -> Vec<Text> {
    list.messages.iter().map(|one| one.id.clone()).collect()
}

/// What a window is made of: a form, a length, two messages, numbers for skipping, moments and what is rare.
type Wanted = (u8, i64, [Option<Index>; 2], [Option<i64>; 4], bool);

fn wanted() -> impl Strategy<Value = Wanted> {
    let message = || proptest::option::weighted(0.3, any::<Index>());
    let number = |chance, most: i64| proptest::option::weighted(chance, 0..most);
    let numbers = [
        number(0.3, 20),
        number(0.2, 80),
        number(0.2, 80),
        number(0.3, 3),
    ];
    (
        0_u8..5,
        0_i64..14,
        [message(), message()],
        numbers,
        any::<bool>(),
    )
}

fn list_of((form, length, ends, [skip, since, until, rare], flag): &Wanted, count: usize) -> List {
    let place = |end: &Option<Index>| end.as_ref().filter(|_| count > 0).map(|at| at.index(count));
    let mut places = [place(&ends[0]), place(&ends[1])];
    places.sort();
    if places[0] == places[1] {
        places[0] = None;
    }
    let id = |place: Option<usize>| place.map_or_else(Text::default, |at| format!("m{at}").into());
    let cursor = |place: Option<usize>| {
        let cursor = |at| format!("{BY_ID}m{at}").into();
        place.map_or_else(Text::default, cursor)
    };
    let mut list = List::default();
    let window = &mut list.window;
    match form {
        0 => (window.limit, window.offset) = (Some(*length), *skip),
        1 => (window.limit, window.page) = (Some(*length + 1), skip.map(|skip| skip / 4 + 1)),
        2 => {
            window.order = Some(if *flag { 1 } else { -1 });
            (window.limit, window.offset) = (Some(*length), *skip);
        }
        // The store's cursors are places in the list as it is narrowed.
        3 => (window.first, window.after) = (Some(*length), cursor(places[1])),
        _ => (window.last, window.before) = (Some(*length), cursor(places[1])),
    }
    if *form < 3 {
        (window.after_id, window.before_id) = (id(places[0]), id(places[1]));
        window.inclusive = flag.then_some(true);
        window.since = since.map(|at| Time::from_seconds(1_000 + at));
        window.until = until.map(|at| Time::from_seconds(1_000 + at));
        window.wants_total = (*rare == Some(1)).then_some(true);
        if *rare == Some(0) {
            list.author = "bob".into();
        }
    }
    list
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_window_shows_what_the_store_would(made in made(), wanted in wanted()) {
        let mut service = made.service();
        let list = list_of(&wanted, service.messages.len());
        let (window, local) = (&list.window, at_home(&service.messages, &list));
        let seen = service.messages.len() < service.reach();
        let shown = match over(&mut service, &list, &made.times()) {
            Err(fault) => {
                prop_assert!(fault.kind == Kind::Unsupported && !seen, "{}: {fault}", said(&list));
                return Ok(());
            }
            Ok(shown) => shown,
        };
        prop_assert_eq!(ids(&shown), local.ids, "{}", said(&list));
        let told = &shown.window;
        let older = (told.has_previous, local.older);
        let newer = (told.has_next, local.newer);
        let (near, far) = match window.from_oldest() {
            true => (older, newer),
            false => (newer, older),
        };
        let right = near.0.is_none_or(|told| told == near.1);
        prop_assert!(right, "{}: {told:?}", said(&list));
        // Where the last answer ends with the window, what follows may all be left out, or be nothing.
        prop_assert!(far.0 == Some(true) || !far.1, "{}: {told:?}", said(&list));
        // And where a cursor is, a message is.
        let by_cursor = !window.before.is_empty() || !window.after.is_empty();
        prop_assert!(near.0 == Some(true) || !by_cursor, "{}: {told:?}", said(&list));
        prop_assert_eq!(told.count, Some(shown.messages.len() as i64));
        if window.wants_total == Some(true) && (seen || told.total.is_some()) {
            prop_assert_eq!(told.total, Some(local.total), "{}", said(&list));
        }
    }

    #[test]
    fn a_list_is_followed_to_its_end_whatever_the_service_does(
        made in made(), odd in odd(), length in 1_i64..9, onward in any::<bool>(), deletes in any::<bool>(),
    ) {
        let mut made = Made { odd, ..made };
        // What is gone is known by its second.
        made.steps.iter_mut().for_each(|(step, _)| *step += i64::from(deletes));
        let mut service = made.service();
        let all: Vec<Text> = service.messages.iter().map(|one| one.id.clone()).collect();
        let (mut met, mut list) = (Vec::new(), List::default());
        let mut goes_on = true;
        while goes_on {
            prop_assert!(met.len() <= all.len() * 3 + 9, "there is no end: {met:?}");
            let size = Some(length);
            (list.window.first, list.window.last) = if onward { (size, None) } else { (None, size) };
            let shown = match over(&mut service, &list, &made.times()) {
                Err(fault) => {
                    let far = service.messages.len() >= service.reach();
                    prop_assert!(fault.kind == Kind::Unsupported && far, "{}: {fault}", said(&list));
                    return Ok(());
                }
                Ok(shown) => shown,
            };
            let told = &shown.window;
            let (more, cursor, last) = match onward {
                true => (told.has_next, &told.end, shown.messages.last()),
                false => (told.has_previous, &told.start, shown.messages.first()),
            };
            let new = shown.messages.last().is_some_and(|last| number(&last.id) >= all.len());
            // It may never end where others speak as fast as is read.
            goes_on = more == Some(true) && !(onward && new);
            met = if onward { [met, ids(&shown)].concat() } else { [ids(&shown), met].concat() };
            // As the gateway gives them to clients.
            let cursor = match last {
                Some(last) if cursor.is_empty() => {
                    if deletes && number(&last.id) < all.len() {
                        service.messages.retain(|one| one.id != last.id);
                    }
                    format!("{BY_ID}{}", last.id).into()
                }
                _ => cursor.clone(),
            };
            prop_assert!(!goes_on || !cursor.is_empty(), "nothing to go on from: {}", said(&list));
            list = List::default();
            *(if onward { &mut list.window.after } else { &mut list.window.before }) = cursor;
        }
        // What came meanwhile is no part of it, and what a service's own cursor leads back to is shown again.
        let mut once = HashSet::new();
        met.retain(|id| number(id) < all.len() && (once.insert(id.clone()) || service.odd.overlap == 0));
        prop_assert_eq!(met, all);
    }
}

/// So many messages, a second apart.
fn of(dialect: &str, size: usize, count: usize) -> Made {
    Made {
        dialect: service::DIALECTS
            .iter()
            .position(|name| *name == dialect)
            .unwrap(),
        changed: 0,
        size,
        steps: vec![(1, false); count],
        odd: service::Odd::default(),
    }
}

fn last(length: i64) -> List {
    let window = Window {
        last: Some(length),
        ..Window::default()
    };
    List {
        window,
        ..List::default()
    }
}

#[test]
fn an_end_that_is_nowhere_is_no_end_of_the_list() {
    let made = of("chats", 5, 9);
    for (before, id) in [(true, "m7"), (false, "m7")] {
        let mut list = last(3);
        *(if before {
            &mut list.window.before
        } else {
            &mut list.window.after_id
        }) = id.into();
        if before {
            list.window.before = format!("{BY_ID}{id}").into();
        }
        let mut service = made.service();
        service.messages.remove(7);
        let known = over(&mut service, &list, &made.times()).unwrap();
        assert_eq!(
            ids(&known),
            if before {
                ["m4", "m5", "m6"].as_slice()
            } else {
                &["m8"]
            }
        );
        list.window.last = Some(9);
        let fault = over(&mut service, &list, &[]).unwrap_err();
        let field = if before {
            "window.before"
        } else {
            "window.after_id"
        };
        assert_eq!((fault.kind, &*fault.details.field), (Kind::Field, field));
    }
}

#[test]
fn what_is_older_than_a_list_reaches_is_not_asked_for() {
    let made = of("chats", 5, 60);
    let mut service = made.service();
    let mut list = last(10);
    list.window.since = service.messages[57].created_at;
    let shown = over(&mut service, &list, &made.times()).unwrap();
    assert_eq!((ids(&shown).len(), service.asked), (3, 1));
    assert_eq!(shown.window.has_previous, Some(false));
}

#[test]
fn a_cursor_that_leads_to_itself_is_the_end() {
    let (matrix, list) = (askable("matrix"), last(5));
    let mut walk = Walk::new(&matrix, &list, [None, None]).unwrap();
    let mut asked = 0;
    while let Some(question) = walk.question() {
        assert_eq!(
            question.window.before,
            if asked == 0 { "" } else { "again" }
        );
        let mut page = Messages::default();
        page.window.start = "again".into();
        walk.answer(page);
        asked += 1;
    }
    let window = walk.shown().unwrap().window;
    assert_eq!(
        (asked, window.has_previous, &*window.start),
        (2, Some(false), "")
    );
}

#[test]
fn a_service_may_show_less_than_it_is_asked_for_if_it_says_how_much_there_is() {
    let made = of("rooms", 9, 12);
    let mut service = made.service();
    service.size = 4;
    let mut list = last(9);
    list.window.wants_total = Some(true);
    let shown = over(&mut service, &list, &made.times()).unwrap();
    assert_eq!((shown.messages.len(), service.asked), (9, 3));
    assert_eq!(
        (&*shown.messages[0].id, shown.window.total),
        ("m3", Some(12))
    );
}

#[test]
fn a_page_may_be_further_back_than_numbers_go() {
    let mut list = last(i64::MAX);
    (list.author, list.window.page) = ("somebody".into(), Some(i64::MAX));
    let made = of("chats", 20, 3);
    assert!(ids(&over(&mut made.service(), &list, &[]).unwrap()).is_empty());
}

/// A list, as far as it says anything.
fn said(list: &List) -> String {
    let all = format!("{list:?}");
    let told = |field: &&str| !field.ends_with("None") && !field.ends_with("\"\"");
    all.split(", ").filter(told).collect::<Vec<_>>().join(", ")
}
