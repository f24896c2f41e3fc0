//! What a command names by other means than a channel's id: people by the numbers that clients have for them, and
//! channels by whose they are. And who may take away what others said.

use super::{Gateway, Located};
use crate::auth::{Principal, letters};
use crate::model::profile::IdKind;
use crate::model::{Command, Envelope, Fault, Kind, Outcome, Profile, Reply, Text};
use crate::relay::NativeKind;
use crate::route::LOCAL;

/// Characters of an id that stands for one that nobody gave.
const PROVISIONAL: usize = 20;

impl Gateway {
    /// Puts the people and the channel that a command means in the place of what it calls them.
    pub(super) async fn named(
        &self,
        envelope: &Envelope,
        command: &mut Command,
        profile: &Profile,
    ) -> Result<(), Fault> {
        if let Some(person) = person_of(command)
            && !person.is_empty()
            && !matches!(profile.ids, IdKind::None | IdKind::Text)
            && let Some(native) = self.relay.shared.ids.thing(profile.ids, person).await?
            && native.kind == NativeKind::Person
        {
            *person = native.id;
        }
        let Command::FindChannel(find) = command else {
            return Ok(());
        };
        if find.channel.is_empty() {
            let local = &self.relay.shared.local;
            let name = local.find(find).ok_or_else(|| {
                Fault::client(Kind::Channel, "no such channel").value(find.owner_name.clone())
            })?;
            // From here on it is a channel by its name, as if the client had called it so.
            let ids = &self.relay.shared.ids;
            find.channel = ids
                .channel_id(&envelope.dialect, profile.ids, &name)
                .await?;
        }
        Ok(())
    }
}

impl Gateway {
    /// In channels that Sabir keeps itself, a message is taken away by its author, and people are moderated by whoever
    /// may moderate or owns the channel. Elsewhere the upstream decides.
    pub(super) async fn moderates(
        &self,
        located: &Located,
        principal: &Principal,
    ) -> Result<(), Fault> {
        let local = &self.relay.shared.local;
        let owner = local
            .rule(&located.client_channel)
            .and_then(|rule| rule.owner.as_ref());
        if located.route.upstream != LOCAL
            || principal.may.moderate
            || owner == Some(&principal.name)
        {
            return Ok(());
        }
        let own = match &located.command {
            Command::Delete(delete) => {
                let channel = Some(located.route.channel.as_str());
                let found = local.store().get(LOCAL, channel, &delete.id).await;
                let author = found.ok().flatten().map(|message| message.author.id);
                // What is not there is for the store to tell.
                author.is_none_or(|author| author == principal.person.id)
            }
            Command::Moderate(_) => false,
            _ => true,
        };
        own.then_some(())
            .ok_or_else(|| Fault::client(Kind::Forbidden, "only a moderator may do that"))
    }
}

/// A message that was sent and got no id has one of its own here: what was done must not be told as a failure by a
/// dialect whose messages always have ids.
pub(super) fn provisional(outcome: &mut Outcome, is_send: bool, profile: &Profile) {
    if let (true, Ok(Reply::OneMessage(one))) = (is_send, outcome)
        && one.message.id.is_empty()
        && profile.ids != IdKind::None
    {
        let random = letters(PROVISIONAL).unwrap_or_default();
        one.message.id = format!("sent-{random}").into();
    }
}

/// The person that a command is about.
fn person_of(command: &mut Command) -> Option<&mut Text> {
    Some(match command {
        Command::GetPerson(asked) => &mut asked.id,
        Command::FindChannel(asked) => &mut asked.owner,
        Command::Moderate(asked) => &mut asked.person,
        Command::List(asked) => &mut asked.author,
        _ => return None,
    })
}
