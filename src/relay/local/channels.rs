//! Channels and people of `local`: those of the configuration, with what people have marked for themselves.
//!
//! A channel is described to the person who asks, so that pins, archives and unread counts are its own.

use super::{Local, mark, no_channel, no_person, unavailable};
use crate::model::{
    Channel, Channels, Command, Done, Fault, FindChannel, Kind, LOCAL, OneChannel, OnePerson,
    Outcome, Participant, People, Person, Reply, Text, Time, lower,
};
use crate::store::{Change, MarkKind};

impl Local {
    /// The commands that are not about messages.
    pub(super) async fn carry_out_rest(
        &self,
        command: &Command,
        person: &Person,
        now: Time,
    ) -> Outcome {
        match command {
            Command::ListChannels(_) => {
                let mut channels = Vec::new();
                for name in self.channel_names().await? {
                    channels.push(self.channel(&name, person).await?);
                }
                Ok(Reply::Channels(Channels {
                    channels,
                    window: Box::default(),
                }))
            }
            Command::FindChannel(find) => {
                let name = self.find(find).ok_or_else(|| no_channel(&find.channel))?;
                self.shown(&name, person).await
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
                self.shown(&mark_seen.channel, person).await
            }
            Command::SetPresence(set) => {
                // The person is looked for first: what nobody is must not be kept.
                let mut person = self
                    .person(&set.person, "")
                    .ok_or_else(|| no_person(&set.person))?;
                self.store
                    .set_presence(LOCAL, &person.id, &set.presence)
                    .await
                    .map_err(unavailable)?;
                person.presence = set.presence.clone();
                Ok(one_person(person))
            }
            Command::WhoAmI(_) => Ok(one_person(person.clone())),
            Command::GetPerson(get) => {
                let person = self
                    .person(&get.id, &get.name)
                    .ok_or_else(|| no_person(&get.id))?;
                Ok(one_person(person))
            }
            Command::ListPeople(list) => {
                let (people, window) = crate::relay::page(self.people.clone(), &list.window)?;
                Ok(Reply::People(People {
                    people,
                    window: Box::new(window),
                }))
            }
            Command::Moderate(asked) => self.moderate(asked, person, now).await,
            Command::ListModerators(list) => self.moderators(list),
            Command::ListBans(list) => self.moderations(&list.channel, true, &list.window).await,
            Command::ListModerations(list) => {
                self.moderations(&list.channel, false, &list.window).await
            }
            // Nothing is pushed to a caller of a request; a live connection subscribes by itself.
            Command::Subscribe(_) | Command::Unsubscribe(_) => Ok(Reply::Done(Done {})),
            _ => Err(Fault::client(
                Kind::Unsupported,
                "not possible in channels that Sabir keeps itself",
            )),
        }
    }

    async fn shown(&self, channel: &str, person: &Person) -> Outcome {
        let channel = Box::new(self.channel(channel, person).await?);
        Ok(Reply::OneChannel(OneChannel { channel }))
    }

    async fn toggle(&self, channel: &str, kind: MarkKind, person: &Person) -> Outcome {
        self.store
            .mark(mark(person, channel, None, kind), Change::Toggle)
            .await
            .map_err(unavailable)?;
        self.shown(channel, person).await
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
                    ..Participant::default()
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

    /// Is the channel configured, or has anybody spoken in it?
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn begun(&self, channel: &str) -> Result<bool, Fault> {
        if self.rule(channel).is_some() {
            return Ok(true);
        }
        let kept = self.store.channel(LOCAL, &lower(channel)).await;
        Ok(kept.map_err(unavailable)?.is_some())
    }

    /// The channel that is meant by its id, its name or whose it is.
    pub fn find(&self, find: &FindChannel) -> Option<Text> {
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

    pub(super) fn person(&self, id: &str, name: &str) -> Option<Person> {
        let found = |person: &&Person| {
            (!id.is_empty() && person.id == id)
                || (!name.is_empty() && person.name.eq_ignore_ascii_case(name))
        };
        self.people.iter().find(found).cloned()
    }
}

fn one_person(person: Person) -> Reply {
    Reply::OnePerson(OnePerson {
        person: Box::new(person),
    })
}
