//! Log records of the library, such as an outbox that cannot be read: passed to a C program's callback
//! at once, and collected for PHP until its next call.

use crate::bounded::{BoundedQueue, Drained};
use crate::guard::guarded;
use crate::value::c_string;
use arc_swap::ArcSwapOption;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// The severity of a log record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum katalys_log_level {
    /// Needs attention: a damaged outbox, an update that became a dead letter.
    KATALYS_LOG_ERROR = 1,
    /// Suspicious.
    KATALYS_LOG_WARNING = 2,
    /// Informative, such as an attempt that failed and is retried.
    KATALYS_LOG_INFO = 3,
    /// Details for debugging.
    KATALYS_LOG_DEBUG = 4,
}

/// Receives a log record. `message` is one line in English without customer data, and is valid until
/// the callback returns; `user_data` is the pointer that was given to katalys_set_log().
pub type katalys_log_callback = Option<
    unsafe extern "C" fn(level: katalys_log_level, message: *const c_char, user_data: *mut c_void),
>;

/// The arguments of the last katalys_set_log().
struct Callback {
    function: unsafe extern "C" fn(katalys_log_level, *const c_char, *mut c_void),
    user_data: *mut c_void,
    level: LevelFilter,
}

// SAFETY: the caller of katalys_set_log() promises that any thread may use the data.
unsafe impl Send for Callback {}
// SAFETY: as above; the library itself never reads them.
unsafe impl Sync for Callback {}

/// Swapped as a whole and never locked, so that a fork cannot leave it locked.
static CALLBACK: ArcSwapOption<Callback> = ArcSwapOption::const_empty();
static COLLECTED: LazyLock<CollectedErrors> = LazyLock::new(CollectedErrors::default);
static IS_COLLECTING: AtomicBool = AtomicBool::new(false);

/// Errors for PHP's log. Those that are also events are separate, for callers that receive events.
#[derive(Default)]
struct CollectedErrors {
    events: Errors,
    others: Errors,
}

#[derive(Default)]
struct Errors {
    queue: BoundedQueue<String, LARGEST_COLLECTION>,
    /// Read first: PHP checks after each call, and nearly always there is nothing.
    has_any: AtomicBool,
}

impl Errors {
    fn add(&self, message: String) {
        self.queue.push_new(message);
        self.has_any.store(true, Ordering::Release);
    }

    fn drain_into(&self, messages: &mut Vec<String>) {
        if !self.has_any.load(Ordering::Relaxed) || !self.has_any.swap(false, Ordering::Acquire) {
            return;
        }
        let Drained { items, lost } = self.queue.drain();
        if lost > 0 {
            messages.push(format!("{lost} earlier errors were not logged"));
        }
        messages.extend(items);
    }
}

/// Enough to see what is wrong; a record that repeats the previous one is not added.
const LARGEST_COLLECTION: usize = 100;

/// The target of the core's records; those of other crates are not passed on.
const CORE: &str = "katalys";
/// The target of records that are also events.
const EVENTS: &str = "katalys::outbox";

/// Sets the callback for log records of the level `level` (a katalys_log_level) and of more severe
/// ones, for all clients of the process. It replaces the previous callback; NULL removes it. Without a
/// callback nothing is logged.
///
/// Set one if there is an outbox: errors of delivery in the background reach a log in no other way.
/// They also appear in the results of katalys_enqueue_update() and katalys_client_stats().
///
/// The library calls the callback from any thread, from several at once, and within calls of this
/// library while it holds locks: the callback must not call this library. When this function returns,
/// a call of the previous callback may still be running on another thread. After fork() the child has
/// the same callback.
///
/// # Safety
/// `callback` may be called with `user_data` from any thread until the end of the process, or until
/// its last call has returned after another callback was set, and does not unwind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_set_log(
    level: c_int,
    callback: katalys_log_callback,
    user_data: *mut c_void,
) {
    guarded((), || {
        let set = callback.map(|function| Callback {
            function,
            user_data,
            level: filter_of(level),
        });
        CALLBACK.store(set.map(Arc::new));
        install();
    });
}

/// Collects errors for PHP from now on.
pub(crate) fn collect() {
    if !IS_COLLECTING.swap(true, Ordering::Relaxed) {
        LazyLock::force(&COLLECTED);
        install();
    }
}

/// The errors since the last call, with or without those that are also events.
pub(crate) fn drain(with_events: bool) -> Vec<String> {
    let mut messages = Vec::new();
    COLLECTED.others.drain_into(&mut messages);
    if with_events {
        COLLECTED.events.drain_into(&mut messages);
    }
    messages
}

fn install() {
    // This is the library's own copy of the crate; a second call finds the logger set.
    let _ = log::set_logger(&Sink);
    let of_callback = CALLBACK.load().as_ref().map(|callback| callback.level);
    let of_php = IS_COLLECTING
        .load(Ordering::Relaxed)
        .then_some(LevelFilter::Error);
    let level = of_callback.max(of_php);
    log::set_max_level(level.unwrap_or(LevelFilter::Off));
}

struct Sink;

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target == CORE || target == EVENTS
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(callback) = CALLBACK.load_full()
            && record.level() <= callback.level
        {
            let level = level_of(record.level());
            let message = c_string(&record.args().to_string());
            // SAFETY: promised to katalys_set_log().
            unsafe { (callback.function)(level, message.as_ptr(), callback.user_data) };
        }
        if record.level() == Level::Error && IS_COLLECTING.load(Ordering::Relaxed) {
            let is_event = record.target() == EVENTS;
            let errors = if is_event {
                &COLLECTED.events
            } else {
                &COLLECTED.others
            };
            errors.add(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

const fn level_of(level: Level) -> katalys_log_level {
    match level {
        Level::Error => katalys_log_level::KATALYS_LOG_ERROR,
        Level::Warn => katalys_log_level::KATALYS_LOG_WARNING,
        Level::Info => katalys_log_level::KATALYS_LOG_INFO,
        Level::Debug | Level::Trace => katalys_log_level::KATALYS_LOG_DEBUG,
    }
}

/// A number that is no level is read as the nearest one.
const fn filter_of(level: c_int) -> LevelFilter {
    match level {
        ..=1 => LevelFilter::Error,
        2 => LevelFilter::Warn,
        3 => LevelFilter::Info,
        4.. => LevelFilter::Debug,
    }
}
