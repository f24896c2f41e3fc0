//! The pace of channels that have one: so many seconds between two messages of one person.
//!
//! It is looked at before the message is, as services with slow channels do, and taken when the message is sent; what
//! certainly was not sent gives it back. Kept in memory: after a start everybody may speak.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::locate::Located;
use super::{Asked, Gateway};
use crate::model::{Command, Fault, Kind, Text, Time};
use crate::route::Route;

/// When each person last spoke in each channel that has a delay. No larger than accounts and applications times slow
/// channels, all of which the operator has written down.
#[derive(Default)]
pub struct Pace {
    spoke: Mutex<HashMap<Place, Time>>,
}

/// A person in a channel.
type Place = (Text, Text);

/// A person's turn to speak, and when the one before was.
pub(super) struct Turn {
    place: Place,
    before: Option<Time>,
}

impl Pace {
    fn spoke(&self) -> MutexGuard<'_, HashMap<Place, Time>> {
        self.spoke.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// May the person speak in this channel by now?
    ///
    /// # Errors
    /// `too_fast.channel`, with the seconds to wait.
    pub(super) fn paced(
        &self,
        asked: &Asked<'_>,
        command: &Command,
        route: &Route,
        client_channel: &Text,
    ) -> Result<(), Fault> {
        match self.slow(asked, command, route, client_channel) {
            Some((place, delay)) => over(self.rules.pace.spoke().get(&place), delay, asked.now),
            None => Ok(()),
        }
    }

    /// Takes the person's turn, so that of two messages at once one is sent.
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
            ..
        } = located;
        let Some((place, delay)) = self.slow(asked, command, route, client_channel) else {
            return Ok(None);
        };
        let mut spoke = self.rules.pace.spoke();
        over(spoke.get(&place), delay, asked.now)?;
        let before = spoke.insert(place.clone(), asked.now);
        Ok(Some(Turn { place, before }))
    }

    /// Gives a turn back.
    pub(super) fn give_back(&self, turn: Option<Turn>) {
        let Some(Turn { place, before }) = turn else {
            return;
        };
        let mut spoke = self.rules.pace.spoke();
        match before {
            Some(before) => spoke.insert(place, before),
            None => spoke.remove(&place),
        };
    }

    fn slow(
        &self,
        asked: &Asked<'_>,
        command: &Command,
        route: &Route,
        client_channel: &Text,
    ) -> Option<(Place, i64)> {
        if !matches!(command, Command::Send(_)) {
            return None;
        }
        let rule = self
            .rule(&route.upstream, &route.channel, client_channel)
            .filter(|rule| rule.delay_s > 0)?;
        let place = (asked.principal.name.clone(), rule.name.clone());
        Some((place, i64::from(rule.delay_s)))
    }
}

fn over(last: Option<&Time>, delay: i64, now: Time) -> Result<(), Fault> {
    let free = last.map(|last| last.plus_seconds(delay));
    match free.filter(|free| now < *free) {
        None => Ok(()),
        Some(free) => {
            let wait = (free.seconds() - now.seconds()).max(1);
            Err(Fault::client(Kind::ChannelTooFast, "the channel has a delay").retry_after(wait))
        }
    }
}
