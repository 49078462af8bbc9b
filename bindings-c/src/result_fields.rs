//! The accessors of a result that are properties of errors.
//!
//! Generated from the core's tables by `make generate`; change core/src/error.rs instead.

use crate::result::{katalys_result, property};
use katalys_core::ErrorProperty;

/// Whether the same call may succeed later without any change.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_is_retryable(result: *const katalys_result) -> bool {
    // SAFETY: as this function demands.
    unsafe { property(result, ErrorProperty::Retryable) }.flag()
}

/// Number of requests that were made.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_attempts(result: *const katalys_result) -> u32 {
    // SAFETY: as this function demands.
    unsafe { property(result, ErrorProperty::Attempts) }.whole()
}

/// Number of the update; numbers rise in the order of acceptance. After an error: Number of the
/// update in the outbox, if it was accepted before the call failed: it will be sent, or is a
/// dead letter. Do not send it again. Returns 0 if the result has none.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_ticket(result: *const katalys_result) -> i64 {
    // SAFETY: as this function demands.
    unsafe { property(result, ErrorProperty::Ticket) }.id()
}

/// HTTP status of the last answer. Returns 0 if the result has none.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_status(result: *const katalys_result) -> u16 {
    // SAFETY: as this function demands.
    unsafe { property(result, ErrorProperty::Status) }.whole()
}

/// How long the endpoint asked to wait, in seconds, at most five minutes. Returns -1 if the
/// result has none.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_retry_after(result: *const katalys_result) -> f64 {
    // SAFETY: as this function demands.
    unsafe { property(result, ErrorProperty::RetryAfter) }.seconds_or(-1.0)
}
