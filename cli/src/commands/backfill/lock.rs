//! The lock that a backfill holds on its file.

use crate::failure::Failure;
use std::fs::File;
use std::path::Path;

/// Locks the file, so that no second backfill of it can run.
pub fn lock(path: &Path) -> Result<File, Failure> {
    use rustix::fs::{FlockOperation, flock};
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let text = format!("{}: another backfill is sending this file", path.display());
            Err(Failure::usage(text))
        }
        _ => Ok(file), // Some file systems have no locks.
    }
}
