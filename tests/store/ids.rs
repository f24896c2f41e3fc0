//! Numbers, what they stand for, and the aliases they are shown as.

use super::*;

pub async fn numbers_are_for_ever(store: &dyn Store) {
    let things = vec![
        native("a", Some(at(0))),
        native("b", None),
        native("a", None),
    ];
    let numbers = store.mint(things.clone()).await.unwrap();
    assert_eq!(numbers[0], numbers[2]);
    assert_ne!(numbers[0].number, numbers[1].number);
    assert_eq!(store.mint(things.clone()).await.unwrap(), numbers);
    let person = Native {
        kind: NativeKind::Person,
        ..native("a", None)
    };
    let known = store
        .known(&[native("a", None), native("c", None), person.clone()])
        .await
        .unwrap();
    assert_eq!(known, [Some(numbers[0].number), None, None]);
    let other = store.mint(vec![person.clone()]).await.unwrap()[0];
    assert!(numbers.iter().all(|known| known.number != other.number));
    // An upstream that tells another moment later changes nothing of what was given out.
    let moved = store.mint(vec![native("a", Some(at(5)))]).await.unwrap();
    assert_eq!(moved, [numbers[0]]);
    assert_eq!(moved[0].created_at, Some(at(0)));
    assert_eq!(
        store.native(numbers[0].number).await.unwrap(),
        Some(things[0].clone())
    );
    for unknown in [0, 999_999, u64::MAX] {
        assert_eq!(store.native(unknown).await.unwrap(), None);
    }
}

pub async fn who_sent_a_message_first_has_sent_it(store: &dyn Store) {
    let sent = |id: &str, sender: &str| Native {
        sender: sender.into(),
        ..native(id, None)
    };
    let sender = async |number| store.native(number).await.unwrap().unwrap().sender;
    let mint = async |native| store.mint(vec![native]).await.unwrap()[0].number;
    let shown = mint(sent("a", "")).await;
    assert_eq!(sender(shown).await, "");
    for (by, known) in [("x", "x"), ("", "x"), ("y", "x")] {
        assert_eq!(mint(sent("a", by)).await, shown);
        assert_eq!(sender(shown).await, known);
    }
    // A send without an id, and then one that a list had shown before.
    let (unnamed, named) = (mint(sent("sabir~1", "y")).await, mint(sent("b", "")).await);
    assert!(store.bind(unnamed, sent("b", "")).await.unwrap());
    let unseen = mint(sent("sabir~2", "z")).await;
    assert!(store.bind(unseen, sent("c", "")).await.unwrap());
    for (number, known) in [(unnamed, "y"), (named, "y"), (unseen, "z")] {
        assert_eq!(sender(number).await, known);
    }
}

pub async fn aliases_resolve(store: &dyn Store) {
    let thing = native("a", Some(at(0)));
    let number = store.mint(vec![thing.clone()]).await.unwrap()[0].number;
    for kind in [
        IdKind::Integer,
        IdKind::Text,
        IdKind::SlackTs,
        IdKind::Snowflake,
    ] {
        let alias = alias::write(kind, number, thing.created_at);
        assert_eq!(
            store.resolve(kind, &alias).await.unwrap(),
            Some((number, thing.clone())),
            "{kind:?}"
        );
        let moved = alias::write(kind, number, Some(at(100)));
        let expected = (kind == IdKind::Integer).then_some(number);
        assert_eq!(
            store
                .resolve(kind, &moved)
                .await
                .unwrap()
                .map(|found| found.0),
            expected
        );
        assert_eq!(store.resolve(kind, "nonsense").await.unwrap(), None);
    }
}

pub async fn a_provisional_id_is_bound(store: &dyn Store) {
    let sent = say(store, "far", said("6", "x", "hi")).await;
    let number = store
        .mint(vec![native(&sent.id, Some(at(0)))])
        .await
        .unwrap()[0]
        .number;
    let alias = alias::write(IdKind::SlackTs, number, Some(at(0)));
    let shown = native("m-9", Some(at(1)));
    assert!(store.bind(number, shown.clone()).await.unwrap());
    assert_eq!(
        store.known(std::slice::from_ref(&shown)).await.unwrap(),
        [Some(number)]
    );
    let minted = store.mint(vec![shown.clone()]).await.unwrap();
    assert_eq!(
        alias::write(IdKind::SlackTs, number, minted[0].created_at),
        alias
    );
    assert_eq!(
        store
            .resolve(IdKind::SlackTs, &alias)
            .await
            .unwrap()
            .unwrap()
            .1
            .id,
        "m-9"
    );
    assert_eq!(
        store
            .get("far", Some("6"), "m-9")
            .await
            .unwrap()
            .unwrap()
            .text,
        "hi"
    );
    assert!(!store.bind(number + 1, shown).await.unwrap());

    // Here the listing came first, and the message has a number already.
    let sent = say(store, "far", said("6", "x", "again")).await;
    let number = store.mint(vec![native(&sent.id, None)]).await.unwrap()[0].number;
    say(
        store,
        "far",
        Message {
            id: "m-10".into(),
            ..said("6", "x", "again")
        },
    )
    .await;
    let other = store.mint(vec![native("m-10", None)]).await.unwrap()[0].number;
    assert!(store.bind(number, native("m-10", None)).await.unwrap());
    for either in [number, other] {
        assert_eq!(store.native(either).await.unwrap().unwrap().id, "m-10");
    }
    let page = store
        .list("far", "6", &Filter::default(), &Window::default())
        .await
        .unwrap();
    assert_eq!(texts(&page.messages), ["hi", "again"]);
}

pub async fn messages_without_ids_are_remembered_until_they_are_bound(store: &dyn Store) {
    let sent = |id: &str, seconds| Provisional {
        id: id.into(),
        upstream: "far".into(),
        channel: "6".into(),
        author: "x".into(),
        print: "hash".into(),
        sent_at: at(seconds),
    };
    let (first, second) = (sent("sabir~1", 0), sent("sabir~2", 1));
    for sent in [&second, &first] {
        store.put_provisional(sent.clone()).await.unwrap();
    }
    assert_eq!(
        store.provisionals().await.unwrap(),
        [first.clone(), second.clone()]
    );
    let number = store.mint(vec![native("sabir~1", None)]).await.unwrap()[0].number;
    assert!(store.bind(number, native("m-1", None)).await.unwrap());
    assert_eq!(store.provisionals().await.unwrap(), [second]);
    let late = sent("sabir~3", PROVISIONAL_SECONDS + 2);
    store.put_provisional(late.clone()).await.unwrap();
    assert_eq!(store.provisionals().await.unwrap(), [late]);
}
