//! What every engine must do, said once. Each check is given a store that is open and empty.

#[path = "ids.rs"]
mod ids;
#[path = "lists.rs"]
mod lists;
#[path = "messages.rs"]
mod messages;
#[path = "moderation.rs"]
mod moderation;
#[path = "people.rs"]
mod people;

pub use futures_util::future::join_all;
pub use sabir::model::profile::IdKind;
pub use sabir::model::*;
pub use sabir::store::*;

/// Runs every check, each on a store of its own.
pub async fn hold(mut fresh: impl FnMut() -> Box<dyn Store>) {
    messages::messages_come_back_as_they_were_kept(&*fresh()).await;
    messages::ids_are_made_where_there_are_none(&*fresh()).await;
    messages::nothing_is_kept_twice(&*fresh()).await;
    messages::an_append_is_all_or_nothing(&*fresh()).await;
    lists::windows_show_what_they_ask_for(&*fresh()).await;
    lists::filters_narrow_a_list(&*fresh()).await;
    messages::edits_and_deletions_show_everywhere(&*fresh()).await;
    lists::search_knows_no_case(&*fresh()).await;
    lists::channels_are_described_and_discovered(&*fresh()).await;
    people::marks_are_each_persons_own(&*fresh()).await;
    people::a_seen_channel_covers_its_messages(&*fresh()).await;
    people::presence_is_remembered(&*fresh()).await;
    moderation::deeds_are_logged_and_bar(&*fresh()).await;
    moderation::freeing_takes_back_what_has_no_end(&*fresh()).await;
    ids::numbers_are_for_ever(&*fresh()).await;
    ids::who_sent_a_message_first_has_sent_it(&*fresh()).await;
    ids::aliases_resolve(&*fresh()).await;
    ids::a_provisional_id_is_bound(&*fresh()).await;
    ids::messages_without_ids_are_remembered_until_they_are_bound(&*fresh()).await;
    people::sessions_are_kept_until_they_expire(&*fresh()).await;
    people::a_key_is_claimed_once(&*fresh()).await;
    messages::many_at_once_are_all_kept(&*fresh()).await;
    a_closed_store_says_so(&*fresh()).await;
}

pub fn at(seconds: i64) -> Time {
    Time(1_700_000_000_000_123 + seconds * 1_000_000)
}

pub fn said(channel: &str, author: &str, text: &str) -> Message {
    let author = Person {
        id: author.into(),
        name: author.to_uppercase().into(),
        ..Person::default()
    };
    Message {
        channel: channel.into(),
        author,
        text: text.into(),
        created_at: Some(at(0)),
        ..Message::default()
    }
}

pub fn kept(upstream: &str, message: Message) -> Kept {
    Kept {
        upstream: upstream.into(),
        message,
        client_ref: None,
    }
}

pub async fn say(store: &dyn Store, upstream: &str, message: Message) -> Message {
    store
        .append(vec![kept(upstream, message)])
        .await
        .unwrap()
        .remove(0)
}

pub fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

pub fn mark(person: &str, message: Option<&str>, kind: MarkKind) -> Mark {
    let message = message.map(Text::from);
    Mark {
        person: person.into(),
        upstream: LOCAL.into(),
        channel: "a".into(),
        message,
        kind,
    }
}

pub fn native(id: &str, created_at: Option<Time>) -> Native {
    let (upstream, channel) = ("far".into(), "6".into());
    Native {
        kind: NativeKind::Message,
        upstream,
        channel,
        id: id.into(),
        created_at,
        ..Native::default()
    }
}

async fn a_closed_store_says_so(store: &dyn Store) {
    store.reopen().await.unwrap();
    say(store, LOCAL, said("a", "x", "hi")).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(store.health(), Health::Closed);
    assert_eq!(store.channels(LOCAL).await, Err(StoreError::Closed));
    assert_eq!(
        store.mint(vec![native("a", None)]).await,
        Err(StoreError::Closed)
    );
    assert_eq!(store.reopen().await, Err(StoreError::Closed));
}
