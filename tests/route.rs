//! Routes from outside: which rule wins, and that the way back leads where the way there came from.

use proptest::prelude::*;
use sabir::model::{Kind, Text};
use sabir::route::{Destination, Pattern, RouteRule, Routes, Source, Target};

#[test]
fn without_rules_everything_goes_to_local_under_its_own_name() {
    let routes = Routes::new(Vec::new());
    let route = routes.select("keyauth", "test", "Lobby").unwrap();
    assert_eq!((&*route.upstream, &*route.channel), ("local", "lobby"));
    assert!(route.copies.is_empty());
    assert_eq!(routes.visible("rooms", ""), [every("local")]);
    let name = routes.client_channel("rooms", "", "local", "lobby");
    assert_eq!(name.as_deref(), Some("lobby"));
    assert_eq!(routes.client_channel("rooms", "", "far", "lobby"), None);
}

#[test]
fn the_most_precise_rule_wins_in_any_order() {
    let mut rules = vec![
        rule("*:*", "a:*"),
        of("test", rule("*:*", "b:*")),
        rule("keyauth:*", "c:*"),
        of("test", rule("keyauth:*", "d:*")),
        rule("*:lobby", "e:*"),
        of("test", rule("*:lobby", "f:*")),
        rule("keyauth:lobby", "g:*"),
        of("test", rule("keyauth:lobby", "h:*")),
    ];
    for _ in 0..rules.len() {
        rules.rotate_left(1);
        let routes = Routes::new(rules.clone());
        let upstream = |dialect, application, channel| {
            routes
                .select(dialect, application, channel)
                .unwrap()
                .upstream
        };
        assert_eq!(upstream("rooms", "", "hall"), "a");
        assert_eq!(upstream("rooms", "test", "hall"), "b");
        assert_eq!(upstream("keyauth", "", "hall"), "c");
        assert_eq!(upstream("keyauth", "test", "hall"), "d");
        assert_eq!(upstream("rooms", "", "lobby"), "e");
        assert_eq!(upstream("rooms", "test", "Lobby"), "f");
        assert_eq!(upstream("keyauth", "other", "LOBBY"), "g");
        assert_eq!(upstream("keyauth", "test", "lobby"), "h");
    }
}

#[test]
fn what_is_not_routed_does_not_exist() {
    let routes = Routes::new(vec![rule("keyauth:test", "far:6")]);
    for (dialect, channel) in [("keyauth", "lobby"), ("rooms", "test"), ("keyauth", "")] {
        let fault = routes.select(dialect, "", channel).unwrap_err();
        assert_eq!(
            (fault.kind, &*fault.details.value),
            (Kind::Channel, channel)
        );
    }
    assert_eq!(routes.visible("rooms", ""), []);
}

#[test]
fn names_are_kept_or_replaced() {
    let mut copying = rule("rooms:*", "far:*");
    copying.copies = vec![target("local:*"), target("near:Fixed")];
    let routes = Routes::new(vec![copying, rule("keyauth:test", "far:Six")]);
    let route = routes.select("rooms", "", "Lobby").unwrap();
    assert_eq!(route.channel, "Lobby");
    let copies = [("local", "lobby"), ("near", "Fixed")].map(destination);
    assert_eq!(route.copies, copies);
    assert_eq!(routes.select("keyauth", "", "TEST").unwrap().channel, "Six");
    let back = routes.client_channel("keyauth", "", "far", "six");
    assert_eq!(back.as_deref(), Some("test"));
}

#[test]
fn a_client_sees_what_it_can_reach() {
    let routes = Routes::new(vec![
        rule("*:*", "local:*"),
        rule("*:news", "far:6"),
        rule("rooms:novelties", "far:6"),
        rule("*:hall", "local:lobby"),
        rule("keyauth:news", "local:news"),
        of("test", rule("*:secret", "far:7")),
    ]);
    let news = one("far", "6", "novelties");
    assert_eq!(routes.visible("rooms", ""), [every("local"), news.clone()]);
    let secret = one("far", "7", "secret");
    let seen = routes.visible("rooms", "test");
    assert!(seen.len() == 3 && seen.contains(&secret), "{seen:?}");
    assert_eq!(routes.visible("keyauth", ""), [every("local")]);
    // The channel of that name in `local` is out of reach, since the name leads elsewhere.
    assert_eq!(routes.client_channel("rooms", "", "local", "news"), None);
    let hall = routes.client_channel("rooms", "", "local", "lobby");
    assert_eq!(hall.as_deref(), Some("hall"));
}

#[test]
fn every_name_may_lead_to_one_channel() {
    let routes = Routes::new(vec![rule("keyauth:*", "far:6")]);
    assert_eq!(routes.select("keyauth", "", "x").unwrap().channel, "6");
    assert_eq!(routes.visible("keyauth", ""), [one("far", "6", "6")]);
}

proptest! {
    #[test]
    fn the_way_back_leads_where_the_way_there_came_from(
        rules in prop::collection::vec(any_rule(), 0..8),
        dialect in "[ab]",
        application in "[pq]?",
        channel in "[xyzX]",
        upstream in prop_oneof![Just("local"), Just("u"), Just("v")],
    ) {
        let routes = Routes::new(rules);
        if let Some(name) = routes.client_channel(&dialect, &application, upstream, &channel) {
            let route = routes.select(&dialect, &application, &name).unwrap();
            prop_assert_eq!(&route.upstream, upstream);
            prop_assert!(route.channel.eq_ignore_ascii_case(&channel));
        }
        // Reached by one name or several, a channel has a name, and is seen exactly once.
        if let Ok(route) = routes.select(&dialect, &application, &channel) {
            let name = routes.client_channel(&dialect, &application, &route.upstream, &route.channel);
            let sources = routes.visible(&dialect, &application);
            let shows = sources.iter().filter(|source| match source {
                Source::Every { upstream } => *upstream == route.upstream,
                Source::One { upstream, channel, .. } => {
                    *upstream == route.upstream && channel.eq_ignore_ascii_case(&route.channel)
                }
            });
            prop_assert_eq!(shows.count(), usize::from(name.is_some()), "{:?}", sources);
        }
    }

    #[test]
    fn the_order_of_the_file_does_not_matter(
        rules in prop::collection::vec(any_rule(), 0..8),
        dialect in "[ab]",
        application in "[pq]?",
        channel in "[xyz]",
    ) {
        let mut unlike: Vec<RouteRule> = Vec::new();
        for rule in rules {
            if !unlike.iter().any(|other| other.rivals(&rule)) {
                unlike.push(rule);
            }
        }
        let there = Routes::new(unlike.clone());
        unlike.reverse();
        let back = Routes::new(unlike);
        prop_assert_eq!(
            there.select(&dialect, &application, &channel),
            back.select(&dialect, &application, &channel)
        );
    }
}

fn any_rule() -> impl Strategy<Value = RouteRule> {
    let from = ("[ab*]", "[xyz*]").prop_map(|(dialect, channel)| format!("{dialect}:{channel}"));
    let upstream = prop_oneof![Just("local"), Just("u"), Just("v")];
    let to = (upstream, "[xyz*]").prop_map(|(upstream, channel)| format!("{upstream}:{channel}"));
    (from, to, prop::option::of("[pq]")).prop_map(|(from, to, application)| RouteRule {
        application: application.map(Text::from),
        ..rule(&from, &to)
    })
}

fn rule(from: &str, to: &str) -> RouteRule {
    let (dialect, channel) = from.split_once(':').unwrap();
    RouteRule {
        dialect: pattern(dialect),
        channel: pattern(channel),
        to: target(to),
        ..RouteRule::default()
    }
}

fn of(application: &str, rule: RouteRule) -> RouteRule {
    RouteRule {
        application: Some(application.into()),
        ..rule
    }
}

fn target(to: &str) -> Target {
    let (upstream, channel) = to.split_once(':').unwrap();
    Target {
        upstream: upstream.into(),
        channel: pattern(channel),
    }
}

fn pattern(name: &str) -> Pattern {
    match name {
        "*" => Pattern::Any,
        name => Pattern::Exact(name.into()),
    }
}

fn destination((upstream, channel): (&str, &str)) -> Destination {
    Destination {
        upstream: upstream.into(),
        channel: channel.into(),
    }
}

fn every(upstream: &str) -> Source {
    Source::Every {
        upstream: upstream.into(),
    }
}

fn one(upstream: &str, channel: &str, client_channel: &str) -> Source {
    Source::One {
        upstream: upstream.into(),
        channel: channel.into(),
        client_channel: client_channel.into(),
    }
}
