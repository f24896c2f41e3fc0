//! What people have of their own: marks, presence, sessions and idempotency keys.

use super::*;

pub async fn marks_are_each_persons_own(store: &dyn Store) {
    let starred = mark("x", Some("1"), MarkKind::Starred);
    assert!(store.mark(starred.clone(), Change::Toggle).await.unwrap());
    assert!(!store.mark(starred.clone(), Change::Toggle).await.unwrap());
    assert!(
        store
            .mark(starred.clone(), Change::Set(true))
            .await
            .unwrap()
    );
    assert!(
        store
            .mark(starred.clone(), Change::Set(true))
            .await
            .unwrap()
    );
    let other = mark("y", Some("1"), MarkKind::Starred);
    let pinned = mark("x", None, MarkKind::Pinned);
    assert!(store.mark(other.clone(), Change::Set(true)).await.unwrap());
    assert!(store.mark(pinned.clone(), Change::Toggle).await.unwrap());
    let ids = ["1".into(), "2".into()];
    let own = store.marks(Some("x"), LOCAL, "a", &ids).await.unwrap();
    assert_eq!(own, [pinned.clone(), starred.clone()]);
    assert_eq!(
        store.marks(None, LOCAL, "a", &ids).await.unwrap(),
        [pinned.clone(), starred.clone(), other]
    );
    assert!(!store.mark(starred, Change::Set(false)).await.unwrap());
    assert_eq!(
        store.marks(Some("x"), LOCAL, "a", &ids).await.unwrap(),
        [pinned]
    );
    assert!(
        store
            .marks(None, "far", "a", &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.marked(9).await.unwrap(), []);
    for channel in ["a", "b"] {
        for message in [Some("1"), Some("2"), None] {
            let far = Mark {
                upstream: "far".into(),
                channel: channel.into(),
                ..mark("x", message, MarkKind::Seen)
            };
            store.mark(far, Change::Set(true)).await.unwrap();
        }
    }
    let places = ["a", "b"].map(|channel| ("far".into(), channel.into()));
    assert_eq!(store.marked(9).await.unwrap(), places);
    assert_eq!(store.marked(1).await.unwrap(), places[..1]);
}

pub async fn a_seen_channel_covers_its_messages(store: &dyn Store) {
    let first = say(store, LOCAL, said("a", "x", "1")).await;
    let second = say(store, LOCAL, said("a", "y", "2")).await;
    assert_eq!(store.unread("x", LOCAL, "a").await.unwrap(), 1);
    assert_eq!(store.unread("z", LOCAL, "a").await.unwrap(), 2);
    store
        .mark(
            mark("z", Some(&first.id), MarkKind::Seen),
            Change::Set(true),
        )
        .await
        .unwrap();
    assert_eq!(store.unread("z", LOCAL, "a").await.unwrap(), 1);
    store
        .mark(mark("z", None, MarkKind::Seen), Change::Set(true))
        .await
        .unwrap();
    let third = say(store, LOCAL, said("a", "x", "3")).await;
    assert_eq!(store.unread("z", LOCAL, "a").await.unwrap(), 1);
    let ids = [first.id.clone(), second.id.clone(), third.id.clone()];
    let seen = store.marks(Some("z"), LOCAL, "a", &ids).await.unwrap();
    let seen: Vec<_> = seen
        .iter()
        .filter_map(|mark| mark.message.clone())
        .collect();
    assert_eq!(seen, ids[..2]);
    assert_eq!(store.unread("z", LOCAL, "nowhere").await.unwrap(), 0);
}

pub async fn presence_is_remembered(store: &dyn Store) {
    store.set_presence("far", "7", "online").await.unwrap();
    store.set_presence("far", "7", "offline").await.unwrap();
    store.set_presence("far", "8", "online").await.unwrap();
    store.set_presence("far", "8", "").await.unwrap();
    assert_eq!(
        store
            .presence("far", &["7".into(), "8".into(), "9".into()])
            .await
            .unwrap(),
        ["offline", "", ""]
    );
}

pub async fn sessions_are_kept_until_they_expire(store: &dyn Store) {
    let row = |id: &str, expires| SessionRow {
        id: id.into(),
        kind: "token".into(),
        account: "alice".into(),
        application: "test".into(),
        data: "{\"a\":1}".into(),
        created: at(0),
        expires,
    };
    let (short, long, ever) = (
        row("1", Some(at(5))),
        row("2", Some(at(50))),
        row("3", None),
    );
    for session in [&short, &long, &ever, &short] {
        store.put_session(session.clone()).await.unwrap();
    }
    assert_eq!(
        store.sessions().await.unwrap(),
        [short, long.clone(), ever.clone()]
    );
    assert_eq!(
        store.purge(at(5)).await.unwrap(),
        Purged {
            sessions: 1,
            claims: 0
        }
    );
    assert!(store.drop_session("3").await.unwrap());
    assert!(!store.drop_session("3").await.unwrap());
    assert_eq!(store.sessions().await.unwrap(), [long]);
}

pub async fn a_key_is_claimed_once(store: &dyn Store) {
    let claims = join_all((0..20).map(|_| store.claim("alice", "k", b"print", at(0)))).await;
    let fresh = claims
        .iter()
        .filter(|claim| **claim == Ok(Claim::Fresh))
        .count();
    let waiting = claims
        .iter()
        .filter(|claim| **claim == Ok(Claim::InFlight))
        .count();
    assert_eq!((fresh, waiting), (1, 19));
    assert_eq!(
        store.claim("alice", "k", b"other", at(1)).await,
        Ok(Claim::Other)
    );
    assert_eq!(
        store.claim("bob", "k", b"other", at(1)).await,
        Ok(Claim::Fresh)
    );
    store
        .settle("alice", "k", Some(b"done".to_vec()))
        .await
        .unwrap();
    store.settle("alice", "k", None).await.unwrap();
    assert_eq!(
        store.claim("alice", "k", b"print", at(1)).await,
        Ok(Claim::Done(b"done".to_vec()))
    );
    store.settle("bob", "k", None).await.unwrap();
    assert_eq!(
        store.claim("bob", "k", b"print", at(1)).await,
        Ok(Claim::Fresh)
    );
    assert_eq!(
        store
            .claim("alice", "k", b"other", at(JOURNAL_SECONDS))
            .await,
        Ok(Claim::Fresh)
    );
    assert_eq!(
        store.purge(at(JOURNAL_SECONDS + 1)).await.unwrap(),
        Purged {
            sessions: 0,
            claims: 1
        }
    );
}
