//! The calls of a client with an outbox. Calls that may wait for the disk run on a thread of the
//! core; their results arrive in the completion queue under the number of the call.
//!
//! The function of such a call returns an empty text, or the reason why the call was not started,
//! as JSON.

use crate::report::{Completion, Report, Success, answer, json, spelled};
use crate::shapes::Shapes;
use crate::{ClientHandle, call, unpack};
use katalys_core::bridge::Bridge as _;
use katalys_core::config::{self, DEFAULT_PAGE, DEFAULT_WAIT, EXIT_WAIT};
use katalys_core::{Client, Error};
use napi::bindgen_prelude::External;
use napi_derive::napi;
use serde_json::value::RawValue;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Whether the client has an outbox.
#[napi]
pub fn has_outbox(handle: &External<ClientHandle>) -> bool {
    handle.client.has_outbox()
}

/// Checks a packed order and accepts it into the outbox. `None`: escape the values and call again.
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
    let complete = handle.on_complete(number, Success::Ticket);
    let result = prepared.and_then(|checked| handle.client.enqueue_async(checked, complete));
    Some(refusal(result))
}

/// Delivers this client's events from now on, under this number.
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
    refusal(run(handle, number, |client| {
        answer(&spelled(&client.stats()?))
    }))
}

/// Waits until nothing is pending, up to `timeout` seconds. The result is the number of pending
/// updates.
#[napi(catch_unwind)]
pub fn flush(handle: &External<ClientHandle>, number: f64, timeout: Option<f64>) -> String {
    refusal(wait(handle, number, timeout, Client::flush))
}

/// Ends delivery and waits for the requests in flight, up to `timeout` seconds. The result is the
/// number of pending updates; 0 without an outbox.
#[napi(catch_unwind)]
pub fn close(handle: &External<ClientHandle>, number: f64, timeout: Option<f64>) -> String {
    refusal(wait(handle, number, timeout, |client, timeout| {
        if client.has_outbox() {
            client.close(timeout)
        } else {
            Ok(0)
        }
    }))
}

/// Pauses delivery. Takes effect before it returns, so that a later `resume` cannot overtake it.
#[napi(catch_unwind)]
pub fn pause(handle: &External<ClientHandle>) {
    handle.client.pause();
}

/// Waits until nothing is in flight after `pause`, up to the limit for the end of a process.
#[napi(catch_unwind)]
pub fn wait_until_paused(handle: &External<ClientHandle>, number: f64) -> String {
    refusal(run(handle, number, |client| {
        client.wait_until_paused(EXIT_WAIT);
        answer(&())
    }))
}

/// Undoes `pause`.
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
    limit: Option<f64>,
) -> String {
    let limit = limit.map_or(DEFAULT_PAGE, |limit| {
        u32::try_from(id(limit)).unwrap_or(u32::MAX) as usize
    });
    refusal(run(handle, number, move |client| {
        let letters = client.dead_letters(id(after).saturating_add(1), limit)?;
        answer(&letters.iter().map(spelled).collect::<Vec<_>>())
    }))
}

/// Replays a dead letter. The result is whether there was one of this number.
#[napi(catch_unwind)]
pub fn replay(handle: &External<ClientHandle>, number: f64, letter: f64) -> String {
    refusal(run(handle, number, move |client| {
        answer(&client.replay(id(letter))?)
    }))
}

/// Discards a dead letter. The result is whether there was one of this number.
#[napi(catch_unwind)]
pub fn discard(handle: &External<ClientHandle>, number: f64, letter: f64) -> String {
    refusal(run(handle, number, move |client| {
        answer(&client.discard(id(letter))?)
    }))
}

/// Edits a dead letter. The result is whether there was one of this number. The fields are packed
/// with escaped text.
#[napi(catch_unwind)]
pub fn edit(
    handle: &External<ClientHandle>,
    number: f64,
    letter: f64,
    packed: String,
    tokens: u32,
) -> String {
    refusal(run(handle, number, move |client| {
        let shapes = Shapes::default();
        let fields = unpack::record(&packed, tokens, &shapes)
            .map_err(|unpack::Unescaped| Error::internal("values could not be handed over"))?;
        answer(&client.edit(id(letter), fields)?)
    }))
}

/// Runs a call that waits up to `timeout` seconds, or up to the default.
fn wait(
    handle: &ClientHandle,
    number: f64,
    timeout: Option<f64>,
    call: fn(&Client, Duration) -> Result<u64, Error>,
) -> Result<(), Error> {
    let timeout = timeout.map_or(Ok(DEFAULT_WAIT), config::timeout)?;
    run(handle, number, move |client| {
        answer(&call(client, timeout)?)
    })
}

/// Runs a call on a thread of its own. If it panics, the result is an error.
fn run(
    handle: &ClientHandle,
    number: f64,
    call: impl FnOnce(&Client) -> Result<Box<RawValue>, Error> + Send + 'static,
) -> Result<(), Error> {
    let guarded = move |client: &Client| {
        let result = catch_unwind(AssertUnwindSafe(|| call(client)));
        result.unwrap_or_else(|_| Err(Error::internal("a background thread panicked")))
    };
    let completions = Arc::clone(&handle.completions);
    let complete = move |result: Result<Box<RawValue>, Error>| {
        completions.put(Completion {
            call: number,
            result: result.map(Success::Answer),
            unlogged: Vec::new(),
        });
    };
    handle.client.spawn_blocking(guarded, complete)
}

/// The reason why a call was not started, as JSON; empty if it was.
fn refusal(handed_over: Result<(), Error>) -> String {
    handed_over.map_or_else(|error| json(&Report::refusal(&error)), |()| String::new())
}

/// `lib/` has checked that it is a whole number.
#[allow(clippy::cast_possible_truncation, reason = "saturates")]
fn id(number: f64) -> i64 {
    number as i64
}
