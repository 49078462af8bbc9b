//! What the core logs: what goes on behind all calls, such as a damaged file that was set aside.
//! JavaScript shows it as a process warning.

use crate::mailbox::Mailbox;
use log::{LevelFilter, Log, Metadata, Record};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The environments of this process. The oldest that still lives is told.
struct Logger(Mutex<Vec<Weak<Mailbox>>>);

static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

/// From now on this mailbox may be told.
pub fn tell(mailbox: &Arc<Mailbox>) {
    LOGGER.mailboxes().push(Arc::downgrade(mailbox));
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

impl Logger {
    fn mailboxes(&self) -> MutexGuard<'_, Vec<Weak<Mailbox>>> {
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
        let mut mailboxes = self.mailboxes();
        let line = record.args().to_string();
        while let Some(oldest) = mailboxes.first() {
            let told = oldest
                .upgrade()
                .is_some_and(|oldest| oldest.put_log(line.clone()));
            if told {
                return;
            }
            mailboxes.remove(0);
        }
    }

    fn flush(&self) {}
}
