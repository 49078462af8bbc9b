//! The completion queue: sending threads push the result of each row, the dispatcher drains them in
//! batches. The dispatcher sets how many results are worth a wake-up, since one wake-up per row
//! would cost more than the row.

use katalys_core::Error;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A row's number and its result.
pub type Completion = (u64, Result<(), Error>);

#[derive(Default)]
pub struct CompletionQueue {
    state: Mutex<State>,
    is_ready: Condvar,
}

#[derive(Default)]
struct State {
    completions: Vec<Completion>,
    /// The number of completions at which the dispatcher is woken.
    threshold: usize,
}

impl CompletionQueue {
    pub fn push(&self, completion: Completion) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.completions.push(completion);
        if state.completions.len() >= state.threshold {
            drop(state);
            self.is_ready.notify_one();
        }
    }

    /// Waits for `threshold` completions, up to `timeout`, and returns all there are.
    pub fn drain(&self, threshold: usize, timeout: Duration) -> Vec<Completion> {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.threshold = threshold;
        while state.completions.len() < threshold {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.is_ready.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.completions)
    }
}
