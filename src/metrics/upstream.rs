//! What is counted of one upstream: attempts and how long they took, retries, refusals, and its breaker.
//!
//! All series of an upstream are listed from the start, because a rate of failures needs its zero. It counts what the
//! relay says and judges nothing. The relay asks for a meter by name, once; a name that was known before goes on
//! counting where it stopped.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::SECONDS;

/// How an attempt at an upstream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Done,
    Rejected,
    NotSent,
    Unknown,
}

impl Class {
    const ALL: [Class; 4] = [Class::Done, Class::Rejected, Class::NotSent, Class::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Class::Done => "done",
            Class::Rejected => "rejected",
            Class::NotSent => "not_sent",
            Class::Unknown => "unknown",
        }
    }
}

/// Why an attempt was not made at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Breaker,
    QueueFull,
    QueueWait,
    Deadline,
    ClientLeft,
}

impl Refused {
    const ALL: [Refused; 5] = [
        Refused::Breaker,
        Refused::QueueFull,
        Refused::QueueWait,
        Refused::Deadline,
        Refused::ClientLeft,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Refused::Breaker => "breaker",
            Refused::QueueFull => "queue_full",
            Refused::QueueWait => "queue_wait",
            Refused::Deadline => "deadline",
            Refused::ClientLeft => "client_left",
        }
    }
}

/// A breaker's state, as the gauge shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

/// The series of all upstreams.
pub(super) struct UpstreamSeries {
    attempts: IntCounterVec,
    seconds: HistogramVec,
    retries: IntCounterVec,
    refused: IntCounterVec,
    state: IntGaugeVec,
    openings: IntCounterVec,
    in_flight: IntGaugeVec,
}

impl UpstreamSeries {
    pub fn new(registry: &Registry) -> Result<UpstreamSeries, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &["upstream"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let help = "From an attempt's begin to its end, without waiting for a place.";
        let seconds = HistogramOpts::new("sabir_upstream_seconds", help).buckets(SECONDS.into());
        let seconds = HistogramVec::new(seconds, &["upstream"])?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(UpstreamSeries {
            attempts: counter(
                "sabir_upstream_attempts_total",
                "Attempts at upstreams.",
                &["upstream", "class"],
            )?,
            seconds,
            retries: counter(
                "sabir_upstream_retries_total",
                "Attempts that were not the first for their request.",
                &["upstream"],
            )?,
            refused: counter(
                "sabir_upstream_refused_total",
                "Attempts that were not made, to spare the upstream or because nobody waits for them.",
                &["upstream", "reason"],
            )?,
            state: gauge(
                "sabir_upstream_breaker_state",
                "0 closed, 1 half-open, 2 open.",
            )?,
            openings: counter(
                "sabir_upstream_breaker_openings_total",
                "How often the breaker opened.",
                &["upstream"],
            )?,
            in_flight: gauge("sabir_upstream_in_flight", "Attempts under way.")?,
        })
    }

    pub fn meter(&self, upstream: &str) -> UpstreamMeter {
        let only = &[upstream];
        UpstreamMeter {
            classes: Class::ALL
                .map(|class| self.attempts.with_label_values(&[upstream, class.name()])),
            seconds: self.seconds.with_label_values(only),
            retries: self.retries.with_label_values(only),
            refused: Refused::ALL
                .map(|reason| self.refused.with_label_values(&[upstream, reason.name()])),
            state: self.state.with_label_values(only),
            openings: self.openings.with_label_values(only),
            in_flight: self.in_flight.with_label_values(only),
        }
    }
}

/// The series of one upstream.
#[derive(Clone)]
pub struct UpstreamMeter {
    classes: [IntCounter; Class::ALL.len()],
    seconds: Histogram,
    retries: IntCounter,
    refused: [IntCounter; Refused::ALL.len()],
    state: IntGauge,
    openings: IntCounter,
    in_flight: IntGauge,
}

impl UpstreamMeter {
    /// An attempt ended.
    pub fn attempted(&self, class: Class, took: Duration) {
        self.classes[class as usize].inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub fn retried(&self) {
        self.retries.inc();
    }

    /// An attempt was not made.
    pub fn refused(&self, reason: Refused) {
        self.refused[reason as usize].inc();
    }

    /// The breaker's state now.
    pub fn breaker(&self, state: State) {
        self.state.set(state as i64);
    }

    /// The breaker opened, because of what attempts came to.
    pub fn opened(&self) {
        self.openings.inc();
    }

    /// An attempt begins; to be paired with [`left`](Self::left).
    pub fn entered(&self) {
        self.in_flight.inc();
    }

    pub fn left(&self) {
        self.in_flight.dec();
    }
}
