//! The functions that read a client's outbox and change it.

use crate::codes::katalys_code;
use crate::dead_letters::katalys_dead_letters;
use crate::fields::katalys_fields;
use crate::handle::katalys_client;
use crate::outcome::Outcome;
use crate::result::{deliver, katalys_result};
use crate::shared;
use crate::stats::katalys_stats;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::timeout as checked;
use katalys_core::{Error, Fields};
use std::ptr;

/// Reads the counters of the outbox, of all processes that share it.
///
/// Writes the counters, which the caller owns and frees with katalys_stats_free(), or NULL; `stats`
/// may be NULL. Returns one of the KATALYS_OUTBOX codes if the file cannot be read, and
/// KATALYS_CONFIG_MISSING for a client without the setting "outbox", like all functions that need
/// one.
///
/// # Safety
/// `client` is a live handle or NULL; `stats` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_stats(
    client: *const katalys_client,
    stats: *mut *mut katalys_stats,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let is_wanted = !stats.is_null();
    let read = |client: &katalys_client| {
        let read = client.core.stats()?;
        Ok(if is_wanted {
            Box::into_raw(Box::new(katalys_stats::from(read)))
        } else {
            ptr::null_mut()
        })
    };
    // SAFETY: as this function demands.
    unsafe { answer(client, ptr::null_mut(), stats, result, read) }
}

/// Waits until every update in the outbox is delivered or a dead letter, up to `timeout` seconds.
/// Another process may deliver them.
///
/// Writes the number of updates that are left, unless `left` is NULL. Returns KATALYS_OK also if
/// there are some, and KATALYS_MISUSE if `timeout` is negative, not finite or longer than 366 days.
///
/// # Safety
/// `client` is a live handle or NULL; `left` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_flush(
    client: *const katalys_client,
    timeout: f64,
    left: *mut u64,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let act = |client: &katalys_client| client.core.flush(checked(timeout)?);
    // SAFETY: as this function demands.
    unsafe { answer(client, 0, left, result, act) }
}

/// Ends this client's delivery: no further request is made, and this waits up to `timeout` seconds for
/// the requests in flight. Pending updates stay in the file for another client, and further ones are
/// accepted. For a client of katalys_client_shared(), this affects all its handles, and the next call
/// with the same options creates a new client. Does nothing for a client without an outbox.
///
/// Writes the number of updates that are left, unless `left` is NULL. Returns KATALYS_OK also if
/// there are some, and KATALYS_MISUSE if `timeout` is negative, not finite or longer than 366 days.
///
/// # Safety
/// `client` is a live handle or NULL; `left` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_close(
    client: *const katalys_client,
    timeout: f64,
    left: *mut u64,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let act = |client: &katalys_client| close(client, timeout);
    // SAFETY: as this function demands.
    unsafe { answer(client, 0, left, result, act) }
}

pub(crate) fn close(client: &katalys_client, timeout: f64) -> Result<u64, Error> {
    let timeout = checked(timeout)?;
    shared::forget(client);
    if !client.core.has_outbox() {
        return Ok(0);
    }
    client.core.close(timeout)
}

/// Lists dead letters whose number is greater than `after`, in order, at most `limit` of them. For
/// the first page, `after` is 0; for the next one, the number of the last dead letter.
///
/// Writes the list, which the caller owns and frees with katalys_dead_letters_free(), or NULL.
///
/// # Safety
/// `client` is a live handle or NULL; `dead_letters` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_dead_letters(
    client: *const katalys_client,
    after: i64,
    limit: usize,
    dead_letters: *mut *mut katalys_dead_letters,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let act = |client: &katalys_client| {
        if dead_letters.is_null() {
            return Err(Error::misuse(
                "dead_letters is NULL; give the address of a pointer",
            ));
        }
        let found = client.core.dead_letters(after.saturating_add(1), limit)?;
        Ok(Box::into_raw(Box::new(katalys_dead_letters::from(found))))
    };
    // SAFETY: as this function demands.
    unsafe { answer(client, ptr::null_mut(), dead_letters, result, act) }
}

/// Puts a dead letter back into its order's lane, at its original place.
///
/// Writes whether there is a dead letter of that number, unless `found` is NULL.
///
/// # Safety
/// `client` is a live handle or NULL; `found` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_replay(
    client: *const katalys_client,
    id: i64,
    found: *mut bool,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let act = |client: &katalys_client| client.core.replay(id);
    // SAFETY: as this function demands.
    unsafe { answer(client, false, found, result, act) }
}

/// Removes a dead letter, and counts it as discarded.
///
/// Writes whether there is a dead letter of that number, unless `found` is NULL.
///
/// # Safety
/// `client` is a live handle or NULL; `found` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_discard(
    client: *const katalys_client,
    id: i64,
    found: *mut bool,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let act = |client: &katalys_client| client.core.discard(id);
    // SAFETY: as this function demands.
    unsafe { answer(client, false, found, result, act) }
}

/// Changes fields of a dead letter; all others keep their values, and null removes one. It remains
/// a dead letter until it is replayed.
///
/// Writes whether there is a dead letter of that number, unless `found` is NULL. Returns
/// KATALYS_VALIDATION if the update is invalid with these fields.
///
/// # Safety
/// `client` and `fields` are live handles or NULL; `found` and `result` may be written to or are
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_edit(
    client: *const katalys_client,
    id: i64,
    fields: *const katalys_fields,
    found: *mut bool,
    result: *mut *mut katalys_result,
) -> katalys_code {
    // SAFETY: live or null, as this function demands.
    let fields = unsafe { fields.as_ref() };
    let act = |client: &katalys_client| {
        let none = Fields::new();
        let fields = fields.map_or(Ok(&none), katalys_fields::finished)?;
        client.core.edit(id, fields.clone())
    };
    // SAFETY: as this function demands.
    unsafe { answer(client, false, found, result, act) }
}

/// Runs a function of a client, and writes what it returns, or `none` after an error.
///
/// # Safety
/// `client` is a live handle or null; `output` and `result` may be written to or are null.
unsafe fn answer<T: Copy>(
    client: *const katalys_client,
    none: T,
    output: *mut T,
    result: *mut *mut katalys_result,
    act: impl FnOnce(&katalys_client) -> Result<T, Error>,
) -> katalys_code {
    let write = |value: T| {
        if !output.is_null() {
            // SAFETY: not null, and may be written to as this function demands.
            unsafe { output.write(value) };
        }
    };
    write(none);
    let run = || {
        // SAFETY: live or null, as this function demands.
        let client = unsafe { client.as_ref() };
        let client = client.ok_or_else(|| Error::misuse("client is NULL"))?;
        write(act(client)?);
        Ok(Outcome::done())
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, run) }
}
