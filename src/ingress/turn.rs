//! Where those who come or go in crowds let everybody else go first.
//!
//! On this thread the runtime looks for news between two of them. But the threads that answer for this one, such as the
//! store's, may have no other core: as long as this one neither sleeps nor offers it, the kernel lets them wait for
//! the rest of a slice, some milliseconds. So a crowd offers it now and then. If somebody takes it who does not give
//! it back soon, it is kept for a while: a crowd would have nothing of a core that is shared with another busy program.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// How often the core is offered. Those who answer for us have several things to do then, and are woken once for all.
const EVERY: Duration = Duration::from_micros(250);
/// Who has it for longer than this is none of them.
const SOON: Duration = Duration::from_millis(1);
/// How many times as long as it was gone it is kept then: so others get no more of it by this.
const PART: u32 = 50;

/// The turns of one thread.
#[derive(Debug)]
pub struct Turns {
    queue: Semaphore,
    core: Core,
}

impl Turns {
    pub fn new() -> Turns {
        Turns {
            queue: Semaphore::new(1),
            core: Core::default(),
        }
    }

    /// Lets everybody go first who has something to do now.
    pub async fn give(&self) {
        self.core.offer();
        yield_now().await;
    }

    /// The same, one after another: of those that wait here one goes on each time that the runtime has looked for news.
    pub async fn take(&self) {
        let _next = self.queue.acquire().await;
        self.give().await;
    }
}

/// The core that this thread runs on.
#[derive(Debug, Default)]
struct Core {
    kept_until: Cell<Option<Instant>>,
}

impl Core {
    fn offer(&self) {
        let before = Instant::now();
        if self.is_kept(before) {
            return;
        }
        std::thread::yield_now();
        self.is_back(before, Instant::now());
    }

    fn is_kept(&self, now: Instant) -> bool {
        self.kept_until.get().is_some_and(|until| now < until)
    }

    fn is_back(&self, before: Instant, now: Instant) {
        let gone = now - before;
        let keep = if gone > SOON { gone * PART } else { EVERY };
        self.kept_until.set(Some(now + keep));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_came_back_late_is_kept_for_longer() {
        let (core, start) = (Core::default(), Instant::now());
        let after = |micros| start + Duration::from_micros(micros);
        assert!(!core.is_kept(start));
        core.is_back(start, after(1000));
        assert!(core.is_kept(after(1249)) && !core.is_kept(after(1250)));
        core.is_back(after(2000), after(6000));
        assert!(core.is_kept(after(205_999)) && !core.is_kept(after(206_000)));
    }
}
