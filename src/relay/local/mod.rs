//! `local`: the chat service inside Sabir, on its own store.
//!
//! It carries out every command of the model that a chat service can. Its people are the accounts, its channels those
//! of the configuration; where none is configured, every name is a channel. It decides nothing about who may do what.

mod channels;
mod messages;
mod moderation;

use std::collections::HashMap;
use std::sync::Arc;

pub use moderation::Bars;

use crate::model::{
    ChannelRule, Command, Fault, Kind, LOCAL, Message, Outcome, Person, Text, Time, lower,
};
use crate::store::{Kept, Mark, MarkKind, Store, StoreError};

pub struct Local {
    store: Arc<dyn Store>,
    people: Vec<Person>,
    /// By name, lower case.
    channels: HashMap<Text, ChannelRule>,
    bars: Arc<Bars>,
}

impl Local {
    /// Takes the accounts and the channels of one configuration, and who is kept from speaking whatever it says.
    pub fn new(
        store: Arc<dyn Store>,
        people: Vec<Person>,
        channels: Vec<ChannelRule>,
        bars: Arc<Bars>,
    ) -> Local {
        let channels = channels
            .into_iter()
            .map(|rule| (rule.name.clone(), rule))
            .collect();
        Local {
            store,
            people,
            channels,
            bars,
        }
    }

    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The operator's rules of a channel.
    pub fn rule(&self, channel: &str) -> Option<&ChannelRule> {
        self.channels.get(lower(channel).as_ref())
    }

    /// Is there such a channel? Without any configured, every name is one.
    pub fn has(&self, channel: &str) -> bool {
        !channel.is_empty() && (self.channels.is_empty() || self.rule(channel).is_some())
    }

    /// Carries out a command for a person, at a moment.
    pub async fn carry_out(&self, command: &Command, person: &Person, now: Time) -> Outcome {
        match command {
            Command::Send(message) => self.send(message).await,
            Command::SendMany(many) => self.send_many(&many.sends).await,
            Command::List(list) => self.list(list, person).await,
            Command::Get(get) => self.get(&get.channel, &get.id, person).await,
            Command::MarkSeen(mark) => self.mark_seen(mark, person).await,
            Command::Search(search) => self.search(search, person).await,
            Command::ToggleStar(star) => self.toggle_star(star, person).await,
            Command::Edit(message) => self.edit(message).await,
            Command::Delete(delete) => self.delete(delete, person, now).await,
            _ => Box::pin(self.carry_out_rest(command, person, now)).await,
        }
    }
}

fn kept(message: &Message) -> Kept {
    let message = Message {
        channel: lower(&message.channel).into(),
        id: Text::default(),
        ..message.clone()
    };
    Kept {
        upstream: LOCAL.into(),
        message,
        client_ref: None,
    }
}

fn mark(person: &Person, channel: &str, message: Option<&Text>, kind: MarkKind) -> Mark {
    Mark {
        person: person.id.clone(),
        upstream: LOCAL.into(),
        channel: lower(channel).into(),
        message: message.cloned(),
        kind,
    }
}

fn no_message(id: &str) -> Fault {
    Fault::client(Kind::Message, "no such message").value(id)
}

fn no_channel(channel: &str) -> Fault {
    Fault::client(Kind::Channel, "no such channel").value(channel)
}

fn no_person(id: &str) -> Fault {
    Fault::client(Kind::Person, "no such person").value(id)
}

/// What a client is told when the store cannot do it.
pub(super) fn unavailable(error: StoreError) -> Fault {
    match error {
        StoreError::Unusable { field, reason } => Fault::client(Kind::Field, reason).field(field),
        // The medium did not say whether the change is there.
        StoreError::Commit(why) => Fault::new(Kind::OutcomeUnknown, why),
        error => Fault::new(Kind::Unavailable, error.to_string()).retry_after(1),
    }
}
