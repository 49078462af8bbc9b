//! Repairs a damaged outbox: reads what can be read, page by page and without `SQLite`, and writes it
//! into a sound file that continues the numbers of the updates.
//!
//! `log`, `pages` and `tail` find the newest image of each page; `btree` decodes pages; `rows` recognises
//! the rows of an outbox; `traverse` follows the b-trees; `salvage` collects all rows; `soundness` tells
//! whether anything is damaged; `rebuild` writes the new file; `swap` puts it in place; `files` opens
//! the files, and `lock` keeps out every other process. A module uses only modules to its right:
//! `report, swap → files → salvage → tail, traverse → rows → btree → pages → log`,
//! `rebuild, soundness → salvage`.

mod btree;
mod files;
mod lock;
mod log;
mod pages;
mod rebuild;
mod report;
mod rows;
mod salvage;
mod soundness;
mod swap;
mod tail;
#[cfg(all(test, unix))]
mod tests;
mod traverse;

use super::format::with_suffix;
use super::{fault, open, schema};
use crate::error::Error;
use crate::queue::clock::wall;
use files::{Files, foreign, is_foreign, unreadable};
use pages::Pages;
use rebuild::Tally;
pub use report::RepairReport;
use std::io;
use std::path::Path;
use swap::Names;

/// Repairs the outbox at this path if it is damaged. No process may have it open at the same time. If
/// the repair is interrupted, run it again: nothing is lost.
///
/// # Errors
/// `OutboxError`: `outbox_foreign` if the file is not an outbox, `outbox_newer` if it has a newer
/// version, `outbox_failed` if it is in use or cannot be read or written. The file is unchanged then,
/// unless the message says to run the repair again.
pub fn repair(path: &Path) -> Result<RepairReport, Error> {
    let path = &open::resolve(path)?;
    let mut files = Files::open(path)?;
    if is_foreign(&files)? {
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
    if files.journal.is_none() && soundness::is_sound(&pages, &all) {
        return Ok(RepairReport::of(&Tally::of(&all), &pages, &all, None));
    }
    let names = Names::new(path, &wall().to_string());
    let tally = rebuild::write(&names.unfinished, &pages, &all)?;
    for suffix in ["-wal", "-shm"] {
        swap::remove(&with_suffix(&names.unfinished, suffix))
            .map_err(|error| unwritable(path, &error))?;
    }
    swap::copy(&files, &names.damaged)?;
    swap::make_ready(&names)?;
    let report = RepairReport::of(&tally, &pages, &all, Some(names.damaged.clone()));
    swap::ensure_main(path, &mut files)?;
    swap::replace(path, &files, &names.ready)?;
    Ok(report)
}

/// Finishes a repair that was killed while it overwrote the file.
fn finish(path: &Path, files: &Files, names: &Names) -> Result<RepairReport, Error> {
    let damaged = Files::open(&names.damaged).or_else(|_| Files::open(&names.ready))?;
    let (pages, all) = damaged.salvage()?;
    let report = RepairReport::of(&Tally::of(&all), &pages, &all, Some(names.damaged.clone()));
    swap::replace(path, files, &names.ready)?;
    Ok(report)
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

fn unwritable(path: &Path, error: &io::Error) -> Error {
    fault::file(path, "has files of an earlier repair next to it", error)
}
