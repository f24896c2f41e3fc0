//! What is said: kept, given an id, found, changed and taken away.

use super::*;

pub async fn messages_come_back_as_they_were_kept(store: &dyn Store) {
    let message = Message {
        participant: "10".into(),
        media: vec![Media {
            url: "https://x/y.png".into(),
            data: Json("{\"w\":1}".into()),
            ..Media::default()
        }],
        event: "Typing".into(),
        data: Json("[1,{\"a\":null}]".into()),
        reply_to: "3".into(),
        session: "s".into(),
        edited_at: Some(at(5)),
        seen_by: vec!["7".into()],
        starred_by: vec!["8".into()],
        hops: vec!["a/far".into()],
        ..said("lobby", "alice", "snow ☃ \0 \u{1F600}")
    };
    let back = say(store, LOCAL, message.clone()).await;
    assert_eq!(
        back,
        Message {
            id: back.id.clone(),
            ..message
        }
    );
    assert_eq!(
        store
            .get(LOCAL, Some("lobby"), &back.id)
            .await
            .unwrap()
            .as_ref(),
        Some(&back)
    );
    assert_eq!(
        store.get(LOCAL, None, &back.id).await.unwrap(),
        Some(back.clone())
    );
    assert_eq!(
        store.get(LOCAL, Some("other"), &back.id).await.unwrap(),
        None
    );
    assert_eq!(store.get("far", None, &back.id).await.unwrap(), None);
}

pub async fn ids_are_made_where_there_are_none(store: &dyn Store) {
    let mut last = 0;
    for channel in ["a", "b", "a"] {
        let id: u64 = say(store, LOCAL, said(channel, "x", "hi"))
            .await
            .id
            .parse()
            .unwrap();
        assert!(id > last);
        last = id;
    }
    assert!(
        say(store, "far", said("a", "x", "hi"))
            .await
            .id
            .starts_with(PROVISIONAL)
    );
    let own = Message {
        id: "m-1".into(),
        ..said("a", "x", "hi")
    };
    assert_eq!(say(store, "far", own.clone()).await.id, "m-1");
    let refused = store.append(vec![kept(LOCAL, own)]).await;
    assert!(matches!(
        refused,
        Err(StoreError::Unusable { field: "id", .. })
    ));
}

pub async fn nothing_is_kept_twice(store: &dyn Store) {
    let own = Message {
        id: "m-1".into(),
        ..said("a", "x", "first")
    };
    say(store, "far", own.clone()).await;
    let again = say(
        store,
        "far",
        Message {
            text: "second".into(),
            ..own.clone()
        },
    )
    .await;
    assert_eq!(again.text, "first");
    say(
        store,
        "far",
        Message {
            channel: "b".into(),
            ..own
        },
    )
    .await;

    let named = Kept {
        client_ref: Some("r1".into()),
        ..kept(LOCAL, said("a", "x", "once"))
    };
    let both = store
        .append(vec![named.clone(), named.clone()])
        .await
        .unwrap();
    let later = store.append(vec![named]).await.unwrap();
    assert_eq!((&both[0], &both[0]), (&both[1], &later[0]));
    let page = store
        .list(LOCAL, "a", &Filter::default(), &Window::default())
        .await
        .unwrap();
    assert_eq!((page.messages.len(), page.window.total), (1, Some(1)));
}

pub async fn an_append_is_all_or_nothing(store: &dyn Store) {
    let group = vec![
        kept(LOCAL, said("a", "x", "good")),
        kept(LOCAL, said("", "x", "bad")),
    ];
    assert!(matches!(
        store.append(group).await,
        Err(StoreError::Unusable {
            field: "channel",
            ..
        })
    ));
    assert!(store.channels(LOCAL).await.unwrap().is_empty());
    assert_eq!(store.health(), Health::Ok);
}

pub async fn edits_and_deletions_show_everywhere(store: &dyn Store) {
    let message = say(
        store,
        LOCAL,
        Message {
            session: "s".into(),
            ..said("a", "x", "before")
        },
    )
    .await;
    let newer = say(store, LOCAL, said("a", "x", "newer")).await;
    let change = Message {
        text: "after".into(),
        edited_at: Some(at(9)),
        ..Message::default()
    };
    let change = Message {
        id: message.id.clone(),
        channel: "a".into(),
        ..change
    };
    let edited = store.edit(LOCAL, change.clone()).await.unwrap().unwrap();
    assert_eq!(
        edited,
        Message {
            text: "after".into(),
            edited_at: Some(at(9)),
            ..message.clone()
        }
    );
    assert_eq!(
        store.get(LOCAL, None, &message.id).await.unwrap(),
        Some(edited.clone())
    );
    assert_eq!(
        texts(&store.search(LOCAL, "a", "AFTER", 5).await.unwrap()),
        ["after"]
    );
    assert!(
        store
            .search(LOCAL, "a", "before", 5)
            .await
            .unwrap()
            .is_empty()
    );

    assert_eq!(
        store.delete(LOCAL, Some("a"), &newer.id).await.unwrap(),
        Some(newer.clone())
    );
    assert_eq!(store.delete(LOCAL, None, &newer.id).await.unwrap(), None);
    assert_eq!(store.get(LOCAL, None, &newer.id).await.unwrap(), None);
    assert_eq!(
        store
            .edit(
                LOCAL,
                Message {
                    id: newer.id.clone(),
                    ..change
                }
            )
            .await
            .unwrap(),
        None
    );
    let page = store
        .list(LOCAL, "a", &Filter::default(), &Window::default())
        .await
        .unwrap();
    assert_eq!(
        (texts(&page.messages), page.window.total),
        (vec!["after"], Some(1))
    );
    let last = store
        .channel(LOCAL, "a")
        .await
        .unwrap()
        .unwrap()
        .last_message;
    assert_eq!(last.map(|last| last.id), Some(message.id));
    assert_ne!(
        say(store, LOCAL, said("a", "x", "later")).await.id,
        newer.id
    );
}

pub async fn many_at_once_are_all_kept(store: &dyn Store) {
    let sends = (0..500).map(|index| say(store, LOCAL, said("a", "x", &index.to_string())));
    let ids: std::collections::HashSet<Text> = join_all(sends)
        .await
        .into_iter()
        .map(|message| message.id)
        .collect();
    assert_eq!(ids.len(), 500);
    let page = store
        .list(LOCAL, "a", &Filter::default(), &Window::default())
        .await
        .unwrap();
    assert_eq!((page.messages.len(), page.window.total), (500, Some(500)));
}
