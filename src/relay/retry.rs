//! Retries: what may be tried again, how often, after which pause, and how many of all.
//!
//! The pause is drawn anew each time, so that those who failed together do not come back together. The budget is what
//! keeps retries from making an outage worse: they are at most a part of what is asked anyway, and a few besides for
//! an upstream of which little is asked.

use std::time::Duration;

use tower::retry::budget::{Budget as _, TpsBudget};

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Of one request, after its first attempt.
    pub most: u32,
    pub pause_least: Duration,
    pub pause_most: Duration,
    /// Of all attempts within the last ten seconds, in percent.
    pub budget_percent: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            most: 2,
            pause_least: Duration::from_millis(25),
            pause_most: Duration::from_millis(250),
            budget_percent: 20,
        }
    }
}

/// How long a request counts for the budget.
const WINDOW: Duration = Duration::from_secs(10);
/// So many retries a second are always there.
const SPARE: u32 = 1;

/// The retries of one upstream, shared by all threads.
pub struct Retries {
    pub config: Config,
    budget: TpsBudget,
}

/// What may be tried again, besides what was certainly not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing: a second time would be a second message.
    NotSentOnly,
    /// What may have arrived too: the upstream knows by its mark that it is the same.
    Marked,
    /// Everything: it changes nothing.
    Freely,
}

impl Retries {
    pub fn new(config: Config) -> Retries {
        let share = config.budget_percent as f32 / 100.0;
        Retries {
            budget: TpsBudget::new(WINDOW, SPARE, share),
            config,
        }
    }

    /// A first attempt: it brings its share of the budget.
    pub fn begin(&self) {
        self.budget.deposit();
    }

    /// May a request that had so many have another?
    pub fn allows(&self, had: u32) -> bool {
        had < self.config.most
    }

    /// Takes one out of the budget, if there is one.
    pub fn take(&self) -> bool {
        self.budget.withdraw()
    }

    /// How long to wait before one: anything between the least and the most.
    pub fn pause(&self) -> Duration {
        let Config {
            pause_least: least,
            pause_most: most,
            ..
        } = self.config;
        rand::random_range(least..=most.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_part_of_all_and_a_few() {
        let retries = Retries::new(Config::default());
        let mut taken = 0;
        for _ in 0..1000 {
            retries.begin();
            taken += (0..5).filter(|_| retries.take()).count();
        }
        // 1000 × 20 %, and ten that are always there.
        assert!((200..=211).contains(&taken), "{taken}");
        let retries = Retries::new(Config {
            budget_percent: 0,
            ..Config::default()
        });
        retries.begin();
        assert_eq!((0..50).filter(|_| retries.take()).count(), 10);
        assert!(retries.allows(1) && !retries.allows(2));
    }

    #[test]
    fn pauses_are_drawn_from_the_whole_range() {
        let retries = Retries::new(Config::default());
        let mut pauses: Vec<_> = (0..500).map(|_| retries.pause().as_millis()).collect();
        pauses.sort_unstable();
        assert!(pauses[0] >= 25 && pauses[499] <= 250, "{pauses:?}");
        assert!(pauses[0] < 80 && pauses[499] > 200, "{pauses:?}");
    }
}
