//! What the core logs by itself, such as a damaged file that was set aside. It may do so on any
//! thread, and those must not need the interpreter: notes wait until one that holds it comes by.

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The same trouble again and again is not worth more.
const MOST: usize = 100;

struct Notes {
    are_there: AtomicBool,
    waiting: Mutex<Vec<(Level, String)>>,
}

static NOTES: Notes = Notes {
    are_there: AtomicBool::new(false),
    waiting: Mutex::new(Vec::new()),
};

/// From now on the core's notes are kept.
pub fn take() {
    if log::set_logger(&NOTES).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

impl Log for Notes {
    /// What events say as well has another target.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && metadata.target() == "katalys"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Held for a moment; or for ever, in a child that was forked at that moment.
        let Ok(mut waiting) = self.waiting.try_lock() else {
            return;
        };
        if waiting.len() < MOST {
            waiting.push((record.level(), record.args().to_string()));
        }
        self.are_there.store(true, Ordering::Release);
    }

    fn flush(&self) {}
}

/// So many events found no thread.
pub fn lost(events: usize) {
    log::warn!(target: "katalys", "{events} events were lost: no thread could be started");
}

/// Hands what has been noted to the logger `katalys.outbox`.
pub fn log(py: Python<'_>) {
    if !NOTES.are_there.load(Ordering::Acquire) {
        return;
    }
    let Ok(mut waiting) = NOTES.waiting.try_lock() else {
        return;
    };
    NOTES.are_there.store(false, Ordering::Release);
    let notes = std::mem::take(&mut *waiting);
    drop(waiting);
    for (level, text) in notes {
        if let Err(error) = log_one(py, level, &text) {
            error.write_unraisable(py, None);
        }
    }
}

fn log_one(py: Python<'_>, level: Level, text: &str) -> PyResult<()> {
    let method = if level == Level::Error {
        "error"
    } else {
        "warning"
    };
    let logger = py
        .import("logging")?
        .call_method1("getLogger", ("katalys.outbox",))?;
    logger.call_method1(method, (text,))?;
    Ok(())
}
