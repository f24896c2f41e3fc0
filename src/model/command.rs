//! What a client can ask for: one record per command, and the table that joins each with its answer.
//!
//! The table is the whole vocabulary. A dialect adds ways to say these; it cannot add a command of its own.

use super::message::{Channel, Message, Window};
use super::outcome::*;
use super::record::{Schema, Slot, Text, Type, Typed, record};

record! {
    /// Starts a session that nobody has signed in to yet.
    OpenSession {
        /// The client program's own version.
        version: Text,
        /// The client program's own checksum.
        checksum: Text,
        /// What the client brings to the key that seals its replies.
        key: Text,
    }

    /// Signs in with the credential that the request carries.
    SignIn {
        /// The machine that the client runs on, as it names it.
        machine: Text,
        /// Which way of signing in is meant, where there are several.
        strategy: Text,
    }

    /// Is the session signed in?
    CheckSession {}

    /// Ends the session.
    SignOut {}

    /// Makes an account out of a licence, and signs in.
    Register { machine: Text, email: Text }

    /// Asks for a token of another kind or scope.
    IssueToken { grant: Text, scope: Text }

    /// Who is calling?
    WhoAmI {}

    /// One person, by id or by name.
    GetPerson {
        id: Text,
        name: Text,
        /// Asks for what is the person's own alone to know, and is for nobody else.
        private: Option<bool>,
    }

    /// The people known here.
    ListPeople { window: Window }

    /// Several messages, to any channels, in order.
    SendMany { sends: Vec<Message> }

    /// Messages of a channel.
    List {
        channel: Text,
        session: Text,
        /// Only messages of this person's id.
        author: Text,
        window: Window,
    }

    /// One message.
    Get { channel: Text, id: Text }

    /// The caller has seen a message.
    MarkSeen { channel: Text, id: Text, seen: Option<bool> }

    /// Messages of a channel whose text holds the words.
    Search { channel: Text, query: Text, window: Window }

    /// Turns the caller's star on a message on or off.
    ToggleStar { channel: Text, id: Text, participant: Text }

    /// The channels that the caller may read.
    ListChannels {
        window: Window,
        /// Only those of this status.
        status: Text,
        /// Of those with the status that is asked for, only those of this category.
        category: Text,
    }

    /// One channel, by its id, its name, its owner's id or its owner's name.
    FindChannel { channel: Text, name: Text, owner: Text, owner_name: Text }

    /// Turns the caller's pin on a channel on or off.
    TogglePin { channel: Text }

    /// Moves a channel into or out of the caller's archive.
    ToggleArchive { channel: Text }

    /// The caller has seen everything in a channel.
    MarkChannelSeen { channel: Text, seen: Option<bool> }

    /// Says whether a person is there: `online` or `offline`.
    SetPresence { person: Text, presence: Text }

    /// Asks to be told of a channel's events.
    Subscribe { channels: Vec<Text> }

    /// Asks not to be told any more.
    Unsubscribe { channels: Vec<Text> }

    /// Takes a message away.
    Delete { channel: Text, id: Text, reason: Text }

    /// Keeps a person from speaking, or lets it speak again.
    Moderate {
        channel: Text,
        person: Text,
        /// `timeout`, `ban` or `unban`.
        action: Text,
        /// How long a timeout lasts.
        seconds: Option<i64>,
    }

    /// The people who may moderate a channel, beside its owner.
    ListModerators { channel: Text, window: Window }

    /// The bans and timeouts of a channel that were not taken back, those that have run out too.
    ListBans { channel: Text, window: Window }

    /// All that moderators did in a channel.
    ListModerations { channel: Text, window: Window }
}

/// Joins each operation with its command record, its reply record, and whether it changes anything.
macro_rules! operations {
    ($($(#[$meta:meta])* $op:ident $name:literal: $command:ty => $reply:ident, $effect:ident;)*) => {
        /// What is asked, without its particulars.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation { $($(#[$meta])* $op),* }

        impl Operation {
            /// Every operation, in the order of the journey of a client.
            pub const ALL: &[Operation] = &[$(Operation::$op),*];

            /// The name in mappings, metrics and tables.
            pub fn name(self) -> &'static str {
                match self { $(Operation::$op => $name),* }
            }

            pub fn effect(self) -> Effect {
                match self { $(Operation::$op => Effect::$effect),* }
            }

            /// The fields that a request of this operation may fill.
            pub fn command_schema(self) -> &'static Schema {
                match self { $(Operation::$op => schema::<$command>()),* }
            }

            /// The fields that a reply of this operation may fill.
            pub fn reply_schema(self) -> &'static Schema {
                match self { $(Operation::$op => schema::<$reply>()),* }
            }

            /// A command with every field absent, for a request to be read into.
            pub fn command(self) -> Command {
                match self { $(Operation::$op => Command::$op(Default::default())),* }
            }

            /// A reply with every field absent, for a reply to be read into.
            pub fn reply(self) -> Reply {
                match self { $(Operation::$op => Reply::$reply(Default::default())),* }
            }
        }

        /// What a client asks for, in the model's words.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command { $($(#[$meta])* $op($command)),* }

        impl Command {
            pub fn operation(&self) -> Operation {
                match self { $(Command::$op(_) => Operation::$op),* }
            }
            pub fn slot(&self) -> &dyn Slot {
                match self { $(Command::$op(record) => record),* }
            }
            pub fn slot_mut(&mut self) -> &mut dyn Slot {
                match self { $(Command::$op(record) => record),* }
            }
        }
    };
}

/// What carrying out a command does to the world, and so what may be done when it is unclear whether it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answered by `auth`, never relayed.
    Session,
    /// Changes nothing: may be repeated freely.
    Read,
    /// Changes something: repeated only when it certainly did not happen.
    Write,
}

operations! {
    OpenSession "open_session": OpenSession => Session, Session;
    SignIn "sign_in": SignIn => Session, Session;
    CheckSession "check_session": CheckSession => Session, Session;
    SignOut "sign_out": SignOut => Done, Session;
    Register "register": Register => Session, Session;
    IssueToken "issue_token": IssueToken => Session, Session;
    WhoAmI "who_am_i": WhoAmI => OnePerson, Read;
    GetPerson "get_person": GetPerson => OnePerson, Read;
    ListPeople "list_people": ListPeople => People, Read;
    Send "send": Message => OneMessage, Write;
    SendMany "send_many": SendMany => Messages, Write;
    List "list": List => Messages, Read;
    Get "get": Get => OneMessage, Read;
    MarkSeen "mark_seen": MarkSeen => OneMessage, Write;
    Search "search": Search => Messages, Read;
    ToggleStar "toggle_star": ToggleStar => OneMessage, Write;
    ListChannels "list_channels": ListChannels => Channels, Read;
    FindChannel "find_channel": FindChannel => OneChannel, Read;
    CreateChannel "create_channel": Channel => OneChannel, Write;
    TogglePin "toggle_pin": TogglePin => OneChannel, Write;
    ToggleArchive "toggle_archive": ToggleArchive => OneChannel, Write;
    MarkChannelSeen "mark_channel_seen": MarkChannelSeen => OneChannel, Write;
    SetPresence "set_presence": SetPresence => OnePerson, Write;
    Subscribe "subscribe": Subscribe => Done, Read;
    Unsubscribe "unsubscribe": Unsubscribe => Done, Read;
    Edit "edit": Message => OneMessage, Write;
    Delete "delete": Delete => Moderation, Write;
    Moderate "moderate": Moderate => Moderation, Write;
    ListModerators "list_moderators": ListModerators => Participants, Read;
    ListBans "list_bans": ListBans => Moderations, Read;
    ListModerations "list_moderations": ListModerations => Moderations, Read;
}

impl Operation {
    pub fn from_name(name: &str) -> Option<Operation> {
        Operation::ALL
            .iter()
            .copied()
            .find(|operation| operation.name() == name)
    }
}

/// The schema of a record type.
pub fn schema<T: Typed>() -> &'static Schema {
    match T::TYPE {
        Type::Record(schema) => schema,
        _ => unreachable!("only records are commands and replies"),
    }
}

/// A longer timeout is a long one.
const SHORT_SECONDS: i64 = 5 * 60;

impl Moderate {
    /// What the log of a channel calls it: `short_timeout`, `long_timeout`, `ban` or `unban`. A timeout has a length.
    pub fn deed(&self) -> Option<&'static str> {
        Some(match (self.action.as_str(), self.seconds) {
            ("timeout", Some(1..=SHORT_SECONDS)) => "short_timeout",
            ("timeout", Some(1..)) => "long_timeout",
            ("ban", _) => "ban",
            ("unban", _) => "unban",
            _ => return None,
        })
    }
}
