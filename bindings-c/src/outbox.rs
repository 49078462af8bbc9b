//! What a client can be asked about its outbox, and told to do with it.

use crate::client::katalys_client;
use crate::codes::katalys_code;
use crate::fields::katalys_fields;
use crate::letters::katalys_dead_letters;
use crate::result::{Outcome, deliver, katalys_result};
use crate::shared;
use katalys_core::bridge::Bridge as _;
use katalys_core::{Error, Fields, Stats};
use std::ptr;
use std::time::Duration;

/// What happened to the updates that an outbox accepted, in any process: `accepted` always equals
/// `delivered` + `pending` + `dead` + `discarded`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct katalys_stats {
    /// Updates that were ever accepted.
    pub accepted: u64,
    /// Those that the endpoint has.
    pub delivered: u64,
    /// Those that are not settled yet.
    pub pending: u64,
    /// Those of the pending that are being sent.
    pub in_flight: u64,
    /// Those that the endpoint refused for good, kept until they are replayed or discarded.
    pub dead: u64,
    /// Dead letters that were discarded.
    pub discarded: u64,
    /// The age of the oldest pending update in seconds; 0 if there is none.
    pub oldest_pending_seconds: f64,
}

impl From<Stats> for katalys_stats {
    fn from(stats: Stats) -> Self {
        Self {
            accepted: stats.accepted,
            delivered: stats.delivered,
            pending: stats.pending,
            in_flight: stats.in_flight,
            dead: stats.dead,
            discarded: stats.discarded,
            oldest_pending_seconds: stats.oldest_pending_seconds,
        }
    }
}

/// As long as any caller waits.
const LONGEST_WAIT: f64 = 1e9;

/// Seconds as a caller gave them; infinity is as long as any caller waits.
pub(crate) fn seconds(given: f64) -> Result<Duration, Error> {
    if given.is_nan() || given < 0.0 {
        return Err(Error::misuse(
            "timeout must be a number of seconds from 0 on",
        ));
    }
    let seconds = Duration::try_from_secs_f64(given.min(LONGEST_WAIT));
    Ok(seconds.unwrap_or_default())
}

/// Says what happened to all updates of the outbox.
///
/// Writes the numbers, or zeros. One of the KATALYS_OUTBOX codes if the file cannot be read;
/// KATALYS_CONFIG_MISSING for a client without the setting "outbox", here as in all functions
/// that need one.
///
/// # Safety
/// `client` is a live handle or NULL; `stats` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_stats(
    client: *const katalys_client,
    stats: *mut katalys_stats,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let question = |client: &katalys_client| client.client.stats().map(katalys_stats::from);
    // SAFETY: as this function demands.
    unsafe { ask(client, katalys_stats::default(), stats, result, question) }
}

/// Waits until every update in the outbox is delivered or a dead letter, up to `timeout` seconds.
/// Another process may deliver them.
///
/// Writes how many updates are left, unless `left` is NULL. KATALYS_OK also if some are.
/// KATALYS_MISUSE if `timeout` is negative or not a number; INFINITY is fine.
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
    let question = |client: &katalys_client| client.client.flush(seconds(timeout)?);
    // SAFETY: as this function demands.
    unsafe { ask(client, 0, left, result, question) }
}

/// Ends this client's delivery: no further request is made, and this waits up to `timeout` seconds for
/// the requests in flight. The rest stays in the file, where updates are accepted as before, for
/// another client. Ends it for all handles of a client of katalys_client_shared(); the next call of
/// that with the same options makes a new client. Does nothing for a client without an outbox.
///
/// Writes how many updates are left, unless `left` is NULL. KATALYS_OK also if some are.
/// KATALYS_MISUSE if `timeout` is negative or not a number; INFINITY is fine.
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
    let question = |client: &katalys_client| close(client, timeout);
    // SAFETY: as this function demands.
    unsafe { ask(client, 0, left, result, question) }
}

pub(crate) fn close(client: &katalys_client, timeout: f64) -> Result<u64, Error> {
    let timeout = seconds(timeout)?;
    shared::forget(client);
    if !client.client.has_outbox() {
        return Ok(0);
    }
    client.client.close(timeout)
}

/// Lists the dead letters whose number is larger than `after`, in order, at most `limit` of them:
/// begin with 0 and go on with the number of the last.
///
/// Writes the list, which the caller owns and frees with katalys_dead_letters_free(), or NULL.
///
/// # Safety
/// `client` is a live handle or NULL; `letters` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_dead_letters(
    client: *const katalys_client,
    after: i64,
    limit: usize,
    letters: *mut *mut katalys_dead_letters,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let question = |client: &katalys_client| {
        if letters.is_null() {
            return Err(Error::misuse(
                "letters is NULL; give the address of a pointer",
            ));
        }
        let found = client.client.dead_letters(after.saturating_add(1), limit)?;
        Ok(Box::into_raw(Box::new(katalys_dead_letters::from(found))))
    };
    // SAFETY: as this function demands.
    unsafe { ask(client, ptr::null_mut(), letters, result, question) }
}

/// Puts a dead letter back into its order's lane, at its old place.
///
/// Writes whether there was one of that number, unless `found` is NULL.
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
    let question = |client: &katalys_client| client.client.replay(id);
    // SAFETY: as this function demands.
    unsafe { ask(client, false, found, result, question) }
}

/// Removes a dead letter for good; it is counted.
///
/// Writes whether there was one of that number, unless `found` is NULL.
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
    let question = |client: &katalys_client| client.client.discard(id);
    // SAFETY: as this function demands.
    unsafe { ask(client, false, found, result, question) }
}

/// Changes fields of a dead letter, all others staying as they are; null takes one out. It stays
/// a dead letter until it is replayed.
///
/// Writes whether there was one of that number, unless `found` is NULL. KATALYS_VALIDATION if the
/// update cannot be right with these fields.
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
    let question = |client: &katalys_client| {
        let none = Fields::new();
        let fields = fields.map_or(Ok(&none), katalys_fields::finished)?;
        client.client.edit(id, fields.clone())
    };
    // SAFETY: as this function demands.
    unsafe { ask(client, false, found, result, question) }
}

/// Asks a client, and writes the answer, or `none` if there is none.
///
/// # Safety
/// `client` is a live handle or null; `answer` and `result` may be written to or are null.
unsafe fn ask<T: Copy>(
    client: *const katalys_client,
    none: T,
    answer: *mut T,
    result: *mut *mut katalys_result,
    question: impl FnOnce(&katalys_client) -> Result<T, Error>,
) -> katalys_code {
    let write = |value: T| {
        if !answer.is_null() {
            // SAFETY: not null, and may be written to as this function demands.
            unsafe { answer.write(value) };
        }
    };
    write(none);
    let run = || {
        // SAFETY: live or null, as this function demands.
        let client = unsafe { client.as_ref() };
        let client = client.ok_or_else(|| Error::misuse("client is NULL"))?;
        write(question(client)?);
        Ok(Outcome::done())
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, run) }
}
