//! The queue of results for JavaScript: sending threads add to it, and wake JavaScript's thread only
//! if it was empty; that thread drains it at once. Events and log lines take the same way.

use crate::report::{News, Report, json, number};
use katalys_core::{Error, Event, Problem, Receipt, Ticket};
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode,
};
use napi::{Env, Status, sys};
use serde_json::value::RawValue;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What one drain delivers: three numbers for each plain result (the call's number, and attempts
/// and seconds of a receipt, or 0 and the id of a ticket), and as JSON all other results, and the
/// news.
pub type Delivery = FnArgs<(Vec<f64>, Option<String>, Option<String>)>;

/// The end of a call.
pub struct Outcome {
    pub call: f64,
    pub result: Result<Success, Error>,
    /// Warnings that are to be logged.
    pub unlogged: Vec<Problem>,
}

/// The result of a call that succeeded.
pub enum Success {
    Receipt(Receipt),
    Ticket(Ticket),
    /// In the shape that `lib/` reads.
    Answer(Box<RawValue>),
}

/// The completions of one JavaScript environment.
pub struct CompletionQueue {
    waiting: Arc<Waiting>,
    waker: Waker,
}

/// Takes no error in place of its arguments, does not by itself keep the process alive, and has
/// no limit: it is called once per drain, not once per result.
type Waker = ThreadsafeFunction<(), (), Delivery, Status, false, true, 0>;

#[derive(Default)]
struct Waiting {
    contents: Mutex<Contents>,
    /// The events were taken.
    taken: Condvar,
}

#[derive(Default)]
struct Contents {
    outcomes: Vec<Outcome>,
    /// With the number of the client.
    events: Vec<(f64, Event)>,
    logged: Vec<String>,
}

/// How often a waiting thread checks whether the environment is still there.
const LOOK: Duration = Duration::from_millis(200);

impl CompletionQueue {
    /// `deliver` is called on JavaScript's thread with everything that has arrived.
    pub fn new(deliver: &Function<'_, Delivery, ()>) -> napi::Result<Self> {
        let waiting = Arc::<Waiting>::default();
        let arrived = Arc::clone(&waiting);
        let waker = deliver
            .build_threadsafe_function::<()>()
            .callee_handled::<false>()
            .weak::<true>()
            .build_callback(move |_: ThreadsafeCallContext<()>| Ok(arrived.take_all()))?;
        Ok(Self { waiting, waker })
    }

    /// Called by a sending thread. Once the environment is gone the waker does nothing, and the
    /// result is dropped with the queue.
    pub fn put(&self, outcome: Outcome) {
        self.add(|contents| contents.outcomes.push(outcome));
    }

    /// Called by the thread that tells events, which waits until the earlier ones were taken: if
    /// JavaScript is too slow, the core drops what is too much and says so.
    pub fn put_events(&self, client: f64, events: &[Event]) {
        let mut contents = self.waiting.lock();
        while !contents.events.is_empty() && !self.waker.aborted() {
            let waited = self.waiting.taken.wait_timeout(contents, LOOK);
            contents = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(contents);
        let events = events.iter().map(|event| (client, event.clone()));
        self.add(|contents| contents.events.extend(events));
    }

    /// A line of the core's log; false once the environment is gone.
    pub fn put_log(&self, line: String) -> bool {
        self.add(|contents| contents.logged.push(line));
        !self.waker.aborted()
    }

    fn add(&self, add: impl FnOnce(&mut Contents)) {
        let mut contents = self.waiting.lock();
        let was_empty = contents.is_empty();
        add(&mut contents);
        drop(contents);
        if was_empty {
            self.waker.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Lets the process live as long as calls are pending, and no longer. Only for JavaScript's
    /// own thread.
    #[allow(
        unsafe_code,
        reason = "napi-rs has no safe call for this that is not deprecated"
    )]
    pub fn keep_process_alive(&self, env: Env, alive: bool) {
        let change = if alive {
            sys::napi_ref_threadsafe_function
        } else {
            sys::napi_unref_threadsafe_function
        };
        self.waker.handle.with_read_aborted(|gone| {
            if !gone {
                // SAFETY: the environment is the current one, and the handle is not released
                // while this lock is held. The only possible status is success.
                unsafe { change(env.raw(), self.waker.handle.get_raw()) };
            }
        });
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_all(&self) -> Delivery {
        let Contents {
            outcomes,
            events,
            logged,
        } = std::mem::take(&mut *self.lock());
        if !events.is_empty() {
            self.taken.notify_all();
        }
        let mut numbers = Vec::with_capacity(outcomes.len() * 3);
        let mut others = Vec::new();
        for outcome in &outcomes {
            match plain(outcome) {
                Some(plain) => numbers.extend(plain),
                None => others.push(Report::outcome(outcome)),
            }
        }
        let others = (!others.is_empty()).then(|| json(&others));
        let has_news = !(events.is_empty() && logged.is_empty());
        let news = has_news.then(|| json(&News::new(&events, &logged)));
        FnArgs::from((numbers, others, news))
    }
}

impl Contents {
    fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.events.is_empty() && self.logged.is_empty()
    }
}

/// The numbers of a result that is told by numbers alone.
fn plain(outcome: &Outcome) -> Option<[f64; 3]> {
    match &outcome.result {
        Ok(Success::Receipt(receipt)) if receipt.warnings.is_empty() => {
            let (attempts, elapsed) = (f64::from(receipt.attempts), receipt.elapsed);
            Some([outcome.call, attempts, elapsed.as_secs_f64()])
        }
        Ok(Success::Ticket(ticket)) if ticket.warnings.is_empty() => {
            Some([outcome.call, 0.0, number(ticket.id)])
        }
        _ => None,
    }
}
