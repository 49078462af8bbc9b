//! The threads that send leased updates: started when needed, ended when idle.

use super::leases::ClaimNumber;
use crate::queue::store::Claim;
use crate::thread;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread that is idle for this long ends.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// Leased updates that have to be sent, and the threads that send them.
pub(super) struct Workers {
    max_threads: usize,
    state: Mutex<State>,
    work: Condvar,
}

/// An update to send, with the number of its claim.
pub(super) struct LeasedUpdate {
    pub claim: Claim,
    pub number: ClaimNumber,
}

#[derive(Default)]
struct State {
    ready: VecDeque<LeasedUpdate>,
    threads: usize,
    idle: usize,
    is_stopped: bool,
}

impl Workers {
    pub(super) fn new(max_threads: usize) -> Self {
        Self {
            max_threads,
            state: Mutex::default(),
            work: Condvar::new(),
        }
    }

    /// Hands updates to the threads; starts as many threads as needed. `run` returns the body of a
    /// thread, which has to call [`next`](Self::next) until that returns `None`.
    pub(super) fn add<R>(&self, updates: Vec<LeasedUpdate>, run: impl Fn() -> R)
    where
        R: FnOnce() + Send + 'static,
    {
        let mut state = self.lock();
        state.ready.extend(updates);
        let wanted = state.ready.len();
        let (idle, capacity) = (state.idle, self.max_threads - state.threads);
        let started = wanted.saturating_sub(idle).min(capacity);
        state.threads += started;
        drop(state);
        for _ in 0..wanted.min(idle) {
            self.work.notify_one();
        }
        for _ in 0..started {
            if thread::spawn("katalys-send", run()).is_err() {
                self.lock().threads -= 1;
            }
        }
    }

    /// The next update to send; `None` ends the thread.
    pub(super) fn next(&self) -> Option<LeasedUpdate> {
        let mut state = self.lock();
        let deadline = Instant::now() + LONGEST_IDLE;
        loop {
            if let Some(update) = state.ready.pop_front() {
                return Some(update);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.is_stopped || left.is_zero() {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
    }

    /// Takes back the updates that no thread has begun to send.
    pub(super) fn take_ready(&self) -> VecDeque<LeasedUpdate> {
        std::mem::take(&mut self.lock().ready)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.lock().ready.is_empty()
    }

    /// Makes the threads end once no update is ready.
    pub(super) fn stop(&self) {
        self.lock().is_stopped = true;
        self.work.notify_all();
    }

    pub(super) fn resume(&self) {
        self.lock().is_stopped = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the thread bodies for [`Workers::add`]: each runs `run` with a reference to `shared`.
pub(super) fn body<T: Send + Sync + 'static>(
    shared: &Arc<T>,
    run: impl Fn(&Arc<T>) + Copy + Send + 'static,
) -> impl Fn() -> Box<dyn FnOnce() + Send> {
    let shared = Arc::clone(shared);
    move || {
        let shared = Arc::clone(&shared);
        Box::new(move || run(&shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    fn claims(ids: std::ops::RangeInclusive<i64>) -> Vec<LeasedUpdate> {
        ids.map(|id| LeasedUpdate {
            claim: Claim {
                lane: id,
                id,
                payload: Vec::new(),
                failures: 0,
            },
            number: 1,
        })
        .collect()
    }

    struct Sending {
        workers: Workers,
        sent: Mutex<Sender<i64>>,
        go: Mutex<Receiver<()>>,
    }

    fn send_all(sending: &Arc<Sending>) {
        while let Some(update) = sending.workers.next() {
            sending.sent.lock().unwrap().send(update.claim.id).unwrap();
            let _ = sending.go.lock().unwrap().recv();
        }
    }

    #[test]
    fn at_most_max_threads_send_each_update_once() {
        let (sent, received) = channel();
        let (go, gate) = channel();
        let sending = Arc::new(Sending {
            workers: Workers::new(2),
            sent: Mutex::new(sent),
            go: Mutex::new(gate),
        });
        sending.workers.add(claims(1..=5), body(&sending, send_all));
        let limit = Duration::from_secs(20);
        let mut ids: Vec<i64> = (0..2)
            .map(|_| received.recv_timeout(limit).unwrap())
            .collect();
        assert!(sending.workers.has_ready(), "two threads have two updates");
        let left: Vec<i64> = sending
            .workers
            .take_ready()
            .iter()
            .map(|update| update.claim.id)
            .collect();
        assert_eq!(left, [3, 4, 5]);
        drop(go);
        sending.workers.add(claims(6..=9), body(&sending, send_all));
        ids.extend((0..4).map(|_| received.recv_timeout(limit).unwrap()));
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 6, 7, 8, 9]);
        sending.workers.stop();
        let deadline = Instant::now() + limit;
        while sending.workers.lock().threads > 0 {
            assert!(Instant::now() < deadline, "the threads end");
            std::thread::yield_now();
        }
    }
}
