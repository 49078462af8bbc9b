//! What PHP asks about an outbox: each answer is one text, as in the folder's own file.

use super::{PANICKED, answer, katalys_php_answer, serialized, write_all};
use crate::client::katalys_client;
use crate::events::Gathered;
use crate::guard::guarded;
use crate::input;
use crate::logging;
use crate::outbox::close;
use crate::result::Outcome;
use katalys_core::{DeadLetter, Error, Event, config};
use serde::Serialize;
use std::ffi::c_char;
use std::ptr;

/// What is done with a dead letter.
const REPLAY: u32 = 0;
const DISCARD: u32 = 1;
const EDIT: u32 = 2;

/// The books: "{…", one JSON object; or "!" and the outcome.
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_stats(client: *const katalys_client) -> *const c_char {
    // SAFETY: as this function demands.
    let client = unsafe { client.as_ref() };
    reply(client, |client| {
        let stats = client.client.stats()?;
        Ok(StatsJson {
            accepted: stats.accepted,
            delivered: stats.delivered,
            pending: stats.pending,
            in_flight: stats.in_flight,
            dead: stats.dead,
            discarded: stats.discarded,
            oldest_pending_seconds: stats.oldest_pending_seconds,
        })
    })
}

/// Waits until nothing is pending, or with `closes` only until nothing is on its way any more,
/// and ends delivery. The number of updates left, or "!" and the outcome.
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_flush(
    client: *const katalys_client,
    timeout: f64,
    closes: bool,
) -> *const c_char {
    // SAFETY: as this function demands.
    let client = unsafe { client.as_ref() };
    reply(client, |client| {
        if closes {
            return close(client, timeout);
        }
        client.client.flush(config::timeout(timeout)?)
    })
}

/// "[…", a JSON array of dead letters; or "!" and the outcome.
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_dead_letters(
    client: *const katalys_client,
    after: i64,
    limit: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    let client = unsafe { client.as_ref() };
    reply(client, |client| {
        let letters = client.client.dead_letters(after.saturating_add(1), limit)?;
        Ok(letters
            .into_iter()
            .map(LetterJson::from)
            .collect::<Vec<_>>())
    })
}

/// Replays (0), discards (1) or edits (2) a dead letter. `fields` is what PHP's serialize() writes
/// for the changes of an edit. "true", or "false" if there is no such dead letter, or "!" and the
/// outcome.
///
/// # Safety
/// `client` is a live handle or NULL; `fields` points to `len` readable bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_dead_letter(
    client: *const katalys_client,
    what: u32,
    id: i64,
    fields: *const c_char,
    len: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    let client = unsafe { client.as_ref() };
    // SAFETY: as this function demands.
    let fields = unsafe { input::bytes(fields, len) };
    reply(client, |client| match what {
        REPLAY => client.client.replay(id),
        DISCARD => client.client.discard(id),
        EDIT => {
            let fields = serialized::options(fields?.unwrap_or_default());
            let fields = fields.map_err(|_| misfit())?;
            client.client.edit(id, fields)
        }
        _ => Err(misfit()),
    })
}

/// Begins to keep what happens to this client's updates, for katalys_php_events().
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_observe(client: *const katalys_client) {
    guarded((), || {
        // SAFETY: as this function demands.
        if let Some(client) = unsafe { client.as_ref() } {
            Gathered::gather(client);
        }
    });
}

/// What has happened since the last time, as JSON: how many events were lost before these, and
/// these. NULL if nothing has.
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_events(client: *const katalys_client) -> *const c_char {
    guarded(ptr::null(), || {
        // SAFETY: as this function demands.
        let client = unsafe { client.as_ref() };
        let Some(taken) = client.map(|client| client.gathered.take()) else {
            return ptr::null();
        };
        if taken.items.is_empty() {
            return ptr::null();
        }
        let events = taken.items.iter().map(EventJson::from).collect();
        let lost = taken.lost;
        answer(|text| write_json(&NewsJson { lost, events }, text));
        katalys_php_answer()
    })
}

/// The library's own errors since the last time, such as those of delivery in the background: "[…", a
/// JSON array of texts, or NULL if there were none. Without `with_events`, those that are events of an
/// outbox as well (dead letters) are left for another caller.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_php_log(with_events: bool) -> *const c_char {
    guarded(ptr::null(), || {
        let messages = logging::take(with_events);
        if messages.is_empty() {
            return ptr::null();
        }
        answer(|text| write_json(&messages, text));
        katalys_php_answer()
    })
}

fn reply<T: Serialize>(
    client: Option<&katalys_client>,
    question: impl FnOnce(&katalys_client) -> Result<T, Error>,
) -> *const c_char {
    guarded(PANICKED.as_ptr().cast(), || {
        match client.ok_or_else(misfit).and_then(question) {
            Ok(value) => answer(|text| write_json(&value, text)),
            Err(error) => answer(|text| write_all(&Outcome::from(error), text)),
        }
        katalys_php_answer()
    })
}

fn misfit() -> Error {
    Error::misuse("the call of the PHP package does not fit this library")
}

fn write_json(value: &impl Serialize, text: &mut Vec<u8>) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok(), "text and numbers can always be written");
}

#[derive(Serialize)]
struct StatsJson {
    accepted: u64,
    delivered: u64,
    pending: u64,
    in_flight: u64,
    dead: u64,
    discarded: u64,
    oldest_pending_seconds: f64,
}

#[derive(Serialize)]
struct LetterJson {
    id: i64,
    order_id: String,
    site_id: String,
    payload: String,
    status: Option<u16>,
    code: String,
    reason: String,
    died_at: f64,
}

impl From<DeadLetter> for LetterJson {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            order_id: letter.order_id,
            site_id: letter.site_id,
            payload: String::from_utf8_lossy(&letter.payload).into_owned(),
            status: letter.status,
            code: letter.code,
            reason: letter.reason,
            died_at: letter.died_at,
        }
    }
}

#[derive(Serialize)]
struct NewsJson<'e> {
    lost: u64,
    events: Vec<EventJson<'e>>,
}

#[derive(Serialize)]
struct EventJson<'e> {
    kind: &'static str,
    level: &'static str,
    message: String,
    id: i64,
    order: &'e str,
    attempts: u32,
    status: Option<u16>,
    code: Option<&'static str>,
}

impl<'e> From<&'e Event> for EventJson<'e> {
    fn from(event: &'e Event) -> Self {
        Self {
            kind: event.kind.as_str(),
            level: event.kind.level().as_str(),
            message: event.to_string(),
            id: event.id,
            order: &event.order,
            attempts: event.attempts,
            status: event.status,
            code: event.code,
        }
    }
}
