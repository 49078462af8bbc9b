//! The accessors of events.
//!
//! Generated from the core's tables by `make generate`; change core/src/results.rs instead.

use crate::event::{katalys_event, row};
use std::ffi::c_char;

/// What happened.
///
/// - "accepted": the update is in the outbox.
/// - "delivered": the endpoint has received the update.
/// - "retried": an attempt failed; another one follows.
/// - "dead_lettered": the update will not be sent unless it is replayed.
/// - "discarded": a dead letter was removed for good.
/// - "failed": the outbox cannot be read or written, so nothing is delivered; `code` says
///   why.
///
/// Later versions may add others.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_kind(event: *const katalys_event) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(event) }.value(0).text().as_ptr()
}

/// Number of the update, as on its ticket; 0 for `failed`.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_id(event: *const katalys_event) -> i64 {
    // SAFETY: as this function demands.
    unsafe { row(event) }.value(1).id()
}

/// Sixteen hexadecimal digits, the same for all updates of one order; with `event_order_ids` as
/// `plain`, the order's id. Empty for `failed`.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_order(event: *const katalys_event) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(event) }.value(2).text().as_ptr()
}

/// Number of requests made so far; 0 if none was made.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_attempts(event: *const katalys_event) -> u32 {
    // SAFETY: as this function demands.
    unsafe { row(event) }.value(3).whole()
}

/// HTTP status that led to it, if any. 0 if there is none.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_status(event: *const katalys_event) -> u16 {
    // SAFETY: as this function demands.
    unsafe { row(event) }.value(4).whole()
}

/// Why: the code of the error, or of the dead letter. Empty if there is none.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_code(event: *const katalys_event) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(event) }.value(5).text().as_ptr()
}
