//! Locks on byte ranges that belong to an open file description, not to the process: two descriptors of
//! one process exclude each other, and closing one keeps the locks of the other.

// The system's interface for these locks is a C structure; no safe wrapper covers them.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;

/// A range of bytes: its start and its length; a length of 0 reaches to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range(pub i64, pub i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    None,
    Shared,
    Exclusive,
}

/// Takes an exclusive lock on some bytes of a file until it is closed; false if a connection has a
/// conflicting one.
pub(in super::super) fn lock_exclusively(file: &File, start: i64, length: i64) -> Result<bool> {
    set(file, Range(start, length), Lock::Exclusive)
}

/// Takes, changes or releases a lock without waiting; false if another description has a conflicting one.
pub(super) fn set(file: &File, range: Range, lock: Lock) -> Result<bool> {
    let mut request = request(range, lock);
    match control(file, libc::F_OFD_SETLK, &mut request) {
        Ok(()) => Ok(true),
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The lock of another description that conflicts with `lock`.
pub(super) fn conflicting(file: &File, range: Range, lock: Lock) -> Result<Lock> {
    let mut request = request(range, lock);
    control(file, libc::F_OFD_GETLK, &mut request)?;
    Ok(match i32::from(request.l_type) {
        libc::F_UNLCK => Lock::None,
        libc::F_RDLCK => Lock::Shared,
        _ => Lock::Exclusive,
    })
}

fn is_conflict(error: &Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EACCES)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "small constants, in fields whose type differs between systems"
)]
fn request(Range(start, length): Range, lock: Lock) -> libc::flock {
    let kind = match lock {
        Lock::None => libc::F_UNLCK,
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
    // SAFETY: it contains only integers; the process id has to be 0 for these locks.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind as _;
    request.l_whence = libc::SEEK_SET as _;
    request.l_start = start as _;
    request.l_len = length as _;
    request
}

fn control(file: &File, command: libc::c_int, request: &mut libc::flock) -> Result<()> {
    loop {
        // SAFETY: the descriptor is open, and the structure outlives the call.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut *request) };
        match Error::last_os_error() {
            _ if result != -1 => return Ok(()),
            error if error.kind() == ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}
