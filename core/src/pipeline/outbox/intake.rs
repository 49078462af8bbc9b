//! The queue of updates that callers enqueue without waiting. One thread, the intake thread,
//! accepts them in order and completes each call.

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

/// A queued update and the completion of its call.
pub(crate) struct PendingEnqueue {
    pub update: Checked,
    pub completion: Completion,
}

/// When a call is complete, and the function that receives its result.
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

/// The input of the intake thread: updates to accept, and outcomes of updates that calls wait for.
#[derive(Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// Wakes the intake thread.
    news: Condvar,
    /// Wakes callers that wait until the queue is accepted.
    accepted: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<PendingEnqueue>,
    /// Updates in the queue, and those that the thread has taken but not accepted.
    unaccepted: usize,
    settled: Vec<(UpdateId, Outcome)>,
    has_thread: bool,
}

/// What has arrived since the intake thread last looked.
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
            let failed = |error| Error::internal(format!("no thread can be started: {error}"));
            start().map_err(failed)?;
            state.has_thread = true;
        }
        state.queue.push_back(enqueue);
        state.unaccepted += 1;
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// Waits for input, up to `limit`, and takes it. Without a limit no call waits for an outcome:
    /// then
    /// `None` ends a thread that has been idle for [`LONGEST_IDLE`].
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

    /// Takes the queue; `None` ends the thread if the queue is empty.
    pub(super) fn take_last(&self) -> Option<VecDeque<PendingEnqueue>> {
        let mut state = self.lock();
        if state.queue.is_empty() {
            state.has_thread = false;
            return None;
        }
        Some(std::mem::take(&mut state.queue))
    }

    /// Records that `count` updates were accepted or refused.
    pub(super) fn accepted(&self, count: usize) {
        self.lock().unaccepted -= count;
        self.accepted.notify_all();
    }

    /// Waits until no update is left to accept, including updates added during the wait.
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
