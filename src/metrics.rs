//! What is counted, and how it is counted without a look-up per request.
//!
//! Every series that a request can touch has a fixed place in an array, found by number; the place is filled the first
//! time it is used, so that nothing is listed that never happened. It knows neither HTTP nor a dialect beyond its
//! name. The ingress and the relay count here, the admin door shows it.

mod upstream;
pub mod waits;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

pub use upstream::{Class, Refused, State, UpstreamMeter};

use crate::model::{Kind, Operation, Time};
use upstream::UpstreamSeries;

/// From what we add ourselves to the deadline of a slow upstream.
const SECONDS: &[f64] = &[
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];
/// Success, and the kinds of fault.
const OUTCOMES: usize = 1 + Kind::ALL.len();
/// The operations, and one place for requests that were never understood.
const COMMANDS: usize = 1 + Operation::ALL.len();

/// Everything that is counted in this process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    translation: HistogramVec,
    store: HistogramVec,
    in_flight: IntGauge,
    upstreams: UpstreamSeries,
    turned_away: [IntCounter; 3],
    lines_dropped: IntCounter,
    reloads: IntCounterVec,
    configured: IntGauge,
}

/// Why a request was refused before anybody looked at what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Its caller asks too often.
    Rate,
    /// Its caller has guessed wrong too often.
    Guess,
    /// There was no place for it.
    InFlight,
}

impl Metrics {
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("sabir_requests_total", "Requests answered."),
            &["dialect", "command", "outcome"],
        )?;
        let seconds = |name: &str, help: &str, label: &str| {
            let opts = HistogramOpts::new(name, help).buckets(SECONDS.into());
            let seconds = HistogramVec::new(opts, &[label])?;
            registry.register(Box::new(seconds.clone()))?;
            Ok::<_, prometheus::Error>(seconds)
        };
        let whole = "From a request's head to its reply.";
        let own = "What of it Sabir spent itself: without waiting for the body, for upstreams, the store or a place.";
        let asked = "From a call of the store to its answer.";
        let in_flight = IntGauge::new("sabir_requests_in_flight", "Requests being answered.")?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        let turned_away = IntCounterVec::new(
            Opts::new(
                "sabir_requests_turned_away_total",
                "Requests refused unseen, or not told what they guessed.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(turned_away.clone()))?;
        let lines_dropped = IntCounter::new(
            "sabir_log_lines_dropped_total",
            "Lines of the log that could not be written in time, or not at all.",
        )?;
        registry.register(Box::new(lines_dropped.clone()))?;
        let reloads = IntCounterVec::new(
            Opts::new("sabir_config_reload_total", "Reloads of the configuration."),
            &["result"],
        )?;
        registry.register(Box::new(reloads.clone()))?;
        let configured = IntGauge::new(
            "sabir_config_loaded_timestamp_seconds",
            "Since when the configuration is in force.",
        )?;
        registry.register(Box::new(configured.clone()))?;
        Ok(Metrics {
            upstreams: UpstreamSeries::new(&registry)?,
            seconds: seconds("sabir_request_seconds", whole, "dialect")?,
            translation: seconds("sabir_translation_seconds", own, "dialect")?,
            store: seconds("sabir_store_seconds", asked, "access")?,
            registry,
            requests,
            in_flight,
            turned_away: ["rate", "guess", "in_flight"]
                .map(|reason| turned_away.with_label_values(&[reason])),
            lines_dropped,
            reloads,
            configured,
        })
    }

    /// A request was turned away.
    pub fn turned_away(&self, why: TurnedAway) {
        self.turned_away[why as usize].inc();
    }

    /// Where requests are counted in these dialects, whose places in the list are their numbers there. A dialect that
    /// was known before goes on counting where it stopped.
    pub fn requests(&self, dialects: &[&str]) -> RequestMeters {
        RequestMeters {
            dialects: dialects
                .iter()
                .map(|dialect| RequestMeter::new(dialect, self))
                .collect(),
            in_flight: self.in_flight.clone(),
            no_place: self.turned_away[TurnedAway::InFlight as usize].clone(),
        }
    }

    /// Where what is done about one upstream is counted.
    pub fn upstream(&self, name: &str) -> UpstreamMeter {
        self.upstreams.meter(name)
    }

    /// Where calls of the store are counted.
    pub fn store(&self) -> StoreMeter {
        StoreMeter(["read", "write"].map(|access| self.store.with_label_values(&[access])))
    }

    /// The configuration was read anew, and taken if it was right.
    pub fn reloaded(&self, taken: bool) {
        let result = if taken { "done" } else { "failed" };
        self.reloads.with_label_values(&[result]).inc();
    }

    /// Another configuration is in force.
    pub fn configured(&self, at: Time) {
        self.configured.set(at.seconds());
    }

    /// Lines of the log were lost.
    pub fn lines_dropped(&self, lines: u64) {
        self.lines_dropped.inc_by(lines);
    }

    /// All of it, in Prometheus's text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// What is counted of requests. Shared by all threads.
pub struct RequestMeters {
    dialects: Vec<RequestMeter>,
    in_flight: IntGauge,
    no_place: IntCounter,
}

impl RequestMeters {
    /// Counts one request in flight until it is dropped.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// A request was turned away, for want of a place.
    pub fn no_place(&self) {
        self.no_place.inc();
    }

    /// The request that is being polled was answered. Without an operation it was not understood; without a fault it
    /// succeeded.
    pub fn answered(
        &self,
        dialect: usize,
        operation: Option<Operation>,
        fault: Option<Kind>,
        took: Duration,
    ) {
        if let Some(meter) = self.dialects.get(dialect) {
            meter.count(operation, fault);
            meter.seconds.observe(took.as_secs_f64());
            let own = took.saturating_sub(waits::total());
            meter.translation.observe(own.as_secs_f64());
        }
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
    translation: Histogram,
}

impl RequestMeter {
    fn new(dialect: &str, metrics: &Metrics) -> RequestMeter {
        RequestMeter {
            dialect: dialect.into(),
            family: metrics.requests.clone(),
            counts: std::iter::repeat_with(OnceLock::new)
                .take(COMMANDS * OUTCOMES)
                .collect(),
            seconds: metrics.seconds.with_label_values(&[dialect]),
            translation: metrics.translation.with_label_values(&[dialect]),
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

/// What is counted of the store, by whether a call changes something.
#[derive(Clone)]
pub struct StoreMeter([Histogram; 2]);

impl StoreMeter {
    /// A call that was made then has its answer.
    pub fn answered(&self, writes: bool, since: Instant) {
        let now = Instant::now();
        self.0[usize::from(writes)].observe((now - since).as_secs_f64());
        waits::waited(since, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_under_its_names() {
        let metrics = Metrics::new().unwrap();
        let requests = metrics.requests(&["rooms", "keyauth"]);
        let took = Duration::from_millis(3);
        let inside = requests.enter();
        requests.answered(1, Some(Operation::Send), None, took);
        requests.answered(1, Some(Operation::Send), None, took);
        requests.answered(0, None, Some(Kind::Malformed), took);
        let far = metrics.upstream("far");
        far.attempted(Class::Unknown, took);
        far.refused(Refused::QueueFull);
        far.breaker(State::Open);
        far.opened();
        metrics.turned_away(TurnedAway::InFlight);
        metrics.store().answered(true, Instant::now());
        let text = metrics.text().unwrap();
        for line in [
            r#"sabir_requests_total{command="send",dialect="keyauth",outcome="done"} 2"#,
            r#"sabir_requests_total{command="none",dialect="rooms",outcome="invalid.malformed"} 1"#,
            r#"sabir_request_seconds_count{dialect="keyauth"} 2"#,
            r#"sabir_request_seconds_bucket{dialect="keyauth",le="0.005"} 2"#,
            r#"sabir_translation_seconds_count{dialect="keyauth"} 2"#,
            r#"sabir_store_seconds_count{access="write"} 1"#,
            r#"sabir_upstream_attempts_total{class="unknown",upstream="far"} 1"#,
            r#"sabir_upstream_attempts_total{class="not_sent",upstream="far"} 0"#,
            r#"sabir_upstream_seconds_count{upstream="far"} 1"#,
            r#"sabir_upstream_refused_total{reason="queue_full",upstream="far"} 1"#,
            r#"sabir_upstream_breaker_state{upstream="far"} 2"#,
            r#"sabir_upstream_breaker_openings_total{upstream="far"} 1"#,
            r#"sabir_requests_turned_away_total{reason="in_flight"} 1"#,
            r#"sabir_requests_turned_away_total{reason="rate"} 0"#,
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
    fn every_series_is_explained() {
        let page = include_str!("../docs/metrics.md");
        let metrics = Metrics::new().unwrap();
        metrics
            .requests(&["rooms"])
            .answered(0, None, None, Duration::ZERO);
        metrics.upstream("far").retried();
        metrics.store().answered(false, Instant::now());
        metrics.turned_away(TurnedAway::Rate);
        metrics.reloaded(true);
        let families = metrics.registry.gather();
        for family in &families {
            let row = format!("| `{}` |", family.name());
            assert!(page.contains(&row), "{row}");
        }
        assert_eq!(page.matches("\n| `sabir_").count(), families.len());
    }

    #[test]
    fn every_number_has_a_place() {
        let metrics = Metrics::new().unwrap();
        let requests = metrics.requests(&["rooms"]);
        for operation in Operation::ALL {
            for kind in Kind::ALL {
                requests.answered(0, Some(*operation), Some(*kind), Duration::ZERO);
            }
        }
        // A number that nobody was given is dropped, not answered with a panic.
        requests.answered(7, None, None, Duration::ZERO);
    }
}
