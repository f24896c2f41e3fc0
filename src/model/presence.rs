//! Whether the client still waits for its answer.
//!
//! What has begun is finished for a client that left, but what still waits for its turn need not begin. The edge knows
//! when a client leaves, and only the relay knows what waits: this is what they share. It is looked for only while
//! something waits, so that a request that never does costs nothing.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use tokio::sync::Notify;

/// A client's connection, as far as it is waited on. The default is a client that never leaves.
#[derive(Clone, Debug, Default)]
pub struct Presence(Option<Arc<Signals>>);

#[derive(Debug, Default)]
struct Signals {
    watchers: AtomicU32,
    left: AtomicBool,
    gone: Notify,
}

impl Presence {
    /// Of a client that may leave.
    pub fn new() -> Presence {
        Presence(Some(Arc::default()))
    }

    /// Does anything wait, so that it is worth looking whether the client is there?
    pub fn is_watched(&self) -> bool {
        let watchers = |signals: &Arc<Signals>| signals.watchers.load(Relaxed);
        self.0.as_ref().is_some_and(|signals| watchers(signals) > 0)
    }

    /// The client left.
    pub fn leave(&self) {
        if let Some(signals) = &self.0 {
            signals.left.store(true, Relaxed);
            signals.gone.notify_waiters();
        }
    }

    /// Waits until the client leaves.
    pub async fn departure(&self) {
        let Some(signals) = &self.0 else {
            return pending().await;
        };
        let _watcher = Watcher::new(signals);
        let mut gone = pin!(signals.gone.notified());
        // Registered before the look, so that a client that leaves between the two is not missed.
        gone.as_mut().enable();
        if !signals.left.load(Relaxed) {
            gone.await;
        }
    }
}

struct Watcher<'a>(&'a Signals);

impl Watcher<'_> {
    fn new(signals: &Signals) -> Watcher<'_> {
        signals.watchers.fetch_add(1, Relaxed);
        Watcher(signals)
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn is_watched_only_while_something_waits_and_tells_whoever_comes_late() {
        let client = Presence::new();
        assert!(!client.is_watched());
        {
            let mut waiting = pin!(client.departure());
            assert!(waiting.as_mut().now_or_never().is_none());
            assert!(client.is_watched());
            client.leave();
            waiting.await;
        }
        assert!(!client.is_watched());
        client.departure().await;
        assert!(Presence::default().departure().now_or_never().is_none());
    }
}
