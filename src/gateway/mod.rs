//! The gateway: a command in an envelope becomes an outcome. It knows no dialect.
//!
//! [`Gateway::submit`] is the one way in, for requests and for live connections: who is this, where to, may they, is it
//! sound on both sides, and then it is carried out. What a client may not know of is never told apart from what does
//! not exist, and what is wrong with a request is told only to a caller that is known.

mod carried;
mod everywhere;
mod greeting;
pub mod guard;
mod locate;
mod memory;
mod naming;
mod pace;
mod sends;

use std::cell::OnceCell;
use std::sync::Arc;

pub use carried::Carried;
pub use pace::Pace;

pub use crate::auth::letters;
use crate::auth::{Auth, Caller, Principal};
use crate::model::{
    App, Arrival, Command, Credential, Effect, Envelope, Fault, Kind, LOCAL, List, Messages,
    Moderation, OnePerson, Outcome, Profile, Reply, SealKeys, Secret, Text, Time,
};
use crate::relay::{Ask, Relay, Side};
use crate::route::{Route, Routes};
use guard::Guard;
use locate::by_its_name;
use naming::with_cursors;

/// What one configuration decides, shared by all threads.
pub struct Rules {
    pub auth: Auth,
    pub routes: Routes,
    /// It goes on from one configuration to the next.
    pub pace: Arc<Pace>,
    pub limits: guard::Config,
    /// It goes on, too.
    pub guard: Arc<Guard>,
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
    /// Where the command went; empty if it went nowhere.
    pub upstream: Text,
}

/// A request of a caller that is known.
#[derive(Clone, Copy)]
struct Asked<'a> {
    envelope: &'a Envelope,
    principal: &'a Principal,
    /// The name of the program that calls; empty if it has none.
    application: &'a str,
    profile: &'a Profile,
    now: Time,
    /// Which of several messages this is.
    part: usize,
    /// Where the command went, once that is known.
    went: &'a OnceCell<Text>,
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
        let address = &envelope.arrival.client_ip;
        let greeted = self.greet(&envelope.app, &envelope.credential, address, now);
        let known = greeted.as_ref().ok().map(|(caller, _)| caller);
        let place = self.take_place(known, envelope, now);
        let (caller, guess) = match greeted {
            Ok(greeted) => greeted,
            Err(fault) => return (Err(place.err().unwrap_or(fault)), ReplyContext::default()),
        };
        caller.complete(&mut envelope.app);
        let went = OnceCell::new();
        let outcome = match (place, envelope.command.operation().effect()) {
            (Err(fault), _) => Err(fault),
            (Ok(()), Effect::Session) => {
                let outcome = self.session(envelope, &caller, profile, now).await;
                self.learn(&envelope.command, guess, &outcome, now);
                outcome
            }
            (Ok(()), Effect::Read | Effect::Write) => {
                let of_caller = self.of_caller(envelope, &caller, profile, now, &went);
                of_caller.await
            }
        };
        let context = ReplyContext {
            upstream: went.into_inner().unwrap_or_default(),
            ..context(envelope, caller)
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
        let address = &envelope.arrival.client_ip;
        let greeted = self.greet(&envelope.app, &envelope.credential, address, now);
        let known = greeted.as_ref().ok().map(|(caller, _)| caller);
        if let Err(too_fast) = self.take_place(known, envelope, now) {
            return (too_fast, ReplyContext::default());
        }
        match greeted {
            Err(unknown)
                if needs_caller
                    || by_session
                    || matches!(unknown.kind, Kind::Application | Kind::TooFast) =>
            {
                (unknown, ReplyContext::default())
            }
            Err(_) => (fault, ReplyContext::default()),
            Ok((caller, _)) => {
                caller.complete(&mut envelope.app);
                let fault = match caller.signed_in() {
                    Err(nobody) if needs_caller => nobody,
                    _ => fault,
                };
                (fault, context(envelope, caller))
            }
        }
    }

    /// Does a proof alone say who is calling?
    pub fn knows(&self, credential: &Credential, arrival: &Arrival) -> bool {
        let now = arrival.now.unwrap_or_default();
        let greeted = self.greet(&App::default(), credential, &arrival.client_ip, now);
        greeted.is_ok_and(|(caller, _)| caller.principal.is_some())
    }

    async fn session(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        profile: &Profile,
        now: Time,
    ) -> Outcome {
        let (command, credential) = (&envelope.command, &envelope.credential);
        let mut outcome = self
            .rules
            .auth
            .session(command, caller, credential, profile, now)
            .await;
        self.relay
            .shared
            .ids
            .outward(&side(profile, LOCAL, false), &mut outcome)
            .await?;
        outcome
    }

    async fn of_caller(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        profile: &Profile,
        now: Time,
        went: &OnceCell<Text>,
    ) -> Outcome {
        let application = caller
            .application
            .as_ref()
            .map_or("", |application| &application.name);
        let asked = Asked {
            envelope,
            principal: caller.signed_in()?,
            application,
            profile,
            now,
            part: 0,
            went,
        };
        match &envelope.command {
            Command::ListChannels(list) => Box::pin(self.channels(&asked, list)).await,
            Command::List(list) => Box::pin(self.list(&asked, list.clone())).await,
            Command::Send(_) | Command::SendMany(_) if !envelope.arrival.key.is_empty() => {
                Box::pin(self.once(&asked)).await
            }
            // Boxed like everything rare: it would swell the future of every other request.
            Command::SendMany(many) => Box::pin(self.many(&asked, &many.sends)).await,
            command => self.one(&asked, Box::new(command.clone())).await,
        }
    }

    /// A list, no longer than those of the client's dialect are.
    async fn list(&self, asked: &Asked<'_>, mut list: List) -> Outcome {
        asked.profile.bound(&mut list.window);
        match list.channel.is_empty() {
            // Where an unknown channel is an empty one, no channel is too.
            true if asked.profile.lists_unknown => Ok(Reply::Messages(Messages::default())),
            true => Box::pin(self.everywhere(asked, list)).await,
            false => self.one(asked, Box::new(Command::List(list))).await,
        }
    }

    /// One command about one channel, message or person. It is boxed because it is handed through many calls.
    async fn one(&self, asked: &Asked<'_>, command: Box<Command>) -> Outcome {
        let listing = matches!(*command, Command::List(_));
        let none =
            |fault: &Fault| fault.kind == Kind::Channel && asked.profile.lists_unknown && listing;
        let located = match self.locate(asked, command).await {
            Err(fault) if none(&fault) => return Ok(Reply::Messages(Messages::default())),
            located => located?,
        };
        let turn = self.take_turn(asked, &located)?;
        let effect = located.command.operation().effect();
        let sent = matches!(*located.command, Command::Send(_));
        let upstream = &located.route.upstream;
        let outcome = self.relayed(asked, upstream, located.command).await;
        let reply = match outcome {
            Err(fault) if none(&fault) => Reply::Messages(Messages::default()),
            Err(fault) if fault.kind != Kind::OutcomeUnknown => {
                self.give_back(turn);
                return Err(by_its_name(fault, located.called));
            }
            outcome => outcome?,
        };
        let told = self.told(asked, &located.route, &located.client_channel, sent, reply);
        told.await.map_err(|mut fault| {
            // It was done, and only how to tell of it failed: nothing that may be tried again.
            if effect == Effect::Write {
                fault.kind = Kind::OutcomeUnknown;
            }
            fault
        })
    }

    /// Puts the client's ids and names in the place of the upstream's.
    async fn told(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        client_channel: &Text,
        sent: bool,
        mut reply: Reply,
    ) -> Outcome {
        // Ids are known by the upstream's name of the channel; the client sees its own.
        rename(&mut reply, &route.channel);
        self.identified(asked, route, sent, &mut reply).await?;
        let ids = &self.relay.shared.ids;
        let mut outcome = Ok(reply);
        let signature = match sent {
            true => asked.principal.signature(),
            false => Text::default(),
        };
        let side = Side {
            sender: &signature,
            ..self.teller(asked.profile, &route.upstream, route.native_ids)
        };
        ids.outward(&side, &mut outcome).await?;
        let (dialect, kind) = (&asked.envelope.dialect, asked.profile.ids);
        let channel = ids.channel_id(dialect, kind, client_channel).await?;
        let mut reply = outcome?;
        rename(&mut reply, &channel);
        match &mut reply {
            Reply::Moderation(done) => Box::pin(self.signed(asked, done)).await?,
            Reply::Messages(list) if route.upstream != LOCAL => with_cursors(list),
            _ => {}
        }
        Ok(reply)
    }

    /// Names who had something done, and when, where the upstream does not: that is known here.
    async fn signed(&self, asked: &Asked<'_>, done: &mut Moderation) -> Result<(), Fault> {
        done.created_at = done.created_at.or(Some(asked.now));
        if done.moderator.id.is_empty() && done.moderator.name.is_empty() {
            let person = Box::new(asked.principal.person.as_ref().clone());
            let mut outcome = Ok(Reply::OnePerson(OnePerson { person }));
            let side = side(asked.profile, LOCAL, false);
            self.relay.shared.ids.outward(&side, &mut outcome).await?;
            if let Reply::OnePerson(one) = outcome? {
                done.moderator = one.person;
            }
        }
        Ok(())
    }

    async fn relayed(&self, asked: &Asked<'_>, upstream: &str, command: Box<Command>) -> Outcome {
        let shared = &self.relay.shared;
        // Of several, the first is told of.
        let _ = asked.went.set(upstream.into());
        match shared.find(upstream) {
            None if upstream == LOCAL => {
                shared
                    .local
                    .carry_out(&command, &asked.principal.person, asked.now)
                    .await
            }
            None => Err(Fault::new(
                Kind::Route,
                format!("there is no upstream {upstream}"),
            )),
            Some(at) => {
                let ask = Ask {
                    at,
                    arrival: &asked.arrival(),
                    client: &asked.envelope.client,
                    viewer: &asked.principal.person.id,
                    own: self.own_credential(at, upstream, asked.principal),
                    until: self.relay.until(at, asked.envelope.begun),
                };
                self.relay.call(&ask, command).await
            }
        }
    }

    /// The same for what is told of messages, which may be marked beside the upstream.
    fn teller<'a>(&self, profile: &Profile, upstream: &'a str, native: bool) -> Side<'a> {
        Side {
            marked_by: self.relay.shared.marked_by(upstream),
            ..side(profile, upstream, native)
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
}

fn context(envelope: &Envelope, caller: Caller) -> ReplyContext {
    let application = caller.application_secret().cloned().unwrap_or_default();
    let session = match &envelope.command {
        // The reply to the opening is sealed although the session is only being made.
        Command::OpenSession(open) => Secret(open.key.clone()),
        _ => caller.key,
    };
    ReplyContext {
        keys: SealKeys {
            application,
            session,
        },
        upstream: Text::default(),
    }
}

/// How ids of an upstream's things are written for this client.
fn side<'a>(profile: &Profile, upstream: &'a str, native: bool) -> Side<'a> {
    Side {
        kind: profile.ids,
        upstream,
        marked_by: upstream,
        native,
        sender: "",
    }
}

/// Gives a reply another name of the channel that it is about.
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
        Reply::Moderations(list) => list
            .moderations
            .iter_mut()
            .for_each(|done| done.channel = channel.clone()),
        Reply::Participants(list) => list
            .participants
            .iter_mut()
            .for_each(|participant| participant.channel = channel.clone()),
        _ => {}
    }
}
