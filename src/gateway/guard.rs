//! Who asks too often, and who guesses: both are turned away, in every dialect with the same fault.
//!
//! A caller that is known has one rate in all dialects together; one that is not is its address. Wrong passwords,
//! licences and clients' secrets are counted for each address and what they were tried on, and after a few of them the
//! next one waits, twice as long each time, and is not looked at before. Wrong session ids and tokens are told of more
//! slowly too, but a right one always passes: they are too long to be guessed, and one address may be many people's.
//! What is remembered here outlives a configuration; what is allowed is the configuration's.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::memory::Memory;
use crate::metrics::{Metrics, TurnedAway};
use crate::model::{App, Credential, Fault, Kind, Time};

/// What is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Requests of one caller; 0 is as many as it likes.
    pub rate_per_s: u32,
    /// Requests of one caller at once, after a rest.
    pub burst: u32,
    /// Wrong guesses before the next one has to wait; 0 is as many as it likes.
    pub guesses: u32,
    /// The longest wait.
    pub guess_wait_s: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            rate_per_s: 0,
            burst: 0,
            guesses: 5,
            guess_wait_s: 300,
        }
    }
}

/// A wrong id or token is seldom a guess: they run out by themselves, and programs try them once more.
const PROOFS_PER_GUESS: u32 = 10;

/// What is tried from one address is counted under so many names, so that no address can fill the memory.
const NAMES: u64 = 64;

/// Guesses are forgotten after so many times the longest wait.
const REST: i64 = 3;

const SECOND: i64 = 1_000_000;

/// The memory of callers.
pub struct Guard {
    /// When the caller would have used up all that it took, in microseconds.
    rates: Memory<i64>,
    guesses: Memory<Wrong>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy)]
struct Wrong {
    count: u32,
    last: Time,
}

/// Whose rate it is.
#[derive(Clone, Copy, Hash)]
pub(super) enum Who<'a> {
    Person(&'a str),
    Program(&'a str),
    Address(IpAddr),
}

/// What a guess was tried on.
#[derive(Clone, Copy, Hash)]
enum Tried {
    Password,
    License,
    ClientSecret,
    Proof,
}

/// The guesses of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guess([Option<u64>; 3]);

impl Guard {
    pub fn new(metrics: Arc<Metrics>) -> Guard {
        Guard {
            rates: Memory::default(),
            guesses: Memory::default(),
            metrics,
        }
    }

    /// Takes one request off a caller's rate.
    ///
    /// # Errors
    /// `too_fast`, with the seconds after which there is one again.
    pub(super) fn turn(&self, config: &Config, who: Who<'_>, now: Time) -> Result<(), Fault> {
        if config.rate_per_s == 0 {
            return Ok(());
        }
        let each = SECOND / i64::from(config.rate_per_s);
        let ahead = each * (i64::from(config.burst.max(1)) - 1);
        let key = self.rates.key(who);
        let mut rates = self.rates.place(key, |used| *used <= now.0);
        let used = rates.entry(key).or_insert(now.0);
        // Nobody is further ahead than this, unless the clock was set back: that is not the caller's fault.
        if *used < now.0 || *used > now.0 + ahead + each {
            *used = now.0;
        }
        let wait = *used - now.0 - ahead;
        if wait <= 0 {
            *used += each;
            return Ok(());
        }
        drop(rates);
        self.metrics.turned_away(TurnedAway::Rate);
        Err(too_fast(wait))
    }

    /// The guesses that a request makes.
    pub(super) fn guess(&self, app: &App, credential: &Credential, address: &str) -> Guess {
        let Credential {
            password,
            license,
            client_secret,
            ..
        } = credential;
        if [password, license, client_secret]
            .iter()
            .all(|secret| secret.0.is_empty())
        {
            return Guess::default();
        }
        let name = match credential.username.0.is_empty() {
            true => credential.email.0.to_lowercase().to_string(),
            false => credential.username.0.to_string(),
        };
        let key = |secret: &str, tried, on: &str| {
            (!secret.is_empty()).then(|| self.guess_key(tried, on, address))
        };
        Guess([
            key(&password.0, Tried::Password, &name),
            key(&license.0, Tried::License, &app.name),
            key(
                &client_secret.0,
                Tried::ClientSecret,
                &credential.client_id.0,
            ),
        ])
    }

    fn guess_key(&self, tried: Tried, on: &str, address: &str) -> u64 {
        let name = self.guesses.key(on) % NAMES;
        self.guesses.key((tried, name, network(address)))
    }

    /// May these guesses be looked at?
    ///
    /// # Errors
    /// `too_fast`, with the seconds to wait.
    pub(super) fn may_guess(&self, config: &Config, guess: Guess, now: Time) -> Result<(), Fault> {
        let waits = guess.0.into_iter().flatten();
        let waits = waits.filter_map(|key| self.wait(config, key, config.guesses, now));
        match waits.max() {
            None => Ok(()),
            Some(wait) => {
                self.metrics.turned_away(TurnedAway::Guess);
                Err(too_fast(wait))
            }
        }
    }

    /// Remembers what became of guesses that were looked at.
    pub(super) fn guessed(&self, config: &Config, guess: Guess, right: bool, now: Time) {
        for key in guess.0.into_iter().flatten() {
            if right {
                self.guesses.place(key, |_| false).remove(&key);
            } else {
                self.wrong(config, key, now);
            }
        }
    }

    /// A session id, a token or a secret that proves nothing: how that is told.
    pub(super) fn unknown(&self, config: &Config, fault: Fault, address: &str, now: Time) -> Fault {
        let key = self.guess_key(Tried::Proof, "", address);
        let most = config.guesses.saturating_mul(PROOFS_PER_GUESS);
        let wait = self.wait(config, key, most, now);
        self.wrong(config, key, now);
        match wait {
            None => fault,
            Some(wait) => {
                self.metrics.turned_away(TurnedAway::Guess);
                too_fast(wait)
            }
        }
    }

    fn wrong(&self, config: &Config, key: u64, now: Time) {
        if config.guesses == 0 {
            return;
        }
        let rest = i64::from(config.guess_wait_s) * REST;
        let old = |wrong: &Wrong| wrong.last.plus_seconds(rest) <= now;
        let mut guesses = self.guesses.place(key, old);
        let fresh = Wrong {
            count: 0,
            last: now,
        };
        let wrong = guesses.entry(key).or_insert(fresh);
        if old(wrong) {
            *wrong = fresh;
        }
        wrong.count = wrong.count.saturating_add(1);
        wrong.last = now;
    }

    /// Microseconds until the next guess is looked at; none if that is now.
    fn wait(&self, config: &Config, key: u64, most: u32, now: Time) -> Option<i64> {
        if config.guesses == 0 {
            return None;
        }
        let wrong = *self.guesses.place(key, |_| false).get(&key)?;
        let over = wrong.count.checked_sub(most)?;
        let longest = i64::from(config.guess_wait_s) * SECOND;
        let wait = (SECOND << over.min(30)).min(longest);
        let left = wrong.last.0 + wait - now.0;
        // More than the whole wait is left only after the clock was set back.
        (left > 0).then_some(left.min(wait))
    }
}

fn too_fast(micros: i64) -> Fault {
    let seconds = micros.saturating_add(SECOND - 1) / SECOND;
    Fault::client(Kind::TooFast, "too many requests").retry_after(seconds.max(1))
}

/// The address that stands for somebody nobody knows. Of the newer ones every house has 2^64, so they count as one.
pub(super) fn network(address: &str) -> IpAddr {
    let Ok(address) = address.parse::<IpAddr>() else {
        return IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    };
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    const ALLOWED: Config = Config {
        rate_per_s: 2,
        burst: 3,
        guesses: 2,
        guess_wait_s: 8,
    };
    const START: i64 = 1_700_000_000_000_000;

    fn guard() -> Guard {
        Guard::new(Arc::new(Metrics::new().unwrap()))
    }

    fn at(seconds: i64) -> Time {
        Time(START).plus_seconds(seconds)
    }

    fn wait_of(turned: Result<(), Fault>) -> Option<i64> {
        turned.err().and_then(|fault| fault.details.retry_after)
    }

    fn of(name: &str, password: &str) -> Credential {
        Credential {
            username: Secret(name.into()),
            password: Secret(password.into()),
            ..Credential::default()
        }
    }

    #[test]
    fn a_burst_then_the_rate_and_nobody_pays_for_another() {
        let guard = guard();
        let alice = |now| wait_of(guard.turn(&ALLOWED, Who::Person("alice"), now));
        assert_eq!([alice(at(0)), alice(at(0)), alice(at(0))], [None; 3]);
        assert_eq!(alice(at(0)), Some(1));
        assert_eq!(
            wait_of(guard.turn(&ALLOWED, Who::Program("alice"), at(0))),
            None
        );
        // Two a second; what was refused cost nothing.
        assert_eq!([alice(at(1)), alice(at(1))], [None; 2]);
        assert_eq!(alice(at(1)), Some(1));
        // After a rest there is a burst again, and no more than one.
        assert_eq!([alice(at(60)), alice(at(60)), alice(at(60))], [None; 3]);
        assert_eq!(alice(at(60)), Some(1));
        // The clock is set back an hour: she does not wait for an hour.
        assert_eq!(alice(at(-3600)), None);
    }

    #[test]
    fn an_address_is_what_somebody_unknown_is_known_by() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn guesses_wait_twice_as_long_each_time_and_a_right_one_is_forgiven() {
        let guard = guard();
        let app = App::default();
        let guess = guard.guess(&app, &of("alice", "x"), "192.0.2.1");
        let may = |now| wait_of(guard.may_guess(&ALLOWED, guess, now));
        let wrong = |now| guard.guessed(&ALLOWED, guess, false, now);
        wrong(at(0));
        assert_eq!(may(at(0)), None);
        wrong(at(0));
        assert_eq!((may(at(0)), may(at(1))), (Some(1), None));
        wrong(at(1));
        assert_eq!(
            (may(at(1)), may(at(2)), may(at(3))),
            (Some(2), Some(1), None)
        );
        (0..20).for_each(|_| wrong(at(3)));
        assert_eq!((may(at(3)), may(at(11))), (Some(8), None));
        // Another address is not held up, and neither is another kind of proof.
        let elsewhere = guard.guess(&app, &of("alice", "x"), "192.0.2.2");
        assert_eq!(wait_of(guard.may_guess(&ALLOWED, elsewhere, at(3))), None);
        // The clock is set back: the wait does not grow.
        assert_eq!(may(at(-3600)), Some(8));
        guard.guessed(&ALLOWED, guess, true, at(11));
        wrong(at(11));
        assert_eq!(may(at(11)), None);
        // What lies far back is forgotten.
        wrong(at(11));
        wrong(at(100));
        assert_eq!(may(at(100)), None);
    }

    #[test]
    fn one_address_fills_little_of_the_memory() {
        let guard = guard();
        for name in 0..10_000 {
            let guess = guard.guess(
                &App::default(),
                &of(&format!("user-{name}"), "x"),
                "192.0.2.1",
            );
            guard.guessed(&ALLOWED, guess, false, at(0));
        }
        assert_eq!(guard.guesses.len() as u64, NAMES);
        // So whoever tries one password on everybody is held up, too.
        let next = guard.guess(&App::default(), &of("user-10000", "x"), "192.0.2.1");
        assert!(guard.may_guess(&ALLOWED, next, at(0)).is_err());
    }

    #[test]
    fn ids_that_prove_nothing_are_told_of_slowly() {
        let guard = guard();
        let tell = |now| {
            let fault = Fault::client(Kind::Session, "no such session");
            guard.unknown(&ALLOWED, fault, "192.0.2.1", now).kind
        };
        for _ in 0..ALLOWED.guesses * PROOFS_PER_GUESS {
            assert_eq!(tell(at(0)), Kind::Session);
        }
        assert_eq!(tell(at(0)), Kind::TooFast);
        assert_eq!(tell(at(60)), Kind::Session);
    }
}
