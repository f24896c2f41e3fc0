//! Lets what a thread has to send leave in batches.
//!
//! To send to a program that sleeps is to wake it, which costs the sender more than the send does. Who is sent several
//! things in a row is woken once and still awake for the rest. So a task that is about to send first lets all those
//! have their turn that are ready too: they read, translate, and come to the same place; then all of them send.
//! Nobody waits for the clock or for the network here: where nobody else is ready, the task goes on at once.

use std::future::poll_fn;
use std::task::Poll;

/// Ready when every task of this thread that is ready now has had its turn.
pub async fn behind_the_ready() {
    let mut behind = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut behind, true) {
            return Poll::Ready(());
        }
        // The runtime's queue is first in, first out. Its own `yield_now` would ask the kernel for more work first.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::spawn_local;

    /// All read before the first one sends.
    #[test]
    fn those_that_are_ready_come_first() {
        let local = Builder::new_current_thread().build_local(LocalOptions::default());
        let done = local.unwrap().block_on(async {
            let done = std::rc::Rc::new(RefCell::new(Vec::new()));
            let tasks = [1, 2, 3].map(|task| {
                let done = std::rc::Rc::clone(&done);
                spawn_local(async move {
                    done.borrow_mut().push(("reads", task));
                    behind_the_ready().await;
                    done.borrow_mut().push(("sends", task));
                })
            });
            for task in tasks {
                task.await.unwrap();
            }
            done.take()
        });
        let of = |what| [1, 2, 3].map(|task| (what, task));
        assert_eq!(done, [of("reads"), of("sends")].concat());
    }
}
