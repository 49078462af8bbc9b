//! Log records of the library, such as an outbox that cannot be read: given to a C program's callback
//! at once, and kept for PHP until its next call.

use crate::guard::guarded;
use crate::kept::{Kept, Taken};
use crate::result::c_string;
use arc_swap::ArcSwapOption;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// The severity of a log record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum katalys_log_level {
    /// Something needs attention: a damaged outbox, an update that became a dead letter.
    KATALYS_LOG_ERROR = 1,
    /// Something is suspicious.
    KATALYS_LOG_WARNING = 2,
    /// Something of interest happened, such as an attempt that failed and is retried.
    KATALYS_LOG_INFO = 3,
    /// Details, for finding a fault.
    KATALYS_LOG_DEBUG = 4,
}

/// Takes a log record. `message` is one line in English without customer data, and lives until
/// the callback returns; `user_data` is what katalys_set_log() was given.
pub type katalys_log_callback = Option<
    unsafe extern "C" fn(level: katalys_log_level, message: *const c_char, user_data: *mut c_void),
>;

/// What katalys_set_log() was given last.
struct Callback {
    function: unsafe extern "C" fn(katalys_log_level, *const c_char, *mut c_void),
    user_data: *mut c_void,
    most: LevelFilter,
}

// SAFETY: the caller of katalys_set_log() promises that any thread may use the data.
unsafe impl Send for Callback {}
// SAFETY: as above; the library itself never looks at them.
unsafe impl Sync for Callback {}

/// Swapped as a whole and never locked, so that a fork cannot leave it locked.
static CALLBACK: ArcSwapOption<Callback> = ArcSwapOption::const_empty();
static KEPT: LazyLock<KeptErrors> = LazyLock::new(KeptErrors::default);
static IS_KEEPING: AtomicBool = AtomicBool::new(false);

/// Errors for PHP's log. Those that are told as events are apart, for callers that hear of events.
#[derive(Default)]
struct KeptErrors {
    events: Errors,
    others: Errors,
}

#[derive(Default)]
struct Errors {
    kept: Kept<String, MOST_ERRORS>,
    /// Looked at first: PHP asks after each call, and nearly always there is nothing.
    has_any: AtomicBool,
}

impl Errors {
    fn add(&self, message: String) {
        self.kept.add_new(message);
        self.has_any.store(true, Ordering::Release);
    }

    fn take_into(&self, messages: &mut Vec<String>) {
        if !self.has_any.load(Ordering::Relaxed) || !self.has_any.swap(false, Ordering::Acquire) {
            return;
        }
        let Taken { items, lost } = self.kept.take();
        if lost > 0 {
            messages.push(format!("{lost} earlier errors were not logged"));
        }
        messages.extend(items);
    }
}

/// Enough to see what is wrong; a record that repeats the one before is not kept.
const MOST_ERRORS: usize = 100;

/// The core's name for what it logs; other crates' records are not passed on.
const OURS: &str = "katalys";
/// The records that are told as events as well.
const EVENTS: &str = "katalys::outbox";

/// Calls `callback` with log records of the level `most` (a katalys_log_level) and of more severe ones,
/// for all clients of the process; NULL ends that. The last call counts. Without a callback nothing is logged.
///
/// With an outbox, set one: errors of the delivery in the background have no other way to a log.
/// They also show in the results of katalys_enqueue_update() and katalys_client_stats().
///
/// The callback is called from any thread, and from several at once, also within a call of this
/// library, whose locks may be held: it must not call this library. When this function returns, a
/// call of the callback set before may still be running on another thread. After fork() the child
/// has the same callback.
///
/// # Safety
/// `callback` may be called with `user_data` from any thread until the end of the process or some
/// time after another one was set, and does not unwind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_set_log(
    most: c_int,
    callback: katalys_log_callback,
    user_data: *mut c_void,
) {
    guarded((), || {
        let set = callback.map(|function| Callback {
            function,
            user_data,
            most: filter_of(most),
        });
        CALLBACK.store(set.map(Arc::new));
        install();
    });
}

/// Begins to keep errors for PHP.
pub(crate) fn keep() {
    if !IS_KEEPING.swap(true, Ordering::Relaxed) {
        LazyLock::force(&KEPT);
        install();
    }
}

/// The errors since the last time, with or without those that are told as events.
pub(crate) fn take(with_events: bool) -> Vec<String> {
    let mut messages = Vec::new();
    KEPT.others.take_into(&mut messages);
    if with_events {
        KEPT.events.take_into(&mut messages);
    }
    messages
}

fn install() {
    // Only this library's own copy of the crate is set; a second time it is set already.
    let _ = log::set_logger(&Sink);
    let of_callback = CALLBACK.load().as_ref().map(|callback| callback.most);
    let kept = IS_KEEPING
        .load(Ordering::Relaxed)
        .then_some(LevelFilter::Error);
    let most = of_callback.max(kept);
    log::set_max_level(most.unwrap_or(LevelFilter::Off));
}

struct Sink;

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target == OURS || target == EVENTS
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(callback) = CALLBACK.load_full()
            && record.level() <= callback.most
        {
            let level = level_of(record.level());
            let message = c_string(&record.args().to_string());
            // SAFETY: promised to katalys_set_log().
            unsafe { (callback.function)(level, message.as_ptr(), callback.user_data) };
        }
        if record.level() == Level::Error && IS_KEEPING.load(Ordering::Relaxed) {
            let is_event = record.target() == EVENTS;
            let kept = if is_event { &KEPT.events } else { &KEPT.others };
            kept.add(record.args().to_string());
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

/// A number that is no level is the nearest one.
const fn filter_of(most: c_int) -> LevelFilter {
    match most {
        ..=1 => LevelFilter::Error,
        2 => LevelFilter::Warn,
        3 => LevelFilter::Info,
        4.. => LevelFilter::Debug,
    }
}
