//! Locks a file against every process that has the outbox open: each of them holds a shared lock on some
//! of these bytes.

use std::fs::File;
use std::io;

/// A range of bytes: its start and its length.
pub(super) type Range = (i64, i64);

/// The bytes that `SQLite` locks in its main file: the pending, the reserved and 510 shared bytes.
pub(super) const MAIN: Range = (0x4000_0000, 512);
/// The byte of the `-shm` file on which every connection holds a shared lock.
pub(super) const SHARED_MEMORY: Range = (128, 1);
/// Only repairs lock a byte of the log.
pub(super) const LOG: Range = (0, 1);

/// Takes an exclusive lock until the file is closed; false if another process has a lock on these bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn try_exclusive(file: &File, (start, length): Range) -> io::Result<bool> {
    crate::queue::sqlite::vfs::lock_exclusively(file, start, length)
}

/// On other systems locks belong to the process, which suffices if this process has no outbox open.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(super) fn try_exclusive(file: &File, _: Range) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// On Windows, a file that another process has open cannot be opened for writing.
#[cfg(not(unix))]
pub(super) fn try_exclusive(_: &File, _: Range) -> io::Result<bool> {
    Ok(true)
}
