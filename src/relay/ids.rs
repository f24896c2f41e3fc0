//! Ids: what a client is given for the things of an upstream, and what it means when it comes back.
//!
//! Each thing has a number for ever, stored before a reply is written; a dialect's kind of id is written from it.
//! Dialects without ids cost nothing here. Texts of `local` are given out as they are: they are ours, and stable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::local::unavailable;
use super::unnamed::{Waiting, print_of};
use crate::model::profile::IdKind;
use crate::model::{
    Channel, ChannelRule, Fault, Kind, LOCAL, Message, Outcome, Participant, Person, Reply, Text,
    Time, alias,
};
use crate::store::{Minted, Native, NativeKind, PROVISIONAL, Provisional, Store, StoreError};

/// Numbers that are remembered without asking the store; the store has them all.
const REMEMBERED: usize = 65_536;

/// The numbers of things, which no configuration changes.
pub struct Numbers {
    store: Arc<dyn Store>,
    remembered: Mutex<HashMap<Native, Minted>>,
    waiting: Waiting,
}

/// What one configuration's clients are given.
pub struct Ids {
    pub numbers: Arc<Numbers>,
    /// What dialects call the channels that the operator has named: by dialect, id → name and name → id.
    named: Names,
    called: Names,
}

#[derive(Default)]
struct Names(HashMap<Text, HashMap<Text, Text>>);

impl Names {
    fn add(&mut self, dialect: &Text, from: &Text, to: &Text) {
        let names = self.0.entry(dialect.clone()).or_default();
        names.insert(from.clone(), to.clone());
    }

    fn of(&self, dialect: &str, from: &str) -> Option<&Text> {
        self.0.get(dialect)?.get(from)
    }
}

/// Whose ids are to be written, and how.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    pub kind: IdKind,
    pub upstream: &'a str,
    /// The service whose people have marked its messages: itself, or `local` where it has no marks.
    pub marked_by: &'a str,
    /// The route lets the upstream's own ids through.
    pub native: bool,
    /// Who has just sent the message that is told, by its signature; empty where none was sent.
    pub sender: &'a str,
}

impl Side<'_> {
    /// Are ids the same to the client and to the upstream?
    pub fn as_it_is(&self) -> bool {
        self.native
            || self.kind == IdKind::None
            || (self.kind == IdKind::Text && self.upstream == LOCAL)
    }
}

impl Ids {
    pub fn new(numbers: Arc<Numbers>, rules: &[ChannelRule]) -> Ids {
        let (mut named, mut called) = (Names::default(), Names::default());
        for rule in rules {
            for (dialect, id) in &rule.ids {
                named.add(dialect, id, &rule.name);
                called.add(dialect, &rule.name, id);
            }
        }
        Ids {
            numbers,
            named,
            called,
        }
    }

    /// The channel that a client means by an id: the operator's name for it, a number of ours, or the text itself; and
    /// whether that is sure. A text where ids are numbers of ours is nobody's id, but may be a channel's name.
    pub async fn channel(
        &self,
        dialect: &str,
        kind: IdKind,
        id: &Text,
    ) -> Result<(Text, bool), Fault> {
        if let Some(name) = self.named.of(dialect, id) {
            return Ok((name.clone(), true));
        }
        match kind {
            IdKind::None | IdKind::Text => Ok((id.clone(), true)),
            _ => match self.thing(kind, id).await? {
                Some(native) if native.kind == NativeKind::Channel => Ok((native.id, true)),
                _ => Ok((id.clone(), id.is_empty())),
            },
        }
    }

    /// What an id of ours stands for.
    pub async fn thing(&self, kind: IdKind, id: &str) -> Result<Option<Native>, Fault> {
        Ok(self
            .numbers
            .store
            .resolve(kind, id)
            .await
            .map_err(unavailable)?
            .map(|(_, native)| native))
    }

    /// Puts the client's ids in the place of the upstream's.
    pub async fn outward(&self, side: &Side<'_>, outcome: &mut Outcome) -> Result<(), Fault> {
        let Ok(reply) = outcome else { return Ok(()) };
        self.alias(side, reply, visit).await?;
        let marks = Side {
            upstream: side.marked_by,
            ..*side
        };
        self.alias(&marks, reply, visit_marks).await
    }

    async fn alias(
        &self,
        side: &Side<'_>,
        reply: &mut Reply,
        visit: impl Fn(&mut Reply, &mut See<'_>),
    ) -> Result<(), Fault> {
        if side.as_it_is() {
            return Ok(());
        }
        let mut natives = Vec::new();
        visit(reply, &mut |kind, channel, id, created| {
            natives.push(native(side, kind, channel, id, created))
        });
        if natives.is_empty() {
            return Ok(());
        }
        if let Reply::OneMessage(one) = reply {
            let sent = |native: &&mut Native| {
                native.kind == NativeKind::Message && native.id == one.message.id
            };
            for native in natives.iter_mut().filter(sent) {
                native.sender = side.sender.into();
            }
        }
        let numbers = self.numbers.of(&natives).await?;
        let mut numbers = numbers.into_iter();
        visit(reply, &mut |_, _, id, _| {
            if let Some(Minted { number, created_at }) = numbers.next() {
                *id = alias::write(side.kind, number, created_at);
            }
        });
        Ok(())
    }

    /// What a client calls the channel of this name.
    pub async fn channel_id(
        &self,
        dialect: &str,
        kind: IdKind,
        name: &Text,
    ) -> Result<Text, Fault> {
        if let Some(id) = self.called.of(dialect, name) {
            return Ok(id.clone());
        }
        if name.is_empty() || matches!(kind, IdKind::None | IdKind::Text) {
            return Ok(name.clone());
        }
        let native = Native {
            kind: NativeKind::Channel,
            id: name.clone(),
            ..Native::default()
        };
        let numbers = self.numbers.of(std::slice::from_ref(&native)).await?;
        Ok(numbers.first().map_or_else(
            || name.clone(),
            |minted| alias::write(kind, minted.number, minted.created_at),
        ))
    }
}

impl Numbers {
    /// Takes up the sends that no list has shown yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Numbers, StoreError> {
        let waiting = Waiting::new(store.provisionals().await?);
        Ok(Numbers {
            store,
            remembered: Mutex::default(),
            waiting,
        })
    }

    /// An id for a message that was sent and got none, until a list shows it.
    pub async fn provisional(&self, mut sent: Provisional, text: &str) -> Result<Text, Fault> {
        sent.id = format!("{PROVISIONAL}{}", sent.id).into();
        sent.print = print_of(text);
        let stored = self.store.put_provisional(sent.clone()).await;
        stored.map_err(unavailable)?;
        let id = sent.id.clone();
        self.waiting.add(sent);
        Ok(id)
    }

    /// Binds the ids of sends to the messages of a list, as far as these are they; `ours` says of each whether Sabir's
    /// own account there may have posted it.
    pub async fn bind(
        &self,
        upstream: &Text,
        channel: &Text,
        messages: &[Message],
        ours: impl Fn(&Message) -> bool,
    ) -> Result<(), Fault> {
        if !self.waiting.any(upstream, channel) {
            return Ok(());
        }
        let native = |id: &Text, created_at| Native {
            kind: NativeKind::Message,
            upstream: upstream.clone(),
            channel: channel.clone(),
            id: id.clone(),
            created_at,
            ..Native::default()
        };
        let shown: Vec<Native> = messages
            .iter()
            .map(|message| native(&message.id, message.created_at))
            .collect();
        let known = self.store.known(&shown).await.map_err(unavailable)?;
        let new = |at: usize| known.get(at).is_none_or(Option::is_none);
        for found in self.waiting.find((upstream, channel), messages, new, ours) {
            let sent = native(&found.sent.id, None);
            let number = self.store.known(&[sent]).await.map_err(unavailable)?;
            // Without a number nobody has been told of it yet.
            let Some(number) = number.into_iter().flatten().next() else {
                continue;
            };
            let bound = self.store.bind(number, shown[found.at].clone()).await;
            bound.map_err(unavailable)?;
            self.forget(number);
            self.waiting.remove(&found.sent);
        }
        Ok(())
    }

    /// When a message was created, as it was first told of.
    pub async fn moment(
        &self,
        upstream: &Text,
        channel: &Text,
        id: &str,
    ) -> Result<Option<Time>, Fault> {
        let native = Native {
            kind: NativeKind::Message,
            upstream: upstream.clone(),
            channel: channel.clone(),
            id: id.into(),
            ..Native::default()
        };
        let known = self.store.known(&[native]).await.map_err(unavailable)?;
        let Some(number) = known.into_iter().flatten().next() else {
            return Ok(None);
        };
        let native = self.store.native(number).await.map_err(unavailable)?;
        Ok(native.and_then(|native| native.created_at))
    }

    /// What is remembered of a number whose thing has another name now.
    fn forget(&self, number: u64) {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, known| known.number != number);
    }

    async fn of(&self, natives: &[Native]) -> Result<Vec<Minted>, Fault> {
        let known: Vec<Option<Minted>> = {
            let remembered = self
                .remembered
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            natives
                .iter()
                .map(|native| remembered.get(native).copied())
                .collect()
        };
        if let Some(all) = known.iter().copied().collect() {
            return Ok(all);
        }
        // One commit for all that is new on a page.
        let minted = self
            .store
            .mint(natives.to_vec())
            .await
            .map_err(unavailable)?;
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() + minted.len() > REMEMBERED {
            remembered.clear();
        }
        // Without its sender, who is told once and kept in the store.
        let things = natives.iter().map(|native| Native {
            sender: Text::default(),
            ..native.clone()
        });
        remembered.extend(things.zip(minted.iter().copied()));
        Ok(minted)
    }
}

fn native(
    side: &Side<'_>,
    kind: NativeKind,
    channel: &Text,
    id: &Text,
    created_at: Option<Time>,
) -> Native {
    let channel = if kind == NativeKind::Message {
        channel.clone()
    } else {
        Text::default()
    };
    Native {
        kind,
        upstream: side.upstream.into(),
        channel,
        id: id.clone(),
        created_at,
        ..Native::default()
    }
}

/// What is done with an id: of this kind, in this channel, of a thing that was made at this moment.
type See<'a> = dyn FnMut(NativeKind, &Text, &mut Text, Option<Time>) + 'a;

/// Every id in a reply but those of channels and of who has marked messages.
fn visit(reply: &mut Reply, see: &mut See<'_>) {
    match reply {
        Reply::OneMessage(one) => visit_message(&mut one.message, see),
        Reply::Messages(list) => list
            .messages
            .iter_mut()
            .for_each(|message| visit_message(message, see)),
        Reply::OnePerson(one) => visit_person(&mut one.person, see),
        Reply::People(list) => list
            .people
            .iter_mut()
            .for_each(|person| visit_person(person, see)),
        Reply::Session(session) => visit_person(&mut session.person, see),
        Reply::OneChannel(one) => visit_channel(&mut one.channel, see),
        Reply::Channels(list) => list
            .channels
            .iter_mut()
            .for_each(|channel| visit_channel(channel, see)),
        Reply::Moderation(done) => {
            visit_person(&mut done.person, see);
            visit_person(&mut done.moderator, see);
        }
        Reply::Moderations(list) => list.moderations.iter_mut().for_each(|done| {
            visit_person(&mut done.person, see);
            visit_person(&mut done.moderator, see);
        }),
        Reply::Participants(list) => list.participants.iter_mut().for_each(|participant| {
            let at = participant.channel.clone();
            visit_participant(&at, participant, see);
        }),
        Reply::Done(_) => {}
    }
}

fn visit_message(message: &mut Message, see: &mut See<'_>) {
    let channel = message.channel.clone();
    if !message.id.is_empty() {
        see(
            NativeKind::Message,
            &channel,
            &mut message.id,
            message.created_at,
        );
    }
    if !message.reply_to.is_empty() {
        see(NativeKind::Message, &channel, &mut message.reply_to, None);
    }
    visit_person(&mut message.author, see);
}

/// The id of everybody who has marked a message.
fn visit_marks(reply: &mut Reply, see: &mut See<'_>) {
    reply.each_message(|message| {
        for person in message.seen_by.iter_mut().chain(&mut message.starred_by) {
            see(NativeKind::Person, &message.channel, person, None);
        }
    });
}

/// A person without an id is known by its name, and one without a name shown by the id that it has over there.
fn visit_person(person: &mut Person, see: &mut See<'_>) {
    if person.id.is_empty() {
        person.id = person.name.clone();
    }
    if person.name.is_empty() && person.display.is_empty() {
        person.name = person.id.clone();
    }
    if !person.id.is_empty() {
        see(NativeKind::Person, &Text::default(), &mut person.id, None);
    }
}

fn visit_channel(channel: &mut Channel, see: &mut See<'_>) {
    visit_person(&mut channel.owner, see);
    for participant in &mut channel.participants {
        visit_participant(&channel.id, participant, see);
    }
    if let Some(message) = &mut channel.last_message {
        visit_message(message, see);
    }
}

fn visit_participant(at: &Text, participant: &mut Participant, see: &mut See<'_>) {
    visit_person(&mut participant.person, see);
    if !participant.id.is_empty() {
        see(NativeKind::Participant, at, &mut participant.id, None);
    }
}

/// The fault of an id that stands for nothing.
pub fn unknown_message(id: &str) -> Fault {
    Fault::client(Kind::Message, "no such message").value(id)
}
