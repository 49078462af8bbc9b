//! The state that the dispatcher shares with callers and workers: attempts to settle, and whether
//! the dispatcher runs.

use super::leases::ClaimNumber;
use super::options::POLL;
use crate::error::Error;
use crate::queue::store::{Settlement, UpdateId};
use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An attempt that has to be settled.
pub(super) struct Attempted {
    pub settlement: Settlement,
    pub error: Option<Error>,
    pub attempts: u32,
    /// The number of the claim.
    pub claim: ClaimNumber,
    /// Whether its lease was released already, for a commit that failed.
    pub is_released: bool,
    /// The name of the order in events.
    pub order: String,
}

/// The state that the dispatcher shares with callers and workers.
#[derive(Default)]
pub(super) struct DispatchState {
    state: Mutex<State>,
    /// Wakes the dispatcher.
    news: Condvar,
    /// Wakes callers that wait for a settlement, or for the end of the dispatcher.
    settled: Condvar,
}

#[derive(Default)]
struct State {
    is_running: bool,
    /// Something has happened since the dispatcher last took the attempts.
    has_news: bool,
    is_stopped: bool,
    attempted: Vec<Attempted>,
    /// Updates whose settlement is being written.
    settling: HashSet<UpdateId>,
    /// Number of transactions that the dispatcher has committed.
    settlements: u64,
}

impl DispatchState {
    /// Adds an attempt to be settled.
    pub(super) fn add(&self, attempted: Attempted) {
        self.lock().attempted.push(attempted);
        self.news.notify_one();
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        state.has_news = true; // Otherwise a dispatcher that is about to pause would miss it.
        drop(state);
        self.news.notify_one();
    }

    pub(super) fn resume(&self) {
        self.lock().is_stopped = false;
        self.settled.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// Whether the settlement of an update is being written; its waiters then receive the outcome
    /// soon.
    pub(super) fn is_settling(&self, id: UpdateId) -> bool {
        self.lock().settling.contains(&id)
    }

    /// Waits until a stopped dispatcher has ended, or is resumed.
    pub(super) fn wait_until_ended(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.is_stopped && state.is_running {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            state = wait(&self.settled, state, left);
        }
    }

    /// The number of committed transactions so far, for `wait_for_settlement`.
    pub(super) fn settlements(&self) -> u64 {
        self.lock().settlements
    }

    /// Waits for a transaction after number `seen`. Waits up to one poll interval, since
    /// settlements by other processes do not wake this one.
    pub(super) fn wait_for_settlement(&self, seen: u64, deadline: Instant) {
        let state = self.lock();
        let left = deadline.saturating_duration_since(Instant::now()).min(POLL);
        if state.settlements == seen {
            drop(wait(&self.settled, state, left));
        }
    }

    /// Takes the attempts to settle.
    pub(super) fn take_attempted(&self) -> Vec<Attempted> {
        let mut state = self.lock();
        state.has_news = false;
        let attempted = std::mem::take(&mut state.attempted);
        let ids = attempted.iter().map(|attempted| attempted.settlement.id);
        state.settling.extend(ids);
        attempted
    }

    /// Records that the settlements were written and reported.
    pub(super) fn settled(&self) {
        let mut state = self.lock();
        state.settling.clear();
        state.settlements += 1;
        drop(state);
        self.settled.notify_all();
    }

    /// Puts back attempts whose transaction failed, before the attempts that were added since.
    pub(super) fn put_back(&self, mut attempted: Vec<Attempted>) {
        let mut state = self.lock();
        state.settling.clear();
        attempted.append(&mut state.attempted);
        state.attempted = attempted;
    }

    /// Waits until something happens, up to `limit`; does not wait if something has.
    pub(super) fn pause(&self, limit: Duration) {
        let state = self.lock();
        if !state.has_news && state.attempted.is_empty() {
            drop(wait(&self.news, state, limit));
        }
    }

    /// Waits after a failure of the store, whatever happens meanwhile, unless it is stopped.
    pub(super) fn wait_to_retry(&self, limit: Duration) {
        let mut state = self.lock();
        state.has_news = false;
        let deadline = Instant::now() + limit;
        while !state.is_stopped {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            state = wait(&self.news, state, left);
        }
    }

    /// Whether it is stopped and everything was settled.
    pub(super) fn may_end(&self) -> bool {
        let state = self.lock();
        state.is_stopped && state.attempted.is_empty()
    }

    /// Ends the dispatcher if it is stopped and `is_done` holds.
    pub(super) fn ends(&self, is_done: impl FnOnce() -> bool) -> bool {
        let mut state = self.lock();
        if !state.is_stopped || !state.attempted.is_empty() || !is_done() {
            return false;
        }
        state.is_running = false;
        drop(state);
        self.settled.notify_all();
        true
    }

    /// Ends the dispatcher if it is stopped, even though attempts are not settled: the store cannot
    /// be used. Their leases run out, and another process sends the updates again.
    pub(super) fn ends_unsettled(&self) -> bool {
        let mut state = self.lock();
        if state.is_stopped {
            state.is_running = false;
        }
        let ends = !state.is_running;
        drop(state);
        self.settled.notify_all();
        ends
    }

    /// Wakes the dispatcher if it runs. Otherwise marks it as running and returns true: the caller
    /// has to start it.
    pub(super) fn needs_start(&self) -> bool {
        let mut state = self.lock();
        state.has_news = true;
        let is_running = std::mem::replace(&mut state.is_running, true);
        drop(state);
        self.news.notify_one();
        !is_running
    }

    /// Records that the dispatcher could not be started.
    pub(super) fn not_started(&self) {
        self.lock().is_running = false;
    }

    /// Whether a dispatcher runs and is not stopped.
    pub(super) fn is_active(&self) -> bool {
        let state = self.lock();
        state.is_running && !state.is_stopped
    }

    /// Wakes the dispatcher if it runs.
    pub(super) fn notify(&self) {
        self.lock().has_news = true;
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'s>(
    condition: &Condvar,
    state: MutexGuard<'s, State>,
    limit: Duration,
) -> MutexGuard<'s, State> {
    let waited = condition.wait_timeout(state, limit);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::store::Verdict;

    fn attempted(id: UpdateId) -> Attempted {
        let settlement = Settlement {
            lane: id,
            id,
            owner: 1,
            verdict: Verdict::Delivered,
        };
        Attempted {
            settlement,
            error: None,
            attempts: 1,
            claim: 1,
            is_released: false,
            order: String::new(),
        }
    }

    fn ids(attempted: &[Attempted]) -> Vec<UpdateId> {
        attempted
            .iter()
            .map(|attempted| attempted.settlement.id)
            .collect()
    }

    #[test]
    fn an_update_is_settling_until_it_is_reported_or_put_back() {
        let state = DispatchState::default();
        state.add(attempted(1));
        assert!(!state.is_settling(1), "not yet");
        let taken = state.take_attempted();
        assert!(state.is_settling(1));
        state.add(attempted(2));
        state.put_back(taken);
        assert!(!state.is_settling(1), "nothing was written");
        assert_eq!(
            ids(&state.take_attempted()),
            [1, 2],
            "the earlier one first"
        );
        state.settled();
        assert!(!state.is_settling(1));
        assert_eq!(state.settlements(), 1);
    }

    #[test]
    fn a_stopped_dispatcher_ends_once_everything_is_settled() {
        let state = DispatchState::default();
        assert!(state.needs_start() && !state.needs_start(), "one thread");
        assert!(!state.ends(|| true), "not stopped");
        state.add(attempted(1));
        state.stop();
        assert!(
            !state.is_active() && !state.ends(|| true),
            "an attempt is to be settled"
        );
        state.take_attempted();
        assert!(!state.ends(|| false), "a request is in flight");
        assert!(state.ends(|| true));
        state.wait_until_ended(Instant::now() + Duration::from_secs(20));
        assert!(state.needs_start(), "it can be started again");
    }

    #[test]
    fn the_wait_after_a_failure_lasts_whatever_happens_unless_it_is_stopped() {
        let state = DispatchState::default();
        state.add(attempted(1));
        let (wait, started) = (Duration::from_millis(50), Instant::now());
        state.wait_to_retry(wait);
        assert!(started.elapsed() >= wait);
        state.stop();
        state.wait_to_retry(Duration::from_secs(60));
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
