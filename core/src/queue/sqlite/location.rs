//! Whether the file that is open is still the one at the outbox's path.

use super::fault;
use super::vfs::{self, Place, Standing};
use crate::error::Error;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// The path as the caller gave it, and which file was found there.
pub(super) struct Location {
    pub path: PathBuf,
    standing: Option<Standing>,
}

impl Location {
    pub(super) fn new(path: &Path, standing: Option<Standing>) -> Self {
        let path = path.to_owned();
        Self { path, standing }
    }

    /// One look at the path, and at the file itself only if that is another one.
    pub(super) fn place(&self, connection: &Connection) -> Place {
        if self
            .standing
            .is_none_or(|standing| is_at(standing, &self.path))
        {
            return Place::There;
        }
        match vfs::standing_of(connection).map(|standing| standing.place) {
            Some(Place::Deleted) => Place::Deleted,
            _ => Place::Moved,
        }
    }

    pub(super) fn moved(&self) -> Error {
        fault::moved(&self.path)
    }
}

#[cfg(unix)]
fn is_at(standing: Standing, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.metadata()
        .is_ok_and(|found| (found.dev(), found.ino()) == (standing.device, standing.inode))
}

#[cfg(not(unix))]
fn is_at(_standing: Standing, _path: &Path) -> bool {
    true
}
