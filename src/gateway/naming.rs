//! What a command names by other means than a channel's id: people by the numbers that clients have for them, and
//! channels by whose they are.
//!
//! After this a command names people and channels as Sabir does. What nobody gave an id gets one here.

use super::{Asked, Gateway};
use crate::auth::letters;
use crate::model::profile::IdKind;
use crate::model::{Command, Fault, Kind, Profile, Reply, Text};
use crate::relay::NativeKind;

/// Characters of an id that stands for one that nobody gave.
const PROVISIONAL: usize = 20;

impl Gateway {
    /// Puts the people and the channel that a command means in the place of what it calls them.
    pub(super) async fn named(
        &self,
        asked: &Asked<'_>,
        command: &mut Command,
    ) -> Result<(), Fault> {
        let profile = asked.profile;
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
                .channel_id(&asked.envelope.dialect, profile.ids, &name)
                .await?;
        }
        Ok(())
    }
}

/// A message that was sent and got no id has one of its own here: what was done must not be told as a failure by a
/// dialect whose messages always have ids.
pub(super) fn provisional(reply: &mut Reply, profile: &Profile) {
    if let Reply::OneMessage(one) = reply
        && one.message.id.is_empty()
        && profile.ids != IdKind::None
    {
        let random = letters(PROVISIONAL);
        one.message.id = format!("sent-{random}").into();
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
