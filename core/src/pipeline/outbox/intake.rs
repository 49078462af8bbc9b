//! The queue of updates whose callers do not wait for their acceptance. One thread accepts what has
//! arrived, in order, and completes each call.

use super::waiters::{Outcome, Waiter};
use crate::error::Error;
use crate::order::Checked;
use crate::pipeline::call::CallProgress;
use crate::pipeline::workers::OnReceipt;
use crate::queue::store::UpdateId;
use crate::results::Ticket;
use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread that is idle for this long ends.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// An update of a caller that does not wait.
pub(crate) struct PendingEnqueue {
    pub update: Checked,
    pub completion: Completion,
}

/// When the call is complete, and who is told.
pub(crate) enum Completion {
    /// Once the outbox has accepted the update.
    Accepted(Box<dyn FnOnce(Result<Ticket, Error>) + Send>),
    /// Once the endpoint has received it.
    Delivered {
        call: CallProgress,
        cancelled: Arc<AtomicBool>,
        complete: OnReceipt,
    },
}

/// Updates that are not accepted yet, and outcomes of updates that calls wait for.
#[derive(Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// For the thread.
    news: Condvar,
    /// For callers that wait until everything is accepted.
    accepted: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<PendingEnqueue>,
    /// Updates in the queue and in the thread's hands.
    unaccepted: usize,
    settled: Vec<(UpdateId, Outcome)>,
    has_thread: bool,
}

/// What the thread has to do next.
pub(super) struct News {
    pub queue: VecDeque<PendingEnqueue>,
    pub settled: Vec<(UpdateId, Outcome)>,
}

impl Intake {
    /// Adds an update; `start` starts the thread if there is none.
    pub(super) fn add(
        &self,
        enqueue: PendingEnqueue,
        start: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        if !state.has_thread {
            let refused = |error| Error::internal(format!("no thread can be started: {error}"));
            start().map_err(refused)?;
            state.has_thread = true;
        }
        state.queue.push_back(enqueue);
        state.unaccepted += 1;
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// What has arrived, within `limit`; `None` ends a thread for which no call waits.
    pub(super) fn next(&self, limit: Option<Duration>) -> Option<News> {
        let mut state = self.lock();
        let deadline = Instant::now() + limit.unwrap_or(LONGEST_IDLE);
        while state.queue.is_empty() && state.settled.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && limit.is_none() {
                state.has_thread = false;
                return None;
            }
            if left.is_zero() {
                break;
            }
            let waited = self.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(News {
            queue: std::mem::take(&mut state.queue),
            settled: std::mem::take(&mut state.settled),
        })
    }

    /// Takes everything in the queue for good, or ends the thread if there is nothing.
    pub(super) fn take_last(&self) -> Option<VecDeque<PendingEnqueue>> {
        let mut state = self.lock();
        if state.queue.is_empty() {
            state.has_thread = false;
            return None;
        }
        Some(std::mem::take(&mut state.queue))
    }

    /// This many updates were accepted or refused.
    pub(super) fn accepted(&self, count: usize) {
        self.lock().unaccepted -= count;
        self.accepted.notify_all();
    }

    /// Waits until every update is accepted that was added before.
    pub(super) fn wait_until_accepted(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.unaccepted > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.accepted.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter for Intake {
    fn settled(&self, id: UpdateId, outcome: Outcome) {
        self.lock().settled.push((id, outcome));
        self.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Call, Context, Fields, Invalid, check};

    fn enqueue() -> PendingEnqueue {
        let context = Context {
            call: Call::Update,
            site_id: "abcd.com",
            zone: None,
            invalid: Invalid::Raise,
        };
        PendingEnqueue {
            update: check(&context, &"1001".into(), &Fields::new()).unwrap(),
            completion: Completion::Accepted(Box::new(drop)),
        }
    }

    #[test]
    fn a_thread_is_started_once_and_again_after_its_end() {
        let intake = Intake::default();
        let mut starts = 0;
        for _ in 0..3 {
            let start = || {
                starts += 1;
                Ok(())
            };
            intake.add(enqueue(), start).unwrap();
        }
        assert_eq!(starts, 1);
        assert_eq!(intake.take_last().map(|queue| queue.len()), Some(3));
        assert!(intake.take_last().is_none(), "the thread ends");
        let refused = || Err(std::io::Error::from(std::io::ErrorKind::WouldBlock));
        assert!(intake.add(enqueue(), refused).is_err());
        intake.accepted(3);
        intake.wait_until_accepted(Instant::now() + Duration::from_secs(60));
    }

    #[test]
    fn an_outcome_wakes_the_thread() {
        let intake = Intake::default();
        intake.settled(7, Ok(1));
        let news = intake.next(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(news.settled.len(), 1);
        let nothing = intake.next(Some(Duration::ZERO)).unwrap();
        assert!(nothing.queue.is_empty() && nothing.settled.is_empty());
    }
}
