//! Error codes and messages for failures of `SQLite` and of the file. No message contains the data
//! of a failed write.

use super::vfs;
use crate::error::{Error, ErrorCode};
use rusqlite::ffi;
use std::path::Path;

/// An error within a transaction.
pub(crate) struct Fault {
    pub(crate) error: Error,
    /// The result code of `SQLite`, if the error comes from there.
    pub(super) code: Option<i32>,
}

impl Fault {
    /// The error, with the name of the file.
    pub(super) fn at(self, path: &Path) -> Error {
        match self.code {
            Some(_) => self.error.about(&format!("the outbox {}", path.display())),
            None => self.error,
        }
    }

    pub(super) fn is_corrupt(&self) -> bool {
        self.error.code() == ErrorCode::OutboxCorrupt
    }

    /// Whether the cause is temporary and the file is intact: the disk is full, or the file is in use.
    pub(super) fn is_temporary(&self) -> bool {
        let temporary = [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED];
        self.code.is_none_or(|code| temporary.contains(&code))
    }

    pub(super) fn is_full(&self) -> bool {
        self.code == Some(ffi::SQLITE_FULL)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let (code, error) = describe(&error);
        Self {
            error,
            code: Some(code),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = None;
        Self { error, code }
    }
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

/// The file is not an outbox, and stays unchanged.
pub(super) fn foreign(path: &Path, what: &str) -> Error {
    let text = format!(
        "{} {what}, not an outbox, and was left untouched; give the outbox a file of its own",
        path.display()
    );
    Error::new(ErrorCode::OutboxForeign, text)
}

/// The open file is no longer the one at the path.
pub(super) fn moved(path: &Path) -> Error {
    let text = format!(
        "the outbox {} was moved, deleted or replaced while a process had it open; put the file \
         back, or restart the processes that use it",
        path.display()
    );
    Error::new(ErrorCode::OutboxMoved, text)
}

/// A log with updates exists without the file that it belongs to.
pub(super) fn without_file(path: &Path, log: &Path) -> Error {
    let text = format!(
        "the outbox {path} is missing or empty, but its log {log} exists and may hold pending \
         updates; run `katalys outbox {path} repair`",
        path = path.display(),
        log = log.display()
    );
    Error::new(ErrorCode::OutboxCorrupt, text)
}

/// The path cannot be used, for a reason other than a system error.
pub(super) fn unusable(path: &Path, why: &str) -> Error {
    let text = format!("the outbox {} {why}", path.display());
    Error::new(ErrorCode::OutboxFailed, text)
}

/// A system error.
pub(super) fn file(path: &Path, what: &str, error: &std::io::Error) -> Error {
    unusable(path, &format!("{what}: {error}{}", advice_for(path, error)))
}

/// The file could not be opened.
pub(super) fn unopened(path: &Path, error: &rusqlite::Error) -> Fault {
    let code = primary(error);
    if code == Some(ffi::SQLITE_NOTADB) {
        return foreign(path, "is another file").into();
    }
    match vfs::last_error() {
        Some(system) => file(path, "cannot be opened", &system).into(),
        None => rusqlite_fault(error),
    }
}

fn rusqlite_fault(error: &rusqlite::Error) -> Fault {
    let (code, error) = describe(error);
    let code = Some(code);
    Fault { error, code }
}

/// Missing permissions are the usual cause, so the message says which user needs them.
#[cfg(unix)]
fn advice_for(path: &Path, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let user = rustix::process::geteuid().as_raw();
    let folder = path.parent().unwrap_or(path).display();
    format!("; user {user} needs write access to the file and its folder {folder}")
}

#[cfg(not(unix))]
fn advice_for(_path: &Path, _error: &std::io::Error) -> String {
    String::new()
}

fn primary(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code & 0xff)
}

fn describe(error: &rusqlite::Error) -> (i32, Error) {
    let primary = primary(error).unwrap_or(ffi::SQLITE_MISMATCH);
    let (code, text) = match primary {
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB | ffi::SQLITE_MISMATCH => (
            ErrorCode::OutboxCorrupt,
            "is damaged; stop its processes and run `katalys outbox FILE repair`",
        ),
        ffi::SQLITE_FULL => (
            ErrorCode::OutboxFailed,
            "cannot be written: its disk is full",
        ),
        ffi::SQLITE_READONLY => (ErrorCode::OutboxFailed, "is read-only"),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => (
            ErrorCode::OutboxFailed,
            "was locked by another process for too long",
        ),
        ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM => (ErrorCode::OutboxFailed, "cannot be opened"),
        ffi::SQLITE_IOERR => (ErrorCode::OutboxFailed, "cannot be read or written"),
        _ => (ErrorCode::OutboxFailed, "cannot be used"),
    };
    let sqlite = error.sqlite_error().map(ToString::to_string);
    let detail = match (vfs::last_error(), sqlite) {
        (Some(system), _) => system.to_string(),
        (None, Some(sqlite)) => sqlite,
        (None, None) => "unexpected data".to_owned(),
    };
    (primary, Error::new(code, format!("{text} ({detail})")))
}
