//! Events of an outbox for a C program: katalys_client_observe().

use crate::codes::katalys_code;
use crate::event::katalys_event;
use crate::handle::katalys_client;
use crate::outcome::Outcome;
use crate::result::{deliver, katalys_result};
use katalys_core::Error;
use std::ffi::c_void;
use std::sync::Arc;

/// Receives an event; `user_data` is the pointer that was given to katalys_client_observe().
pub type katalys_observer =
    Option<unsafe extern "C" fn(event: *const katalys_event, user_data: *mut c_void)>;

/// The pointer that an observer is called with.
struct UserData(*mut c_void);

// SAFETY: the caller of katalys_client_observe() promises that another thread may use the data.
unsafe impl Send for UserData {}
// SAFETY: as above; the library itself never reads them.
unsafe impl Sync for UserData {}

/// Calls `observer` with the events of this client's outbox in this process, in order, on a thread
/// of the library and never concurrently. A slow observer delays neither callers nor delivery; the
/// oldest events are dropped once it is 10,000 behind. It may call every function of this header
/// except katalys_client_close() and katalys_client_free(), which wait for it.
///
/// For a client of katalys_client_new(), the last call ends before katalys_client_free() returns; a
/// client of katalys_client_shared() keeps its observer for the life of the process. After fork() the
/// child has the same observer, on a thread of its own.
///
/// A client has one observer: KATALYS_MISUSE if there is one already. A client without an outbox
/// has no events.
///
/// # Safety
/// `client` is a live handle or NULL; `observer` may be called with `user_data` from another
/// thread as described above, and does not unwind; `result` may be written to or is NULL.
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
        let is_first = client.core.observe(move |events| {
            let user_data = &user_data;
            for event in events {
                let event = katalys_event::from(event);
                gate.pass(|| {
                    // SAFETY: the event is live; the caller promised the rest for the observer.
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
