//! A deadline that moves on with every request, and costs nothing as long as it is not reached.
//!
//! A timer per request is a timer set and taken down per request, and both go through the runtime's wheel. Here the
//! timer stays where it was set first. When it goes off and the deadline has moved on in the meantime, it is set
//! anew; so a busy connection pays once per limit, not once per request. It knows no reason for a deadline: whoever
//! polls it says when it is.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer, for one deadline after another.
#[derive(Debug, Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready once `deadline` has passed. Another deadline may be given at every poll, an earlier one too.
    pub fn poll_due(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn goes_off_at_the_deadline_of_the_last_poll() {
        let start = Instant::now();
        let (near, far) = (
            start + Duration::from_millis(20),
            start + Duration::from_millis(60),
        );
        let mut alarm = Alarm::default();
        let mut polls = 0;
        // Far, then near, then far again: neither the first setting nor the earlier one may decide.
        poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                assert!(alarm.poll_due(cx, far).is_pending());
                assert!(alarm.poll_due(cx, near).is_pending());
            }
            alarm.poll_due(cx, far)
        })
        .await;
        assert!(start.elapsed() >= Duration::from_millis(60));
        poll_fn(|cx| alarm.poll_due(cx, near)).await;
    }
}
