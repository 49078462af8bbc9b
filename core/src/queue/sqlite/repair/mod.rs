//! Repairs a damaged outbox: reads what can be read, page by page and without `SQLite`, and writes it
//! into a sound file that continues the old numbers.
//!
//! `log`, `tail` and `pages` find the newest image of each page, `btree` decodes pages, `rows` recognises what
//! is an outbox's, `salvage` gathers it, `walk` says whether anything is damaged at all, `rebuild`
//! writes the new file, `swap` puts it in place, `lock` keeps every other process out meanwhile.

mod btree;
mod lock;
mod log;
mod pages;
mod rebuild;
mod rows;
mod salvage;
mod swap;
mod tail;
#[cfg(all(test, unix))]
mod tests;
mod walk;

use super::open::{self, with_suffix};
use super::{fault, schema};
use crate::error::Error;
use crate::queue::clock::wall;
use crate::queue::store::count;
use pages::Pages;
use rebuild::Tally;
use salvage::Salvaged;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use swap::Names;

/// How long to wait for processes that only look at the file for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest part of the `-shm` file that is read.
const SHARED_HEADER: u64 = 136;

/// Page sizes, the most likely ones first.
const PAGE_SIZES: &[usize] = &[2048, 4096, 1024, 8192, 512, 16384, 32768, 65536];

/// What a repair found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairReport {
    /// Whether the file was sound, so that nothing was changed.
    pub was_sound: bool,
    /// Updates that will be delivered.
    pub pending: u64,
    /// Dead letters that were kept.
    pub dead: u64,
    /// Updates that could not be read and are counted as discarded; none if their number is unknown.
    pub lost: Option<u64>,
    /// The number of the next update.
    pub numbers_continue_at: u64,
    /// Pages of the file that could not be read.
    pub unreadable_pages: u64,
    /// Where a copy of the damaged file is, with copies of its `-wal` and `-shm` beside it; none if
    /// the file was sound.
    pub damaged_copy: Option<PathBuf>,
}

impl RepairReport {
    /// Whether everything that the file held is known to be kept.
    pub fn is_complete(&self) -> bool {
        self.lost == Some(0)
    }
}

/// Some lines of text, without customer data.
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

/// The outbox's files, open and locked.
pub(super) struct Files {
    path: PathBuf,
    main: Option<File>,
    log: Option<File>,
    shared: Option<File>,
    /// Of a change that was made before the outbox had a log: nothing was accepted then.
    journal: Option<File>,
}

/// Repairs the outbox at this path if it is damaged. No process may have it open meanwhile. If the
/// repair is interrupted, run it again: nothing is lost.
///
/// # Errors
/// `OutboxError`: `outbox_foreign` if the file is no outbox, `outbox_newer` if it is of a newer
/// version, `outbox_failed` if it is in use or cannot be read or written. It is unchanged then, unless
/// the message says to run the repair again.
pub fn repair(path: &Path) -> Result<RepairReport, Error> {
    let path = &open::resolve(path)?;
    let mut files = Files::open(path)?;
    if refuse_foreign(&files)? {
        return Err(foreign(path));
    }
    files.lock()?;
    let (ready, leftovers) = swap::leftovers(path).map_err(|error| unreadable(path, &error))?;
    for names in ready.iter().map(|time| Names::new(path, time)) {
        let interrupted = swap::is_interrupted(&files, &names);
        if interrupted.map_err(|error| unreadable(path, &error))? {
            return finish(path, &files, &names);
        }
    }
    let (pages, all) = files.salvage()?;
    check_version(&pages)?;
    if pages.is_marked() != Some(true) && !all.is_outbox() {
        return Err(foreign(path));
    }
    for leftover in leftovers {
        swap::remove(&leftover).map_err(|error| unwritable(path, &error))?;
    }
    if files.journal.is_none() && walk::is_sound(&pages, &all) {
        return Ok(report(&Tally::of(&all), &pages, &all, None));
    }
    let names = Names::new(path, &wall().to_string());
    let tally = rebuild::write(&names.unfinished, &pages, &all)?;
    for suffix in ["-wal", "-shm"] {
        swap::remove(&with_suffix(&names.unfinished, suffix))
            .map_err(|error| unwritable(path, &error))?;
    }
    swap::copy(&files, &names.damaged)?;
    swap::make_ready(&names)?;
    let report = report(&tally, &pages, &all, Some(names.damaged.clone()));
    swap::ensure_main(path, &mut files)?;
    swap::replace(path, &files, &names.ready)?;
    Ok(report)
}

/// Finishes a repair that was killed after it had begun to write over the file.
fn finish(path: &Path, files: &Files, names: &Names) -> Result<RepairReport, Error> {
    let damaged = Files::open(&names.damaged).or_else(|_| Files::open(&names.ready))?;
    let (pages, all) = damaged.salvage()?;
    let report = report(&Tally::of(&all), &pages, &all, Some(names.damaged.clone()));
    swap::replace(path, files, &names.ready)?;
    Ok(report)
}

fn report(
    tally: &Tally,
    pages: &Pages<'_>,
    all: &Salvaged,
    damaged_copy: Option<PathBuf>,
) -> RepairReport {
    let was_sound = damaged_copy.is_none();
    let unreadable = all.unreadable.len() + pages.lost();
    RepairReport {
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

impl Files {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = |suffix| open_if_there(&with_suffix(path, suffix));
        let files = Self {
            path: path.to_owned(),
            main: file("")?,
            log: file("-wal")?,
            shared: file("-shm")?,
            journal: file("-journal")?.filter(is_filled),
        };
        if files.main.is_none() && !files.log.as_ref().is_some_and(is_filled) {
            let error = io::Error::from(ErrorKind::NotFound);
            return Err(unreadable(path, &error));
        }
        Ok(files)
    }

    fn lock(&self) -> Result<(), Error> {
        let locks = [
            (&self.main, lock::MAIN),
            (&self.shared, lock::SHARED_MEMORY),
            (&self.log, lock::LOG),
        ];
        for (file, range) in locks {
            if let Some(file) = file {
                lock_range(&self.path, file, range)?;
            }
        }
        Ok(())
    }

    fn pages(&self, fallback: usize) -> Result<Pages<'_>, Error> {
        let mut shared = Vec::new();
        if let Some(mut file) = self.shared.as_ref() {
            let _ = file.seek(SeekFrom::Start(0)); // It is only of help.
            let _ = file.take(SHARED_HEADER).read_to_end(&mut shared);
        }
        Pages::read(self.main.as_ref(), self.log.as_ref(), &shared, fallback)
            .map_err(|error| unreadable(&self.path, &error))
    }

    /// Reads everything. If no header says how large pages are, most rows are found with the right
    /// size.
    fn salvage(&self) -> Result<(Pages<'_>, Salvaged), Error> {
        let mut best: Option<(Pages<'_>, Salvaged)> = None;
        for size in PAGE_SIZES {
            let pages = self.pages(*size)?;
            let all = Salvaged::read(&pages);
            let is_certain = pages.size() != *size || pages.header().is_some();
            if best
                .as_ref()
                .is_none_or(|(_, best)| all.rows() > best.rows())
            {
                best = Some((pages, all));
            }
            if is_certain {
                break;
            }
        }
        best.ok_or_else(|| Error::internal("no page size"))
    }
}

fn is_filled(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.len() > 0)
}

fn open_if_there(path: &Path) -> Result<Option<File>, Error> {
    // Opening a device or a pipe may do something.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(foreign(path));
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn lock_main(path: &Path, main: &File) -> Result<(), Error> {
    lock_range(path, main, lock::MAIN)
}

fn lock_range(path: &Path, file: &File, range: lock::Range) -> Result<(), Error> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    while !lock::try_exclusive(file, range).map_err(|error| unreadable(path, &error))? {
        if Instant::now() >= deadline {
            return Err(fault::unusable(
                path,
                "is in use by another process; stop it first",
            ));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Whether the file is clearly something else. What has no header is looked at more closely later.
fn refuse_foreign(files: &Files) -> Result<bool, Error> {
    let main = Pages::read(files.main.as_ref(), None, &[], PAGE_SIZES[0])
        .map_err(|error| unreadable(&files.path, &error))?;
    Ok(main.is_marked() == Some(false) && files.pages(PAGE_SIZES[0])?.is_marked() != Some(true))
}

fn check_version(pages: &Pages<'_>) -> Result<(), Error> {
    let Some(first) = pages.header() else {
        return Ok(());
    };
    let (found, known) = (i64::from(log::be32(&first, 60)), schema::known_version());
    if found > known && pages.is_marked() == Some(true) {
        return Err(fault::newer(found, known));
    }
    Ok(())
}

fn foreign(path: &Path) -> Error {
    fault::foreign(path, "is another file")
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    fault::file(path, "cannot be read", error)
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    fault::file(path, "has remains of an earlier repair beside it", error)
}
