//! The file system that `SQLite` uses for an outbox, and for no other database of the process.
//!
//! `SQLite`'s own locks belong to the process: two copies of the library in one process do not
//! exclude each other, and closing any descriptor of a file releases the locks of all of them. Here
//! every connection has its own descriptors with locks that belong to them (open file description
//! locks, Linux 3.15), on the byte ranges that `SQLite` documents, so that other programs that open the
//! file take part in the same locking.
//!
//! `file` reads, writes and locks the main file and the log; `shared` is the index of the log; `locks`
//! makes the system calls; `descriptor` keeps descriptors apart across forks and copies of `SQLite`;
//! `fork` makes forks safe; `abi` has the functions that `SQLite` calls, and `methods` those for one
//! file; `codes` has their results. A module uses only modules to its right:
//! `abi → methods → codes, file → shared → descriptor → fork, locks → identity, status`.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod abi;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod codes;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptor;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod file;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod fork;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod identity;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod locks;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod methods;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other_systems;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod shared;
mod status;
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use abi::{connect, file_status};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use codes::last_error;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use locks::lock_exclusively;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use other_systems::{connect, file_status, last_error};
pub(super) use status::{FileStatus, Place};
