//! What nobody asks for and has to be done: what has run out is forgotten, and a store that failed is opened anew.
//!
//! One task beside the operator's door looks every second, which costs it one load as long as all is well. After a
//! failed commit the store takes nothing until its data was opened again and found whole; requests are refused until
//! then, and readiness says so. What is kept, and for how long, is decided where it is made.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::auth::Sessions;
use crate::ingress::arrival;
use crate::store::{Health, Store};

/// How long a store that has failed is left alone.
const LOOK: Duration = Duration::from_secs(1);
/// How often what has run out is forgotten.
const SWEEP: Duration = Duration::from_secs(600);

/// Looks after the store and the sessions for as long as it is polled.
pub async fn upkeep(store: Arc<dyn Store>, sessions: Arc<Sessions>) {
    let mut swept: Option<Instant> = None;
    let mut told = String::new();
    loop {
        sleep(LOOK).await;
        match store.health() {
            Health::Closed => return,
            Health::Faulted(why) => {
                tell(&mut told, why);
                match store.reopen().await {
                    Ok(()) => {
                        warn!("the store had failed; it is opened again and whole");
                        told.clear();
                    }
                    Err(error) => tell(&mut told, error.to_string()),
                }
            }
            Health::Ok if swept.is_none_or(|swept| swept.elapsed() >= SWEEP) => {
                swept = Some(Instant::now());
                match sessions.purge(arrival::now()).await {
                    Ok(gone) if gone.sessions + gone.claims == 0 => {}
                    Ok(gone) => info!(
                        sessions = gone.sessions,
                        keys = gone.claims,
                        "what had run out is forgotten"
                    ),
                    Err(error) => warn!(%error, "what has run out is not forgotten"),
                }
            }
            Health::Ok => {}
        }
    }
}

/// Why the store takes nothing is said once, and not every second.
fn tell(told: &mut String, why: String) {
    if *told != why {
        error!(%why, "the store has failed and takes nothing");
        *told = why;
    }
}
