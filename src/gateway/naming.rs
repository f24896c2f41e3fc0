//! What a command names by other means than a channel's id: people by the numbers that clients have for them, channels
//! by whose they are, and the messages that a list begins or ends at.
//!
//! After this a command names people and channels as Sabir does, and messages as their upstream does. What nobody gave
//! an id gets one here.

use compact_str::format_compact;

use super::{Asked, Gateway, rename};
use crate::model::profile::IdKind;
use crate::model::{
    Command, Fault, Kind, LOCAL, List, Message, Messages, Reply, Text, Time, Window, alias,
};
use crate::relay::{BY_ID, LOOKED_THROUGH, Native, NativeKind, PROVISIONAL, Provisional, Side};
use crate::route::Route;

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
        if let Some(person) = person_of(command).filter(|person| !person.is_empty()) {
            let thing = match profile.ids {
                IdKind::None => None,
                kind => self.relay.shared.ids.thing(kind, person).await?,
            };
            let native = thing.filter(|native| native.kind == NativeKind::Person);
            let by = person.clone();
            let upstream = native.map(|native| {
                *person = native.id;
                native.upstream
            });
            called = Some(Called { upstream, by });
        }
        let Command::FindChannel(find) = command else {
            return Ok(called);
        };
        if find.channel.is_empty() {
            if let Some(called) = called.take()
                && called.upstream.as_deref() != Some(LOCAL)
            {
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

    /// Puts the upstream's ids in the place of those that a list is to begin or end at. One that nobody was given and
    /// that is made of a moment, as some clients make them, means that moment.
    pub(super) async fn between(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        window: &mut Window,
    ) -> Result<(), Fault> {
        let kind = asked.profile.ids;
        if route.upstream != LOCAL {
            self.continued(asked, route, "window.before", &mut window.before)
                .await?;
            self.continued(asked, route, "window.after", &mut window.after)
                .await?;
        }
        let from_oldest = window.from_oldest();
        let step = i64::from(window.inclusive != Some(true));
        if !window.before_id.is_empty() {
            match self.message_in(asked, route, &window.before_id).await? {
                Some(id) => window.before_id = id,
                None => {
                    let until = moment(kind, &window.before_id, "window.before_id")?;
                    window.until = Some(Time(until.0 - step));
                    window.before_id = Text::default();
                }
            }
        }
        if !window.after_id.is_empty() {
            match self.message_in(asked, route, &window.after_id).await? {
                Some(id) => window.after_id = id,
                None => {
                    let since = moment(kind, &window.after_id, "window.after_id")?;
                    window.since = Some(Time(since.0 + step));
                    window.after_id = Text::default();
                    // A moment does not say by itself that it is counted from.
                    window.order = window.order.or(from_oldest.then_some(1));
                }
            }
        }
        Ok(())
    }

    /// Puts the upstream's id in a cursor that names a message.
    async fn continued(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        field: &str,
        cursor: &mut Text,
    ) -> Result<(), Fault> {
        let Some(id) = cursor.strip_prefix(BY_ID) else {
            return Ok(());
        };
        let id = self.message_in(asked, route, id).await?.ok_or_else(|| {
            Fault::client(Kind::Field, "it is not a cursor of this list").field(field)
        })?;
        *cursor = format_compact!("{BY_ID}{id}");
        Ok(())
    }

    /// What the upstream calls the message of this channel that a client calls so.
    pub(super) async fn message_in(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        id: &str,
    ) -> Result<Option<Text>, Fault> {
        let native = self.relay.shared.ids.thing(asked.profile.ids, id).await?;
        let here = |native: &Native| {
            native.kind == NativeKind::Message
                && native.upstream == route.upstream
                && native.channel == route.channel
        };
        match native.filter(here) {
            Some(native) => Ok(Some(self.bound(asked, native, id).await?.id)),
            None => Ok(None),
        }
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

/// What a command calls a person, and where that is somebody.
pub(super) struct Called {
    upstream: Option<Text>,
    by: Text,
}

impl Called {
    /// Who is called so elsewhere is somebody else where the command goes. Returns what is to be said to a caller who may
    /// ask: an id that nobody was told of would be another one's there.
    pub fn there(self, side: &Side<'_>, command: &mut Command) -> Option<Fault> {
        if self.upstream.as_deref() == Some(side.upstream) {
            return None;
        }
        if let Some(person) = person_of(command) {
            *person = self.by.clone();
        }
        // What is listed of nobody is nothing.
        let refused = !side.as_it_is() && !matches!(command, Command::List(_));
        refused.then(|| Fault::client(Kind::Person, "no such person").value(self.by))
    }
}

/// Gives what an upstream lists without cursors of its own ones that name messages, so that a client can go on from
/// every part of the list.
pub(super) fn with_cursors(list: &mut Messages) {
    for message in &mut list.messages {
        if message.cursor.is_empty() && !message.id.is_empty() {
            message.cursor = format_compact!("{BY_ID}{}", message.id);
        }
    }
    let (window, messages) = (&mut list.window, &list.messages);
    if window.start.is_empty()
        && window.has_previous == Some(true)
        && let Some(first) = messages.first()
    {
        window.start = first.cursor.clone();
    }
    if window.end.is_empty()
        && window.has_next == Some(true)
        && let Some(last) = messages.last()
    {
        window.end = last.cursor.clone();
    }
}

fn moment(kind: IdKind, id: &str, field: &str) -> Result<Time, Fault> {
    alias::moment(kind, id)
        .ok_or_else(|| Fault::client(Kind::Field, "it is no message's id").field(field))
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
