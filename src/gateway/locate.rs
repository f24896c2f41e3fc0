//! Where a command goes, and whether it may and can: found out before anything is done.
//!
//! The client's names become the upstream's here: of the channel by the route, of a message by the id map. A channel
//! that is closed to the caller does not exist for it, in every dialect, with the same fault.

use super::{Asked, Gateway, side};
use crate::auth::Principal;
use crate::model::{ChannelRule, Command, Effect, Fault, Kind, LOCAL, Text};
use crate::relay::{Native, NativeKind, unknown_message};
use crate::route::Route;

/// A command, once its channel is found.
pub(super) struct Located {
    /// In the upstream's own names.
    pub command: Box<Command>,
    pub route: Route,
    /// The channel as the client names it.
    pub client_channel: Text,
    /// The channel and the message as the command names them.
    pub called: [Text; 2],
}

impl Gateway {
    /// Finds where a command goes and checks that it may go there and can be carried out.
    ///
    /// # Errors
    /// What keeps it from being carried out; nothing has been done then.
    pub(super) async fn locate(
        &self,
        asked: &Asked<'_>,
        mut command: Box<Command>,
    ) -> Result<Located, Fault> {
        let called = as_called(&mut command);
        match self.find(asked, command).await {
            Ok(located) => Ok(Located { called, ..located }),
            Err(fault) => Err(by_its_name(fault, called)),
        }
    }

    async fn find(&self, asked: &Asked<'_>, mut command: Box<Command>) -> Result<Located, Fault> {
        let ids = &self.relay.shared.ids;
        let called = self.named(asked, &mut command).await?;
        let mut sure = true;
        if let Some(channel) = channel_of(&mut command) {
            let dialect = &asked.envelope.dialect;
            (*channel, sure) = ids.channel(dialect, asked.profile.ids, channel).await?;
        }
        let found = self.by_message(asked, &mut command).await?;
        let unknown = found.is_none();
        let ((route, client_channel), known) = match found {
            Some(found) => found,
            None => (self.by_channel(asked, &mut command)?, None),
        };
        if !sure && !matches!(*command, Command::Send(_)) {
            self.begun(&route).await?;
        }
        self.open(asked, &route, &client_channel)?;
        let side = side(asked.profile, &route.upstream, route.native_ids);
        let nobody = called.and_then(|called| called.there(&side, &mut command));
        // An id of nothing that was told of would be another message's where it goes.
        if let Some(id) = message_of(&mut command).filter(|id| unknown && !id.is_empty())
            && !side.as_it_is()
        {
            return Err(unknown_message(id));
        }
        let known = known.as_ref();
        self.allowed(asked, &command, &route, known).await?;
        if let Some(nobody) = nobody {
            return Err(nobody);
        }
        self.paced(asked, &command, &route, &client_channel)?;
        if let Some(channel) = channel_of(&mut command) {
            *channel = route.channel.clone();
        }
        match &mut *command {
            _ if side.as_it_is() => {}
            Command::Send(message) if !message.reply_to.is_empty() => {
                let replied = Box::pin(self.replied(asked, &route, &message.reply_to)).await?;
                message.reply_to = replied;
            }
            Command::List(list) => self.between(asked, &route, &mut list.window).await?,
            _ => {}
        }
        self.sound(asked, &mut command, known)?;
        Ok(Located {
            command,
            route,
            client_channel,
            called: Default::default(),
        })
    }

    /// Is there such a channel in `local`? Where every name is one, what nobody has spoken in is there for whoever speaks
    /// in it first, and for those who call channels by their names; an id that nobody was given means none.
    async fn begun(&self, route: &Route) -> Result<(), Fault> {
        let local = &self.relay.shared.local;
        if route.upstream != LOCAL || local.begun(&route.channel).await? {
            return Ok(());
        }
        Err(Fault::client(Kind::Channel, "no such channel").value(route.channel.clone()))
    }

    fn by_channel(&self, asked: &Asked<'_>, command: &mut Command) -> Result<(Route, Text), Fault> {
        let channel = channel_of(command).cloned().unwrap_or_default();
        if channel.is_empty() {
            // About people or about everything: that is for Sabir itself.
            return Ok((
                Route {
                    upstream: LOCAL.into(),
                    ..Route::default()
                },
                channel,
            ));
        }
        Ok((
            self.rules
                .routes
                .select(&asked.envelope.dialect, asked.application, &channel)?,
            channel,
        ))
    }

    /// A command that carries a message's id goes where the message is, and names it as it is named there. With what is
    /// known of the message.
    async fn by_message(
        &self,
        asked: &Asked<'_>,
        command: &mut Command,
    ) -> Result<Option<((Route, Text), Option<Native>)>, Fault> {
        let named = channel_of(command).cloned().unwrap_or_default();
        let Some(id) = message_of(command).filter(|id| !id.is_empty()) else {
            return Ok(None);
        };
        let native = self.relay.shared.ids.thing(asked.profile.ids, id).await?;
        let Some(native) = native.filter(|native| native.kind == NativeKind::Message) else {
            // Ids that are given out as they are: of `local`, or where a route says so.
            if !named.is_empty() {
                return Ok(None);
            }
            let found = self.relay.shared.local.store().get(LOCAL, None, id).await;
            let Ok(Some(message)) = found else {
                return Err(unknown_message(id));
            };
            let back = self.back(asked, LOCAL, &message.channel, id)?;
            return Ok(Some((back, None)));
        };
        let native = self.bound(asked, native, id).await?;
        let asked_id = std::mem::replace(id, native.id.clone());
        match self.back(asked, &native.upstream, &native.channel, &asked_id) {
            // As if nobody had ever got this id: what comes of that is the named channel's to say.
            Err(_) if !named.is_empty() => {
                *id = asked_id;
                Ok(None)
            }
            back => Ok(Some((back?, Some(native)))),
        }
    }

    /// What the upstream calls the message that is replied to.
    async fn replied(&self, asked: &Asked<'_>, route: &Route, id: &Text) -> Result<Text, Fault> {
        self.message_in(asked, route, id).await?.ok_or_else(|| {
            let why = "no such message in this channel";
            let fault = Fault::client(Kind::Field, why).field("reply_to");
            fault.value(id.clone())
        })
    }

    /// The route to a channel of an upstream, by the name that the client has for it.
    fn back(
        &self,
        asked: &Asked<'_>,
        upstream: &str,
        channel: &Text,
        id: &str,
    ) -> Result<(Route, Text), Fault> {
        let (routes, dialect) = (&self.rules.routes, &asked.envelope.dialect);
        let client_channel = routes
            .client_channel(dialect, asked.application, upstream, channel)
            .filter(|name| self.is_open(asked.principal, upstream, channel, name))
            .ok_or_else(|| unknown_message(id))?;
        let route = routes.select(dialect, asked.application, &client_channel)?;
        Ok((route, client_channel))
    }

    /// Does this channel of an upstream exist for a caller, who calls it so?
    pub(super) fn is_open(
        &self,
        principal: &Principal,
        upstream: &str,
        there: &str,
        name: &str,
    ) -> bool {
        let exists = upstream != LOCAL || self.relay.shared.local.has(there);
        // Members are people; a program that acts for nobody is held by its own channels alone.
        let admits = |rule: &ChannelRule| {
            rule.members.is_empty()
                || principal.account.is_none()
                || rule.members.contains(&principal.name)
        };
        exists && principal.reaches(name) && self.rule(upstream, there, name).is_none_or(admits)
    }

    /// The operator's rules of a channel: by its name in `local`, or else by the name that clients have for it.
    pub(super) fn rule(&self, upstream: &str, there: &str, name: &str) -> Option<&ChannelRule> {
        let local = &self.relay.shared.local;
        local.rule(if upstream == LOCAL { there } else { name })
    }

    /// A channel that is closed to the caller is not there.
    fn open(&self, asked: &Asked<'_>, route: &Route, channel: &Text) -> Result<(), Fault> {
        if channel.is_empty()
            || self.is_open(asked.principal, &route.upstream, &route.channel, channel)
        {
            return Ok(());
        }
        Err(Fault::client(Kind::Channel, "no such channel").value(channel.clone()))
    }

    /// May the caller do this here?
    async fn allowed(
        &self,
        asked: &Asked<'_>,
        command: &Command,
        route: &Route,
        known: Option<&Native>,
    ) -> Result<(), Fault> {
        let principal = asked.principal;
        let moderates = self.moderates(principal, route);
        let may = match (command.operation().effect(), command) {
            // What people mark for themselves is a part of reading.
            (
                _,
                Command::MarkSeen(_)
                | Command::MarkChannelSeen(_)
                | Command::ToggleStar(_)
                | Command::TogglePin(_)
                | Command::ToggleArchive(_),
            ) => principal.may.read,
            // Who is known by a program's public id alone is nobody.
            (_, Command::WhoAmI(_)) => principal.may.read && !principal.person.id.is_empty(),
            (_, Command::GetPerson(get)) if get.private == Some(true) => {
                principal.may.read
                    && principal.account.is_some()
                    && get.id == principal.person.id
                    && principal.holds(&asked.profile.private_scope)
            }
            (_, Command::SetPresence(set)) => {
                principal.may.moderate || set.person == principal.person.id
            }
            (_, Command::Moderate(_)) => moderates,
            (_, Command::Delete(delete)) => {
                moderates
                    || (principal.may.send
                        && self.is_author(asked, route, &delete.id, known).await?)
            }
            (_, Command::Edit(message)) => {
                principal.may.send && self.is_author(asked, route, &message.id, known).await?
            }
            (Effect::Write, _) => principal.may.send,
            _ => principal.may.read,
        };
        if !may {
            return Err(Fault::client(Kind::Scope, "this caller may not do that"));
        }
        match command {
            Command::Send(_) | Command::Edit(_) => self.unbarred(asked, route),
            _ => Ok(()),
        }
    }

    /// The rule of a channel that Sabir keeps itself, for a caller who is a person.
    fn own_rule(&self, principal: &Principal, route: &Route) -> Option<&ChannelRule> {
        (route.upstream == LOCAL && principal.account.is_some())
            .then(|| self.relay.shared.local.rule(&route.channel))?
    }

    /// A channel that Sabir keeps itself is moderated by its owner and its moderators, too.
    fn moderates(&self, principal: &Principal, route: &Route) -> bool {
        let named = |rule: &ChannelRule| {
            rule.owner.as_ref() == Some(&principal.name)
                || rule.moderators.contains(&principal.name)
        };
        principal.may.moderate
            || (principal.may.send && self.own_rule(principal, route).is_some_and(named))
    }

    /// May the person speak? Whom moderators have barred may not, but for the owner and those who may moderate everywhere.
    fn unbarred(&self, asked: &Asked<'_>, route: &Route) -> Result<(), Fault> {
        let principal = asked.principal;
        let owns = |rule: &ChannelRule| rule.owner.as_ref() == Some(&principal.name);
        if route.upstream != LOCAL
            || principal.account.is_none()
            || principal.may.moderate
            || self.own_rule(principal, route).is_some_and(owns)
        {
            return Ok(());
        }
        let local = &self.relay.shared.local;
        local.unbarred(&route.channel, &principal.person, asked.now)
    }

    /// Did the caller write the message? Elsewhere than in `local` that is known of what was sent through Sabir. A caller
    /// who speaks there with a credential of its own is told by the upstream itself.
    async fn is_author(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        id: &str,
        known: Option<&Native>,
    ) -> Result<bool, Fault> {
        let (shared, person) = (&self.relay.shared, &asked.principal.person.id);
        if let Some(at) = shared.find(&route.upstream) {
            let own = self.own_credential(at, &route.upstream, asked.principal);
            let sent = |native: &Native| native.sender == asked.principal.signature();
            return Ok(own.is_some() || known.is_some_and(sent));
        }
        let author = shared
            .local
            .author_of(id)
            .await?
            .ok_or_else(|| unknown_message(id))?;
        Ok(author == *person)
    }

    /// Completes a message and checks it against the client's dialect. The upstream's own limits are checked by the
    /// relay, on the text as it will be sent.
    fn sound(
        &self,
        asked: &Asked<'_>,
        command: &mut Command,
        known: Option<&Native>,
    ) -> Result<(), Fault> {
        match command {
            Command::Send(message) => {
                asked.profile.check(message)?;
                message.author = (*asked.principal.person).clone();
                message.created_at.get_or_insert(asked.now);
            }
            // As much of it as is known here, for upstreams that do not repeat it.
            Command::Edit(message) => {
                asked.profile.check(message)?;
                message.author = (*asked.principal.person).clone();
                message.created_at = known.and_then(|native| native.created_at);
                message.edited_at = Some(asked.now);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A fault that tells of a channel or a message by no other name than the client's: by another one, a closed channel
/// would be told from one that is not there, and an upstream's own would be known.
pub(super) fn by_its_name(mut fault: Fault, [channel, message]: [Text; 2]) -> Fault {
    match fault.kind {
        Kind::Channel => fault.details.value = channel,
        Kind::Message => fault.details.value = message,
        _ => {}
    }
    fault
}

/// What a client calls the channel and the message that a command is about, whether or not there are any.
fn as_called(command: &mut Command) -> [Text; 2] {
    let message = message_of(command).cloned().unwrap_or_default();
    let channel = match command {
        Command::FindChannel(find) if find.channel.is_empty() => find.owner_name.clone(),
        command => channel_of(command).cloned().unwrap_or_default(),
    };
    [channel, message]
}

/// The channel that a command is about.
fn channel_of(command: &mut Command) -> Option<&mut Text> {
    Some(match command {
        Command::Send(message) | Command::Edit(message) => &mut message.channel,
        Command::List(asked) => &mut asked.channel,
        Command::Get(asked) => &mut asked.channel,
        Command::MarkSeen(asked) => &mut asked.channel,
        Command::Search(asked) => &mut asked.channel,
        Command::ToggleStar(asked) => &mut asked.channel,
        Command::FindChannel(asked) => &mut asked.channel,
        Command::TogglePin(asked) => &mut asked.channel,
        Command::ToggleArchive(asked) => &mut asked.channel,
        Command::MarkChannelSeen(asked) => &mut asked.channel,
        Command::Delete(asked) => &mut asked.channel,
        Command::Moderate(asked) => &mut asked.channel,
        Command::ListModerators(asked) => &mut asked.channel,
        Command::ListBans(asked) => &mut asked.channel,
        Command::ListModerations(asked) => &mut asked.channel,
        _ => return None,
    })
}

/// The message that a command is about.
fn message_of(command: &mut Command) -> Option<&mut Text> {
    Some(match command {
        Command::Get(asked) => &mut asked.id,
        Command::MarkSeen(asked) => &mut asked.id,
        Command::ToggleStar(asked) => &mut asked.id,
        Command::Delete(asked) => &mut asked.id,
        Command::Edit(message) => &mut message.id,
        _ => return None,
    })
}
