//! `[limits]`: how often a caller may ask and guess, and how much is done at once.
//!
//! What one connection may take is `[listen.limits]`; what an upstream may, its own table.

use super::Reading;
use super::table::Table;
use crate::gateway::guard::Config as Callers;
use crate::ingress::capacity::Config as Capacity;

/// What callers may take together, and each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub callers: Callers,
    pub capacity: Capacity,
}

impl Reading<'_> {
    pub(super) fn limits(&self, top: &mut Table<'_>) -> Limits {
        let mut limits = Limits::default();
        let Some(mut table) = top.table("limits") else {
            return limits;
        };
        let Limits { callers, capacity } = &mut limits;
        let burst = table.whole("burst", 1..=1_000_000);
        if let Some(rate) = table.whole("rate_per_s", 1..=1_000_000) {
            callers.rate_per_s = rate;
            callers.burst = burst.unwrap_or(rate);
        } else if burst.is_some() {
            let message = "`burst` without `rate_per_s` limits nothing";
            let help = "write both, or neither";
            self.notes.at(table.place, message, help);
        }
        if let Some(guesses) = table.whole("guesses", 0..=10_000) {
            callers.guesses = guesses;
        }
        if let Some(seconds) = table.whole("guess_wait_s", 1..=86_400) {
            callers.guess_wait_s = seconds;
        }
        if let Some(places) = table.whole("in_flight", 1..=1_000_000) {
            capacity.in_flight = places as usize;
        }
        if let Some(millis) = table.whole("in_flight_wait_ms", 0..=60_000) {
            capacity.wait_ms = millis.into();
        }
        table.close();
        limits
    }
}
