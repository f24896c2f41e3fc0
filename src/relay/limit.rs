//! The bulkhead: so many attempts at an upstream at once, and a short queue before them.
//!
//! An upstream that hangs takes up its own places and nobody else's. Who cannot have a place soon is told so at once
//! or after a short wait, while it is still certain that nothing was sent. Places are given in the order of asking.
//! A place that is free costs two atomics; only who waits sets a timer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::metrics::waits::waited;
use crate::metrics::{Refused, UpstreamMeter};
use crate::model::Presence;

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Attempts under way at once, in the whole process.
    pub in_flight: usize,
    /// How many may wait for a place; who comes after them is shed.
    pub queue: usize,
    /// How long they may wait.
    pub wait: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            in_flight: 256,
            queue: 1024,
            wait: Duration::from_secs(1),
        }
    }
}

/// Shared by all threads.
pub struct Limit {
    config: Config,
    meter: UpstreamMeter,
    places: Semaphore,
    waiting: AtomicUsize,
}

/// A place among the attempts under way, given up when it is dropped.
pub struct Place<'a> {
    _permit: SemaphorePermit<'a>,
    meter: &'a UpstreamMeter,
    pub since: Instant,
}

impl Limit {
    pub fn new(config: Config, meter: UpstreamMeter) -> Limit {
        Limit {
            places: Semaphore::new(config.in_flight.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            config,
            meter,
        }
    }

    /// Takes a place, waiting for one if that is worth it.
    pub async fn enter(
        &self,
        now: Instant,
        deadline: Instant,
        client: &Presence,
    ) -> Result<Place<'_>, Refused> {
        let (permit, since) = match self.places.try_acquire() {
            Ok(permit) => (permit, now),
            Err(_) => {
                let permit = self.queue(now, deadline, client).await;
                let since = Instant::now();
                waited(now.into_std(), since.into_std());
                (permit?, since)
            }
        };
        self.meter.entered();
        Ok(Place {
            _permit: permit,
            meter: &self.meter,
            since,
        })
    }

    async fn queue(
        &self,
        now: Instant,
        deadline: Instant,
        client: &Presence,
    ) -> Result<SemaphorePermit<'_>, Refused> {
        let _waiting = Waiting::new(&self.waiting, self.config.queue).ok_or(Refused::QueueFull)?;
        let over = now + self.config.wait;
        tokio::select! {
            biased;
            // First, so that a place that comes free is not given to somebody who is gone.
            () = client.departure() => Err(Refused::ClientLeft),
            permit = self.places.acquire() => permit.map_err(|_| Refused::QueueFull),
            () = sleep_until(over.min(deadline)) => Err(match over < deadline {
                true => Refused::QueueWait,
                false => Refused::Deadline,
            }),
        }
    }
}

/// One in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn new(waiting: &AtomicUsize, most: usize) -> Option<Waiting<'_>> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        // Made at once, so that it is counted off again if there is no room.
        let waiting = Waiting(waiting);
        (before < most).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.meter.left();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;
    use crate::metrics::Metrics;

    fn limit(in_flight: usize, queue: usize, wait_ms: u64) -> Limit {
        let config = Config {
            in_flight,
            queue,
            wait: Duration::from_millis(wait_ms),
        };
        Limit::new(config, Metrics::new().unwrap().upstream("far"))
    }

    async fn enter<'l>(limit: &'l Limit, client: &Presence) -> Result<Place<'l>, Refused> {
        let now = Instant::now();
        limit
            .enter(now, now + Duration::from_secs(60), client)
            .await
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_shed_and_who_waits_is_served_or_told() {
        let (limit, client) = (limit(2, 3, 400), Presence::default());
        let held = (
            enter(&limit, &client).await.unwrap(),
            enter(&limit, &client).await.unwrap(),
        );
        let start = Instant::now();
        let release = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            drop(held.0);
        };
        let crowd = join_all((0..5).map(|_| enter(&limit, &client)));
        let (ends, ()) = tokio::join!(crowd, release);
        let ends: Vec<_> = ends.iter().map(|end| end.as_ref().err().copied()).collect();
        let (full, wait) = (Some(Refused::QueueFull), Some(Refused::QueueWait));
        assert_eq!(ends, [None, wait, wait, full, full]);
        assert!(start.elapsed() >= Duration::from_millis(400));
        assert_eq!(limit.waiting.load(Ordering::Relaxed), 0);
        drop((ends, held.1));
        assert!(enter(&limit, &client).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn who_left_or_is_out_of_time_does_not_get_a_place() {
        let (limit, client) = (limit(1, 9, 5000), Presence::new());
        let held = enter(&limit, &client).await.unwrap();
        let now = Instant::now();
        let soon = now + Duration::from_millis(5);
        let end = limit.enter(now, soon, &client).await.err();
        assert_eq!(end, Some(Refused::Deadline));
        let leave = async { client.leave() };
        let (end, ()) = tokio::join!(enter(&limit, &client), leave);
        assert_eq!(end.err(), Some(Refused::ClientLeft));
        drop(held);
        // Whoever left just as a place came free had nothing to wait for.
        assert!(enter(&limit, &client).now_or_never().unwrap().is_ok());
    }
}
