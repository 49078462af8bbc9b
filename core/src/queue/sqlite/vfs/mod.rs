//! The file system that `SQLite` sees for an outbox, and for nothing else in the process.
//!
//! `SQLite`'s own locks belong to the process: two copies of the library in one process do not
//! exclude each other, and closing any descriptor of a file drops the locks of all of them. Here
//! every connection has descriptors of its own with locks that belong to them (open file
//! description locks, Linux 3.15), over the byte ranges that `SQLite` documents, so any other
//! program that opens the file takes part in the same locking.
//!
//! `file` reads, writes and locks the main file and the log, `shared` the index of the log,
//! `locks` makes the system calls, `descriptor` keeps descriptors apart across forks and copies,
//! `fork` holds `SQLite` still while the process forks, and `abi` is what `SQLite` calls.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod abi;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptor;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod file;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod fork;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod locks;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod shared;
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use abi::{connect, last_error, standing_of};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use elsewhere::{connect, last_error, standing_of};

/// Takes an exclusive lock on some bytes of a file for as long as it is open; false if a connection
/// is in the way.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn lock_exclusively(
    file: &std::fs::File,
    start: i64,
    length: i64,
) -> std::io::Result<bool> {
    locks::set(file, locks::Range(start, length), locks::Lock::Exclusive)
}

/// Where the file of a connection is by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its path.
    There,
    /// At no path any more: it lives until the last process closes it.
    Deleted,
    /// At another path, where another program may open it.
    Moved,
}

/// The file of a connection, and where it is by now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub place: Place,
    pub device: u64,
    pub inode: u64,
    /// Another process writes a log of this name for another file, which was here before.
    pub has_foreign_log: bool,
}

/// Other systems have `SQLite`'s own file system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use super::Standing;
    use rusqlite::{Connection, OpenFlags};
    use std::path::Path;

    pub(in super::super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
        Connection::open_with_flags(path, flags)
    }

    pub(in super::super) fn standing_of(_connection: &Connection) -> Option<Standing> {
        None
    }

    pub(in super::super) fn last_error() -> Option<std::io::Error> {
        None
    }
}
