//! The report of a repair.

use super::pages::Pages;
use super::rebuild::Tally;
use super::salvage::Salvaged;
use crate::queue::store::count;
use std::fmt;
use std::path::PathBuf;

/// The result of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairReport {
    /// Whether the file was sound; nothing was changed then.
    pub was_sound: bool,
    /// Number of pending updates.
    pub pending: u64,
    /// Number of dead letters.
    pub dead: u64,
    /// Number of updates that could not be read, which are counted as discarded; none if it is unknown.
    pub lost: Option<u64>,
    /// The number of the next update.
    pub numbers_continue_at: u64,
    /// Number of pages that could not be read.
    pub unreadable_pages: u64,
    /// The copy of the damaged file, with copies of its `-wal` and `-shm` next to it; none if the file was
    /// sound.
    pub damaged_copy: Option<PathBuf>,
}

impl RepairReport {
    /// Whether all updates of the file are known to be kept.
    pub fn is_complete(&self) -> bool {
        self.lost == Some(0)
    }

    /// `damaged_copy` is none for a sound file.
    pub(super) fn of(
        tally: &Tally,
        pages: &Pages<'_>,
        all: &Salvaged,
        damaged_copy: Option<PathBuf>,
    ) -> Self {
        let was_sound = damaged_copy.is_none();
        let unreadable = all.unreadable.len() + pages.lost();
        Self {
            was_sound,
            pending: count(tally.pending),
            dead: count(tally.dead),
            lost: if was_sound {
                Some(0)
            } else {
                tally.lost.map(count)
            },
            numbers_continue_at: count(tally.accepted) + 1,
            unreadable_pages: u64::try_from(unreadable).unwrap_or(u64::MAX),
            damaged_copy,
        }
    }
}

/// A few lines of text, without customer data.
impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pending, dead) = (self.pending, self.dead);
        if self.was_sound {
            writeln!(f, "the outbox is sound; nothing was changed")?;
            return write!(
                f,
                "it holds {pending} pending updates and {dead} dead letters"
            );
        }
        writeln!(f, "the outbox was repaired")?;
        writeln!(f, "kept: {pending} pending updates, {dead} dead letters")?;
        match self.lost {
            Some(lost) => writeln!(f, "lost: {lost} updates, now counted as discarded")?,
            None => writeln!(
                f,
                "lost: unknown; the counters could not be read, and what is missing is counted as \
                 delivered"
            )?,
        }
        writeln!(f, "pages that could not be read: {}", self.unreadable_pages)?;
        write!(
            f,
            "the next update has the number {}",
            self.numbers_continue_at
        )?;
        if let Some(copy) = &self.damaged_copy {
            write!(
                f,
                "\nthe damaged files were copied to {}*; delete them when they are no longer needed, \
                 as they hold customer data",
                copy.display()
            )?;
        }
        Ok(())
    }
}
