//! Tells whoever wants to know what becomes of each update, on a thread of its own, so that a slow
//! listener holds up neither a caller nor the delivery.

use super::store::{LaneId, UpdateId, Verdict, field_of};
use crate::error::Error;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What happened to an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// `accepted`: it is in the outbox.
    Accepted,
    /// `delivered`: the endpoint has it.
    Delivered,
    /// `retried`: an attempt failed; another one follows.
    Retried,
    /// `dead_lettered`: it will not be sent unless somebody looks into it.
    DeadLettered,
    /// `discarded`: a dead letter was removed for good.
    Discarded,
    /// `failed`: the outbox itself cannot be read or written, so nothing is delivered; `code` says
    /// why. Names no update.
    Failed,
}

impl EventKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Accepted,
        Self::Delivered,
        Self::Retried,
        Self::DeadLettered,
        Self::Discarded,
        Self::Failed,
    ];

    /// Its name in every language, such as `dead_lettered`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::DeadLettered => "dead_lettered",
            Self::Discarded => "discarded",
            Self::Failed => "failed",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// How grave it is for a log: `debug`, `info`, `warning` or `error`.
    pub const fn level(self) -> &'static str {
        match self {
            Self::Accepted | Self::Delivered => "debug",
            Self::Retried => "info",
            Self::Discarded => "warning",
            Self::DeadLettered | Self::Failed => "error",
        }
    }
}

/// Something happened to an update of the outbox. Holds no customer data.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The update's number, as on its ticket.
    pub id: i64,
    /// Sixteen hexadecimal digits that are the same for all updates of one order; with the
    /// setting `event_order_ids` as `plain`, the `order_id` itself.
    pub order: String,
    /// How many requests were made so far; 0 where none was.
    pub attempts: u32,
    /// The HTTP status that led to it, if one did.
    pub status: Option<u16>,
    /// Why: the code of the error that is retried, or `rejected`, `interrupted` or `expired` of a
    /// dead letter.
    pub code: Option<&'static str>,
}

/// A line for a log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, attempts) = (self.id, self.attempts);
        match self.kind {
            EventKind::Accepted => write!(f, "update {id} was accepted")?,
            EventKind::Delivered => write!(f, "update {id} was delivered, attempt {attempts}")?,
            EventKind::Retried => write!(f, "update {id} failed, attempt {attempts}")?,
            EventKind::DeadLettered => write!(f, "update {id} is now a dead letter")?,
            EventKind::Discarded => write!(f, "dead letter {id} was discarded")?,
            EventKind::Failed => write!(f, "the outbox cannot be used")?,
        }
        if let Some(code) = self.code {
            write!(f, ": {code}")?;
        }
        match self.status {
            Some(status) => write!(f, " ({status})"),
            None => Ok(()),
        }
    }
}

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

/// The target of log records that say what an event says as well, so that whoever logs events
/// can leave them out.
pub(in crate::queue::outbox) const LOG: &str = "katalys::outbox";

/// A listener so slow that more than this wait loses the oldest: they inform, the books count.
const MOST_WAITING: usize = 10_000;
const LONGEST_IDLE: Duration = Duration::from_secs(10);

pub(super) struct Events {
    observer: ObserverPlace,
    is_plain: bool,
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
    pub(super) fn new(observer: ObserverPlace, is_plain: bool) -> Arc<Self> {
        let (state, news) = (Mutex::default(), Condvar::new());
        Arc::new(Self {
            observer,
            is_plain,
            state,
            news,
        })
    }

    /// How an event of this kind names the order of this payload; empty if nobody listens.
    pub(super) fn label(&self, kind: EventKind, lane: LaneId, payload: &[u8]) -> String {
        if !self.observer.wants(kind) {
            return String::new();
        }
        if !self.is_plain {
            return format!("{:016x}", lane.cast_unsigned());
        }
        field_of(payload, "order_id")
    }

    pub(super) fn tell(events: &Arc<Self>, event: Event) {
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
    pub(super) fn settle(&self, deadline: Instant) {
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
pub(super) const fn kind_of(verdict: &Verdict) -> EventKind {
    match verdict {
        Verdict::Delivered => EventKind::Delivered,
        Verdict::Retry(_) | Verdict::Released => EventKind::Retried,
        Verdict::Rejected { .. } => EventKind::DeadLettered,
    }
}

/// An event without an error behind it.
pub(super) fn plain(kind: EventKind, id: UpdateId, order: String, attempts: u32) -> Event {
    Event {
        kind,
        id,
        order,
        attempts,
        status: None,
        code: None,
    }
}

/// An event that an error led to.
pub(super) fn caused(
    kind: EventKind,
    id: UpdateId,
    order: String,
    attempts: u32,
    error: &Error,
) -> Event {
    Event {
        status: error.status(),
        code: Some(error.code().as_str()),
        ..plain(kind, id, order, attempts)
    }
}

/// The outbox itself fails.
pub(super) fn of_failure(error: &Error) -> Event {
    caused(EventKind::Failed, 0, String::new(), 0, error)
}
