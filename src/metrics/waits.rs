//! How long a request has waited for others than Sabir: what is left of its time is Sabir's own.
//!
//! Whoever waits for an upstream, the store, a client's body or a place says so here, and need not know for which
//! request: each request is polled with its own account in the thread's one place. What several waits of a request
//! have in common counts once.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::{Duration, Instant};

thread_local! {
    /// Of the request that is being polled.
    static WAITED: Cell<Account> = const { Cell::new(Account::NEW) };
}

#[derive(Clone, Copy)]
struct Account {
    total: Duration,
    /// Everything before this has been counted.
    counted: Option<Instant>,
}

impl Account {
    const NEW: Account = Account {
        total: Duration::ZERO,
        counted: None,
    };
}

/// The request that is being polled waited for somebody else, from then until then.
pub fn waited(since: Instant, until: Instant) {
    let Account { total, counted } = WAITED.get();
    let since = counted.map_or(since, |counted| counted.max(since));
    WAITED.set(Account {
        total: total + until.saturating_duration_since(since),
        counted: Some(counted.map_or(until, |counted| counted.max(until))),
    });
}

/// How long the request that is being polled has waited by now.
pub fn total() -> Duration {
    WAITED.get().total
}

/// Polls a request with an account of its own. It is pinned already, because it is large and would be moved.
pub async fn accounted<F: Future>(mut request: Pin<&mut F>) -> F::Output {
    let mut account = Account::NEW;
    poll_fn(|cx| {
        let outer = WAITED.replace(account);
        let polled = request.as_mut().poll(cx);
        account = WAITED.replace(outer);
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn each_request_has_its_own_account_and_nothing_counts_twice() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let request = |waits: &'static [(u64, u64)]| {
            let request = Box::pin(async move {
                for (since, until) in waits {
                    waited(at(*since), at(*until));
                    tokio::task::yield_now().await;
                }
                total().as_millis()
            });
            async move { accounted(pin!(request)).await }
        };
        let (one, two, none) = tokio::join!(
            request(&[(0, 10), (20, 30)]),
            // At the same time, one within another, one after another.
            request(&[(0, 10), (5, 15), (6, 8), (100, 101)]),
            request(&[]),
        );
        assert_eq!((one, two, none), (20, 16, 0));
    }
}
