//! The pace of slow channels: one message per person and delay, whatever the dialect.
//!
//! A turn is looked at before the message itself is, as services with slow channels have it; it is taken just before
//! the message is sent, so that of two at once one is, and given back when nothing was sent.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::locate::Located;
use super::{Asked, Gateway};
use crate::model::{ChannelRule, Command, Fault, Kind, LOCAL, Text, Time};
use crate::route::Route;

/// A person and a channel.
type Key = (Text, Text);

/// When each person last spoke in a channel that has a delay. No larger than accounts and applications times slow
/// channels, all of which the operator has written down.
#[derive(Default)]
pub(super) struct Spoke(Mutex<HashMap<Key, Time>>);

/// A person's turn in a slow channel, and when the one before was.
pub(super) struct Turn {
    key: Key,
    before: Option<Time>,
}

impl Spoke {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// May the person speak again already?
    ///
    /// # Errors
    /// `too_fast.channel`, with the seconds to wait.
    pub(super) fn paced(
        &self,
        asked: &Asked<'_>,
        command: &Command,
        route: &Route,
        channel: &str,
    ) -> Result<(), Fault> {
        let Some((key, delay)) = self.pace(asked, command, route, channel) else {
            return Ok(());
        };
        in_turn(self.rules.spoke.lock().get(&key), delay, asked.now)
    }

    /// Takes the person's turn.
    ///
    /// # Errors
    /// As [`Gateway::paced`].
    pub(super) fn take_turn(
        &self,
        asked: &Asked<'_>,
        located: &Located,
    ) -> Result<Option<Turn>, Fault> {
        let Located {
            command,
            route,
            client_channel,
        } = located;
        let Some((key, delay)) = self.pace(asked, command, route, client_channel) else {
            return Ok(None);
        };
        let mut spoke = self.rules.spoke.lock();
        in_turn(spoke.get(&key), delay, asked.now)?;
        let before = spoke.insert(key.clone(), asked.now);
        Ok(Some(Turn { key, before }))
    }

    /// Gives a turn back: nothing was sent.
    pub(super) fn give_back(&self, turn: Option<Turn>) {
        let Some(Turn { key, before }) = turn else {
            return;
        };
        let mut spoke = self.rules.spoke.lock();
        match before {
            Some(before) => spoke.insert(key, before),
            None => spoke.remove(&key),
        };
    }

    /// Under what the last message of the person in a slow channel is remembered, and the channel's delay.
    fn pace(
        &self,
        asked: &Asked<'_>,
        command: &Command,
        route: &Route,
        channel: &str,
    ) -> Option<(Key, i64)> {
        let slow = |rule: &&ChannelRule| rule.delay_s > 0 && matches!(command, Command::Send(_));
        let local = &self.relay.shared.local;
        let name = if route.upstream == LOCAL {
            &route.channel
        } else {
            channel
        };
        let rule = local.rule(name).filter(slow)?;
        Some((
            (asked.principal.name.clone(), rule.name.clone()),
            i64::from(rule.delay_s),
        ))
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
