//! Are the files that are open still those at their paths?
//!
//! A file that is deleted or replaced stays open, and everything written to it succeeds and is lost with the process.
//! No call of SQLite's says so in WAL mode. So the device and inode of the database and of its log are remembered when
//! they are opened, and looked at before each commit, which then costs two `stat`s more. Only names are looked at here:
//! opening and closing a file that SQLite has open would take this process's locks off it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::connect;
use crate::store::StoreError;

/// The files that an open database consists of.
pub struct Files(Vec<(PathBuf, Identity)>);

impl Files {
    /// Remembers the files of a database that is open, and whose log is there.
    pub fn opened(path: &Path) -> Result<Files, StoreError> {
        let refused = |error| connect::refused(path, &error);
        // SQLite puts its log beside the file itself, where the path is a link to it.
        let mut log = path.canonicalize().map_err(refused)?.into_os_string();
        log.push("-wal");
        let paths = [path.to_owned(), PathBuf::from(log)];
        let known = paths.into_iter().map(|path| {
            let identity = identity(&path)?;
            Ok((path, identity))
        });
        known.collect::<Result<_, _>>().map(Files).map_err(refused)
    }

    /// Fails where one of them is not the file any more that was opened.
    pub fn in_place(&self) -> Result<(), StoreError> {
        for (path, opened) in &self.0 {
            let displaced = match identity(path) {
                Ok(found) => found != *opened,
                Err(error) if error.kind() == ErrorKind::NotFound => true,
                Err(error) => {
                    return Err(StoreError::Medium(format!("{}: {error}", path.display())));
                }
            };
            if displaced {
                let path = path.display().to_string();
                return Err(StoreError::Displaced { path });
            }
        }
        Ok(())
    }
}

/// What tells a file from another one that takes its place.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}

/// Elsewhere a file cannot be deleted while it is open.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(path: &Path) -> std::io::Result<Identity> {
    path.metadata().map(|_| ())
}
