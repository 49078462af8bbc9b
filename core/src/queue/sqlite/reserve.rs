//! Disk space reserved for deliveries: on a full disk they can still be settled, which frees space for
//! new updates.

use super::format::with_suffix;
use crate::error::{Error, ErrorCode};
use std::fs::{self, OpenOptions};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Enough for the checkpoint of a log and the settlement of some hundred deliveries.
const SIZE: usize = 1 << 20;
/// How often to check whether the disk has space again.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A file next to the outbox that occupies the space until it is needed.
pub(super) struct Reserve {
    path: PathBuf,
    state: State,
}

enum State {
    Available,
    /// The disk was full; no update is accepted until the reserve is restored.
    Missing {
        since: Instant,
    },
}

impl Reserve {
    pub(super) fn for_outbox(outbox: &Path) -> Self {
        let path = with_suffix(outbox, "-reserve");
        let reserve = Self {
            path,
            state: State::Available,
        };
        // If the disk is full, the first update reports it.
        let _ = reserve.create();
        reserve
    }

    /// For a store that is only read, and needs no reserve.
    pub(super) fn none() -> Self {
        let (path, state) = (PathBuf::new(), State::Available);
        Self { path, state }
    }

    /// Whether the reserve exists; restores it once the disk has space.
    pub(super) fn ensure(&mut self) -> bool {
        let State::Missing { since } = self.state else {
            return true;
        };
        if since.elapsed() < CHECK_INTERVAL {
            return false;
        }
        if self.create().is_err() {
            self.state = State::Missing {
                since: Instant::now(),
            };
            return false;
        }
        self.state = State::Available;
        true
    }

    /// Frees the space for the next write.
    pub(super) fn release(&mut self) {
        let _ = fs::remove_file(&self.path); // Another process may have removed it.
        self.state = State::Missing {
            since: Instant::now(),
        };
    }

    fn create(&self) -> Result<()> {
        if self
            .path
            .metadata()
            .is_ok_and(|found| found.len() == SIZE as u64)
        {
            return Ok(());
        }
        let written = self.write();
        if written.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        written
    }

    /// Writes every byte: a file that is only extended occupies no space.
    fn write(&self) -> Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        file.write_all(&vec![0; SIZE])?;
        file.sync_data()
    }
}

pub(super) fn disk_full(path: &Path) -> Error {
    let text = format!(
        "the outbox {} cannot be written: its disk is full",
        path.display()
    );
    Error::new(ErrorCode::OutboxFailed, text)
}
