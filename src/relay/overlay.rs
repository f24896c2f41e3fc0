//! What an upstream does not have and Sabir can do beside it: one message out of a list, and marks in our own store.
//!
//! Which of a client's operations are native at an upstream and which are emulated is decided by the two mappings alone,
//! and told by `sabir check` before anybody runs into it.

use super::{Ask, Relay, Shared, marks};
use crate::model::{
    Channel, Command, Fault, Get, Kind, LOCAL, List, MarkSeen, OneChannel, OneMessage, Operation,
    Outcome, Reply, Text, Window,
};
use crate::store::{Mark, MarkKind};

/// How far back a message is looked for in an upstream that only lists.
pub const LOOKED_THROUGH: i64 = 100;

impl Shared {
    /// Can Sabir do beside this upstream what its dialect lacks?
    pub fn emulates(&self, at: usize, operation: Operation) -> bool {
        let dialect = &self.dialects[self.upstreams[at].config.dialect];
        let shows = dialect.calls(Operation::List) || dialect.calls(Operation::Get);
        match operation {
            Operation::Get => dialect.calls(Operation::List),
            Operation::MarkSeen => shows,
            // One after the other, by the gateway; channels from the routes.
            Operation::SendMany => dialect.calls(Operation::Send),
            Operation::ListChannels | Operation::FindChannel => true,
            _ => false,
        }
    }

    /// Are marks on this upstream's messages ours to keep, because it has none?
    pub(super) fn keeps_marks(&self, at: usize) -> bool {
        !self.marks_itself[at]
    }

    /// The service whose people are told to have marked an upstream's messages.
    pub fn marked_by<'a>(&self, upstream: &'a str) -> &'a str {
        match self.find(upstream) {
            Some(at) if self.keeps_marks(at) => LOCAL,
            _ => upstream,
        }
    }
}

impl Relay {
    /// Carries out what the upstream's dialect lacks. `None`: the upstream is to be asked. Boxed, because it is rare and
    /// would swell the future of every other command.
    pub(super) async fn emulate(&self, ask: &Ask<'_>, command: &Command) -> Option<Outcome> {
        let dialect = self.dialect(&self.shared.upstreams[ask.at]);
        match command {
            Command::Get(get) if dialect.calls(Operation::List) => {
                Some(Box::pin(self.found_in_list(ask, get)).await)
            }
            Command::MarkSeen(mark) => Some(Box::pin(self.marked_beside(ask, mark)).await),
            Command::FindChannel(find) => {
                // What the dialect cannot describe still has its name.
                let channel = Channel {
                    id: find.channel.clone(),
                    name: find.channel.clone(),
                    ..Channel::default()
                };
                Some(Ok(Reply::OneChannel(OneChannel {
                    channel: Box::new(channel),
                })))
            }
            _ => None,
        }
    }

    async fn found_in_list(&self, ask: &Ask<'_>, get: &Get) -> Outcome {
        let window = Window {
            limit: Some(LOOKED_THROUGH),
            ..Window::default()
        };
        let list = List {
            channel: get.channel.clone(),
            window,
            ..List::default()
        };
        let Reply::Messages(mut list) = self.list(ask, &list).await? else {
            return Err(Fault::new(
                Kind::Internal,
                "a list was not answered by a list",
            ));
        };
        match list
            .messages
            .iter()
            .position(|message| message.id == get.id)
        {
            Some(found) => Ok(Reply::OneMessage(OneMessage {
                message: Box::new(list.messages.swap_remove(found)),
            })),
            None => Err(Fault::client(Kind::Message, "no such message").value(get.id.clone())),
        }
    }

    /// Seen marks are kept beside an upstream that has none.
    async fn marked_beside(&self, ask: &Ask<'_>, mark: &MarkSeen) -> Outcome {
        let get = Get {
            channel: mark.channel.clone(),
            id: mark.id.clone(),
        };
        let command = Command::Get(get.clone());
        let dialect = self.dialect(&self.shared.upstreams[ask.at]);
        let reply = if dialect.calls(Operation::Get) {
            self.ask(ask, &command).await?
        } else {
            self.found_in_list(ask, &get).await?
        };
        if mark.seen != Some(false) {
            let seen = Mark {
                person: ask.viewer.into(),
                upstream: self.shared.upstreams[ask.at].config.name.clone(),
                channel: mark.channel.clone(),
                message: Some(mark.id.clone()),
                kind: MarkKind::Seen,
            };
            self.shared.marks.set(seen).await?;
        }
        Ok(reply)
    }

    /// Adds what is marked beside an upstream to what it tells of a channel's messages.
    pub(super) async fn show_marks(
        &self,
        ask: &Ask<'_>,
        channel: &Text,
        reply: &mut Reply,
    ) -> Result<(), Fault> {
        let messages = match reply {
            Reply::OneMessage(one) => std::slice::from_mut(&mut *one.message),
            Reply::Messages(list) => &mut list.messages[..],
            _ => return Ok(()),
        };
        let place = (&*self.shared.upstreams[ask.at].config.name, &**channel);
        marks::show(self.shared.local.store(), place, messages, ask.viewer).await
    }
}

/// The channel whose messages a command reads.
pub(super) fn read_in(command: &Command) -> Option<&Text> {
    Some(match command {
        Command::List(asked) => &asked.channel,
        Command::Get(asked) => &asked.channel,
        Command::MarkSeen(asked) => &asked.channel,
        Command::Search(asked) => &asked.channel,
        _ => return None,
    })
}
