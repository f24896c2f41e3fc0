//! What the process is told from outside: to read its configuration anew, to stop, and to stop now.
//!
//! SIGHUP reloads, SIGTERM and SIGINT stop after everything that has begun is finished, and a second of these ends the
//! process where it is; what was accepted is in the store by then. Between signals the files are looked at.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::Running;
use super::reload::{Reloader, Watch};

/// Longer than any process lives.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// The two ways of asking a process to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Keeps a running Sabir as its files say until it is told to stop; from then on a second signal ends the process at
/// once. For what was read at start: how its file was named, what it took in, and how often that is to be looked at.
///
/// # Errors
/// The system tells of no signals.
#[expect(
    clippy::exit,
    reason = "a person who asks twice does not want to wait for what is in flight"
)]
pub fn attend(
    running: &Running,
    named: Option<PathBuf>,
    watch: Watch,
    every: Duration,
) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut stop = runtime.block_on(async {
        let mut stop = Stop {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        let mut hangup = signal(SignalKind::hangup())?;
        let mut reloader = Reloader::new(running, named, watch);
        let mut look = interval(if every.is_zero() { NEVER } else { every });
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.asked() => return Ok::<Stop, std::io::Error>(stop),
                _ = hangup.recv() => reloader.reload(),
                _ = look.tick() => reloader.look(),
            }
        }
    })?;
    let second = std::thread::Builder::new().name("second-signal".into());
    second.spawn(move || {
        runtime.block_on(stop.asked());
        std::process::exit(130);
    })?;
    Ok(())
}
