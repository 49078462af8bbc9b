//! `katalys_dead_letters`: updates that will not be sent unless somebody looks into them.

use crate::guard::guarded;
use crate::result::{c_string, hand_out};
use katalys_core::DeadLetter;
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// A list of dead letters, as they were when it was made. Its owner frees it with
/// katalys_dead_letters_free().
///
/// It never changes, and any number of threads may read it. Text that its functions return
/// belongs to it and is never NULL. For NULL in place of a list, or an index that is too large,
/// the functions return 0 or empty text.
pub struct katalys_dead_letters {
    letters: Vec<Letter>,
}

struct Letter {
    id: i64,
    order_id: CString,
    site_id: CString,
    payload: CString,
    status: u16,
    code: CString,
    reason: CString,
    died_at: f64,
}

impl From<Vec<DeadLetter>> for katalys_dead_letters {
    fn from(letters: Vec<DeadLetter>) -> Self {
        let letters = letters.into_iter().map(Letter::from).collect();
        Self { letters }
    }
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            order_id: c_string(&letter.order_id),
            site_id: c_string(&letter.site_id),
            status: letter.status.unwrap_or(0),
            code: c_string(&letter.code),
            reason: c_string(&letter.reason),
            died_at: letter.died_at,
            // JSON text has no NUL in it.
            payload: CString::new(letter.payload).unwrap_or_default(),
        }
    }
}

/// Frees a list and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
///
/// # Safety
/// `letters` is NULL or points to NULL or to a list that is not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_free(letters: *mut *mut katalys_dead_letters) {
    guarded((), || {
        if letters.is_null() {
            return;
        }
        // SAFETY: not null, and may be read and written as this function demands.
        let taken = unsafe { letters.replace(ptr::null_mut()) };
        if !taken.is_null() {
            // SAFETY: every list is a Box that katalys_client_dead_letters() made.
            drop(unsafe { Box::from_raw(taken) });
        }
    });
}

/// How many there are.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_count(letters: *const katalys_dead_letters) -> usize {
    // SAFETY: live or null, as this function demands.
    unsafe { letters.as_ref() }.map_or(0, |letters| letters.letters.len())
}

/// The update's number, as on its ticket.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_id(
    letters: *const katalys_dead_letters,
    index: usize,
) -> i64 {
    // SAFETY: as this function demands.
    unsafe { ask(letters, index, 0, |letter| letter.id) }
}

/// The order's id.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_order_id(
    letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { text(letters, index, |letter| &letter.order_id) }
}

/// The site it was reported for.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_site_id(
    letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { text(letters, index, |letter| &letter.site_id) }
}

/// What was sent, one JSON object. Customer data: keep it out of logs. Writes its length, without
/// the NUL, unless `len` is NULL.
///
/// # Safety
/// `letters` is a live list or NULL; `len` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_payload(
    letters: *const katalys_dead_letters,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    let question = |letter: &'static Letter| letter.payload.as_c_str();
    // SAFETY: as this function demands.
    let payload: &CStr = unsafe { ask(letters, index, c"", question) };
    // SAFETY: as this function demands.
    unsafe { hand_out(Some(payload), len) }
}

/// The HTTP status with which the endpoint refused it, or 0.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_status(
    letters: *const katalys_dead_letters,
    index: usize,
) -> u16 {
    // SAFETY: as this function demands.
    unsafe { ask(letters, index, 0, |letter| letter.status) }
}

/// "rejected" (by the endpoint), "interrupted" (sending it never finished, three times) or
/// "expired" (older than the setting "max_age").
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_code(
    letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { text(letters, index, |letter| &letter.code) }
}

/// What happened, for people. Holds no customer data.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_reason(
    letters: *const katalys_dead_letters,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { text(letters, index, |letter| &letter.reason) }
}

/// When that was, in Unix seconds.
///
/// # Safety
/// `letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_died_at(
    letters: *const katalys_dead_letters,
    index: usize,
) -> f64 {
    // SAFETY: as this function demands.
    unsafe { ask(letters, index, 0.0, |letter| letter.died_at) }
}

/// # Safety
/// Unless it is null, `letters` is a live list.
unsafe fn ask<'l, T>(
    letters: *const katalys_dead_letters,
    index: usize,
    fallback: T,
    question: impl FnOnce(&'l Letter) -> T,
) -> T {
    // SAFETY: live or null, as this function demands.
    let letters = unsafe { letters.as_ref() };
    let letter = letters.and_then(|letters| letters.letters.get(index));
    letter.map_or(fallback, question)
}

/// # Safety
/// As for [`ask`].
unsafe fn text(
    letters: *const katalys_dead_letters,
    index: usize,
    question: fn(&Letter) -> &CString,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe {
        ask(letters, index, c"".as_ptr(), |letter| {
            question(letter).as_ptr()
        })
    }
}
