//! What a client with an outbox can do. Whatever may wait for the disk happens on a thread of
//! the core's; its result arrives under the call's number.
//!
//! Each function returns an empty text, or JSON: why the call could not be handed over.

use crate::completions::{Outcome, Success};
use crate::report::{Counters, Letter, Report, json};
use crate::shapes::Shapes;
use crate::{ClientHandle, call, unpack};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Client, Error};
use napi::bindgen_prelude::External;
use napi_derive::napi;
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Longer than anybody waits, and short enough to be added to a time of day.
const LONGEST: f64 = 1e9;

/// Whether the client has an outbox.
#[napi]
pub fn has_outbox(handle: &External<ClientHandle>) -> bool {
    handle.client.require_outbox().is_ok()
}

/// Checks a packed order and accepts it into the outbox. `None`: has to be packed with care.
#[napi(catch_unwind)]
pub fn enqueue(
    handle: &External<ClientHandle>,
    number: f64,
    is_report: bool,
    packed: String,
    tokens: u32,
) -> Option<String> {
    if let Err(error) = handle.client.require_outbox() {
        return Some(json(&Report::refusal(&error)));
    }
    let shapes = handle.shapes.borrow();
    let (order_id, fields) = unpack::order(&packed, tokens, &shapes).ok()?;
    let prepared = handle.client.prepare(call(is_report), &order_id, &fields);
    let complete = handle.completion(number, Success::Ticket);
    let handed_over = prepared.and_then(|checked| handle.client.enqueue_async(checked, complete));
    Some(told(handed_over))
}

/// Tells this client's events from now on, under this number.
#[napi]
pub fn observe(handle: &External<ClientHandle>, client: f64) {
    let completions = Arc::clone(&handle.completions);
    handle
        .client
        .observe(move |events| completions.put_events(client, events));
}

/// The counters.
#[napi(catch_unwind)]
pub fn stats(handle: &External<ClientHandle>, number: f64) -> String {
    ask(handle, number, |client| Ok(Counters::from(client.stats()?)))
}

/// The number of pending updates after waiting up to `seconds` for none to be.
#[napi(catch_unwind)]
pub fn flush(handle: &External<ClientHandle>, number: f64, seconds: f64) -> String {
    ask(handle, number, move |client| {
        client.flush(duration(seconds))
    })
}

/// The number of pending updates once delivery has ended, or after `seconds`.
#[napi(catch_unwind)]
pub fn close(handle: &External<ClientHandle>, number: f64, seconds: f64) -> String {
    ask(handle, number, move |client| {
        client.close(duration(seconds))
    })
}

/// Ends delivery for now. At once, so that a later `resume` is not overtaken.
#[napi(catch_unwind)]
pub fn pause(handle: &External<ClientHandle>) {
    handle.client.pause();
}

/// Nothing, once nothing is in flight after `pause`, or after `seconds`.
#[napi(catch_unwind)]
pub fn wait_until_paused(handle: &External<ClientHandle>, number: f64, seconds: f64) -> String {
    ask(handle, number, move |client| {
        client.wait_until_paused(duration(seconds));
        Ok(())
    })
}

/// Takes back `pause`.
#[napi(catch_unwind)]
pub fn resume(handle: &External<ClientHandle>) {
    handle.client.resume();
}

/// Dead letters with a higher number than `after`, at most `limit`.
#[napi(catch_unwind)]
pub fn dead_letters(
    handle: &External<ClientHandle>,
    number: f64,
    after: f64,
    limit: f64,
) -> String {
    let most = u32::try_from(id(limit)).unwrap_or(u32::MAX) as usize;
    ask(handle, number, move |client| {
        let letters = client.dead_letters(id(after).saturating_add(1), most)?;
        Ok(letters.into_iter().map(Letter::from).collect::<Vec<_>>())
    })
}

/// Whether there was such a dead letter to be sent again.
#[napi(catch_unwind)]
pub fn replay(handle: &External<ClientHandle>, number: f64, letter: f64) -> String {
    ask(handle, number, move |client| client.replay(id(letter)))
}

/// Whether there was such a dead letter to be removed.
#[napi(catch_unwind)]
pub fn discard(handle: &External<ClientHandle>, number: f64, letter: f64) -> String {
    ask(handle, number, move |client| client.discard(id(letter)))
}

/// Whether there was such a dead letter to be changed. The fields are packed with care.
#[napi(catch_unwind)]
pub fn edit(
    handle: &External<ClientHandle>,
    number: f64,
    letter: f64,
    packed: String,
    tokens: u32,
) -> String {
    ask(handle, number, move |client| {
        let shapes = Shapes::default();
        let fields = unpack::record(&packed, tokens, &shapes)
            .map_err(|unpack::Unclear| Error::internal("values could not be handed over"))?;
        client.edit(id(letter), fields)
    })
}

/// Asks on a thread of its own. A question that panics has an answer too.
fn ask<T: Serialize + 'static>(
    handle: &ClientHandle,
    call: f64,
    question: impl FnOnce(&Client) -> Result<T, Error> + Send + 'static,
) -> String {
    let guarded = move |client: &Client| {
        let answer = catch_unwind(AssertUnwindSafe(|| question(client)));
        answer.unwrap_or_else(|_| Err(Error::internal("a background thread panicked")))
    };
    let completions = Arc::clone(&handle.completions);
    let complete = move |answer: Result<T, Error>| {
        let written = answer.and_then(|answer| {
            to_raw_value(&answer).map_err(|error| Error::internal(error.to_string()))
        });
        completions.put(Outcome {
            call,
            result: written.map(Success::Answer),
            unlogged: Vec::new(),
        });
    };
    told(handle.client.spawn_blocking(guarded, complete))
}

fn told(handed_over: Result<(), Error>) -> String {
    handed_over.map_or_else(|error| json(&Report::refusal(&error)), |()| String::new())
}

/// `lib/` has seen to it that it is a whole number.
#[allow(clippy::cast_possible_truncation, reason = "saturates")]
fn id(number: f64) -> i64 {
    number as i64
}

/// `lib/` has seen to it that it is not negative.
fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST))
}
