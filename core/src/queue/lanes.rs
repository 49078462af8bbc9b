//! One lane per order, in memory: updates of an order are sent one at a time, first in, first out; lanes
//! are independent of each other.
//!
//! Threads and jobs share a lane: a thread waits for its turn, and a worker runs a job when its
//! turn has come. While the lock of a shard is held, no other lock is taken and no thread is woken.

use crate::interrupt;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

/// The lanes of one client, with `J` as the type of waiting jobs.
pub(crate) struct Lanes<J> {
    shards: [Mutex<Shard<J>>; SHARDS],
}

/// Number of locks: enough that the threads of a busy server rarely contend.
const SHARDS: usize = 16;

/// A lane is in the map while it is occupied; the queue holds the waiting turns.
type Shard<J> = HashMap<u64, VecDeque<Turn<J>>>;

enum Turn<J> {
    Thread(Arc<Waiter>),
    Job(J),
}

struct Waiter {
    thread: Thread,
    called: AtomicBool,
}

/// The turn of a thread; dropping it leaves the lane.
pub(crate) struct Pass<'l, J> {
    lanes: &'l Lanes<J>,
    lane: u64,
    next: &'l dyn Fn(J),
}

impl<J> Drop for Pass<'_, J> {
    fn drop(&mut self) {
        if let Some(job) = self.lanes.leave(self.lane) {
            (self.next)(job);
        }
    }
}

impl<J> Lanes<J> {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::new())),
        }
    }

    /// Waits until all earlier turns have left the lane; `None` if the deadline passes first, or the caller
    /// gives up. `next` takes over a job that is next when the lane is left.
    pub(crate) fn enter<'l>(
        &'l self,
        lane: u64,
        deadline: Instant,
        next: &'l dyn Fn(J),
    ) -> Option<Pass<'l, J>> {
        let pass = Pass {
            lanes: self,
            lane,
            next,
        };
        let waiter = {
            let mut shard = self.shard(lane);
            let Some(queue) = shard.get_mut(&lane) else {
                shard.insert(lane, VecDeque::new());
                return Some(pass);
            };
            let waiter = Arc::new(Waiter {
                thread: thread::current(),
                called: AtomicBool::new(false),
            });
            queue.push_back(Turn::Thread(Arc::clone(&waiter)));
            waiter
        };
        if waiter.wait(deadline) || !self.withdraw(lane, &waiter) {
            return Some(pass);
        }
        std::mem::forget(pass); // It never entered the lane, so it must not leave it.
        None
    }

    /// Adds a job to its lane; returns the job if it can run at once.
    pub(crate) fn enter_job(&self, lane: u64, job: J) -> Option<J> {
        let mut shard = self.shard(lane);
        if let Some(queue) = shard.get_mut(&lane) {
            queue.push_back(Turn::Job(job));
            return None;
        }
        shard.insert(lane, VecDeque::new());
        Some(job)
    }

    /// Leaves a lane: wakes the next thread, or returns the next job, which now occupies the lane and has to
    /// run.
    pub(crate) fn leave(&self, lane: u64) -> Option<J> {
        let turn = {
            let mut shard = self.shard(lane);
            let turn = shard.get_mut(&lane).and_then(VecDeque::pop_front);
            if turn.is_none() {
                shard.remove(&lane);
            }
            turn
        };
        match turn? {
            Turn::Job(job) => Some(job),
            Turn::Thread(waiter) => {
                waiter.called.store(true, Ordering::Release);
                waiter.thread.unpark();
                None
            }
        }
    }

    /// Removes a waiter from the queue; false if it was called in the meantime.
    fn withdraw(&self, lane: u64, waiter: &Arc<Waiter>) -> bool {
        let mut shard = self.shard(lane);
        let Some(queue) = shard.get_mut(&lane) else {
            return false;
        };
        let is_mine = |turn: &Turn<J>| matches!(turn, Turn::Thread(w) if Arc::ptr_eq(w, waiter));
        match queue.iter().position(is_mine) {
            Some(at) => queue.remove(at).is_some(),
            None => false,
        }
    }

    fn shard(&self, lane: u64) -> MutexGuard<'_, Shard<J>> {
        #[allow(clippy::cast_possible_truncation, reason = "any bits are suitable")]
        let shard = (lane >> 32) as usize % SHARDS;
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn wait(&self, deadline: Instant) -> bool {
        while !self.called.load(Ordering::Acquire) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            thread::park_timeout(interrupt::slice_of(left));
            if interrupt::is_over() {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn threads_and_jobs_leave_in_the_order_of_entering() {
        let lanes: Lanes<&str> = Lanes::new();
        let ran = Mutex::new(Vec::new());
        let run_job = |job: &'static str| {
            ran.lock().unwrap().push(job);
            assert!(
                lanes.leave(7).is_none(),
                "the thread behind the job is woken"
            );
        };
        let first = lanes.enter(7, soon(), &run_job).expect("free lane");
        assert!(lanes.enter_job(7, "job").is_none());
        thread::scope(|scope| {
            let behind = scope.spawn(|| {
                let _pass = lanes.enter(7, soon(), &run_job).expect("called in time");
                ran.lock().unwrap().clone()
            });
            while lanes.shard(7).get(&7).map_or(0, VecDeque::len) < 2 {
                thread::yield_now();
            }
            drop(first);
            assert_eq!(behind.join().unwrap(), ["job"]);
        });
        assert!(lanes.shard(7).is_empty(), "an empty lane is removed");
    }

    #[test]
    fn a_waiter_that_gives_up_does_not_block_the_lane() {
        let lanes: Lanes<u8> = Lanes::new();
        let first = lanes.enter(1, soon(), &|_| {});
        assert!(lanes.enter(1, Instant::now(), &|_| {}).is_none());
        assert!(
            lanes.enter(2, Instant::now(), &|_| {}).is_some(),
            "another lane is free"
        );
        drop(first);
        assert!(lanes.enter(1, Instant::now(), &|_| {}).is_some());
    }

    #[test]
    fn only_one_thread_at_a_time_is_in_a_lane() {
        let lanes: Lanes<u8> = Lanes::new();
        let inside = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let pass = lanes.enter(3, soon(), &|_| {}).expect("in time");
                        assert!(!inside.swap(true, Ordering::AcqRel));
                        inside.store(false, Ordering::Release);
                        drop(pass);
                    }
                });
            }
        });
    }
}
