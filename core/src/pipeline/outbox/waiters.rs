//! Callers that wait for the outcome of an update. They are registered before the store is unlocked
//! after the transaction that accepts the update, so that they miss no settlement of this process.

use crate::error::Error;
use crate::interrupt;
use crate::queue::store::UpdateId;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The outcome of an update for a waiting call: the number of attempts until it was delivered (0 if
/// another process delivered it), or the error of the call.
pub(super) type Outcome = Result<u32, Error>;

/// Receives the outcome of an update, once.
pub(super) trait Waiter: Send + Sync {
    fn settled(&self, id: UpdateId, outcome: Outcome);
}

/// The callers that wait for an outcome, by update.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<UpdateId, Vec<Arc<dyn Waiter>>>>);

impl Waiters {
    pub(super) fn register(&self, id: UpdateId, waiter: Arc<dyn Waiter>) {
        self.lock().entry(id).or_default().push(waiter);
    }

    /// Passes the outcome to every caller that waits for the update, and removes them.
    pub(super) fn settle(&self, id: UpdateId, outcome: &Outcome) {
        let waiting = self.lock().remove(&id);
        for waiter in waiting.into_iter().flatten() {
            waiter.settled(id, outcome.clone());
        }
    }

    /// Whether a caller still waits for the outcome. If so, this process has not reported one.
    pub(super) fn has(&self, id: UpdateId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Removes one caller that no longer waits.
    pub(super) fn forget(&self, id: UpdateId, waiter: &Arc<dyn Waiter>) {
        let mut waiting = self.lock();
        if let Some(of_update) = waiting.get_mut(&id) {
            of_update.retain(|other| !Arc::ptr_eq(other, waiter));
            if of_update.is_empty() {
                waiting.remove(&id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UpdateId, Vec<Arc<dyn Waiter>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that waits for one outcome.
#[derive(Default)]
pub(super) struct WaitingThread {
    outcome: Mutex<Option<Outcome>>,
    arrived: Condvar,
}

impl WaitingThread {
    /// Waits for the outcome until `until`. A watched thread (see `interrupt`) waits for at most
    /// one slice.
    pub(super) fn wait(&self, until: Instant) -> Option<Outcome> {
        let lock = || self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        let is_missing = |outcome: &mut Option<Outcome>| outcome.is_none();
        let wait = interrupt::slice_of(left).max(Duration::from_nanos(1));
        let waited = self.arrived.wait_timeout_while(lock(), wait, is_missing);
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

impl Waiter for WaitingThread {
    fn settled(&self, _: UpdateId, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(waiters: &Waiters, id: UpdateId) -> Arc<WaitingThread> {
        let thread = Arc::new(WaitingThread::default());
        waiters.register(id, Arc::clone(&thread) as Arc<dyn Waiter>);
        thread
    }

    #[test]
    fn every_caller_of_an_update_gets_its_outcome() {
        let waiters = Waiters::default();
        let (first, second) = (waiting(&waiters, 1), waiting(&waiters, 1));
        let other = waiting(&waiters, 2);
        assert!(waiters.has(1));
        waiters.settle(1, &Ok(3));
        assert!(!waiters.has(1) && waiters.has(2));
        let now = Instant::now();
        assert!(matches!(first.wait(now), Some(Ok(3))));
        assert!(matches!(second.wait(now), Some(Ok(3))));
        assert!(other.wait(now).is_none());
    }

    #[test]
    fn forgetting_one_caller_keeps_the_others() {
        let waiters = Waiters::default();
        let (first, second) = (waiting(&waiters, 1), waiting(&waiters, 1));
        waiters.forget(1, &(Arc::clone(&first) as Arc<dyn Waiter>));
        waiters.settle(1, &Ok(1));
        assert!(first.wait(Instant::now()).is_none());
        assert!(second.wait(Instant::now()).is_some());
    }
}
