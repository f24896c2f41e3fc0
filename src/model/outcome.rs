//! What became of a command: a reply in the model's words, or a fault.
//!
//! There are fewer replies than commands: what comes back is one message, several, a channel, a person, a session, or
//! nothing but success. The table in `command` says which command has which.

use super::fault::Fault;
use super::message::{Channel, Message, Participant, Person, Window};
use super::record::{Slot, Text, Time, record};

// What is large in a reply is in a box, here or below: a reply is moved through every stage on its way back, and copied
// each time.
record! {
    /// Nothing but success.
    Done {}

    /// A session or a token, and who it stands for.
    Session {
        /// The session's id, where the dialect has sessions.
        id: Text,
        /// False when an existing session was handed out again.
        fresh: Option<bool>,
        /// The token that later requests carry.
        token: Text,
        refresh_token: Text,
        scope: Text,
        created_at: Option<Time>,
        expires_at: Option<Time>,
        /// Seconds from creation to expiry.
        lifetime: Option<i64>,
        person: Box<Person>,
    }

    OneMessage { message: Box<Message> }

    /// A list of messages, oldest first.
    Messages { messages: Vec<Message>, window: Box<Window> }

    OneChannel { channel: Box<Channel> }

    Channels { channels: Vec<Channel>, window: Box<Window> }

    OnePerson { person: Box<Person> }

    People { people: Vec<Person>, window: Box<Window> }

    /// What a moderator did.
    Moderation {
        id: Text,
        /// `short_timeout` (up to five minutes), `long_timeout`, `ban`, `unban` or `delete_message`.
        action: Text,
        channel: Text,
        message: Option<Box<Message>>,
        person: Box<Person>,
        moderator: Box<Person>,
        created_at: Option<Time>,
        /// When it ends, if it does.
        until: Option<Time>,
        cursor: Text,
    }

    Moderations { moderations: Vec<Moderation>, window: Box<Window> }

    Participants { participants: Vec<Participant>, window: Box<Window> }
}

macro_rules! replies {
    ($($reply:ident $record:ty;)*) => {
        /// A success, in the model's words.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Reply { $($reply($record)),* }

        impl Reply {
            pub fn slot(&self) -> &dyn Slot {
                match self { $(Reply::$reply(record) => record),* }
            }
            pub fn slot_mut(&mut self) -> &mut dyn Slot {
                match self { $(Reply::$reply(record) => record),* }
            }
        }
    };
}

replies! {
    Done Done;
    Session Box<Session>;
    OneMessage OneMessage;
    Messages Messages;
    OneChannel OneChannel;
    Channels Channels;
    OnePerson OnePerson;
    People People;
    Moderation Box<Moderation>;
    Moderations Moderations;
    Participants Participants;
}

impl Reply {
    /// Does something to every message that is told of.
    pub fn each_message(&mut self, mut visit: impl FnMut(&mut Message)) {
        fn newest(channel: &mut Channel) -> Option<&mut Message> {
            channel.last_message.as_deref_mut()
        }
        match self {
            Reply::OneMessage(one) => visit(&mut one.message),
            Reply::Messages(list) => list.messages.iter_mut().for_each(visit),
            Reply::OneChannel(one) => newest(&mut one.channel).into_iter().for_each(visit),
            Reply::Channels(list) => list.channels.iter_mut().filter_map(newest).for_each(visit),
            Reply::Moderation(done) => done.message.as_deref_mut().into_iter().for_each(visit),
            _ => {}
        }
    }
}

/// What became of a command.
pub type Outcome = Result<Reply, Fault>;
