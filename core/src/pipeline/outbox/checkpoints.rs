//! Decides when to checkpoint the store, which moves its log into its file: after many
//! transactions, when the outbox is idle, and often enough that delivered updates do not stay
//! readable for long.

use crate::queue::group::Group;
use crate::queue::store::{Checkpointer, Store};
use crate::results::OUTBOX_LOG;
use crate::thread;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A full checkpoint is made once nothing was written for this long.
pub(super) const QUIET: Duration = Duration::from_secs(1);
/// With steady traffic, delivered updates stay in the log for at most about this long.
const LONGEST_TRACE: Duration = Duration::from_secs(10);
/// A checkpoint is due after this many transactions of the dispatcher.
const MAX_TRANSACTIONS: usize = 4_000;
/// In a process that does not deliver, a checkpoint is due after this many updates: each caller
/// writes its own transaction there, and restarting the log is faster than growing it.
const MAX_APPENDS: usize = 1_000;
/// Maximum number of attempts to empty the log.
const ERASE_ATTEMPTS: u32 = 100;
const ERASE_PAUSE: Duration = Duration::from_millis(10);

/// Makes the checkpoints of one outbox.
pub(super) struct Checkpoints {
    checkpointer: Mutex<Box<dyn Checkpointer>>,
    appended: AtomicUsize,
}

/// What was written since the last checkpoint.
#[derive(Default)]
pub(super) struct Written {
    transactions: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Written {
    /// Counts one more transaction.
    pub(super) fn add(&mut self) {
        let now = Instant::now();
        self.transactions += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.transactions == 0
    }

    fn is_old(&self) -> bool {
        self.first
            .is_some_and(|first| first.elapsed() > LONGEST_TRACE)
    }

    /// Whether a checkpoint is worth its cost.
    fn is_due(&self, is_idle: bool) -> bool {
        let is_quiet = is_idle && self.last.is_some_and(|last| last.elapsed() > QUIET);
        self.transactions > MAX_TRANSACTIONS || is_quiet || self.is_old()
    }
}

impl Checkpoints {
    pub(super) fn new(checkpointer: Box<dyn Checkpointer>) -> Self {
        Self {
            checkpointer: Mutex::new(checkpointer),
            appended: AtomicUsize::new(0),
        }
    }

    /// Makes a checkpoint if one is due. `is_idle` says that nothing is pending.
    pub(super) fn if_due<S: Store>(&self, group: &Group<S>, written: &mut Written, is_idle: bool) {
        if written.is_due(is_idle) {
            self.make(group, is_idle || written.is_old());
            *written = Written::default();
        }
    }

    /// Counts updates appended by a process that does not deliver; after many of them, makes a
    /// checkpoint on a thread of its own.
    pub(super) fn appended<S: Store + 'static>(
        checkpoints: &Arc<Self>,
        group: &Arc<Group<S>>,
        count: usize,
    ) {
        let appended = &checkpoints.appended;
        let total = appended.fetch_add(count, Ordering::Relaxed) + count;
        if total < MAX_APPENDS || appended.swap(0, Ordering::Relaxed) < MAX_APPENDS {
            return;
        }
        let (checkpoints, group) = (Arc::clone(checkpoints), Arc::clone(group));
        let make = move || checkpoints.make(&group, false);
        let _ = thread::spawn("katalys-log", make); // Without a thread, a later call tries again.
    }

    /// Empties the log, so that a removed update does not stay readable in it.
    pub(super) fn erase<S: Store>(&self, group: &Group<S>) {
        for _ in 0..ERASE_ATTEMPTS {
            let mut checkpointer = self.lock();
            if group
                .ask(|_| checkpointer.checkpoint_all())
                .is_ok_and(|is_done| is_done)
            {
                return;
            }
            drop(checkpointer);
            std::thread::sleep(ERASE_PAUSE); // Another process was reading the log.
        }
        log::warn!(
            target: OUTBOX_LOG,
            "a removed update is still in the log of the outbox, since another process reads it"
        );
    }

    /// The last checkpoint before delivery ends.
    pub(super) fn finish(&self) {
        if let Err(error) = self.lock().checkpoint_all() {
            log::debug!(target: "katalys", "no checkpoint of the outbox: {error}");
        }
    }

    /// Makes a checkpoint. Most of it runs while callers use the store; the rest runs with the
    /// store locked, so that the log can restart. `is_complete` also removes every update from the
    /// log.
    fn make<S: Store>(&self, group: &Group<S>, is_complete: bool) {
        let mut checkpointer = self.lock();
        let result = checkpointer.checkpoint().and_then(|()| {
            group.ask(|_| {
                if is_complete {
                    checkpointer.checkpoint_all().map(drop)
                } else {
                    checkpointer.checkpoint()
                }
            })
        });
        if let Err(error) = result {
            log::debug!(target: "katalys", "no checkpoint of the outbox: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Checkpointer>> {
        self.checkpointer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_after_many_transactions_or_when_idle() {
        let mut written = Written::default();
        assert!(written.is_nothing() && !written.is_due(true));
        written.add();
        assert!(!written.is_due(true), "more may follow at once");
        let before = |age: Duration| Instant::now().checked_sub(age + QUIET);
        written.last = before(QUIET);
        assert!(written.is_due(true));
        assert!(!written.is_due(false), "updates are pending");
        written.first = before(LONGEST_TRACE);
        assert!(written.is_due(false) && written.is_old());
        written = Written::default();
        for _ in 0..=MAX_TRANSACTIONS {
            written.add();
        }
        assert!(written.is_due(false));
    }
}
