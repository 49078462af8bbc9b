//! Room on the disk that is kept for deliveries: when the disk is full, they can still be settled,
//! which frees the room that new updates need.

use super::open::with_suffix;
use crate::error::{Error, ErrorCode};
use std::fs::{self, OpenOptions};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the checkpoint of a log and the settlement of some hundred deliveries take.
const SIZE: usize = 1 << 20;
/// How often to look whether the disk has room again.
const RECHECK: Duration = Duration::from_secs(1);

/// A file beside the outbox that takes up room until it is needed.
pub(super) struct Reserve {
    path: PathBuf,
    state: State,
}

enum State {
    Kept,
    /// The disk was full; nothing new is taken in until the reserve is there again.
    Missing {
        since: Instant,
    },
}

impl Reserve {
    pub(super) fn beside(outbox: &Path) -> Self {
        let path = with_suffix(outbox, "-reserve");
        let reserve = Self {
            path,
            state: State::Kept,
        };
        // A disk without room for it shows itself with the first update.
        let _ = reserve.keep();
        reserve
    }

    /// For a store that is only read.
    pub(super) fn none() -> Self {
        let (path, state) = (PathBuf::new(), State::Kept);
        Self { path, state }
    }

    /// Whether the reserve is there; made again once the disk has room.
    pub(super) fn is_kept(&mut self) -> bool {
        let State::Missing { since } = self.state else {
            return true;
        };
        if since.elapsed() < RECHECK {
            return false;
        }
        if self.keep().is_err() {
            self.state = State::Missing {
                since: Instant::now(),
            };
            return false;
        }
        self.state = State::Kept;
        true
    }

    /// Gives the room to what is written next.
    pub(super) fn release(&mut self) {
        let _ = fs::remove_file(&self.path); // It may be another process's doing already.
        self.state = State::Missing {
            since: Instant::now(),
        };
    }

    fn keep(&self) -> Result<()> {
        if self
            .path
            .metadata()
            .is_ok_and(|found| found.len() == SIZE as u64)
        {
            return Ok(());
        }
        let kept = self.write();
        if kept.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        kept
    }

    /// Writes it in full: a file that was only made longer takes up no room.
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
