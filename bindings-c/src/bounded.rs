//! A bounded queue per process for events and log records. PHP collects them with its next call,
//! since no other thread may call PHP.

use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The newest `CAPACITY` items of this process. A forked child begins with an empty queue of its
/// own, since another thread of the parent may have held the lock.
pub(crate) struct BoundedQueue<T, const CAPACITY: usize> {
    queue: ArcSwap<Queue<T>>,
}

struct Queue<T> {
    process: u32,
    items: Mutex<Drained<T>>,
}

/// The items since the last time, oldest first.
pub(crate) struct Drained<T> {
    pub items: VecDeque<T>,
    /// Number of older items that were dropped.
    pub lost: u64,
}

impl<T> Default for Drained<T> {
    fn default() -> Self {
        let items = VecDeque::new();
        Self { items, lost: 0 }
    }
}

impl<T> Queue<T> {
    fn of(process: u32) -> Self {
        let items = Mutex::default();
        Self { process, items }
    }

    fn lock(&self) -> MutexGuard<'_, Drained<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, const CAPACITY: usize> Default for BoundedQueue<T, CAPACITY> {
    fn default() -> Self {
        Self {
            queue: ArcSwap::from_pointee(Queue::of(std::process::id())),
        }
    }
}

impl<T, const CAPACITY: usize> BoundedQueue<T, CAPACITY> {
    pub fn push_all(&self, items: impl Iterator<Item = T>) {
        let queue = self.of_this_process();
        let mut queued = queue.lock();
        for item in items {
            if queued.items.len() == CAPACITY {
                queued.items.pop_front();
                queued.lost += 1;
            }
            queued.items.push_back(item);
        }
    }

    /// Adds an item unless it repeats the newest one.
    pub fn push_new(&self, item: T)
    where
        T: PartialEq,
    {
        let repeats = self.of_this_process().lock().items.back() == Some(&item);
        if !repeats {
            self.push_all(std::iter::once(item));
        }
    }

    pub fn drain(&self) -> Drained<T> {
        std::mem::take(&mut *self.of_this_process().lock())
    }

    fn of_this_process(&self) -> Arc<Queue<T>> {
        let current = self.queue.load_full();
        let process = std::process::id();
        if current.process == process {
            return current;
        }
        let own = Arc::new(Queue::of(process));
        let earlier = self.queue.compare_and_swap(&current, Arc::clone(&own));
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
    fn the_newest_items_are_kept_and_the_others_counted() {
        let queue = BoundedQueue::<u32, 3>::default();
        queue.push_all(0..5);
        queue.push_new(4);
        queue.push_new(5);
        let drained = queue.drain();
        assert_eq!((Vec::from(drained.items), drained.lost), (vec![3, 4, 5], 3));
        let drained = queue.drain();
        assert!(drained.items.is_empty() && drained.lost == 0);
    }
}
