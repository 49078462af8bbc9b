//! What happens to the updates of an outbox, as a C program and as PHP hear of it.

use crate::client::katalys_client;
use crate::codes::katalys_code;
use crate::kept::{Kept, Taken};
use crate::result::{Outcome, c_string, deliver, katalys_result};
use katalys_core::{Error, Event};
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Something happened to an update of the outbox, or to the outbox itself. It and its texts live
/// until the observer returns. Later versions may add to its end.
#[repr(C)]
pub struct katalys_event {
    /// What happened: "accepted" (it is in the outbox), "delivered" (the endpoint has it),
    /// "retried" (an attempt failed, another one follows), "dead_lettered" (it will not be sent
    /// unless it is replayed), "discarded" (a dead letter was removed for good) or "failed" (the
    /// outbox cannot be read or written, so nothing is delivered). A later version may have others.
    pub kind: *const c_char,
    /// The update's number, as on its ticket; 0 for "failed".
    pub id: i64,
    /// Sixteen hexadecimal digits, the same for all updates of one order; with the setting
    /// "event_order_ids" as "plain", the order's id. Empty for "failed".
    pub order: *const c_char,
    /// How many requests were made so far; 0 where none was.
    pub attempts: u32,
    /// The HTTP status that led to it, or 0.
    pub status: u16,
    /// Why: the name of the error, or the dead letter's code; empty if nothing went wrong.
    pub code: *const c_char,
    /// A line for a log, in English.
    pub message: *const c_char,
}

/// Takes an event; `user_data` is what katalys_client_observe() was given.
pub type katalys_observer =
    Option<unsafe extern "C" fn(event: *const katalys_event, user_data: *mut c_void)>;

/// Where an observer's data are.
struct UserData(*mut c_void);

// SAFETY: who calls katalys_client_observe() promises that another thread may use them.
unsafe impl Send for UserData {}
// SAFETY: as above; the library itself never looks at them.
unsafe impl Sync for UserData {}

/// Calls `observer` with what happens in this process to the updates of this client's outbox, in
/// order, each on a thread of the library's own and never two at once. A slow observer holds up
/// neither callers nor the delivery; one that is 10,000 events behind misses the oldest. It may
/// call every function of this header but katalys_client_close() and katalys_client_free(), which
/// wait for it.
///
/// It is called for the last time before katalys_client_free() returns for a client of
/// katalys_client_new(); a client of katalys_client_shared() keeps it for the life of the process.
/// After fork() the child has the same observer, on a thread of its own.
///
/// A client has one observer: KATALYS_MISUSE if there is one already. A client without an outbox
/// has nothing to tell.
///
/// # Safety
/// `client` is a live handle or NULL; `observer` may be called with `user_data` from another
/// thread for as long as said above, and does not unwind; `result` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_observe(
    client: *const katalys_client,
    observer: katalys_observer,
    user_data: *mut c_void,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let user_data = UserData(user_data);
    let observe = || {
        // SAFETY: live or null, as this function demands.
        let client = unsafe { client.as_ref() };
        let client = client.ok_or_else(|| Error::misuse("client is NULL"))?;
        let observer = observer.ok_or_else(|| Error::misuse("observer is NULL"))?;
        let gate = Arc::clone(&client.gate);
        let is_first = client.client.observe(move |events| {
            let user_data = &user_data;
            for event in events {
                let texts = Texts::of(event);
                let event = texts.event(event);
                gate.pass(|| {
                    // SAFETY: the event is live, and the rest was promised with the observer.
                    unsafe { observer(&raw const event, user_data.0) };
                });
            }
        });
        if is_first {
            return Ok(Outcome::done());
        }
        Err(Error::misuse("the client has an observer already"))
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, observe) }
}

/// The texts of one event.
struct Texts {
    kind: CString,
    order: CString,
    code: CString,
    message: CString,
}

impl Texts {
    fn of(event: &Event) -> Self {
        Self {
            kind: c_string(event.kind.as_str()),
            order: c_string(&event.order),
            code: c_string(event.code.unwrap_or_default()),
            message: c_string(&event.to_string()),
        }
    }

    fn event(&self, event: &Event) -> katalys_event {
        katalys_event {
            kind: self.kind.as_ptr(),
            id: event.id,
            order: self.order.as_ptr(),
            attempts: event.attempts,
            status: event.status.unwrap_or(0),
            code: self.code.as_ptr(),
            message: self.message.as_ptr(),
        }
    }
}

/// Lets calls of an observer through until it is closed, and then none. It has no lock that a
/// fork could leave locked.
#[derive(Default)]
pub(crate) struct Gate {
    is_closed: AtomicBool,
    /// The process in which the observer runs just now, or 0.
    running: AtomicU32,
}

thread_local! {
    static IS_OBSERVER: Cell<bool> = const { Cell::new(false) };
}

impl Gate {
    fn pass(&self, call: impl FnOnce()) {
        // First shown, then looked: whoever closes does it the other way round.
        self.running.store(std::process::id(), Ordering::SeqCst);
        if !self.is_closed.load(Ordering::SeqCst) {
            IS_OBSERVER.set(true);
            call();
            IS_OBSERVER.set(false);
        }
        self.running.store(0, Ordering::SeqCst);
    }

    /// Closes it and waits until the observer has returned, but not for itself.
    pub fn close(&self, longest: Option<Duration>) {
        const PAUSE: Duration = Duration::from_millis(1);
        self.is_closed.store(true, Ordering::SeqCst);
        let began = Instant::now();
        while self.running.load(Ordering::SeqCst) == std::process::id() && !IS_OBSERVER.get() {
            if longest.is_some_and(|longest| began.elapsed() >= longest) {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Keeps events until PHP, which no other thread may call, asks for them.
#[derive(Default)]
pub(crate) struct Gathered {
    is_gathering: AtomicBool,
    events: Kept<Event, MOST_GATHERED>,
}

/// For a page that never asks, the oldest are dropped.
const MOST_GATHERED: usize = 1000;

impl Gathered {
    /// Begins to keep what happens to this client's updates.
    pub fn gather(client: &katalys_client) {
        if client.gathered.is_gathering.swap(true, Ordering::Relaxed) {
            return;
        }
        let gathered = Arc::clone(&client.gathered);
        client
            .client
            .observe(move |events| gathered.events.add(events.iter().cloned()));
    }

    pub fn take(&self) -> Taken<Event> {
        self.events.take()
    }
}
