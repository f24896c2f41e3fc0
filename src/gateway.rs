//! The gateway: a command in an envelope becomes an outcome. It knows no dialect.
//!
//! [`Gateway::submit`] is the one way in, for requests and for live connections: who is this, where to, may they, is it
//! sound on both sides, and then it is carried out. What a client may not know of is never told apart from what does
//! not exist, and what is wrong with a request is told only to a caller that is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::auth::letters;
use crate::auth::{Auth, Caller, Principal};
use crate::model::{
    ChannelRule, Channels, Command, Credential, Effect, Envelope, Fault, Kind, LOCAL, Message,
    Messages, OneChannel, Operation, Outcome, Profile, Reply, SealKeys, Secret, Text, Time, Window,
};
use crate::relay::{Relay, Shared, Side, unknown_message};
use crate::route::{Route, Routes, Source};

/// What is decided at start and shared by all threads.
pub struct Rules {
    pub auth: Auth,
    pub routes: Routes,
    /// When each person last spoke in a channel that has a delay.
    spoke: Mutex<HashMap<(Text, Text), Time>>,
}

impl Rules {
    pub fn new(auth: Auth, routes: Routes) -> Rules {
        Rules {
            auth,
            routes,
            spoke: Mutex::default(),
        }
    }

    /// No larger than accounts and applications times slow channels, all of which the operator has written down.
    fn spoke(&self) -> MutexGuard<'_, HashMap<(Text, Text), Time>> {
        self.spoke.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gateway of one thread.
pub struct Gateway {
    pub rules: Arc<Rules>,
    pub relay: Relay,
}

/// What a reply needs besides its outcome.
#[derive(Clone, Debug, Default)]
pub struct ReplyContext {
    pub keys: SealKeys,
}

/// A person's turn in a slow channel, and when the one before was.
struct Turn {
    key: (Text, Text),
    before: Option<Time>,
}

/// A command, once its caller is known and its channel is found.
struct Located {
    command: Command,
    route: Route,
    /// The channel as the client names it.
    client_channel: Text,
}

impl Gateway {
    /// Carries out what an envelope asks. The envelope's application is completed with what is known of it.
    pub async fn submit(
        &self,
        envelope: &mut Envelope,
        profile: &Profile,
    ) -> (Outcome, ReplyContext) {
        let now = envelope.arrival.now.unwrap_or_default();
        let credential = &mut envelope.credential;
        if let Command::SignIn(_) | Command::Register(_) = &envelope.command
            && !(credential.password.0.is_empty() && credential.license.0.is_empty())
        {
            // Programs send the token that they have, and it may have run out: that is why they sign in.
            credential.token = Secret::default();
        }
        let caller = match self
            .rules
            .auth
            .identify(&envelope.app, &envelope.credential, now)
        {
            Ok(caller) => caller,
            Err(fault) => return (Err(fault), self.context(envelope, None)),
        };
        caller.complete(&mut envelope.app);
        let context = self.context(envelope, Some(&caller));
        let outcome = match envelope.command.operation().effect() {
            Effect::Session => self.session(envelope, &caller, profile, now).await,
            Effect::Read | Effect::Write => self.carry_out(envelope, &caller, profile, now).await,
        };
        (outcome, context)
    }

    /// What a request that was not understood comes to: its caller is told who it is not before what it did wrong.
    pub fn refuse(
        &self,
        envelope: &mut Envelope,
        needs_caller: bool,
        fault: Fault,
    ) -> (Fault, ReplyContext) {
        let now = envelope.arrival.now.unwrap_or_default();
        // A session is named by whoever signs in to it, too; a token that has run out is not held against them.
        let by_session = !envelope.credential.session.0.is_empty();
        // What is wrong with the application's own name comes before the application is looked for.
        match self
            .rules
            .auth
            .identify(&envelope.app, &envelope.credential, now)
        {
            Err(unknown) if needs_caller || by_session || unknown.kind == Kind::Application => {
                (unknown, self.context(envelope, None))
            }
            Err(_) => (fault, self.context(envelope, None)),
            Ok(caller) => {
                caller.complete(&mut envelope.app);
                let context = self.context(envelope, Some(&caller));
                match caller.signed_in() {
                    Err(nobody) if needs_caller => (nobody, context),
                    _ => (fault, context),
                }
            }
        }
    }

    fn context(&self, envelope: &Envelope, caller: Option<&Caller>) -> ReplyContext {
        let Some(caller) = caller else {
            return ReplyContext::default();
        };
        let session = match &envelope.command {
            // The reply to the opening is sealed although the session is only being made.
            Command::OpenSession(open) => Secret(open.key.clone()),
            _ => caller.key.clone(),
        };
        let application = caller.application_secret().cloned().unwrap_or_default();
        ReplyContext {
            keys: SealKeys {
                application,
                session,
            },
        }
    }

    async fn session(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let mut outcome = self
            .rules
            .auth
            .session(
                &envelope.command,
                caller,
                &envelope.credential,
                profile,
                now,
            )
            .await;
        let side = side(profile, LOCAL, false);
        self.relay.shared.ids.outward(&side, &mut outcome).await?;
        outcome
    }

    async fn carry_out(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let principal = caller.signed_in()?;
        match &envelope.command {
            Command::ListChannels(_) => self.channels(envelope, caller, principal, profile).await,
            // Where an unknown channel is an empty one, no channel is too.
            Command::List(list) if list.channel.is_empty() && profile.lists_unknown => {
                Ok(Reply::Messages(Messages::default()))
            }
            Command::List(list) if list.channel.is_empty() => {
                self.everywhere(envelope, caller, principal, profile).await
            }
            Command::SendMany(many) => {
                let mut messages = Vec::new();
                // All are checked before the first is sent: nothing is half done for a mistake that was there to see.
                for message in &many.sends {
                    self.locate(
                        envelope,
                        Command::Send(message.clone()),
                        caller,
                        principal,
                        profile,
                        now,
                    )
                    .await?;
                }
                for message in &many.sends {
                    let command = Command::Send(message.clone());
                    if let Reply::OneMessage(one) = self
                        .one(envelope, command, caller, principal, profile, now)
                        .await?
                    {
                        messages.push(one.message);
                    }
                }
                Ok(Reply::Messages(Messages {
                    messages,
                    window: Window::default(),
                }))
            }
            command => {
                let mut command = command.clone();
                if let Command::List(list) = &mut command {
                    profile.bound(&mut list.window);
                }
                self.one(envelope, command, caller, principal, profile, now)
                    .await
            }
        }
    }

    /// One command about one channel or person.
    async fn one(
        &self,
        envelope: &Envelope,
        command: Command,
        caller: &Caller,
        principal: &Principal,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let located = match self
            .locate(envelope, command, caller, principal, profile, now)
            .await
        {
            Err(fault)
                if fault.kind == Kind::Channel
                    && profile.lists_unknown
                    && is_list(&envelope.command) =>
            {
                return Ok(Reply::Messages(Messages::default()));
            }
            located => located?,
        };
        let turn = self.spoken(&located, principal, now)?;
        let window = match &located.command {
            Command::List(list) => Some(list.window.clone()),
            _ => None,
        };
        let mut outcome = self
            .relayed(
                &located.route.upstream,
                located.command,
                envelope,
                principal,
            )
            .await;
        if let Err(fault) = &outcome
            && fault.kind != Kind::OutcomeUnknown
        {
            self.unspoken(turn);
        }
        if let (Some(window), Ok(Reply::Messages(list))) = (&window, &mut outcome) {
            cut(&mut list.messages, window);
        }
        let ids = &self.relay.shared.ids;
        // Ids are known by the upstream's name of the channel; the client sees its own.
        if let Ok(reply) = &mut outcome {
            rename(reply, &located.route.channel);
        }
        let side = side(profile, &located.route.upstream, located.route.native_ids);
        ids.outward(&side, &mut outcome).await?;
        if let Ok(reply) = &mut outcome {
            rename(
                reply,
                &ids.channel_id(&envelope.dialect, profile.ids, &located.client_channel)
                    .await?,
            );
        }
        outcome
    }

    async fn relayed(
        &self,
        upstream: &str,
        command: Command,
        envelope: &Envelope,
        principal: &Principal,
    ) -> Outcome {
        let shared = &self.relay.shared;
        match shared.find(upstream) {
            None if upstream == LOCAL => shared.local.carry_out(&command, &principal.person).await,
            None => Err(Fault::new(
                Kind::Route,
                format!("there is no upstream {upstream}"),
            )),
            Some(at) => {
                let own = self.own_credential(at, upstream, principal);
                self.relay
                    .call(at, command, &envelope.arrival, &principal.person.id, own)
                    .await
            }
        }
    }

    /// The caller's own credential at an upstream, by the upstream's name or its dialect's. Never another's.
    fn own_credential<'p>(
        &self,
        at: usize,
        upstream: &str,
        principal: &'p Principal,
    ) -> Option<&'p Credential> {
        let credentials = &principal.account.as_ref()?.credentials;
        let dialect = &self.relay.dialect(&self.relay.shared.upstreams[at]).name;
        credentials
            .get(upstream)
            .or_else(|| credentials.get(dialect))
    }

    /// Finds where a command goes, in the upstream's own names, and checks that it may and can.
    async fn locate(
        &self,
        envelope: &Envelope,
        mut command: Command,
        caller: &Caller,
        principal: &Principal,
        profile: &Profile,
        now: Time,
    ) -> Result<Located, Fault> {
        let ids = &self.relay.shared.ids;
        let application = caller
            .application
            .as_ref()
            .map_or("", |application| &application.name);
        if let Some(channel) = channel_of(&mut command) {
            *channel = ids.channel(&envelope.dialect, profile.ids, channel).await?;
        }
        let (route, client_channel) = match self
            .by_message(envelope, &mut command, profile, application)
            .await?
        {
            Some(found) => found,
            None => {
                let channel = channel_of(&mut command).cloned().unwrap_or_default();
                if channel.is_empty() {
                    // About people or about everything: that is for Sabir itself.
                    let route = Route {
                        upstream: LOCAL.into(),
                        channel: Text::default(),
                        copies: Vec::new(),
                        native_ids: false,
                        split_long: false,
                        accept_stored: false,
                    };
                    (route, Text::default())
                } else {
                    (
                        self.rules
                            .routes
                            .select(&envelope.dialect, application, &channel)?,
                        channel,
                    )
                }
            }
        };
        self.allowed(&command, &route, &client_channel, principal)?;
        // Before the message itself is looked at, as services with slow channels have it.
        self.paced(&command, &route, &client_channel, principal, now)?;
        if let Some(channel) = channel_of(&mut command) {
            *channel = route.channel.clone();
        }
        self.sound(&mut command, principal, profile, now)?;
        Ok(Located {
            command,
            route,
            client_channel,
        })
    }

    /// A command that carries a message's id goes where the message is, and names it as it is named there.
    async fn by_message(
        &self,
        envelope: &Envelope,
        command: &mut Command,
        profile: &Profile,
        application: &str,
    ) -> Result<Option<(Route, Text)>, Fault> {
        let named = channel_of(command).cloned().unwrap_or_default();
        let Some(id) = message_of(command) else {
            return Ok(None);
        };
        if id.is_empty() {
            return Ok(None);
        }
        let Some(native) = self.relay.shared.ids.thing(profile.ids, id).await? else {
            // Ids that are given out as they are: of `local`, or where a route says so.
            if !named.is_empty() {
                return Ok(None);
            }
            let found = self.relay.shared.local.store().get(LOCAL, None, id).await;
            let Ok(Some(message)) = found else {
                return Err(unknown_message(id));
            };
            return self.back(envelope, application, LOCAL, &message.channel, id);
        };
        let asked = id.clone();
        *id = native.id.clone();
        let found = self.back(
            envelope,
            application,
            &native.upstream,
            &native.channel,
            &asked,
        )?;
        if let (Some(channel), Some((route, _))) = (channel_of(command), &found) {
            *channel = route.channel.clone();
        }
        Ok(found)
    }

    /// The route to a channel of an upstream, by the name that the client has for it.
    fn back(
        &self,
        envelope: &Envelope,
        application: &str,
        upstream: &str,
        channel: &Text,
        id: &str,
    ) -> Result<Option<(Route, Text)>, Fault> {
        let routes = &self.rules.routes;
        let client_channel =
            routes.client_channel(&envelope.dialect, application, upstream, channel);
        let client_channel = client_channel.ok_or_else(|| unknown_message(id))?;
        let route = routes.select(&envelope.dialect, application, &client_channel)?;
        Ok(Some((route, client_channel)))
    }

    /// May the caller do this here? A channel that is closed to it does not exist for it.
    fn allowed(
        &self,
        command: &Command,
        route: &Route,
        channel: &Text,
        principal: &Principal,
    ) -> Result<(), Fault> {
        let exists = channel.is_empty()
            || route.upstream != LOCAL
            || self.relay.shared.local.has(&route.channel);
        if !channel.is_empty() && (!principal.reaches(channel) || !exists) {
            return Err(Fault::client(Kind::Channel, "no such channel").value(channel.clone()));
        }
        let may = match (command.operation().effect(), command) {
            (_, Command::Moderate(_) | Command::Delete(_)) => {
                principal.may.moderate || principal.may.send
            }
            (Effect::Write, _) => principal.may.send,
            _ => principal.may.read,
        };
        may.then_some(())
            .ok_or_else(|| Fault::client(Kind::Scope, "this caller may not do that"))
    }

    /// Completes a message and checks it against the client's dialect. The upstream's own limits are checked by the
    /// relay, on the text as it will be sent.
    fn sound(
        &self,
        command: &mut Command,
        principal: &Principal,
        profile: &Profile,
        now: Time,
    ) -> Result<(), Fault> {
        let Command::Send(message) = command else {
            return Ok(());
        };
        profile.check(message)?;
        message.author = principal.person.clone();
        message.created_at.get_or_insert(now);
        Ok(())
    }

    /// The operator's rules of the channel that a command goes to.
    fn rule(&self, route: &Route, client_channel: &str) -> Option<&ChannelRule> {
        let local = &self.relay.shared.local;
        if route.upstream == LOCAL {
            local.rule(&route.channel)
        } else {
            local.rule(client_channel)
        }
    }

    /// Under what the last message of a person in a slow channel is remembered, and the channel's delay.
    fn pace(
        &self,
        command: &Command,
        route: &Route,
        client_channel: &str,
        principal: &Principal,
    ) -> Option<((Text, Text), i64)> {
        let rule = self
            .rule(route, client_channel)
            .filter(|rule| rule.delay_s > 0 && matches!(command, Command::Send(_)))?;
        let key = (principal.name.clone(), rule.name.clone());
        Some((key, i64::from(rule.delay_s)))
    }

    /// May the person speak again already?
    fn paced(
        &self,
        command: &Command,
        route: &Route,
        client_channel: &str,
        principal: &Principal,
        now: Time,
    ) -> Result<(), Fault> {
        let Some((key, delay)) = self.pace(command, route, client_channel, principal) else {
            return Ok(());
        };
        in_turn(self.rules.spoke().get(&key), delay, now)
    }

    /// Takes the person's turn in a slow channel, so that of two messages at once one is sent.
    fn spoken(
        &self,
        located: &Located,
        principal: &Principal,
        now: Time,
    ) -> Result<Option<Turn>, Fault> {
        let Located {
            command,
            route,
            client_channel,
        } = located;
        let Some((key, delay)) = self.pace(command, route, client_channel, principal) else {
            return Ok(None);
        };
        let mut spoke = self.rules.spoke();
        in_turn(spoke.get(&key), delay, now)?;
        let before = spoke.insert(key.clone(), now);
        Ok(Some(Turn { key, before }))
    }

    /// Gives a turn back: nothing was sent.
    fn unspoken(&self, turn: Option<Turn>) {
        let Some(Turn { key, before }) = turn else {
            return;
        };
        let mut spoke = self.rules.spoke();
        match before {
            Some(before) => spoke.insert(key, before),
            None => spoke.remove(&key),
        };
    }

    /// All channels that the caller may read, from every upstream that its routes lead to.
    async fn channels(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        principal: &Principal,
        profile: &Profile,
    ) -> Outcome {
        let application = caller
            .application
            .as_ref()
            .map_or("", |application| &application.name);
        let mut all = Vec::new();
        for source in self.rules.routes.visible(&envelope.dialect, application) {
            for (upstream, mut channel, name) in
                self.seen(envelope, principal, application, source).await?
            {
                if !principal.reaches(&name) {
                    continue;
                }
                let ids = &self.relay.shared.ids;
                let id = ids
                    .channel_id(&envelope.dialect, profile.ids, &name)
                    .await?;
                let mut outcome = Ok(Reply::OneChannel(OneChannel {
                    channel: std::mem::take(&mut channel),
                }));
                ids.outward(&side(profile, &upstream, false), &mut outcome)
                    .await?;
                if let Ok(mut reply) = outcome {
                    rename(&mut reply, &id);
                    if let Reply::OneChannel(one) = reply {
                        all.push(one.channel);
                    }
                }
            }
        }
        Ok(Reply::Channels(Channels {
            channels: all,
            window: Window::default(),
        }))
    }

    /// The channels of one source, each with its upstream and the client's name for it.
    async fn seen(
        &self,
        envelope: &Envelope,
        principal: &Principal,
        application: &str,
        source: Source,
    ) -> Result<Vec<(Text, crate::model::Channel, Text)>, Fault> {
        match source {
            Source::One {
                upstream,
                channel,
                client_channel,
            } => {
                let find = crate::model::FindChannel {
                    channel: channel.clone(),
                    ..Default::default()
                };
                let found = self
                    .relayed(&upstream, Command::FindChannel(find), envelope, principal)
                    .await;
                let found = match found {
                    Ok(Reply::OneChannel(one)) => one.channel,
                    // What the upstream cannot describe still has its name.
                    _ => crate::model::Channel {
                        id: channel.clone(),
                        name: client_channel.clone(),
                        ..Default::default()
                    },
                };
                Ok(vec![(upstream, found, client_channel)])
            }
            Source::Every { upstream } => {
                let list = Command::ListChannels(Default::default());
                let reply = match self.relayed(&upstream, list, envelope, principal).await {
                    Err(fault) if fault.kind.is(Kind::Unsupported) => return Ok(Vec::new()),
                    reply => reply?,
                };
                let Reply::Channels(list) = reply else {
                    return Ok(Vec::new());
                };
                let named = list.channels.into_iter().filter_map(|channel| {
                    let routes = &self.rules.routes;
                    let name = routes.client_channel(
                        &envelope.dialect,
                        application,
                        &upstream,
                        &channel.id,
                    )?;
                    Some((upstream.clone(), channel, name))
                });
                Ok(named.collect())
            }
        }
    }

    /// A list over every channel that the caller may read, newest last.
    async fn everywhere(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        principal: &Principal,
        profile: &Profile,
    ) -> Outcome {
        let Command::List(asked) = &envelope.command else {
            return Ok(Reply::Messages(Messages::default()));
        };
        let Reply::Channels(list) = self.channels(envelope, caller, principal, profile).await?
        else {
            return Ok(Reply::Messages(Messages::default()));
        };
        let now = envelope.arrival.now.unwrap_or_default();
        let mut window = asked.window.clone();
        profile.bound(&mut window);
        // What is skipped may all be in one channel, so each is asked for that much more.
        let skip = window.offset.unwrap_or(0).max(0);
        let each = Window {
            limit: window.limit.map(|limit| limit.saturating_add(skip)),
            offset: None,
            ..window.clone()
        };
        let (mut messages, mut total) = (Vec::new(), Some(0));
        for channel in list.channels {
            let one = Command::List(crate::model::List {
                channel: channel.id,
                window: each.clone(),
                ..asked.clone()
            });
            if let Reply::Messages(page) = self
                .one(envelope, one, caller, principal, profile, now)
                .await?
            {
                total = total.zip(page.window.total).map(|(sum, more)| sum + more);
                messages.extend(page.messages);
            }
        }
        messages.sort_by_key(|message| message.created_at);
        passed_over(&mut messages, &window, skip);
        cut(&mut messages, &window);
        window.total = total;
        Ok(Reply::Messages(Messages { messages, window }))
    }
}

/// How ids of an upstream's things are written for this client.
fn side<'a>(profile: &Profile, upstream: &'a str, native: bool) -> Side<'a> {
    Side {
        kind: profile.ids,
        upstream,
        native,
    }
}

/// Is the delay over?
fn in_turn(last: Option<&Time>, delay: i64, now: Time) -> Result<(), Fault> {
    let free = last.map(|last| last.plus_seconds(delay));
    match free.filter(|free| now < *free) {
        None => Ok(()),
        Some(free) => {
            let wait = (free.seconds() - now.seconds()).max(1);
            Err(Fault::client(Kind::ChannelTooFast, "the channel has a delay").retry_after(wait))
        }
    }
}

/// Does a list begin at its oldest end?
fn from_oldest(window: &Window) -> bool {
    window.order == Some(1) || (!window.after.is_empty() && window.before.is_empty())
}

/// Leaves out what the window skips.
fn passed_over(messages: &mut Vec<Message>, window: &Window, skip: i64) {
    let skip = usize::try_from(skip)
        .unwrap_or(usize::MAX)
        .min(messages.len());
    if from_oldest(window) {
        messages.drain(..skip);
    } else {
        messages.truncate(messages.len() - skip);
    }
}

/// Leaves what was asked for: an upstream may know no limit, or not keep to it.
fn cut(messages: &mut Vec<Message>, window: &Window) {
    let Some(limit) = window.limit.and_then(|limit| usize::try_from(limit).ok()) else {
        return;
    };
    if from_oldest(window) {
        messages.truncate(limit);
    } else {
        messages.drain(..messages.len().saturating_sub(limit));
    }
}

fn is_list(command: &Command) -> bool {
    matches!(command, Command::List(_))
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

/// Gives a reply the client's name of the channel.
fn rename(reply: &mut Reply, channel: &Text) {
    if channel.is_empty() {
        return;
    }
    match reply {
        Reply::OneMessage(one) => one.message.channel = channel.clone(),
        Reply::Messages(list) => list
            .messages
            .iter_mut()
            .for_each(|message| message.channel = channel.clone()),
        Reply::OneChannel(one) => {
            one.channel.id = channel.clone();
            if let Some(message) = &mut one.channel.last_message {
                message.channel = channel.clone();
            }
        }
        Reply::Moderation(done) => done.channel = channel.clone(),
        _ => {}
    }
}

/// How an operation of a client is carried out at an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The upstream has it.
    Native,
    /// Sabir does it beside the upstream.
    Emulated,
    Refused,
}

impl Carried {
    /// `None` for operations that never leave Sabir.
    pub fn of(shared: &Shared, upstream: &str, operation: Operation) -> Option<Carried> {
        if operation.effect() == Effect::Session {
            return None;
        }
        let Some(at) = shared.find(upstream) else {
            return Some(Carried::Native);
        };
        let dialect = &shared.dialects[shared.upstreams[at].config.dialect];
        Some(if dialect.calls(operation) {
            Carried::Native
        } else if shared.emulates(at, operation) {
            Carried::Emulated
        } else {
            Carried::Refused
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Carried::Native => "native",
            Carried::Emulated => "emulated",
            Carried::Refused => "refused",
        }
    }
}
