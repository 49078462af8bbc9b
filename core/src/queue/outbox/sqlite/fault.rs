//! What `SQLite`'s errors are called here. No message holds what was to be written.

use crate::error::{Error, ErrorCode};
use rusqlite::ffi;

/// An error on the way out of a transaction.
pub(crate) struct Fault(pub(crate) Error);

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self(describe(&error))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// Whether the file is no outbox any more.
pub(super) fn is_corrupt(error: &Error) -> bool {
    error.code() == ErrorCode::OutboxCorrupt
}

pub(super) fn newer(found: i64, known: i64) -> Error {
    Error::new(
        ErrorCode::OutboxNewer,
        format!(
            "the outbox has version {found}, but this library knows versions up to {known}; \
             use a newer library, or another file"
        ),
    )
}

/// The file cannot be reached or made.
pub(super) fn file(what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::OutboxFailed, format!("{what}: {error}"))
}

fn describe(error: &rusqlite::Error) -> Error {
    let primary = error.sqlite_error().map(|error| error.extended_code & 0xff);
    let (code, text) = match primary {
        Some(ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB) => {
            (ErrorCode::OutboxCorrupt, "the outbox's file is damaged")
        }
        Some(ffi::SQLITE_FULL) => (ErrorCode::OutboxFailed, "the outbox's disk is full"),
        Some(ffi::SQLITE_READONLY) => (ErrorCode::OutboxFailed, "the outbox's file is read-only"),
        Some(ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => (
            ErrorCode::OutboxFailed,
            "the outbox's file was locked by another process for too long",
        ),
        Some(ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM) => (
            ErrorCode::OutboxFailed,
            "the outbox's file cannot be opened; check the rights of its directory",
        ),
        _ => (ErrorCode::OutboxFailed, "the outbox cannot be used"),
    };
    let detail = error
        .sqlite_error()
        .map_or_else(|| "unexpected data".to_owned(), ToString::to_string);
    Error::new(code, format!("{text} ({detail})"))
}
