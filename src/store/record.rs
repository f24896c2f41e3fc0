//! What is stored of a message, a channel and an outcome: versioned JSON, beside the columns that are searched by.
//!
//! The model's own types cannot be serialised, so that a stored row never changes shape because the model did. A
//! field that is added to the model stops this file from compiling until it is decided whether it is stored. What
//! belongs to one viewer or to one list (`mine`, `cursor`, presence) is not.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{
    Channel, Done, Fault, Json, Kind, Media, Message, Messages, Mine, OneMessage, Outcome,
    Participant, Person, Reply, Text, Time,
};

/// The shape that is written. Readers know this one and every earlier one.
const VERSION: u8 = 1;

/// The text in the form in which it is searched: upper and lower case alike, in every script that has them.
///
/// Upper case first, because that is where the odd ones meet: ß and SS, the two small sigmas, the long s.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// A message's JSON. Its id, its channel and its times stand in columns.
pub fn write_message(message: &Message) -> Result<String, StoreError> {
    written("message", &StoredMessage::from(message))
}

pub fn read_message(json: &str) -> Result<Message, StoreError> {
    let stored: StoredMessage = parsed("message", json)?;
    known("message", stored.v)?;
    Ok(stored.into())
}

/// A channel's JSON. Its id, its times and its newest message stand elsewhere.
pub fn write_channel(channel: &Channel) -> Result<String, StoreError> {
    written("channel", &StoredChannel::from(channel))
}

pub fn read_channel(json: &str) -> Result<Channel, StoreError> {
    let stored: StoredChannel = parsed("channel", json)?;
    known("channel", stored.v)?;
    Ok(stored.into())
}

/// What became of a send, as it was told.
pub fn write_outcome(outcome: &Outcome) -> Result<Vec<u8>, StoreError> {
    let sent = |message: &Message| StoredSent {
        id: message.id.clone(),
        channel: message.channel.clone(),
        created_at: message.created_at.map(|time| time.0),
        record: message.into(),
    };
    let mut stored = StoredOutcome {
        v: VERSION,
        ..StoredOutcome::default()
    };
    match outcome {
        Ok(Reply::OneMessage(one)) => stored.one = Some(sent(&one.message)),
        Ok(Reply::Messages(list)) => stored.many = Some(list.messages.iter().map(sent).collect()),
        Ok(_) => {}
        Err(fault) => {
            stored.fault = fault.kind.name().into();
            stored.why = fault.details.message.clone();
        }
    }
    written("outcome", &stored).map(String::into_bytes)
}

pub fn read_outcome(json: &[u8]) -> Result<Outcome, StoreError> {
    let unreadable = |reason: String| StoreError::Unreadable {
        what: "outcome",
        reason,
    };
    let json = std::str::from_utf8(json).map_err(|error| unreadable(error.to_string()))?;
    let stored: StoredOutcome = parsed("outcome", json)?;
    known("outcome", stored.v)?;
    let sent = |sent: StoredSent| Message {
        id: sent.id,
        channel: sent.channel,
        created_at: sent.created_at.map(Time),
        ..sent.record.into()
    };
    let one = stored.one.map(|one| Box::new(sent(one)));
    Ok(match (one, stored.many) {
        (Some(message), _) => Ok(Reply::OneMessage(OneMessage { message })),
        (None, Some(many)) => Ok(Reply::Messages(Messages {
            messages: many.into_iter().map(sent).collect(),
            window: Box::default(),
        })),
        (None, None) if stored.fault.is_empty() => Ok(Reply::Done(Done {})),
        (None, None) => {
            let kind = Kind::from_name(&stored.fault);
            let kind = kind.ok_or_else(|| unreadable(format!("no fault is {}", stored.fault)))?;
            Err(Fault::new(kind, stored.why))
        }
    })
}

fn written(what: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable {
        what,
        reason: error.to_string(),
    })
}

fn parsed<'a, T: Deserialize<'a>>(what: &'static str, json: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Unreadable {
        what,
        reason: error.to_string(),
    })
}

fn known(what: &'static str, version: u8) -> Result<(), StoreError> {
    if version <= VERSION {
        return Ok(());
    }
    let reason = format!("it has version {version}, and this Sabir knows {VERSION}");
    Err(StoreError::Unreadable { what, reason })
}

fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares stored shapes: members that hold nothing are left out, and absent members read as nothing.
macro_rules! stored {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => { $(
        #[derive(Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        struct $name { $(#[serde(skip_serializing_if = "absent")] $field: $type),* }
    )* };
}

stored! {
    StoredMessage {
        v: u8,
        author: StoredPerson,
        participant: CompactString,
        text: CompactString,
        media: Vec<StoredMedia>,
        event: CompactString,
        data: CompactString,
        reply_to: CompactString,
        session: CompactString,
        seen_by: Vec<CompactString>,
        starred_by: Vec<CompactString>,
        hops: Vec<CompactString>,
    }
    StoredMedia { url: CompactString, name: CompactString, kind: CompactString, data: CompactString }
    StoredPerson {
        id: CompactString,
        name: CompactString,
        display: CompactString,
        email: CompactString,
        avatar: CompactString,
        created_at: Option<i64>,
        seen_at: Option<i64>,
    }
    StoredChannel {
        v: u8,
        name: CompactString,
        title: CompactString,
        description: CompactString,
        picture: CompactString,
        owner: StoredPerson,
        participants: Vec<StoredParticipant>,
    }
    StoredParticipant { id: CompactString, person: StoredPerson }
    StoredOutcome {
        v: u8,
        one: Option<StoredSent>,
        many: Option<Vec<StoredSent>>,
        fault: CompactString,
        why: CompactString,
    }
    StoredSent {
        id: CompactString,
        channel: CompactString,
        created_at: Option<i64>,
        record: StoredMessage,
    }
}

impl From<&Message> for StoredMessage {
    fn from(message: &Message) -> StoredMessage {
        let Message {
            id: _,
            channel: _,
            author,
            participant,
            text,
            media,
            event,
            data,
            reply_to,
            session,
            created_at: _,
            edited_at: _,
            seen_by,
            starred_by,
            mine: _,
            hops,
            cursor: _,
        } = message;
        StoredMessage {
            v: VERSION,
            author: author.into(),
            participant: participant.clone(),
            text: text.clone(),
            media: media.iter().map(StoredMedia::from).collect(),
            event: event.clone(),
            data: data.0.clone(),
            reply_to: reply_to.clone(),
            session: session.clone(),
            seen_by: seen_by.clone(),
            starred_by: starred_by.clone(),
            hops: hops.clone(),
        }
    }
}

impl From<StoredMessage> for Message {
    fn from(stored: StoredMessage) -> Message {
        Message {
            id: Text::default(),
            channel: Text::default(),
            author: stored.author.into(),
            participant: stored.participant,
            text: stored.text,
            media: stored.media.into_iter().map(Media::from).collect(),
            event: stored.event,
            data: Json(stored.data),
            reply_to: stored.reply_to,
            session: stored.session,
            created_at: None,
            edited_at: None,
            seen_by: stored.seen_by,
            starred_by: stored.starred_by,
            mine: Mine::default(),
            hops: stored.hops,
            cursor: Text::default(),
        }
    }
}

impl From<&Media> for StoredMedia {
    fn from(
        Media {
            url,
            name,
            kind,
            data,
        }: &Media,
    ) -> StoredMedia {
        StoredMedia {
            url: url.clone(),
            name: name.clone(),
            kind: kind.clone(),
            data: data.0.clone(),
        }
    }
}

impl From<StoredMedia> for Media {
    fn from(
        StoredMedia {
            url,
            name,
            kind,
            data,
        }: StoredMedia,
    ) -> Media {
        Media {
            url,
            name,
            kind,
            data: Json(data),
        }
    }
}

impl From<&Person> for StoredPerson {
    fn from(person: &Person) -> StoredPerson {
        let Person {
            id,
            name,
            display,
            email,
            avatar,
            presence: _,
            created_at,
            seen_at,
            cursor: _,
        } = person;
        StoredPerson {
            id: id.clone(),
            name: name.clone(),
            display: display.clone(),
            email: email.clone(),
            avatar: avatar.clone(),
            created_at: created_at.map(|time| time.0),
            seen_at: seen_at.map(|time| time.0),
        }
    }
}

impl From<StoredPerson> for Person {
    fn from(stored: StoredPerson) -> Person {
        Person {
            id: stored.id,
            name: stored.name,
            display: stored.display,
            email: stored.email,
            avatar: stored.avatar,
            presence: Text::default(),
            created_at: stored.created_at.map(Time),
            seen_at: stored.seen_at.map(Time),
            cursor: Text::default(),
        }
    }
}

impl From<&Channel> for StoredChannel {
    fn from(channel: &Channel) -> StoredChannel {
        let Channel {
            id: _,
            name,
            title,
            description,
            picture,
            owner,
            participants,
            last_message: _,
            created_at: _,
            updated_at: _,
            mine: _,
            // Of the moment: what was kept would be told long after.
            status: _,
            cursor: _,
        } = channel;
        StoredChannel {
            v: VERSION,
            name: name.clone(),
            title: title.clone(),
            description: description.clone(),
            picture: picture.clone(),
            owner: owner.into(),
            participants: participants.iter().map(StoredParticipant::from).collect(),
        }
    }
}

impl From<StoredChannel> for Channel {
    fn from(stored: StoredChannel) -> Channel {
        Channel {
            name: stored.name,
            title: stored.title,
            description: stored.description,
            picture: stored.picture,
            owner: stored.owner.into(),
            participants: stored
                .participants
                .into_iter()
                .map(Participant::from)
                .collect(),
            ..Channel::default()
        }
    }
}

impl From<&Participant> for StoredParticipant {
    // The channel is the one that it is kept with, the cursor belongs to a list.
    fn from(Participant { id, person, .. }: &Participant) -> StoredParticipant {
        StoredParticipant {
            id: id.clone(),
            person: person.into(),
        }
    }
}

impl From<StoredParticipant> for Participant {
    fn from(StoredParticipant { id, person }: StoredParticipant) -> Participant {
        Participant {
            id,
            person: person.into(),
            ..Participant::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_joins_what_differs_only_in_case() {
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("Привет", "пРИВЕТ"),
            ("ÉTÉ", "été"),
            ("A", "a"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("a"), fold("á"));
    }

    #[test]
    fn a_record_of_the_first_version_stays_readable() {
        let json = r#"{"v":1,"author":{"id":"7","name":"alice"},"text":"hi","data":"{\"a\":1}","media":[{"url":"u"}]}"#;
        let message = read_message(json).unwrap();
        assert_eq!(
            (message.author.id.as_str(), message.text.as_str()),
            ("7", "hi")
        );
        assert_eq!(
            (message.data.0.as_str(), message.media[0].url.as_str()),
            (r#"{"a":1}"#, "u")
        );
        assert_eq!(
            read_message(&write_message(&message).unwrap()).unwrap(),
            message
        );
    }

    #[test]
    fn a_record_of_a_later_version_is_not_guessed_at() {
        assert!(matches!(
            read_message(r#"{"v":2}"#),
            Err(StoreError::Unreadable { .. })
        ));
        assert!(matches!(
            read_channel("{"),
            Err(StoreError::Unreadable { .. })
        ));
    }
}
