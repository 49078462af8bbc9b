//! Tells whoever wants to know what becomes of each update, on a thread of its own, so that a slow
//! listener holds up neither a caller nor the delivery.

use crate::config::EventOrderIds;
use crate::queue::store::{LaneId, Verdict, text_of};
use crate::results::{Event, EventKind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Takes events, in the order in which they happened in this process.
pub(crate) type Observer = Arc<dyn Fn(&[Event]) + Send + Sync>;

/// Where the client's observer will be, once it has one.
pub(crate) type ObserverPlace = Arc<Place>;

/// A client's observer, and a bit per kind of event that it does not want to hear of.
#[derive(Default)]
pub(crate) struct Place {
    observer: OnceLock<Observer>,
    unwanted: AtomicU8,
}

impl Place {
    /// False if there is an observer already.
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

/// A listener so slow that more than this wait loses the oldest: they inform, the books count.
const MOST_WAITING: usize = 10_000;
const LONGEST_IDLE: Duration = Duration::from_secs(10);

pub(crate) struct Events {
    observer: ObserverPlace,
    order_ids: EventOrderIds,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Event>,
    has_thread: bool,
    /// The observer is at work.
    is_telling: bool,
    lost: u64,
}

impl Events {
    pub(crate) fn new(observer: ObserverPlace, order_ids: EventOrderIds) -> Arc<Self> {
        let (state, news) = (Mutex::default(), Condvar::new());
        Arc::new(Self {
            observer,
            order_ids,
            state,
            news,
        })
    }

    /// How an event of this kind names the order of this payload; empty if nobody listens.
    pub(crate) fn label(&self, kind: EventKind, lane: LaneId, payload: &[u8]) -> String {
        if !self.observer.wants(kind) {
            return String::new();
        }
        if self.order_ids == EventOrderIds::Hashed {
            return format!("{:016x}", lane.cast_unsigned());
        }
        text_of(payload, "order_id")
    }

    pub(crate) fn tell(events: &Arc<Self>, event: Event) {
        if !events.observer.wants(event.kind) {
            return;
        }
        let mut state = events.lock();
        if state.waiting.len() == MOST_WAITING {
            state.waiting.pop_front();
            state.lost += 1;
        }
        state.waiting.push_back(event);
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

    /// Waits until everything was told.
    pub(crate) fn settle(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.has_thread && (state.is_telling || !state.waiting.is_empty()) {
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
                log::warn!(target: "katalys", "{lost} events were lost: their listener is too slow");
            }
            if let Some(observer) = self.observer.observer.get() {
                // A listener that panics misses its own events, and nothing else happens.
                let _ = catch_unwind(AssertUnwindSafe(|| observer(&batch)));
            }
            self.lock().is_telling = false;
            self.news.notify_all();
        }
    }

    fn next_batch(&self) -> Option<(Vec<Event>, u64)> {
        let mut state = self.lock();
        let deadline = Instant::now() + LONGEST_IDLE;
        loop {
            if !state.waiting.is_empty() {
                state.is_telling = true;
                let lost = std::mem::take(&mut state.lost);
                return Some((state.waiting.drain(..).collect(), lost));
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

/// What an attempt that ended this way is told as.
pub(crate) const fn kind_of(verdict: &Verdict) -> EventKind {
    match verdict {
        Verdict::Delivered => EventKind::Delivered,
        Verdict::Retry(_) | Verdict::Released => EventKind::Retried,
        Verdict::Rejected { .. } => EventKind::DeadLettered,
    }
}
