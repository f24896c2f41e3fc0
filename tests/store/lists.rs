//! What is shown: windows, filters, searches and channels.

use super::*;

pub async fn windows_show_what_they_ask_for(store: &dyn Store) {
    let all = (0..10).map(|index| Message {
        created_at: Some(at(index)),
        ..said("a", "x", &index.to_string())
    });
    store
        .append(all.map(|message| kept(LOCAL, message)).collect())
        .await
        .unwrap();
    let ask = Window::default;
    let cases = [
        (
            Window {
                limit: Some(3),
                ..ask()
            },
            "7 8 9",
            true,
            false,
        ),
        (
            Window {
                limit: Some(3),
                page: Some(2),
                ..ask()
            },
            "4 5 6",
            true,
            true,
        ),
        (
            Window {
                limit: Some(3),
                page: Some(4),
                ..ask()
            },
            "0",
            false,
            true,
        ),
        (
            Window {
                limit: Some(3),
                offset: Some(1),
                ..ask()
            },
            "6 7 8",
            true,
            true,
        ),
        (
            Window {
                first: Some(2),
                ..ask()
            },
            "0 1",
            false,
            true,
        ),
        (
            Window {
                first: Some(2),
                after: "1".into(),
                ..ask()
            },
            "2 3",
            true,
            true,
        ),
        (
            Window {
                last: Some(2),
                ..ask()
            },
            "8 9",
            true,
            false,
        ),
        (
            Window {
                last: Some(3),
                before: "2".into(),
                ..ask()
            },
            "0 1",
            false,
            true,
        ),
        (
            Window {
                since: Some(at(3)),
                until: Some(at(5)),
                limit: Some(2),
                ..ask()
            },
            "4 5",
            true,
            false,
        ),
        (
            Window {
                after: "9".into(),
                first: Some(5),
                ..ask()
            },
            "",
            true,
            false,
        ),
        // Ids count from 1.
        (
            Window {
                before_id: "5".into(),
                limit: Some(2),
                ..ask()
            },
            "2 3",
            true,
            false,
        ),
        (
            Window {
                after_id: "5".into(),
                limit: Some(2),
                ..ask()
            },
            "5 6",
            false,
            true,
        ),
        (
            Window {
                after_id: "5".into(),
                before_id: "9".into(),
                inclusive: Some(true),
                limit: Some(2),
                ..ask()
            },
            "7 8",
            true,
            false,
        ),
        (
            Window {
                before_id: "77".into(),
                ..ask()
            },
            "",
            false,
            false,
        ),
    ];
    for (window, expected, has_previous, has_next) in cases {
        let page = store
            .list(LOCAL, "a", &Filter::default(), &window)
            .await
            .unwrap();
        assert_eq!(texts(&page.messages).join(" "), expected, "{window:?}");
        let shown = (
            page.window.has_previous,
            page.window.has_next,
            page.window.count,
        );
        assert_eq!(
            shown,
            (
                Some(has_previous),
                Some(has_next),
                Some(page.messages.len() as i64)
            ),
            "{window:?}"
        );
        assert_eq!(
            page.window.start,
            page.messages
                .first()
                .map_or(Text::default(), |first| first.cursor.clone())
        );
        assert_eq!(
            page.window.end,
            page.messages
                .last()
                .map_or(Text::default(), |last| last.cursor.clone())
        );
    }
    let wrong = store
        .list(
            LOCAL,
            "a",
            &Filter::default(),
            &Window {
                before: "x".into(),
                ..ask()
            },
        )
        .await;
    assert!(matches!(
        wrong,
        Err(StoreError::Unusable {
            field: "window.before",
            ..
        })
    ));
    let unknown = store
        .list(LOCAL, "nowhere", &Filter::default(), &ask())
        .await
        .unwrap();
    assert_eq!((unknown.messages.len(), unknown.window.total), (0, Some(0)));
}

pub async fn filters_narrow_a_list(store: &dyn Store) {
    for (author, session) in [("x", "1"), ("y", "1"), ("x", "2"), ("x", "1")] {
        say(
            store,
            LOCAL,
            Message {
                session: session.into(),
                ..said("a", author, session)
            },
        )
        .await;
    }
    let filter = Filter {
        author: "x".into(),
        session: "1".into(),
    };
    let page = store
        .list(
            LOCAL,
            "a",
            &filter,
            &Window {
                limit: Some(1),
                ..Window::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(
        (
            page.messages.len(),
            page.window.total,
            page.window.end.as_str()
        ),
        (1, Some(2), "1")
    );
}

pub async fn search_knows_no_case(store: &dyn Store) {
    for text in [
        "Straße",
        "Добрый ВЕЧЕР",
        "100% _sure_",
        "plain",
        "another vecher",
    ] {
        say(store, LOCAL, said("a", "x", text)).await;
    }
    say(store, LOCAL, said("b", "x", "plain")).await;
    for (words, expected) in [
        ("STRASSE", "Straße"),
        ("вечер", "Добрый ВЕЧЕР"),
        ("% _S", "100% _sure_"),
        ("PLAIN", "plain"),
        ("''", ""),
    ] {
        assert_eq!(
            texts(&store.search(LOCAL, "a", words, 9).await.unwrap()).join(","),
            expected
        );
    }
    assert_eq!(
        texts(&store.search(LOCAL, "a", "a", 2).await.unwrap()),
        ["plain", "another vecher"]
    );
}

pub async fn channels_are_described_and_discovered(store: &dyn Store) {
    let person = Person {
        id: "7".into(),
        name: "alice".into(),
        ..Person::default()
    };
    let described = Channel {
        id: "lobby".into(),
        title: "The lobby".into(),
        owner: person.clone(),
        participants: vec![Participant {
            id: "70".into(),
            person,
            ..Participant::default()
        }],
        created_at: Some(at(-5)),
        ..Channel::default()
    };
    let stored = store.put_channel(LOCAL, described.clone()).await.unwrap();
    assert_eq!(
        stored,
        Channel {
            updated_at: Some(at(-5)),
            ..described.clone()
        }
    );
    let message = say(store, LOCAL, said("lobby", "x", "hi")).await;
    say(store, LOCAL, said("found", "x", "hi")).await;
    let renamed = Channel {
        title: "Another".into(),
        created_at: None,
        ..described.clone()
    };
    let renamed = store.put_channel(LOCAL, renamed).await.unwrap();
    assert_eq!(
        (
            renamed.title.as_str(),
            renamed.created_at,
            renamed.updated_at
        ),
        ("Another", Some(at(-5)), Some(at(0)))
    );
    assert_eq!(renamed.last_message, Some(Box::new(message)));
    let all = store.channels(LOCAL).await.unwrap();
    let names: Vec<_> = all.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(names, ["lobby", "found"]);
    assert_eq!(
        (all[1].name.as_str(), all[1].created_at),
        ("found", Some(at(0)))
    );
    assert!(store.channels("far").await.unwrap().is_empty());
    let made = store.put_channel(LOCAL, Channel::default()).await.unwrap();
    assert!(made.id.parse::<u64>().is_ok());
    assert!(store.put_channel("far", Channel::default()).await.is_err());
}
