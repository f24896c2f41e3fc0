//! What stands between a command and the attempts at one upstream, in an order that matters.
//!
//! Deadline, retry, breaker, shedding, limit, and innermost the attempt with its own time. The state is per upstream
//! and shared by all threads; a request brings only its errand. Nothing here knows a dialect or a socket: the attempt
//! is given, and says how it ended. What is refused here was not sent, and is told as such.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::breaker::{self, Breaker};
use super::limit::{self, Limit};
pub use super::retry::Repeat;
use super::retry::{self, Retries};
use crate::metrics::waits::waited;
use crate::metrics::{Class, Refused, UpstreamMeter};
use crate::model::{Fault, Kind, Outcome, Presence, Text};

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// For one attempt; the deadline of the whole command stands in its errand.
    pub attempt: Duration,
    pub retry: retry::Config,
    pub breaker: breaker::Config,
    pub limit: limit::Config,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            attempt: Duration::from_secs(15),
            retry: retry::Config::default(),
            breaker: breaker::Config::default(),
            limit: limit::Config::default(),
        }
    }
}

/// The stack of one upstream.
pub struct Stack {
    attempt: Duration,
    retries: Retries,
    breaker: Breaker,
    limit: Limit,
    meter: UpstreamMeter,
}

/// What the stack must know of a command.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// When the client is to be told at the latest.
    pub until: Instant,
    pub repeat: Repeat,
    pub client: &'a Presence,
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Ended {
    pub class: Class,
    /// Did the upstream answer as one that works? A clear no counts as yes; nothing if it was not even asked.
    pub worked: Option<bool>,
    pub outcome: Outcome,
    /// When the upstream's part in it was over.
    pub at: Instant,
}

impl Stack {
    /// For the upstream of this name.
    pub fn new(name: Text, config: Config, meter: UpstreamMeter) -> Stack {
        Stack {
            attempt: config.attempt,
            retries: Retries::new(config.retry),
            breaker: Breaker::new(name, config.breaker, meter.clone()),
            limit: Limit::new(config.limit, meter.clone()),
            meter,
        }
    }

    /// How much longer the upstream is left alone, if it is.
    pub fn left_alone(&self, now: Instant) -> Option<Duration> {
        self.breaker.open_for(now)
    }

    /// Carries out an errand by as many attempts as it may have. Each is given the time it is and by which it must end.
    pub async fn carry(
        &self,
        errand: &Errand<'_>,
        mut attempt: impl AsyncFnMut(Instant, Instant) -> Ended,
    ) -> Outcome {
        // Outside of the breaker and the limit: each try is judged anew, and who pauses holds no place.
        self.retries.begin();
        let (mut had, mut doubt) = (0, None);
        loop {
            let ended = match self.once(errand, &mut attempt).await {
                Ok(ended) => ended,
                // What is not attempted at all says nothing of what may have been received before.
                Err(refusal) => return doubt.unwrap_or_else(|| Err(refusal.fault())),
            };
            if !self.again(errand, &ended, had).await {
                return match doubt {
                    Some(doubt) if ended.class != Class::Done => doubt,
                    _ => ended.outcome,
                };
            }
            if ended.class == Class::Unknown && errand.repeat == Repeat::Marked {
                doubt = Some(ended.outcome);
            }
            had += 1;
            self.meter.retried();
        }
    }

    /// One attempt, if it is to be made.
    async fn once(
        &self,
        errand: &Errand<'_>,
        attempt: &mut impl AsyncFnMut(Instant, Instant) -> Ended,
    ) -> Result<Ended, Refusal> {
        let now = Instant::now();
        // Outermost, so that nothing below is begun that could not be told of in time.
        if now >= errand.until {
            return Err(self.refuse(Refused::Deadline, Duration::ZERO));
        }
        // Before the queue: who will be refused need not wait for it.
        let admission = self.breaker.admit(now);
        let admission = admission.map_err(|wait| self.refuse(Refused::Breaker, wait))?;
        // Around the attempt alone, so that a place is held by nothing but work at the upstream.
        let place = self.limit.enter(now, errand.until, errand.client).await;
        let place = place.map_err(|reason| self.refuse(reason, Duration::ZERO))?;
        // Innermost, so that it is the upstream's time that is measured and not ours.
        let until = errand.until.min(place.since + self.attempt);
        let ended = attempt(place.since, until).await;
        waited(place.since.into_std(), ended.at.into_std());
        self.meter.attempted(ended.class, ended.at - place.since);
        if let Some(worked) = ended.worked {
            admission.settle(worked, ended.at);
        }
        Ok(ended)
    }

    /// May it be tried again? If so, the pause before it is over.
    async fn again(&self, errand: &Errand<'_>, ended: &Ended, had: u32) -> bool {
        let repeatable = match ended.class {
            Class::NotSent => true,
            Class::Unknown => errand.repeat != Repeat::NotSentOnly,
            Class::Done | Class::Rejected => false,
        };
        // An upstream that names a time is not asked before it.
        if !repeatable || ended.names_a_time() || !self.retries.allows(had) {
            return false;
        }
        let (pause, since) = (self.retries.pause(), Instant::now());
        if since + pause >= errand.until || !self.retries.take() {
            return false;
        }
        let again = tokio::select! {
            biased;
            () = errand.client.departure() => false,
            () = sleep(pause) => true,
        };
        waited(since.into_std(), std::time::Instant::now());
        again
    }

    fn refuse(&self, reason: Refused, wait: Duration) -> Refusal {
        self.meter.refused(reason);
        Refusal { reason, wait }
    }
}

impl Ended {
    /// By an upstream that works, whatever it said.
    pub fn told(at: Instant, class: Class, outcome: Outcome) -> Ended {
        Ended {
            class,
            worked: Some(true),
            outcome,
            at,
        }
    }

    /// By an upstream that does not work.
    pub fn failed(at: Instant, class: Class, outcome: Outcome) -> Ended {
        Ended {
            class,
            worked: Some(false),
            outcome,
            at,
        }
    }

    /// Before the upstream was asked: our own time was over.
    pub fn late(at: Instant, outcome: Outcome) -> Ended {
        Ended {
            class: Class::NotSent,
            worked: None,
            outcome,
            at,
        }
    }

    /// Did the upstream say when it wants to be asked again?
    fn names_a_time(&self) -> bool {
        let fault = self.outcome.as_ref().err();
        fault.is_some_and(|fault| fault.details.retry_after.is_some())
    }
}

/// Why an attempt was not made, and how long none will be.
struct Refusal {
    reason: Refused,
    wait: Duration,
}

impl Refusal {
    fn fault(&self) -> Fault {
        let (kind, words) = match self.reason {
            Refused::Breaker => (
                Kind::Unavailable,
                "the upstream has failed too often and is left alone for a while",
            ),
            Refused::QueueFull => (Kind::Unavailable, "too many wait for the upstream"),
            Refused::QueueWait => (Kind::Unavailable, "the upstream had no place in time"),
            Refused::ClientLeft => (Kind::Unavailable, "the client left before its turn"),
            Refused::Deadline => (Kind::Timeout, "no time was left to ask the upstream"),
        };
        let fault = Fault::new(kind, format!("nothing was sent: {words}"));
        match kind {
            Kind::Unavailable => fault.retry_after(seconds(self.wait)),
            _ => fault,
        }
    }
}

/// Rounded up, and at least one.
fn seconds(wait: Duration) -> i64 {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    i64::try_from(whole).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::metrics::Metrics;
    use crate::model::{Done, Reply};

    const UNKNOWN: Kind = Kind::OutcomeUnknown;

    /// How an attempt is to end.
    type End = (Class, Kind);

    fn stack(change: impl FnOnce(&mut Config)) -> (Stack, Metrics) {
        let metrics = Metrics::new().unwrap();
        let mut config = Config::default();
        config.retry.pause_least = Duration::ZERO;
        config.retry.pause_most = Duration::from_millis(1);
        change(&mut config);
        (
            Stack::new("far".into(), config, metrics.upstream("far")),
            metrics,
        )
    }

    fn ended(class: Class, kind: Kind) -> Ended {
        match class {
            Class::Done => Ended::told(Instant::now(), class, Ok(Reply::Done(Done {}))),
            Class::Rejected => Ended::told(Instant::now(), class, Err(Fault::upstream(kind, ""))),
            _ => Ended::failed(Instant::now(), class, Err(Fault::upstream(kind, ""))),
        }
    }

    /// Carries an errand whose attempts end as listed, the last one again and again; how many were made, and the end.
    async fn carry(
        stack: &Stack,
        repeat: Repeat,
        within_ms: u64,
        ends: &[End],
    ) -> (usize, Option<Fault>) {
        let errand = Errand {
            until: Instant::now() + Duration::from_millis(within_ms),
            repeat,
            client: &Presence::default(),
        };
        let made = Cell::new(0);
        let attempt = async |_, _| {
            let (class, kind) = ends[made.get().min(ends.len() - 1)];
            made.set(made.get() + 1);
            ended(class, kind)
        };
        let outcome = stack.carry(&errand, attempt).await;
        (made.get(), outcome.err())
    }

    #[tokio::test]
    async fn what_is_tried_again_is_what_may_be() {
        use Class::*;
        use Repeat::*;
        let (gone, nobody) = ((NotSent, Kind::Unavailable), (Unknown, UNKNOWN));
        let (no, yes) = ((Rejected, Kind::Invalid), (Done, UNKNOWN));
        let late = (Unknown, Kind::Timeout);
        let cases: &[(Repeat, &[End], usize, Option<Kind>)] = &[
            (NotSentOnly, &[yes], 1, None),
            (NotSentOnly, &[gone], 3, Some(Kind::Unavailable)),
            (NotSentOnly, &[gone, yes], 2, None),
            (NotSentOnly, &[gone, nobody, yes], 2, Some(UNKNOWN)),
            (NotSentOnly, &[no, yes], 1, Some(Kind::Invalid)),
            (Marked, &[nobody, yes], 2, None),
            (Marked, &[nobody], 3, Some(UNKNOWN)),
            // What came after does not say what became of the first.
            (Marked, &[nobody, gone], 3, Some(UNKNOWN)),
            (Marked, &[nobody, no], 2, Some(UNKNOWN)),
            (Marked, &[gone, no], 2, Some(Kind::Invalid)),
            (Freely, &[late, nobody, yes], 3, None),
            (Freely, &[late, no], 2, Some(Kind::Invalid)),
            (Freely, &[late], 3, Some(Kind::Timeout)),
        ];
        for (repeat, ends, made, kind) in cases {
            let (stack, _) = stack(|_| {});
            let (tries, fault) = carry(&stack, *repeat, 5000, ends).await;
            let told = fault.map(|fault| fault.kind);
            assert_eq!((tries, told), (*made, *kind), "{repeat:?} {ends:?}");
        }
    }

    #[tokio::test]
    async fn a_retry_keeps_to_its_number_the_budget_and_the_time() {
        let gone = [(Class::NotSent, Kind::Unavailable)];
        let (once, _) = stack(|config| config.retry.most = 0);
        assert_eq!(carry(&once, Repeat::Freely, 5000, &gone).await.0, 1);
        let (hasty, _) = stack(|config| {
            config.retry.pause_least = Duration::from_secs(60);
            config.retry.pause_most = Duration::from_secs(60);
        });
        assert_eq!(carry(&hasty, Repeat::Freely, 5000, &gone).await.0, 1);
        let (outage, metrics) = stack(|config| config.breaker.failures = 0);
        let mut made = 0;
        for _ in 0..200 {
            made += carry(&outage, Repeat::Freely, 5000, &gone).await.0;
        }
        // A fifth, and ten that are always there.
        assert!((235..=251).contains(&made), "{made}");
        let counted = format!(
            "sabir_upstream_retries_total{{upstream=\"far\"}} {}",
            made - 200
        );
        assert!(metrics.text().unwrap().contains(&counted), "{counted}");
    }

    #[tokio::test]
    async fn an_upstream_that_names_a_time_is_not_asked_before_it() {
        let (stack, _) = stack(|_| {});
        let errand = Errand {
            until: Instant::now() + Duration::from_secs(5),
            repeat: Repeat::Freely,
            client: &Presence::default(),
        };
        let made = Cell::new(0);
        let attempt = async |_, _| {
            made.set(made.get() + 1);
            let busy = Fault::upstream(Kind::Unavailable, "").retry_after(7);
            Ended::failed(Instant::now(), Class::Unknown, Err(busy))
        };
        let fault = stack.carry(&errand, attempt).await.unwrap_err();
        assert_eq!((made.get(), fault.details.retry_after), (1, Some(7)));
    }

    #[tokio::test]
    async fn what_is_refused_was_not_sent_and_says_when_to_come_again() {
        let (broken, metrics) = stack(|config| config.breaker.failures = 2);
        let failing = [(Class::Unknown, UNKNOWN)];
        for made in [1, 1, 0, 0] {
            let (tries, fault) = carry(&broken, Repeat::NotSentOnly, 5000, &failing).await;
            assert_eq!(tries, made);
            let (kind, wait) = fault
                .map(|fault| (fault.kind, fault.details.retry_after))
                .unwrap();
            match made {
                1 => assert_eq!((kind, wait), (UNKNOWN, None)),
                _ => assert_eq!((kind, wait), (Kind::Unavailable, Some(30))),
            }
        }
        let text = metrics.text().unwrap();
        for line in [
            "sabir_upstream_breaker_state{upstream=\"far\"} 2",
            "sabir_upstream_breaker_openings_total{upstream=\"far\"} 1",
            "sabir_upstream_refused_total{reason=\"breaker\",upstream=\"far\"} 2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        // That we had no time says nothing of the upstream.
        let (patient, _) = stack(|config| config.breaker.failures = 1);
        let errand = Errand {
            until: Instant::now() + Duration::from_secs(5),
            repeat: Repeat::NotSentOnly,
            client: &Presence::default(),
        };
        for _ in 0..3 {
            let late = async |_, _| {
                Ended::late(Instant::now(), Err(Fault::upstream(Kind::Timeout, "late")))
            };
            let fault = patient.carry(&errand, late).await.unwrap_err();
            assert_eq!(fault.details.message, "late");
        }
        // Opened while a marked send was being tried: it may have been received all the same.
        let (broken, _) = stack(|config| config.breaker.failures = 1);
        let (tries, fault) = carry(&broken, Repeat::Marked, 5000, &failing).await;
        assert_eq!((tries, fault.map(|fault| fault.kind)), (1, Some(UNKNOWN)));
        let (late, _) = stack(|_| {});
        let (tries, fault) = carry(&late, Repeat::Freely, 0, &failing).await;
        assert_eq!(
            (tries, fault.map(|fault| fault.kind)),
            (0, Some(Kind::Timeout))
        );
    }

    #[tokio::test]
    async fn an_attempt_has_its_own_time_within_the_whole() {
        let (stack, _) = stack(|config| config.attempt = Duration::from_millis(100));
        for (within_ms, allowed) in [(5000, 100), (50, 50)] {
            let start = Instant::now();
            let errand = Errand {
                until: start + Duration::from_millis(within_ms),
                repeat: Repeat::NotSentOnly,
                client: &Presence::default(),
            };
            let given = Cell::new((start, Duration::ZERO));
            let attempt = async |_, until| {
                given.set((until, until - Instant::now()));
                ended(Class::Done, UNKNOWN)
            };
            stack.carry(&errand, attempt).await.unwrap();
            let (until, left) = given.get();
            let allowed = Duration::from_millis(allowed);
            // Counted from when the place was had, which may be a moment after the start.
            assert!(until >= start + allowed && left <= allowed, "{left:?}");
            assert!(until <= errand.until);
        }
    }
}
