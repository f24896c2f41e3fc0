//! How many connections the process may have, given how many files it may open.
//!
//! A client's connection is one descriptor, and what it asks for may need another to an upstream: so clients get half.
//! With none left nothing works, the store included.

use tracing::warn;

/// Raises the limit of open files as far as the system lets us, and says how many of the wished connections fit below
/// its half.
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
    wished.min(half)
}
