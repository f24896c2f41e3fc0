//! The breaker: an upstream that fails again and again is left alone for a while.
//!
//! Closed, open, half-open. It opens after so many failures in a row, longer each time that it opens again at once;
//! then exactly one request is let through, and how that ends decides. It does not know what a failure is: who made
//! the attempt says so. What began before it opened no longer counts. A closed breaker costs one look at an atomic.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::metrics::{State, UpstreamMeter};
use crate::model::Text;

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// In a row; none means that it never opens.
    pub failures: u32,
    /// The first time; the second time twice as long, and so on.
    pub open: Duration,
    /// The longest.
    pub open_most: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            failures: 5,
            open: Duration::from_secs(30),
            open_most: Duration::from_secs(300),
        }
    }
}

/// Shared by all threads.
pub struct Breaker {
    /// The upstream, as the operator calls it.
    name: Text,
    config: Config,
    meter: UpstreamMeter,
    /// A [`State`]; written only while `spell` is held.
    state: AtomicU8,
    failures: AtomicU32,
    spell: Mutex<Spell>,
}

/// The time that the breaker is open for.
struct Spell {
    /// How often it opened without having been closed.
    openings: u32,
    until: Instant,
}

impl Breaker {
    pub fn new(name: Text, config: Config, meter: UpstreamMeter) -> Breaker {
        meter.breaker(State::Closed);
        Breaker {
            name,
            config,
            meter,
            state: AtomicU8::new(State::Closed as u8),
            failures: AtomicU32::new(0),
            spell: Mutex::new(Spell {
                openings: 0,
                until: Instant::now(),
            }),
        }
    }

    /// Lets an attempt through, or says how long none will be.
    pub fn admit(&self, now: Instant) -> Result<Admission<'_>, Duration> {
        if self.is(State::Closed) {
            return Ok(self.admission(false));
        }
        let spell = self.spell();
        if self.is(State::Closed) {
            return Ok(self.admission(false));
        }
        if self.is(State::Open) && now >= spell.until {
            self.enter(State::HalfOpen);
            return Ok(self.admission(true));
        }
        Err(spell.until.saturating_duration_since(now))
    }

    /// How much longer nobody is let through; nothing while it is closed.
    pub fn open_for(&self, now: Instant) -> Option<Duration> {
        let spell = self.spell();
        (!self.is(State::Closed)).then(|| spell.until.saturating_duration_since(now))
    }

    fn admission(&self, probe: bool) -> Admission<'_> {
        Admission {
            breaker: self,
            probe,
        }
    }

    fn failed(&self, probe: bool, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if probe || (self.config.failures > 0 && failures >= self.config.failures) {
            let mut spell = self.spell();
            if probe || self.is(State::Closed) {
                spell.openings = spell.openings.saturating_add(1);
                let open = self.config.open.saturating_mul(spell.openings);
                let open = open.min(self.config.open_most);
                spell.until = now + open;
                self.enter(State::Open);
                self.meter.opened();
                drop(spell);
                let (upstream, seconds) = (&*self.name, open.as_secs());
                warn!(
                    upstream,
                    seconds, "an upstream failed too often and is left alone"
                );
            }
        }
    }

    fn succeeded(&self, probe: bool) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if probe {
            let mut spell = self.spell();
            spell.openings = 0;
            self.enter(State::Closed);
            drop(spell);
            info!(upstream = &*self.name, "an upstream works again");
        }
    }

    /// A probe came to nothing that says anything: the next may be made at once.
    fn abandoned(&self) {
        let _spell = self.spell();
        self.enter(State::Open);
    }

    fn is(&self, state: State) -> bool {
        self.state.load(Ordering::Acquire) == state as u8
    }

    fn enter(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
        self.meter.breaker(state);
    }

    fn spell(&self) -> MutexGuard<'_, Spell> {
        self.spell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that was let through. Dropped without a word, it never was.
pub struct Admission<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Admission<'_> {
    /// How the attempt ended: did the upstream work?
    pub fn settle(mut self, worked: bool, now: Instant) {
        let probe = std::mem::take(&mut self.probe);
        if worked {
            self.breaker.succeeded(probe);
        } else {
            self.breaker.failed(probe, now);
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn breaker() -> Breaker {
        let config = Config {
            failures: 3,
            open: Duration::from_secs(30),
            open_most: Duration::from_secs(70),
        };
        Breaker::new(
            "far".into(),
            config,
            Metrics::new().unwrap().upstream("far"),
        )
    }

    fn end(breaker: &Breaker, worked: bool, now: Instant) {
        breaker.admit(now).unwrap().settle(worked, now);
    }

    #[test]
    fn opens_after_failures_in_a_row_and_longer_each_time() {
        let (breaker, start) = (breaker(), Instant::now());
        for worked in [false, false, true, false, false] {
            end(&breaker, worked, start);
        }
        end(&breaker, false, start);
        let mut now = start;
        for seconds in [30, 60, 70, 70] {
            let wait = breaker.admit(now).err();
            assert_eq!(wait, Some(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            end(&breaker, false, now);
        }
        now += Duration::from_secs(70);
        end(&breaker, true, now);
        // Closed as if nothing had been.
        for _ in 0..3 {
            end(&breaker, false, now);
        }
        let wait = breaker.admit(now).err();
        assert_eq!(wait, Some(Duration::from_secs(30)));
    }

    #[test]
    fn half_open_lets_one_through_and_forgets_one_that_came_to_nothing() {
        let (breaker, start) = (breaker(), Instant::now());
        for _ in 0..3 {
            end(&breaker, false, start);
        }
        let later = start + Duration::from_secs(30);
        let probe = breaker.admit(later).unwrap();
        assert!((0..9).all(|_| breaker.admit(later).is_err()));
        drop(probe);
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err());
        probe.settle(true, later);
        assert!((0..9).all(|_| breaker.admit(later).is_ok()));
    }

    #[test]
    fn what_began_before_it_opened_neither_closes_nor_prolongs() {
        let (breaker, start) = (breaker(), Instant::now());
        let early: Vec<_> = (0..6).map(|_| breaker.admit(start).unwrap()).collect();
        for (number, admission) in early.into_iter().enumerate() {
            admission.settle(number == 4, start + Duration::from_secs(number as u64));
        }
        let wait = breaker.admit(start + Duration::from_secs(5)).err();
        assert_eq!(wait, Some(Duration::from_secs(27)));
    }

    #[test]
    fn none_never_opens() {
        let config = Config {
            failures: 0,
            ..Config::default()
        };
        let breaker = Breaker::new(
            "far".into(),
            config,
            Metrics::new().unwrap().upstream("far"),
        );
        let now = Instant::now();
        for _ in 0..100 {
            end(&breaker, false, now);
        }
        assert!(breaker.admit(now).is_ok());
    }
}
