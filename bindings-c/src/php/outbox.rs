//! The functions of an outbox for PHP. The answer of each is one text, as in the parent module.

use super::answer::{self, PANICKED};
use super::{mismatch, serialized};
use crate::guard::guarded;
use crate::handle::katalys_client;
use crate::input;
use crate::logging;
use crate::outbox;
use crate::outcome::Outcome;
use katalys_core::config::timeout as checked;
use katalys_core::results::Spelled;
use katalys_core::{Error, Event, Language};
use serde::Serialize;
use std::ffi::c_char;
use std::ptr;

/// What to do with a dead letter.
const REPLAY: u32 = 0;
const DISCARD: u32 = 1;
const EDIT: u32 = 2;

/// The counters: "{…", one JSON object; or "!" and the error.
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_stats(client: *const katalys_client) -> *const c_char {
    // SAFETY: as this function demands.
    let client = unsafe { client.as_ref() };
    reply(client, |client| {
        let stats = client.core.stats()?;
        answer::set_json(&Spelled(&stats, Language::Php));
        Ok(())
    })
}

/// Waits until nothing is pending; with `closes`, ends delivery and waits for the requests in flight
/// only. The number of updates left, or "!" and the error.
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
        let left = if closes {
            outbox::close(client, timeout)?
        } else {
            client.core.flush(checked(timeout)?)?
        };
        answer::set_json(&left);
        Ok(())
    })
}

/// "[…", a JSON array of dead letters; or "!" and the error.
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
        let found = client.core.dead_letters(after.saturating_add(1), limit)?;
        let found = found.iter().map(|one| Spelled(one, Language::Php));
        answer::set_json(&found.collect::<Vec<_>>());
        Ok(())
    })
}

/// Replays (0), discards (1) or edits (2) a dead letter. `fields` is what PHP's serialize() writes
/// for the changes of an edit. "true", or "false" if there is no such dead letter; or "!" and the
/// error.
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
    reply(client, |client| {
        let found = match what {
            REPLAY => client.core.replay(id)?,
            DISCARD => client.core.discard(id)?,
            EDIT => {
                let fields = serialized::options(fields?.unwrap_or_default());
                client.core.edit(id, fields.map_err(|_| mismatch())?)?
            }
            _ => return Err(mismatch()),
        };
        answer::set_json(&found);
        Ok(())
    })
}

/// Collects the events of this client from now on, for katalys_php_events().
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_observe(client: *const katalys_client) {
    guarded((), || {
        // SAFETY: as this function demands.
        if let Some(client) = unsafe { client.as_ref() } {
            client.collect_events();
        }
    });
}

/// The events since the last call, in JSON, and how many earlier ones were lost. NULL if there are
/// none.
///
/// # Safety
/// `client` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_events(client: *const katalys_client) -> *const c_char {
    guarded(ptr::null(), || {
        // SAFETY: as this function demands.
        let client = unsafe { client.as_ref() };
        let Some(drained) = client.map(|client| client.events.queue.drain()) else {
            return ptr::null();
        };
        if drained.items.is_empty() {
            return ptr::null();
        }
        let events = drained.items.iter().map(EventJson::from).collect();
        let lost = drained.lost;
        answer::set_json(&Events { lost, events });
        answer::pointer()
    })
}

/// The library's own errors since the last call, such as those of delivery in the background: "[…", a
/// JSON array of texts, or NULL if there are none. Without `with_events`, errors that are also events
/// of an outbox (dead letters) stay for another call.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_php_log(with_events: bool) -> *const c_char {
    guarded(ptr::null(), || {
        let messages = logging::drain(with_events);
        if messages.is_empty() {
            return ptr::null();
        }
        answer::set_json(&messages);
        answer::pointer()
    })
}

/// Runs a function that sets the answer; its error becomes the answer instead.
fn reply(
    client: Option<&katalys_client>,
    run: impl FnOnce(&katalys_client) -> Result<(), Error>,
) -> *const c_char {
    guarded(PANICKED.as_ptr().cast(), || {
        if let Err(error) = client.ok_or_else(mismatch).and_then(run) {
            answer::set_outcome(&Outcome::from(error));
        }
        answer::pointer()
    })
}

#[derive(Serialize)]
struct Events<'e> {
    lost: u64,
    events: Vec<EventJson<'e>>,
}

/// An event, and what a log says of it.
#[derive(Serialize)]
struct EventJson<'e> {
    level: &'static str,
    message: String,
    fields: Spelled<'e, Event>,
}

impl<'e> From<&'e Event> for EventJson<'e> {
    fn from(event: &'e Event) -> Self {
        Self {
            level: event.kind.level().as_str(),
            message: event.to_string(),
            fields: Spelled(event, Language::Php),
        }
    }
}
