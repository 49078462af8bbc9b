//! Calls the client's observer with events. The observer runs on a thread of its own, so that a
//! slow one delays neither callers nor deliveries.

use crate::config::EventOrderIds;
use crate::queue::store::{LaneId, Verdict, text_of};
use crate::results::{Event, EventKind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Receives events, in the order in which they happened in this process.
pub(crate) type Observer = Arc<dyn Fn(&[Event]) + Send + Sync>;

/// A client's observer, if one is set, and a bit for each kind of event that it does not want.
#[derive(Default)]
pub(crate) struct ObserverSlot {
    observer: OnceLock<Observer>,
    unwanted: AtomicU8,
}

impl ObserverSlot {
    /// Sets the observer; false if there is one already.
    pub(crate) fn set(&self, observer: Observer) -> bool {
        self.observer.set(observer).is_ok()
    }

    pub(crate) fn listen_for(&self, kinds: &[EventKind]) {
        let wanted = kinds.iter().fold(0, |bits, kind| bits | kind.bit());
        self.unwanted.store(!wanted, Ordering::Relaxed);
    }

    fn wants(&self, kind: EventKind) -> bool {
        self.observer.get().is_some() && self.unwanted.load(Ordering::Relaxed) & kind.bit() == 0
    }
}

/// Maximum number of queued events; beyond it, the oldest ones are dropped. Events may be lost,
/// counters are exact.
const MAX_QUEUED: usize = 10_000;
const LONGEST_IDLE: Duration = Duration::from_secs(10);

pub(crate) struct Events {
    observer: Arc<ObserverSlot>,
    order_ids: EventOrderIds,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    has_thread: bool,
    /// The observer is running.
    is_running: bool,
    lost: u64,
}

impl Events {
    pub(crate) fn new(observer: Arc<ObserverSlot>, order_ids: EventOrderIds) -> Arc<Self> {
        let (state, news) = (Mutex::default(), Condvar::new());
        Arc::new(Self {
            observer,
            order_ids,
            state,
            news,
        })
    }

    /// How an event of this kind names its order; empty without an observer for it.
    pub(crate) fn label(
        &self,
        kind: EventKind,
        lane: LaneId,
        order_id: impl FnOnce() -> String,
    ) -> String {
        if !self.observer.wants(kind) {
            return String::new();
        }
        if self.order_ids == EventOrderIds::Plain {
            return order_id();
        }
        format!("{:016x}", lane.cast_unsigned())
    }

    /// As `label`, for an update from the store.
    pub(crate) fn label_stored(&self, kind: EventKind, lane: LaneId, payload: &[u8]) -> String {
        self.label(kind, lane, || text_of(payload, "order_id"))
    }

    pub(crate) fn send(events: &Arc<Self>, event: Event) {
        if !events.observer.wants(event.kind) {
            return;
        }
        let mut state = events.lock();
        if state.queue.len() == MAX_QUEUED {
            state.queue.pop_front();
            state.lost += 1;
        }
        state.queue.push_back(event);
        if state.has_thread {
            drop(state);
            return events.news.notify_all();
        }
        state.has_thread = true;
        drop(state);
        let own = Arc::clone(events);
        let started = crate::thread::spawn("katalys-events", move || own.run());
        if started.is_err() {
            events.lock().has_thread = false; // The next event tries again.
        }
    }

    /// Waits until the observer has received every event.
    pub(crate) fn drain(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.has_thread && (state.is_running || !state.queue.is_empty()) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn run(&self) {
        while let Some((batch, lost)) = self.next_batch() {
            if lost > 0 {
                log::warn!(target: "katalys", "{lost} events were dropped, since the observer is too slow");
            }
            if let Some(observer) = self.observer.observer.get() {
                // If the observer panics, it misses these events only.
                let _ = catch_unwind(AssertUnwindSafe(|| observer(&batch)));
            }
            self.lock().is_running = false;
            self.news.notify_all();
        }
    }

    fn next_batch(&self) -> Option<(Vec<Event>, u64)> {
        let mut state = self.lock();
        let deadline = Instant::now() + LONGEST_IDLE;
        loop {
            if !state.queue.is_empty() {
                state.is_running = true;
                let lost = std::mem::take(&mut state.lost);
                return Some((state.queue.drain(..).collect(), lost));
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                state.has_thread = false;
                return None;
            };
            let waited = self.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event of an attempt with this verdict.
pub(crate) const fn kind_of(verdict: &Verdict) -> EventKind {
    match verdict {
        Verdict::Delivered => EventKind::Delivered,
        Verdict::Retry(_) | Verdict::Released => EventKind::Retried,
        Verdict::Rejected { .. } => EventKind::DeadLettered,
    }
}
