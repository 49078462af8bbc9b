//! The accessors of dead letters.
//!
//! Generated from the core's tables by `make generate`; change core/src/results.rs instead.

use crate::dead_letters::{katalys_dead_letters, row};
use crate::value::with_length;
use std::ffi::c_char;

/// Number of the update, as on its ticket.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_id(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> i64 {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(0).id()
}

/// The order's id.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_order_id(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(1).text().as_ptr()
}

/// The site it was reported for.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_site_id(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(2).text().as_ptr()
}

/// What was sent, as JSON. Customer data.
/// Writes the length, without the NUL, unless `len` is NULL.
///
/// # Safety
/// `dead_letters` is a live list or NULL; `len` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_payload(
    dead_letters: *const katalys_dead_letters,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    let text = unsafe { row(dead_letters, index) }.value(3).text();
    // SAFETY: as this function demands.
    unsafe { with_length(text, len) }
}

/// HTTP status, if the endpoint refused the update. 0 if there is none.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_status(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> u16 {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(4).whole()
}

/// `rejected` (by the endpoint), `interrupted` (three attempts never finished) or `expired`
/// (older than `max_age`).
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_code(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(5).text().as_ptr()
}

/// A description of what happened. Holds no customer data.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_reason(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(6).text().as_ptr()
}

/// When it became a dead letter. In Unix seconds.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_died_at(
    dead_letters: *const katalys_dead_letters,
    index: usize,
) -> f64 {
    // SAFETY: as this function demands.
    unsafe { row(dead_letters, index) }.value(7).seconds_or(0.0)
}
