//! What is counted, and how it is counted without a look-up per request.
//!
//! Every series that a request can touch has a fixed place in an array, found by number; the place is filled the first
//! time it is used, so that nothing is listed that never happened. It knows neither HTTP nor a dialect beyond its
//! name. The ingress and the relay count here, the admin door shows it.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use crate::model::{Kind, Operation};

/// From a tenth of a millisecond, what we add ourselves, to the deadline of a slow upstream.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 15.0,
];
/// Success, and the kinds of fault.
const OUTCOMES: usize = 1 + Kind::ALL.len();
/// The operations, and one place for requests that were never understood.
const COMMANDS: usize = 1 + Operation::ALL.len();

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

/// Everything that is counted in this process. Shared by all threads.
pub struct Metrics {
    registry: Registry,
    requests: Vec<RequestMeter>,
    attempts: Vec<AttemptMeter>,
    in_flight: IntGauge,
}

impl Metrics {
    /// For these dialects and upstreams, whose places in the lists are their numbers from here on.
    pub fn new(dialects: &[&str], upstreams: &[&str]) -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("sabir_requests_total", "Requests answered."),
            &["dialect", "command", "outcome"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "sabir_request_seconds",
                "From a request's head to its reply.",
            )
            .buckets(SECONDS.into()),
            &["dialect"],
        )?;
        let attempts = IntCounterVec::new(
            Opts::new("sabir_upstream_attempts_total", "Attempts at upstreams."),
            &["upstream", "class"],
        )?;
        let in_flight = IntGauge::new("sabir_requests_in_flight", "Requests being answered.")?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(attempts.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        Ok(Metrics {
            registry,
            requests: dialects
                .iter()
                .map(|dialect| RequestMeter::new(dialect, &requests, &seconds))
                .collect(),
            attempts: upstreams
                .iter()
                .map(|upstream| AttemptMeter::new(upstream, &attempts))
                .collect(),
            in_flight,
        })
    }

    /// Counts one request in flight until it is dropped.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// A request was answered. Without an operation it was not understood; without a fault it succeeded.
    pub fn answered(
        &self,
        dialect: usize,
        operation: Option<Operation>,
        fault: Option<Kind>,
        took: Duration,
    ) {
        if let Some(meter) = self.requests.get(dialect) {
            meter.count(operation, fault);
            meter.seconds.observe(took.as_secs_f64());
        }
    }

    /// An attempt at an upstream ended.
    pub fn attempted(&self, upstream: usize, class: Class) {
        if let Some(meter) = self.attempts.get(upstream) {
            meter.classes[class as usize].inc();
        }
    }

    /// All of it, in Prometheus's text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Leaves the gauge as it was, also when a request is dropped half-way.
pub struct InFlight<'a>(&'a IntGauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The series of one dialect.
struct RequestMeter {
    dialect: String,
    family: IntCounterVec,
    /// By command, then by outcome.
    counts: Box<[OnceLock<IntCounter>]>,
    seconds: Histogram,
}

impl RequestMeter {
    fn new(dialect: &str, requests: &IntCounterVec, seconds: &HistogramVec) -> RequestMeter {
        RequestMeter {
            dialect: dialect.into(),
            family: requests.clone(),
            counts: std::iter::repeat_with(OnceLock::new)
                .take(COMMANDS * OUTCOMES)
                .collect(),
            seconds: seconds.with_label_values(&[dialect]),
        }
    }

    fn count(&self, operation: Option<Operation>, fault: Option<Kind>) {
        let command = operation.map_or(0, |operation| 1 + operation as usize);
        let outcome = fault.map_or(0, |kind| 1 + kind as usize);
        let count = self.counts[command * OUTCOMES + outcome].get_or_init(|| {
            let command = operation.map_or("none", Operation::name);
            let outcome = fault.map_or("done", Kind::name);
            self.family
                .with_label_values(&[self.dialect.as_str(), command, outcome])
        });
        count.inc();
    }
}

/// The series of one upstream. All are listed from the start: a rate of failures needs its zero.
struct AttemptMeter {
    classes: [IntCounter; 4],
}

impl AttemptMeter {
    fn new(upstream: &str, attempts: &IntCounterVec) -> AttemptMeter {
        AttemptMeter {
            classes: Class::ALL.map(|class| attempts.with_label_values(&[upstream, class.name()])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_under_its_names() {
        let metrics = Metrics::new(&["rooms", "keyauth"], &["far"]).unwrap();
        let took = Duration::from_millis(3);
        let inside = metrics.enter();
        metrics.answered(1, Some(Operation::Send), None, took);
        metrics.answered(1, Some(Operation::Send), None, took);
        metrics.answered(0, None, Some(Kind::Malformed), took);
        metrics.attempted(0, Class::Unknown);
        let text = metrics.text().unwrap();
        for line in [
            r#"sabir_requests_total{command="send",dialect="keyauth",outcome="done"} 2"#,
            r#"sabir_requests_total{command="none",dialect="rooms",outcome="invalid.malformed"} 1"#,
            r#"sabir_request_seconds_count{dialect="keyauth"} 2"#,
            r#"sabir_request_seconds_bucket{dialect="keyauth",le="0.005"} 2"#,
            r#"sabir_upstream_attempts_total{class="unknown",upstream="far"} 1"#,
            r#"sabir_upstream_attempts_total{class="not_sent",upstream="far"} 0"#,
            "sabir_requests_in_flight 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        drop(inside);
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("sabir_requests_in_flight 0")
        );
    }

    #[test]
    fn every_number_has_a_place() {
        let metrics = Metrics::new(&["rooms"], &[]).unwrap();
        for operation in Operation::ALL {
            for kind in Kind::ALL {
                metrics.answered(0, Some(*operation), Some(*kind), Duration::ZERO);
            }
        }
        // A number that nobody was given is dropped, not answered with a panic.
        metrics.answered(7, None, None, Duration::ZERO);
        metrics.attempted(7, Class::Done);
    }
}
