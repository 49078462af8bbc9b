//! Systems without this file system use `SQLite`'s own.

use super::status::FileStatus;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

pub(in super::super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, flags)
}

pub(in super::super) fn file_status(_connection: &Connection) -> Option<FileStatus> {
    None
}

pub(in super::super) fn last_error() -> Option<std::io::Error> {
    None
}
