//! Checks that the open file is still the one at the path of the outbox.

use super::fault;
use super::vfs::{self, FileStatus, Place};
use crate::error::Error;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// The path as the caller gave it, and the file that was found there.
pub(super) struct Location {
    pub path: PathBuf,
    status: Option<FileStatus>,
}

impl Location {
    pub(super) fn new(path: &Path, status: Option<FileStatus>) -> Self {
        let path = path.to_owned();
        Self { path, status }
    }

    /// Where the open file is now. The file itself is examined only if another one is at the path.
    pub(super) fn place(&self, connection: &Connection) -> Place {
        if self.status.is_none_or(|status| is_at(status, &self.path)) {
            return Place::AtPath;
        }
        match vfs::file_status(connection).map(|status| status.place) {
            Some(Place::Deleted) => Place::Deleted,
            _ => Place::Moved,
        }
    }

    pub(super) fn moved(&self) -> Error {
        fault::moved(&self.path)
    }
}

#[cfg(unix)]
fn is_at(status: FileStatus, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.metadata()
        .is_ok_and(|found| (found.dev(), found.ino()) == (status.device, status.inode))
}

#[cfg(not(unix))]
fn is_at(_status: FileStatus, _path: &Path) -> bool {
    true
}
