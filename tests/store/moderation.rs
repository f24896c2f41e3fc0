//! What moderators did, and whom that keeps from speaking.

use super::*;

fn done(channel: &str, person: &str, action: &str, until: Option<Time>) -> Moderation {
    let somebody = |id: &str| Person {
        id: id.into(),
        ..Person::default()
    };
    Moderation {
        channel: channel.into(),
        person: Box::new(somebody(person)),
        moderator: Box::new(somebody("mod")),
        action: action.into(),
        created_at: Some(at(1)),
        until,
        ..Moderation::default()
    }
}

fn barred(channel: &str, person: &str, until: Option<Time>, for_ever: bool) -> Barred {
    Barred {
        channel: channel.into(),
        person: person.into(),
        until,
        for_ever,
    }
}

fn actions(found: &(Vec<Moderation>, Window)) -> Vec<&str> {
    let actions = found.0.iter();
    actions.map(|done| done.action.as_str()).collect()
}

pub async fn deeds_are_logged_and_bar(store: &dyn Store) {
    let short = done("a", "x", "short_timeout", Some(at(300)));
    let kept = store.moderate(LOCAL, short.clone(), Verdict::Bars).await;
    let kept = kept.unwrap().unwrap();
    assert_eq!(
        kept,
        Moderation {
            id: kept.id.clone(),
            ..short.clone()
        }
    );
    for (done, verdict) in [
        (done("a", "x", "long_timeout", Some(at(900))), Verdict::Bars),
        (done("a", "y", "delete_message", None), Verdict::Nothing),
        (done("b", "x", "ban", None), Verdict::Bars),
    ] {
        let id = store.moderate(LOCAL, done, verdict).await.unwrap();
        assert_ne!(id.unwrap().id, kept.id);
    }
    let everything = Window::default();
    let log = store.moderations(LOCAL, "a", false, &everything).await;
    let log = log.unwrap();
    assert_eq!(
        actions(&log),
        ["short_timeout", "long_timeout", "delete_message"]
    );
    assert_eq!(
        log.0[0],
        Moderation {
            cursor: "0".into(),
            ..kept
        }
    );
    let bans = store.moderations(LOCAL, "a", true, &everything).await;
    assert_eq!(actions(&bans.unwrap()), ["short_timeout", "long_timeout"]);
    let last = Window {
        last: Some(1),
        ..Window::default()
    };
    let last = store.moderations(LOCAL, "a", false, &last).await.unwrap();
    assert_eq!(actions(&last), ["delete_message"]);
    assert_eq!(
        (last.1.total, last.1.has_previous, last.1.start.as_str()),
        (Some(3), Some(true), "2")
    );
    let mut found = store.barred(LOCAL).await.unwrap();
    found.sort_by(|left, right| left.channel.cmp(&right.channel));
    assert_eq!(
        found,
        [
            barred("a", "x", Some(at(900)), false),
            barred("b", "x", None, true)
        ]
    );
    assert!(store.barred("far").await.unwrap().is_empty());
}

pub async fn freeing_takes_back_what_has_no_end(store: &dyn Store) {
    let unban = || done("a", "x", "unban", None);
    let free = || store.moderate(LOCAL, unban(), Verdict::Frees);
    assert_eq!(free().await.unwrap(), None, "nobody was banned");
    for (action, until) in [
        ("long_timeout", Some(at(900))),
        ("ban", None),
        ("ban", None),
    ] {
        let barring = done("a", "x", action, until);
        store.moderate(LOCAL, barring, Verdict::Bars).await.unwrap();
    }
    assert!(free().await.unwrap().is_some());
    assert_eq!(free().await.unwrap(), None, "not twice");
    assert_eq!(
        store.barred(LOCAL).await.unwrap(),
        [barred("a", "x", Some(at(900)), false)]
    );
    let everything = Window::default();
    let bans = store.moderations(LOCAL, "a", true, &everything).await;
    assert_eq!(actions(&bans.unwrap()), ["long_timeout"]);
    let log = store.moderations(LOCAL, "a", false, &everything).await;
    assert_eq!(
        actions(&log.unwrap()),
        ["long_timeout", "ban", "ban", "unban"]
    );
}
