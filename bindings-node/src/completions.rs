//! The queue of results for JavaScript: worker threads add to it, and wake JavaScript's thread only
//! if it was empty; that thread drains it at once. Events and log lines pass through it as well.

use crate::report::{Completion, News, Report, Success, add_numbers, json};
use katalys_core::Event;
use katalys_core::results::{RESULTS, Record};
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode,
};
use napi::{Env, Status, sys};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The content of the queue, as one drain delivers it: results that consist of numbers, all other
/// results as JSON, and events and log lines as JSON. A result in numbers is the number of its
/// call, the index of its table, and the fields; `lib/results.js`, which is generated, reads it.
pub type Delivery = FnArgs<(Vec<f64>, Option<String>, Option<String>)>;

/// The completions of one JavaScript environment.
pub struct CompletionQueue {
    shared: Arc<Shared>,
    waker: Waker,
}

/// Takes no error in place of its arguments, does not keep the process alive by itself, and has
/// no limit: it is called once per drain, not once per result.
type Waker = ThreadsafeFunction<(), (), Delivery, Status, false, true, 0>;

#[derive(Default)]
struct Shared {
    contents: Mutex<Contents>,
    /// Signalled when the events were drained.
    drained: Condvar,
}

#[derive(Default)]
struct Contents {
    completions: Vec<Completion>,
    /// With the number of the client.
    events: Vec<(f64, Event)>,
    logged: Vec<String>,
}

/// How often a waiting thread checks whether the environment still exists.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

impl CompletionQueue {
    /// `deliver` is called on JavaScript's thread with the contents of the queue.
    pub fn new(deliver: &Function<'_, Delivery, ()>) -> napi::Result<Self> {
        let shared = Arc::<Shared>::default();
        let source = Arc::clone(&shared);
        let waker = deliver
            .build_threadsafe_function::<()>()
            .callee_handled::<false>()
            .weak::<true>()
            .build_callback(move |_: ThreadsafeCallContext<()>| Ok(source.drain()))?;
        Ok(Self { shared, waker })
    }

    /// Called by a worker thread. Once the environment is gone the waker does nothing, and the
    /// result is dropped with the queue.
    pub fn put(&self, completion: Completion) {
        self.add(|contents| contents.completions.push(completion));
    }

    /// Called by the core's observer thread. Waits until earlier events were drained, so that the
    /// core drops events, and logs that it does, if JavaScript is too slow.
    pub fn put_events(&self, client: f64, events: &[Event]) {
        let mut contents = self.shared.lock();
        while !contents.events.is_empty() && !self.waker.aborted() {
            let waited = self.shared.drained.wait_timeout(contents, CHECK_INTERVAL);
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
        let mut contents = self.shared.lock();
        let was_empty = contents.is_empty();
        add(&mut contents);
        drop(contents);
        if was_empty {
            self.waker.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Keeps the process alive, or stops keeping it alive. Only for JavaScript's own thread.
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self) -> Delivery {
        let Contents {
            completions,
            events,
            logged,
        } = std::mem::take(&mut *self.lock());
        if !events.is_empty() {
            self.drained.notify_all();
        }
        let mut numbers = Vec::with_capacity(completions.len() * 4);
        let mut others = Vec::new();
        for completion in &completions {
            let is_added = match &completion.result {
                Ok(Success::Receipt(receipt)) => add(&mut numbers, completion.call, receipt),
                Ok(Success::Ticket(ticket)) => add(&mut numbers, completion.call, ticket),
                _ => false,
            };
            if !is_added {
                others.push(Report::completion(completion));
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
        self.completions.is_empty() && self.events.is_empty() && self.logged.is_empty()
    }
}

/// Adds a result that is numbers alone; returns false for any other.
fn add<R: Record>(numbers: &mut Vec<f64>, call: f64, record: &R) -> bool {
    let before = numbers.len();
    let place = RESULTS
        .iter()
        .take_while(|table| table.name != R::TABLE.name);
    let place = u32::try_from(place.count()).unwrap_or(u32::MAX);
    numbers.extend([call, f64::from(place)]);
    let is_added = add_numbers(numbers, record);
    if !is_added {
        numbers.truncate(before);
    }
    is_added
}
