//! What a command names by other means than a channel's id: people by the numbers that clients have for them, and
//! channels by whose they are.
//!
//! After this a command names people and channels as Sabir does. What nobody gave an id gets one here.

use super::{Asked, Gateway, rename};
use crate::model::profile::IdKind;
use crate::model::{Command, Fault, Kind, LOCAL, List, Message, Reply, Text, Window};
use crate::relay::{Native, NativeKind, PROVISIONAL, Provisional};
use crate::route::Route;

/// How far back a message is looked for that was just sent.
const LOOKED_THROUGH: i64 = 100;

impl Gateway {
    /// Puts the person and the channel that a command means in the place of what it calls them. Returns the person, and
    /// what it is called, until it is known where the command goes.
    pub(super) async fn named(
        &self,
        asked: &Asked<'_>,
        command: &mut Command,
    ) -> Result<Option<Called>, Fault> {
        let profile = asked.profile;
        let mut called = None;
        if let Some(person) = person_of(command)
            && !person.is_empty()
            && profile.ids != IdKind::None
            && let Some(native) = self.relay.shared.ids.thing(profile.ids, person).await?
            && native.kind == NativeKind::Person
        {
            called = Some(Called {
                upstream: native.upstream,
                by: std::mem::replace(person, native.id),
            });
        }
        let Command::FindChannel(find) = command else {
            return Ok(called);
        };
        if find.channel.is_empty() {
            if let Some(called) = called.take_if(|called| called.upstream != LOCAL) {
                find.owner = called.by;
            }
            let local = &self.relay.shared.local;
            let name = local.find(find).ok_or_else(|| {
                Fault::client(Kind::Channel, "no such channel").value(find.owner_name.clone())
            })?;
            // From here on it is a channel by its name, as if the client had called it so.
            let ids = &self.relay.shared.ids;
            find.channel = ids
                .channel_id(&asked.envelope.dialect, profile.ids, &name)
                .await?;
        }
        Ok(called)
    }

    /// A message that was sent and got no id is looked for in a list before anything is done with it.
    pub(super) async fn bound(
        &self,
        asked: &Asked<'_>,
        native: Native,
        id: &str,
    ) -> Result<Native, Fault> {
        if !native.id.starts_with(PROVISIONAL) {
            return Ok(native);
        }
        let list = List {
            channel: native.channel.clone(),
            window: Window {
                limit: Some(LOOKED_THROUGH),
                ..Window::default()
            },
            ..List::default()
        };
        let route = Route {
            upstream: native.upstream.clone(),
            channel: native.channel.clone(),
            ..Route::default()
        };
        let list = Box::new(Command::List(list));
        let mut reply = self.relayed(asked, &route.upstream, list).await?;
        rename(&mut reply, &route.channel);
        self.identified(asked, &route, false, &mut reply).await?;
        let found = self.relay.shared.ids.thing(asked.profile.ids, id).await?;
        Ok(found.unwrap_or(native))
    }

    /// Sees to it that what a client is shown has an id: a message that was sent and got none has one of ours, which a
    /// list that shows the message binds to it. What was done must not be told as a failure by a dialect whose messages
    /// always have ids.
    pub(super) async fn identified(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        sent: bool,
        reply: &mut Reply,
    ) -> Result<(), Fault> {
        let shared = &self.relay.shared;
        if asked.profile.ids == IdKind::None || route.upstream == LOCAL {
            return Ok(());
        }
        let Some(at) = shared.find(&route.upstream) else {
            return Ok(());
        };
        match reply {
            Reply::OneMessage(one) if sent && one.message.id.is_empty() => {
                let principal = asked.principal;
                let own = self.own_credential(at, &route.upstream, principal);
                let author = match own {
                    Some(_) => Text::default(),
                    None => principal.person.name.clone(),
                };
                let sent = Provisional {
                    id: asked.arrival().id.clone(),
                    upstream: route.upstream.clone(),
                    channel: one.message.channel.clone(),
                    author,
                    sent_at: asked.now,
                    ..Provisional::default()
                };
                one.message.id = shared
                    .ids
                    .numbers
                    .provisional(sent, &one.message.text)
                    .await?;
            }
            Reply::Messages(list) => {
                let upstream = &shared.upstreams[at];
                let ours = |message: &Message| upstream.may_be_own(message);
                shared
                    .ids
                    .numbers
                    .bind(&route.upstream, &route.channel, &list.messages, ours)
                    .await?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// What a person is called, who is known at one upstream.
pub(super) struct Called {
    upstream: Text,
    by: Text,
}

impl Called {
    /// Takes the person's name back where the command goes elsewhere: who is called so there is somebody else.
    pub fn away_from(self, upstream: &str, command: &mut Command) {
        if self.upstream != upstream
            && let Some(person) = person_of(command)
        {
            *person = self.by;
        }
    }
}

/// The person that a command is about.
fn person_of(command: &mut Command) -> Option<&mut Text> {
    Some(match command {
        Command::GetPerson(asked) => &mut asked.id,
        Command::FindChannel(asked) => &mut asked.owner,
        Command::Moderate(asked) => &mut asked.person,
        Command::SetPresence(asked) => &mut asked.person,
        Command::List(asked) => &mut asked.author,
        _ => return None,
    })
}
