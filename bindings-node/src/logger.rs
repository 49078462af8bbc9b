//! Passes the core's log to JavaScript, which shows it as process warnings: failures outside of
//! calls, such as an outbox that cannot be written.

use crate::completions::CompletionQueue;
use log::{LevelFilter, Log, Metadata, Record};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The environments of this process. Lines go to the oldest that still exists.
struct Logger(Mutex<Vec<Weak<CompletionQueue>>>);

static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

/// Adds a queue that log lines may go to.
pub fn register(queue: &Arc<CompletionQueue>) {
    LOGGER.queues().push(Arc::downgrade(queue));
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

impl Logger {
    fn queues(&self) -> MutexGuard<'_, Vec<Weak<CompletionQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "katalys"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut queues = self.queues();
        let line = record.args().to_string();
        while let Some(oldest) = queues.first() {
            let is_put = oldest
                .upgrade()
                .is_some_and(|oldest| oldest.put_log(line.clone()));
            if is_put {
                return;
            }
            queues.remove(0);
        }
    }

    fn flush(&self) {}
}
