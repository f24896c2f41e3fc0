//! How many requests are answered at once, in the whole process.
//!
//! Whoever comes when there is no place waits a little, and is then turned away before its body is read: work that is
//! refused at once costs less than work that comes too late. The operator's door has no part in it.

use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::metrics::waits::waited;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub in_flight: usize,
    /// How long a request waits for a place.
    pub wait_ms: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            in_flight: 4096,
            wait_ms: 1000,
        }
    }
}

pub struct Capacity {
    places: Semaphore,
    wait: Duration,
}

impl Capacity {
    pub fn new(config: &Config) -> Capacity {
        Capacity {
            places: Semaphore::new(config.in_flight),
            wait: Duration::from_millis(config.wait_ms),
        }
    }

    /// A place, held until it is dropped; none if nobody left in time.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // No timer is set as long as there is room.
        match self.places.try_acquire() {
            Ok(place) => Some(place),
            Err(_) => {
                let since = Instant::now();
                let place = timeout(self.wait, self.places.acquire()).await;
                waited(since, Instant::now());
                place.ok()?.ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_waited_for_but_not_for_ever() {
        let of_one = |wait_ms| {
            Capacity::new(&Config {
                in_flight: 1,
                wait_ms,
            })
        };
        let impatient = of_one(1);
        let _first = impatient.enter().await.unwrap();
        assert!(impatient.enter().await.is_none());
        let patient = of_one(60_000);
        let first = patient.enter().await.unwrap();
        let leaves = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(patient.enter(), leaves);
        assert!(second.is_some());
    }
}
