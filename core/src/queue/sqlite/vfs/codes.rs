//! Results as the codes of `SQLite`, and the system error behind the last one.

use rusqlite::ffi;
use std::cell::Cell;
use std::ffi::c_int;
use std::io::{Error, ErrorKind};

thread_local! {
    /// The system error behind the last failure on this thread, which SQLite's codes do not contain.
    static LAST_ERROR: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Removes and returns the system error behind the last failure on this thread.
pub(in super::super) fn last_error() -> Option<Error> {
    LAST_ERROR.take().map(Error::from_raw_os_error)
}

/// The number of that error, 0 if there is none.
pub(super) fn last_error_number() -> c_int {
    LAST_ERROR.get().unwrap_or(0)
}

pub(super) fn forget_last_error() {
    LAST_ERROR.set(None);
}

/// Records an error; `code` is its code unless the disk is full.
pub(super) fn failure(error: &Error, code: c_int) -> c_int {
    LAST_ERROR.set(error.raw_os_error());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ffi::SQLITE_FULL,
        _ => code,
    }
}

pub(super) fn done(result: Result<(), Error>, code: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) => failure(&error, code),
    }
}

/// The code of an attempt to take a lock.
pub(super) fn locked(result: Result<bool, Error>, code: c_int) -> c_int {
    match result {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(error) => failure(&error, code),
    }
}
