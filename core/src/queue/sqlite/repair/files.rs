//! The files of an outbox, open and locked for a repair.

use super::lock;
use super::pages::Pages;
use super::salvage::Salvaged;
use super::tail;
use crate::error::Error;
use crate::queue::sqlite::fault;
use crate::queue::sqlite::format::with_suffix;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for processes that use the file for a moment only.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The part of the `-shm` file that is read.
const SHARED_HEADER: u64 = 136;

/// Page sizes, the most likely ones first.
const PAGE_SIZES: &[usize] = &[2048, 4096, 1024, 8192, 512, 16384, 32768, 65536];

/// The open files of an outbox.
pub(super) struct Files {
    path: PathBuf,
    pub main: Option<File>,
    pub log: Option<File>,
    pub shared: Option<File>,
    /// The journal of a change before the outbox had a log, so before it accepted any update.
    pub journal: Option<File>,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
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

    /// Locks the files against every process that has the outbox open.
    pub(super) fn lock(&self) -> Result<(), Error> {
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

    pub(super) fn pages(&self, fallback: usize) -> Result<Pages<'_>, Error> {
        let mut shared = Vec::new();
        if let Some(mut file) = self.shared.as_ref() {
            let _ = file.seek(SeekFrom::Start(0)); // Without it, the log alone has to suffice.
            let _ = file.take(SHARED_HEADER).read_to_end(&mut shared);
        }
        tail::read_pages(self.main.as_ref(), self.log.as_ref(), &shared, fallback)
            .map_err(|error| unreadable(&self.path, &error))
    }

    /// Reads all rows. If no header contains the page size, the size with the most rows is the right one.
    pub(super) fn salvage(&self) -> Result<(Pages<'_>, Salvaged), Error> {
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
    // Opening a device or a pipe may have side effects.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(foreign(path));
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

pub(super) fn lock_main(path: &Path, main: &File) -> Result<(), Error> {
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

/// Whether the file is certainly not an outbox. One without a header is examined later.
pub(super) fn is_foreign(files: &Files) -> Result<bool, Error> {
    let main = tail::read_pages(files.main.as_ref(), None, &[], PAGE_SIZES[0])
        .map_err(|error| unreadable(&files.path, &error))?;
    Ok(main.is_marked() == Some(false) && files.pages(PAGE_SIZES[0])?.is_marked() != Some(true))
}

pub(super) fn foreign(path: &Path) -> Error {
    fault::foreign(path, "is another file")
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    fault::file(path, "cannot be read", error)
}
