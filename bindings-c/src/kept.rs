//! A bounded queue per process, for what PHP is told at its next call: no other thread may call PHP.

use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The newest `MOST` items of this process. A forked child begins with an empty queue of its own,
/// since another thread of the parent may have held the lock.
pub(crate) struct Kept<T, const MOST: usize> {
    process: ArcSwap<Queue<T>>,
}

struct Queue<T> {
    process: u32,
    state: Mutex<Taken<T>>,
}

/// The items since the last time, oldest first.
pub(crate) struct Taken<T> {
    pub items: VecDeque<T>,
    /// How many older ones were dropped.
    pub lost: u64,
}

impl<T> Default for Taken<T> {
    fn default() -> Self {
        let items = VecDeque::new();
        Self { items, lost: 0 }
    }
}

impl<T> Queue<T> {
    fn of(process: u32) -> Self {
        let state = Mutex::default();
        Self { process, state }
    }

    fn lock(&self) -> MutexGuard<'_, Taken<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, const MOST: usize> Default for Kept<T, MOST> {
    fn default() -> Self {
        Self {
            process: ArcSwap::from_pointee(Queue::of(std::process::id())),
        }
    }
}

impl<T, const MOST: usize> Kept<T, MOST> {
    pub fn add(&self, items: impl Iterator<Item = T>) {
        let queue = self.queue();
        let mut state = queue.lock();
        for item in items {
            if state.items.len() == MOST {
                state.items.pop_front();
                state.lost += 1;
            }
            state.items.push_back(item);
        }
    }

    /// Adds an item unless it repeats the newest one.
    pub fn add_new(&self, item: T)
    where
        T: PartialEq,
    {
        let repeats = self.queue().lock().items.back() == Some(&item);
        if !repeats {
            self.add(std::iter::once(item));
        }
    }

    pub fn take(&self) -> Taken<T> {
        std::mem::take(&mut *self.queue().lock())
    }

    fn queue(&self) -> Arc<Queue<T>> {
        let current = self.process.load_full();
        let process = std::process::id();
        if current.process == process {
            return current;
        }
        let own = Arc::new(Queue::of(process));
        let earlier = self.process.compare_and_swap(&current, Arc::clone(&own));
        if Arc::ptr_eq(&earlier, &current) {
            return own;
        }
        Arc::clone(&earlier) // Another thread of this process was first.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_the_others_counted() {
        let kept = Kept::<u32, 3>::default();
        kept.add(0..5);
        kept.add_new(4);
        kept.add_new(5);
        let taken = kept.take();
        assert_eq!((Vec::from(taken.items), taken.lost), (vec![3, 4, 5], 3));
        let taken = kept.take();
        assert!(taken.items.is_empty() && taken.lost == 0);
    }
}
