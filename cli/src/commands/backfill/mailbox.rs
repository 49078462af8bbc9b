//! Where the threads that send leave what came of each row. Whoever collects it says how much is
//! worth waking up for: a wake-up per row would cost more than the row.

use katalys_core::Error;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A row's number, and what came of it.
pub type Completion = (u64, Result<(), Error>);

#[derive(Default)]
pub struct Mailbox {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    completions: Vec<Completion>,
    wanted: usize,
}

impl Mailbox {
    pub fn put(&self, completion: Completion) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.completions.push(completion);
        if state.completions.len() >= state.wanted {
            drop(state);
            self.news.notify_one();
        }
    }

    /// Everything there is, once there are `wanted` or the time is up.
    pub fn collect(&self, wanted: usize, wait: Duration) -> Vec<Completion> {
        let deadline = Instant::now() + wait;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.wanted = wanted;
        while state.completions.len() < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.news.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.completions)
    }
}
