//! The threads that read: each has a connection that cannot write, and takes the next question that waits.
//!
//! A question sees one state of the data from its first statement to its last, and everything that was answered as
//! written before it was asked. A question whose asker has left is not looked up.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::State;
use crate::store::StoreError;

pub type Query = Box<dyn FnOnce(&Connection, &State) + Send>;

pub enum Order {
    Query(Query),
    Close,
}

/// A question, and where its asker waits.
pub fn query<T, F>(question: F) -> (Query, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let query: Query = Box::new(move |connection, state| {
        if reply.is_closed() {
            return;
        }
        let outcome = state
            .check()
            .and_then(|()| in_snapshot(connection, question));
        if let Err(error) = &outcome {
            state.note(error);
        }
        let _ = reply.send(outcome);
    });
    (query, answer)
}

/// Serves questions until the queue is closed or every handle is gone.
pub fn run(connection: Connection, orders: &Arc<Mutex<mpsc::Receiver<Order>>>, state: &State) {
    loop {
        // Whoever waits for a question holds the queue, and the other threads wait for their turn to wait.
        let order = {
            let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
            let order = orders.blocking_recv();
            if matches!(order, Some(Order::Close)) {
                // What was queued before is still served, by whichever thread comes to it.
                orders.close();
            }
            order
        };
        match order {
            Some(Order::Query(query)) => query(&connection, state),
            Some(Order::Close) => {}
            None => return,
        }
    }
}

fn in_snapshot<T>(
    connection: &Connection,
    question: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let outcome = question(connection);
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    outcome
}
