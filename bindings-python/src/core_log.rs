//! Passes log records of the core, such as one about a damaged file, to Python's logging. The core
//! may log on threads that must not wait for the interpreter, so records are buffered until a
//! thread that holds the interpreter calls [`flush`].

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Further records are dropped: they repeat the same failure.
const MOST_RECORDS: usize = 100;

struct Buffer {
    has_records: AtomicBool,
    records: Mutex<Vec<(Level, String)>>,
}

static BUFFER: Buffer = Buffer {
    has_records: AtomicBool::new(false),
    records: Mutex::new(Vec::new()),
};

/// Starts to buffer the core's records.
pub fn install() {
    if log::set_logger(&BUFFER).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

impl Log for Buffer {
    /// Records that repeat an event have another target.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && metadata.target() == "katalys"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Another thread may hold it: briefly, or forever in a child that was forked meanwhile.
        let Ok(mut records) = self.records.try_lock() else {
            return;
        };
        if records.len() < MOST_RECORDS {
            records.push((record.level(), record.args().to_string()));
        }
        self.has_records.store(true, Ordering::Release);
    }

    fn flush(&self) {}
}

/// Logs that no thread could be started for events.
pub fn log_lost_events(count: usize) {
    log::warn!(target: "katalys", "{count} events were lost: no thread could be started");
}

/// Hands the buffered records to the logger `katalys.outbox`.
pub fn flush(py: Python<'_>) {
    if !BUFFER.has_records.load(Ordering::Acquire) {
        return;
    }
    let Ok(mut records) = BUFFER.records.try_lock() else {
        return;
    };
    BUFFER.has_records.store(false, Ordering::Release);
    let buffered = std::mem::take(&mut *records);
    drop(records);
    for (level, text) in buffered {
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
