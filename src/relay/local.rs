//! `local`: the chat service inside Sabir, on its own store.
//!
//! It carries out every command of the model that a chat service can. Its people are the accounts, its channels those
//! of the configuration; where none is configured, every name is a channel. It decides nothing about who may do what.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{
    Channel, ChannelRule, Channels, Command, Done, Fault, FindChannel, Kind, LOCAL, List, MarkSeen,
    Message, Messages, Moderation, OneChannel, OneMessage, OnePerson, Outcome, Participant, People,
    Person, Reply, Text, Window, lower,
};
use crate::store::{Change, Filter, Kept, Mark, MarkKind, Store, StoreError};

/// Newest messages that a search goes through.
const SEARCHED: u32 = 100;

pub struct Local {
    store: Arc<dyn Store>,
    people: Vec<Person>,
    /// By name, lower case.
    channels: HashMap<Text, ChannelRule>,
}

impl Local {
    pub fn new(store: Arc<dyn Store>, people: Vec<Person>, channels: Vec<ChannelRule>) -> Local {
        let channels = channels
            .into_iter()
            .map(|rule| (rule.name.clone(), rule))
            .collect();
        Local {
            store,
            people,
            channels,
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

    /// Carries out a command for a person.
    pub async fn carry_out(&self, command: &Command, person: &Person) -> Outcome {
        match command {
            Command::Send(message) => {
                let kept = self
                    .store
                    .append(vec![kept(message)])
                    .await
                    .map_err(unavailable)?;
                let message = kept
                    .into_iter()
                    .next()
                    .ok_or_else(|| Fault::new(Kind::Internal, "nothing was kept"))?;
                Ok(Reply::OneMessage(OneMessage { message }))
            }
            Command::SendMany(many) => {
                let kept = many.sends.iter().map(kept).collect();
                let messages = self.store.append(kept).await.map_err(unavailable)?;
                Ok(Reply::Messages(Messages {
                    messages,
                    window: Window::default(),
                }))
            }
            Command::List(list) => self.list(list, person).await,
            Command::Get(get) => self.get(&get.channel, &get.id, person).await,
            Command::MarkSeen(mark) => self.mark_seen(mark, person).await,
            Command::Search(search) => {
                let found = self
                    .store
                    .search(LOCAL, &search.channel, &search.query, SEARCHED)
                    .await;
                let mut messages = found.map_err(unavailable)?;
                self.show(&search.channel, &mut messages, person).await?;
                Ok(Reply::Messages(Messages {
                    messages,
                    window: search.window.clone(),
                }))
            }
            Command::ToggleStar(star) => {
                let mark = mark(person, &star.channel, Some(&star.id), MarkKind::Starred);
                self.store
                    .mark(mark, Change::Toggle)
                    .await
                    .map_err(unavailable)?;
                self.get(&star.channel, &star.id, person).await
            }
            Command::Edit(message) => {
                let edited = self
                    .store
                    .edit(LOCAL, message.clone())
                    .await
                    .map_err(unavailable)?;
                edited
                    .map(|message| Reply::OneMessage(OneMessage { message }))
                    .ok_or_else(|| no_message(&message.id))
            }
            Command::Delete(delete) => {
                let channel = Some(delete.channel.as_str()).filter(|channel| !channel.is_empty());
                let gone = self
                    .store
                    .delete(LOCAL, channel, &delete.id)
                    .await
                    .map_err(unavailable)?;
                let message = gone.ok_or_else(|| no_message(&delete.id))?;
                let action = "delete_message".into();
                let (channel, author) = (message.channel.clone(), message.author.clone());
                let moderator = person.clone();
                Ok(Reply::Moderation(Moderation {
                    action,
                    channel,
                    message,
                    person: author,
                    moderator,
                    ..Default::default()
                }))
            }
            _ => self.carry_out_rest(command, person).await,
        }
    }

    /// The commands that are not about messages.
    async fn carry_out_rest(&self, command: &Command, person: &Person) -> Outcome {
        match command {
            Command::ListChannels(_) => {
                let mut channels = Vec::new();
                for name in self.channel_names().await? {
                    channels.push(self.channel(&name, person).await?);
                }
                Ok(Reply::Channels(Channels {
                    channels,
                    window: Window::default(),
                }))
            }
            Command::FindChannel(find) => {
                let name = self.find(find).ok_or_else(|| no_channel(&find.channel))?;
                Ok(Reply::OneChannel(OneChannel {
                    channel: self.channel(&name, person).await?,
                }))
            }
            Command::TogglePin(toggle) => {
                self.toggle(&toggle.channel, MarkKind::Pinned, person).await
            }
            Command::ToggleArchive(toggle) => {
                self.toggle(&toggle.channel, MarkKind::Archived, person)
                    .await
            }
            Command::MarkChannelSeen(mark_seen) => {
                let mark = mark(person, &mark_seen.channel, None, MarkKind::Seen);
                self.store
                    .mark(mark, Change::Set(mark_seen.seen != Some(false)))
                    .await
                    .map_err(unavailable)?;
                Ok(Reply::OneChannel(OneChannel {
                    channel: self.channel(&mark_seen.channel, person).await?,
                }))
            }
            Command::SetPresence(set) => {
                self.store
                    .set_presence(LOCAL, &set.person, &set.presence)
                    .await
                    .map_err(unavailable)?;
                let mut person = self
                    .person(&set.person, "")
                    .ok_or_else(|| no_person(&set.person))?;
                person.presence = set.presence.clone();
                Ok(Reply::OnePerson(OnePerson { person }))
            }
            Command::WhoAmI(_) => Ok(Reply::OnePerson(OnePerson {
                person: person.clone(),
            })),
            Command::GetPerson(get) => {
                let person = self
                    .person(&get.id, &get.name)
                    .ok_or_else(|| no_person(&get.id))?;
                Ok(Reply::OnePerson(OnePerson { person }))
            }
            Command::ListPeople(list) => Ok(Reply::People(People {
                people: self.people.clone(),
                window: list.window.clone(),
            })),
            // Nothing is pushed to a caller of a request; a live connection subscribes by itself.
            Command::Subscribe(_) | Command::Unsubscribe(_) => Ok(Reply::Done(Done {})),
            _ => Err(Fault::client(
                Kind::Unsupported,
                "not possible in channels that Sabir keeps itself",
            )),
        }
    }

    async fn list(&self, list: &List, person: &Person) -> Outcome {
        let filter = Filter {
            author: list.author.clone(),
            session: list.session.clone(),
        };
        let page = self
            .store
            .list(LOCAL, &lower(&list.channel), &filter, &list.window)
            .await
            .map_err(unavailable)?;
        let mut messages = page.messages;
        self.show(&list.channel, &mut messages, person).await?;
        Ok(Reply::Messages(Messages {
            messages,
            window: page.window,
        }))
    }

    async fn get(&self, channel: &str, id: &str, person: &Person) -> Outcome {
        let channel = Some(channel).filter(|channel| !channel.is_empty());
        let found = self
            .store
            .get(LOCAL, channel, id)
            .await
            .map_err(unavailable)?;
        let mut messages = vec![found.ok_or_else(|| no_message(id))?];
        let channel = messages[0].channel.clone();
        self.show(&channel, &mut messages, person).await?;
        Ok(Reply::OneMessage(OneMessage {
            message: messages.remove(0),
        }))
    }

    async fn mark_seen(&self, mark_seen: &MarkSeen, person: &Person) -> Outcome {
        // The message is looked for first: a mark on nothing must not be kept.
        let Reply::OneMessage(one) = self.get(&mark_seen.channel, &mark_seen.id, person).await?
        else {
            return Err(no_message(&mark_seen.id));
        };
        if mark_seen.seen == Some(false) {
            return Ok(Reply::OneMessage(one));
        }
        let mark = mark(
            person,
            &one.message.channel,
            Some(&one.message.id),
            MarkKind::Seen,
        );
        self.store
            .mark(mark, Change::Set(true))
            .await
            .map_err(unavailable)?;
        self.get(&one.message.channel, &one.message.id, person)
            .await
    }

    async fn toggle(&self, channel: &str, kind: MarkKind, person: &Person) -> Outcome {
        self.store
            .mark(mark(person, channel, None, kind), Change::Toggle)
            .await
            .map_err(unavailable)?;
        Ok(Reply::OneChannel(OneChannel {
            channel: self.channel(channel, person).await?,
        }))
    }

    /// Adds to messages what people have marked.
    async fn show(
        &self,
        channel: &str,
        messages: &mut [Message],
        person: &Person,
    ) -> Result<(), Fault> {
        let ids: Vec<Text> = messages.iter().map(|message| message.id.clone()).collect();
        let marks = self
            .store
            .marks(None, LOCAL, &lower(channel), &ids)
            .await
            .map_err(unavailable)?;
        for mark in marks {
            let Some(message) = messages
                .iter_mut()
                .find(|message| Some(&message.id) == mark.message.as_ref())
            else {
                continue;
            };
            let own = mark.person == person.id;
            let (people, mine) = match mark.kind {
                MarkKind::Seen => (&mut message.seen_by, &mut message.mine.seen),
                MarkKind::Starred => (&mut message.starred_by, &mut message.mine.starred),
                MarkKind::Pinned | MarkKind::Archived => continue,
            };
            if !people.contains(&mark.person) {
                people.push(mark.person);
            }
            if own {
                *mine = Some(true);
            }
        }
        Ok(())
    }

    async fn channel_names(&self) -> Result<Vec<Text>, Fault> {
        if !self.channels.is_empty() {
            let mut names: Vec<Text> = self.channels.keys().cloned().collect();
            names.sort();
            return Ok(names);
        }
        let channels = self.store.channels(LOCAL).await.map_err(unavailable)?;
        Ok(channels
            .into_iter()
            .map(|channel| {
                if channel.name.is_empty() {
                    channel.id
                } else {
                    channel.name
                }
            })
            .collect())
    }

    /// A channel as a person sees it.
    async fn channel(&self, name: &str, person: &Person) -> Result<Channel, Fault> {
        let name: Text = lower(name).into();
        let kept = self
            .store
            .channel(LOCAL, &name)
            .await
            .map_err(unavailable)?;
        let mut channel = kept.unwrap_or_default();
        channel.id = name.clone();
        channel.name = name.clone();
        if let Some(rule) = self.rule(&name) {
            channel.title = rule.title.clone();
            channel.owner = rule
                .owner
                .as_ref()
                .and_then(|owner| self.person("", owner))
                .unwrap_or_default();
            let members: Vec<&Text> = rule.members.iter().collect();
            channel.participants = self
                .people
                .iter()
                .filter(|person| members.is_empty() || members.contains(&&person.name))
                .map(|person| Participant {
                    id: person.id.clone(),
                    person: person.clone(),
                })
                .collect();
        }
        let marks = self
            .store
            .marks(Some(&person.id), LOCAL, &name, &[])
            .await
            .map_err(unavailable)?;
        let marked = |kind| {
            Some(
                marks
                    .iter()
                    .any(|mark| mark.message.is_none() && mark.kind == kind),
            )
        };
        channel.mine.pinned = marked(MarkKind::Pinned);
        channel.mine.archived = marked(MarkKind::Archived);
        channel.mine.unread = Some(
            self.store
                .unread(&person.id, LOCAL, &name)
                .await
                .map_err(unavailable)?,
        );
        channel.mine.participant = person.id.clone();
        Ok(channel)
    }

    fn find(&self, find: &FindChannel) -> Option<Text> {
        let named = [&find.channel, &find.name]
            .into_iter()
            .find(|name| !name.is_empty());
        if let Some(name) = named {
            return self.has(name).then(|| lower(name).into());
        }
        let owner = self.person(&find.owner, &find.owner_name)?.name;
        let rule = self
            .channels
            .values()
            .find(|rule| rule.owner.as_ref() == Some(&owner));
        rule.map(|rule| rule.name.clone())
    }

    fn person(&self, id: &str, name: &str) -> Option<Person> {
        let found = |person: &&Person| {
            (!id.is_empty() && person.id == id)
                || (!name.is_empty() && person.name.eq_ignore_ascii_case(name))
        };
        self.people.iter().find(found).cloned()
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
