//! How many requests are answered at once, in the whole process.
//!
//! Whoever comes when there is no place waits a little, and is then turned away before its body is read: work that is
//! refused at once costs less than work that comes too late. Before anybody has to wait, the request goes whose body has
//! been waited for the longest: nothing of it has begun, and its client is what takes the time. The operator's door has
//! no part in it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
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
    unready: Mutex<Unready>,
}

/// Requests that have a place and wait for their clients, by when they began to.
#[derive(Default)]
struct Unready {
    numbered: u64,
    tasks: BTreeMap<u64, Waker>,
}

impl Capacity {
    pub fn new(config: &Config) -> Capacity {
        Capacity {
            places: Semaphore::new(config.in_flight),
            wait: Duration::from_millis(config.wait_ms),
            unready: Mutex::default(),
        }
    }

    /// A place, held until it is dropped; none if nobody left in time.
    pub async fn enter(&self) -> Option<Place<'_>> {
        // No timer is set as long as there is room.
        let permit = match self.places.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                self.dismiss();
                let since = Instant::now();
                let permit = timeout(self.wait, self.places.acquire()).await;
                waited(since, Instant::now());
                permit.ok()?.ok()?
            }
        };
        Some(Place {
            capacity: self,
            _permit: permit,
        })
    }

    /// Takes its place from the request that has waited for its client the longest.
    fn dismiss(&self) {
        if let Some((_, task)) = self.unready().tasks.pop_first() {
            task.wake();
        }
    }

    fn unready(&self) -> MutexGuard<'_, Unready> {
        self.unready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the requests that are answered.
pub struct Place<'c> {
    capacity: &'c Capacity,
    _permit: SemaphorePermit<'c>,
}

impl Place<'_> {
    /// Waits for something that is the client's to give; nothing if the place was needed before it came.
    pub async fn wait_for<T>(&self, client: impl Future<Output = T>) -> Option<T> {
        let mut client = pin!(client);
        let mut waits = Waits {
            capacity: self.capacity,
            number: None,
        };
        poll_fn(|cx| {
            // Mostly it is here already.
            if let Poll::Ready(came) = client.as_mut().poll(cx) {
                return Poll::Ready(Some(came));
            }
            ready!(waits.poll_dismissed(cx));
            Poll::Ready(None)
        })
        .await
    }
}

/// A request that waits for its client.
struct Waits<'c> {
    capacity: &'c Capacity,
    number: Option<u64>,
}

impl Waits<'_> {
    fn poll_dismissed(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut unready = self.capacity.unready();
        match self.number {
            None => {
                let number = unready.numbered;
                unready.numbered += 1;
                unready.tasks.insert(number, cx.waker().clone());
                self.number = Some(number);
                Poll::Pending
            }
            Some(number) => match unready.tasks.get_mut(&number) {
                Some(task) => {
                    task.clone_from(cx.waker());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            },
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.capacity.unready().tasks.remove(&number);
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

    #[tokio::test]
    async fn whose_client_takes_the_longest_goes_first() {
        let capacity = Capacity::new(&Config {
            in_flight: 2,
            wait_ms: 60_000,
        });
        let slow = || async {
            let place = capacity.enter().await.unwrap();
            place.wait_for(std::future::pending::<()>()).await
        };
        let quick = async {
            let place = capacity.enter().await.unwrap();
            place.wait_for(std::future::ready(())).await
        };
        let (mut first, mut second) = (pin!(slow()), pin!(slow()));
        tokio::select! {
            biased;
            _ = &mut first => unreachable!("nobody needs its place"),
            _ = &mut second => unreachable!("nobody needs its place"),
            () = tokio::task::yield_now() => {}
        }
        let (gone, quick) = tokio::join!(&mut first, quick);
        assert_eq!((gone, quick), (None, Some(())));
        assert!(futures_util::FutureExt::now_or_never(second).is_none());
    }
}
