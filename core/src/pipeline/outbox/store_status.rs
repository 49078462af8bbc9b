//! Records whether the store works. A failure is reported when it begins and once a minute after
//! that, not each time.

use crate::error::{Error, ErrorCode};
use crate::pipeline::events::Events;
use crate::results::{Event, OUTBOX_LOG};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A lasting failure is reported again after this time.
const REPORT_AGAIN: Duration = Duration::from_secs(60);

/// Whether the store works, as far as this process knows.
pub(super) struct StoreStatus {
    events: Arc<Events>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failure: Option<Failure>,
    /// The file was not at its path when it was last checked.
    is_moved: bool,
}

struct Failure {
    error: Error,
    reported: Instant,
}

impl StoreStatus {
    pub(super) fn new(events: &Arc<Events>) -> Self {
        let (events, state) = (Arc::clone(events), Mutex::default());
        Self { events, state }
    }

    /// Records a failure of the store.
    pub(super) fn failed(&self, error: &Error) {
        let mut state = self.lock();
        let is_known = state.failure.as_ref().is_some_and(|failure| {
            failure.error.code() == error.code() && failure.reported.elapsed() < REPORT_AGAIN
        });
        if is_known {
            return;
        }
        let (error, reported) = (error.clone(), Instant::now());
        log::error!(target: OUTBOX_LOG, "{error}; delivery is paused until this is fixed");
        Events::send(&self.events, Event::of_failure(&error));
        state.failure = Some(Failure { error, reported });
    }

    /// Records that the store works.
    pub(super) fn works(&self) {
        if self.lock().failure.take().is_some() {
            log::warn!(target: OUTBOX_LOG, "the outbox is available again");
        }
    }

    /// Records whether the file is at its path.
    pub(super) fn checked(&self, result: Result<(), Error>) {
        let was_moved = std::mem::replace(&mut self.lock().is_moved, result.is_err());
        if let Err(error) = result
            && !was_moved
        {
            log::error!(target: OUTBOX_LOG, "{error}");
            Events::send(&self.events, Event::of_failure(&error));
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.lock().failure.is_some()
    }

    /// The error of a damaged store, into which nothing more is written.
    pub(super) fn damage(&self) -> Option<Error> {
        let state = self.lock();
        let failure = state.failure.as_ref()?;
        let is_damage = failure.error.code() == ErrorCode::OutboxCorrupt;
        is_damage.then(|| failure.error.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EventOrderIds;
    use crate::pipeline::events::ObserverSlot;
    use std::sync::mpsc;

    #[test]
    fn a_lasting_failure_is_reported_once_and_a_different_one_immediately() {
        let slot = Arc::new(ObserverSlot::default());
        let (sender, received) = mpsc::channel();
        slot.set(Arc::new(move |events: &[Event]| {
            for event in events {
                let _ = sender.send(event.code);
            }
        }));
        let status = StoreStatus::new(&Events::new(slot, EventOrderIds::Hashed));
        let (busy, damaged) = (ErrorCode::OutboxFailed, ErrorCode::OutboxCorrupt);
        for _ in 0..3 {
            status.failed(&Error::new(busy, "busy"));
        }
        assert!(status.is_failing() && status.damage().is_none());
        status.failed(&Error::new(damaged, "damaged"));
        assert_eq!(status.damage().unwrap().code(), damaged);
        status.works();
        assert!(!status.is_failing());
        for _ in 0..3 {
            status.checked(Err(Error::new(ErrorCode::OutboxMoved, "moved")));
        }
        let codes = [busy, damaged, ErrorCode::OutboxMoved].map(|code| Some(code.as_str()));
        let limit = Duration::from_secs(20);
        let reported: Vec<_> = (0..3)
            .map(|_| received.recv_timeout(limit).unwrap())
            .collect();
        assert_eq!(reported, codes);
        assert!(received.try_recv().is_err());
    }
}
