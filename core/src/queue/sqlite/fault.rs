//! What the failures of `SQLite` and of the file are called here. No message holds what was to be
//! written.

use super::vfs;
use crate::error::{Error, ErrorCode};
use rusqlite::ffi;
use std::path::Path;

/// An error on the way out of a transaction.
pub(crate) struct Fault {
    pub(crate) error: Error,
    /// What `SQLite` said, if it did: its code.
    pub(super) code: Option<i32>,
}

impl Fault {
    /// The error, with the file's name.
    pub(super) fn at(self, path: &Path) -> Error {
        match self.code {
            Some(_) => self.error.about(&format!("the outbox {}", path.display())),
            None => self.error,
        }
    }

    pub(super) fn is_corrupt(&self) -> bool {
        self.error.code() == ErrorCode::OutboxCorrupt
    }

    /// Whether it says nothing against the file: it is full, or in use.
    pub(super) fn is_passing(&self) -> bool {
        let passing = [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED];
        self.code.is_none_or(|code| passing.contains(&code))
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

/// The file is something else, and stays as it is.
pub(super) fn foreign(path: &Path, what: &str) -> Error {
    let text = format!(
        "{} {what}, not an outbox, and was left untouched; give the outbox a file of its own",
        path.display()
    );
    Error::new(ErrorCode::OutboxForeign, text)
}

/// The file is no longer the one at the path.
pub(super) fn moved(path: &Path) -> Error {
    let text = format!(
        "the outbox {} was moved, deleted or replaced while a process had it open; put the file \
         back, or restart the processes that use it",
        path.display()
    );
    Error::new(ErrorCode::OutboxMoved, text)
}

/// There is a log with updates, but not the file that it belongs to.
pub(super) fn without_file(path: &Path, log: &Path) -> Error {
    let text = format!(
        "the outbox {path} is missing or empty, but its log {log} is there and may hold pending \
         updates; run `katalys outbox {path} repair`",
        path = path.display(),
        log = log.display()
    );
    Error::new(ErrorCode::OutboxCorrupt, text)
}

/// The path cannot be used, for a reason that is not the system's.
pub(super) fn unusable(path: &Path, why: &str) -> Error {
    let text = format!("the outbox {} {why}", path.display());
    Error::new(ErrorCode::OutboxFailed, text)
}

/// The system refuses the file.
pub(super) fn file(path: &Path, what: &str, error: &std::io::Error) -> Error {
    unusable(path, &format!("{what}: {error}{}", advice_for(path, error)))
}

/// What a failure to open the file means.
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

/// Rights are the usual reason, so the message says whose are missing.
#[cfg(unix)]
fn advice_for(path: &Path, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let user = rustix::process::geteuid().as_raw();
    let folder = path.parent().unwrap_or(path).display();
    format!("; user {user} has to be able to write the file, and files beside it in {folder}")
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
