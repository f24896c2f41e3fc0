//! How many connections the process may have, given how many files it may open.
//!
//! A client's connection is one descriptor, and what it asks for may need another to an upstream: so clients get half.
//! With none left nothing works, the store included.

use tracing::warn;

/// Raises the limit of open files as far as the system lets us, and says how many of the wished connections fit below
/// its half. For these there is room from now on.
pub fn bearable(wished: usize) -> usize {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            warn!(%error, "the limit of open files is not known");
            return wished;
        }
    };
    let half = usize::try_from(files / 2).unwrap_or(usize::MAX).max(1);
    if half < wished {
        warn!(
            connections = half,
            wished, files, "fewer connections: half of the files that may be open"
        );
    }
    let bearable = wished.min(half);
    make_room(2 * bearable);
    bearable
}

/// Has the kernel make its table of our open files as large as it will be, which it otherwise does in the midst of
/// accepting: each time the table is full it doubles it, and the thread that needs it sleeps for 10 to 20 ms meanwhile,
/// until no other thread can be reading the old one.
#[cfg(target_os = "linux")]
fn make_room(files: usize) {
    // A descriptor with the last of these numbers makes the table; that it is closed again changes nothing.
    let last = i32::try_from(files.saturating_sub(1)).unwrap_or(i32::MAX);
    if let Err(error) = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last) {
        tracing::debug!(%error, "room for open files is made when they are opened");
    }
}

#[cfg(not(target_os = "linux"))]
fn make_room(_: usize) {}
