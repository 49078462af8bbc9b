//! What a client can do that has an outbox. Whatever may wait for the disk happens on a thread of
//! the core's; its result arrives under the call's number.
//!
//! Each function returns an empty text, or JSON: why the call could not be handed over.

use crate::mailbox::{Outcome, Success};
use crate::report::{Books, Letter, Report, json};
use crate::shapes::Shapes;
use crate::{Door, call, unpack};
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
pub fn has_outbox(door: &External<Door>) -> bool {
    door.client.require_outbox().is_ok()
}

/// Checks a packed order and accepts it into the outbox. `None`: has to be packed with care.
#[napi(catch_unwind)]
pub fn enqueue(
    door: &External<Door>,
    number: f64,
    is_report: bool,
    packed: String,
    tokens: u32,
) -> Option<String> {
    if let Err(error) = door.client.require_outbox() {
        return Some(json(&Report::refusal(&error)));
    }
    let shapes = door.shapes.borrow();
    let (order_id, fields) = unpack::order(&packed, tokens, &shapes).ok()?;
    let prepared = door.client.prepare(call(is_report), &order_id, &fields);
    let complete = door.completion(number, Success::Ticket);
    let handed_over = prepared.and_then(|checked| door.client.enqueue_soon(checked, complete));
    Some(told(handed_over))
}

/// Tells this client's events from now on, under this number.
#[napi]
pub fn observe(door: &External<Door>, client: f64) {
    let mailbox = Arc::clone(&door.mailbox);
    door.client
        .observe(move |events| mailbox.put_events(client, events));
}

/// The books.
#[napi(catch_unwind)]
pub fn stats(door: &External<Door>, number: f64) -> String {
    ask(door, number, |client| Ok(Books::from(client.stats()?)))
}

/// How many updates are left after waiting so many seconds for none to be.
#[napi(catch_unwind)]
pub fn flush(door: &External<Door>, number: f64, seconds: f64) -> String {
    ask(door, number, move |client| client.flush(duration(seconds)))
}

/// How many updates are left once nothing is sent any more, or after so many seconds.
#[napi(catch_unwind)]
pub fn close(door: &External<Door>, number: f64, seconds: f64) -> String {
    ask(door, number, move |client| client.close(duration(seconds)))
}

/// Nothing, once nothing is sent any more, or after so many seconds.
#[napi(catch_unwind)]
pub fn shut_down(door: &External<Door>, number: f64, seconds: f64) -> String {
    ask(door, number, move |client| {
        client.shut_down(duration(seconds));
        Ok(())
    })
}

/// Takes back `shut_down`.
#[napi(catch_unwind)]
pub fn resume(door: &External<Door>) {
    door.client.resume();
}

/// Dead letters with a higher number than this, at most so many.
#[napi(catch_unwind)]
pub fn dead_letters(door: &External<Door>, number: f64, after: f64, limit: f64) -> String {
    let most = u32::try_from(id(limit)).unwrap_or(u32::MAX) as usize;
    ask(door, number, move |client| {
        let letters = client.dead_letters(id(after).saturating_add(1), most)?;
        Ok(letters.into_iter().map(Letter::from).collect::<Vec<_>>())
    })
}

/// Whether there was such a dead letter to be sent again.
#[napi(catch_unwind)]
pub fn replay(door: &External<Door>, number: f64, letter: f64) -> String {
    ask(door, number, move |client| client.replay(id(letter)))
}

/// Whether there was such a dead letter to be removed.
#[napi(catch_unwind)]
pub fn discard(door: &External<Door>, number: f64, letter: f64) -> String {
    ask(door, number, move |client| client.discard(id(letter)))
}

/// Whether there was such a dead letter to be changed. The fields are packed with care.
#[napi(catch_unwind)]
pub fn edit(
    door: &External<Door>,
    number: f64,
    letter: f64,
    packed: String,
    tokens: u32,
) -> String {
    ask(door, number, move |client| {
        let shapes = Shapes::default();
        let fields = unpack::record(&packed, tokens, &shapes)
            .map_err(|unpack::Unclear| Error::internal("values could not be handed over"))?;
        client.edit(id(letter), fields)
    })
}

/// Asks on a thread of its own. A question that panics has an answer too.
fn ask<T: Serialize + 'static>(
    door: &Door,
    call: f64,
    question: impl FnOnce(&Client) -> Result<T, Error> + Send + 'static,
) -> String {
    let guarded = move |client: &Client| {
        let answer = catch_unwind(AssertUnwindSafe(|| question(client)));
        answer.unwrap_or_else(|_| Err(Error::internal("a background thread panicked")))
    };
    let mailbox = Arc::clone(&door.mailbox);
    let complete = move |answer: Result<T, Error>| {
        let written = answer.and_then(|answer| {
            to_raw_value(&answer).map_err(|error| Error::internal(error.to_string()))
        });
        mailbox.put(Outcome {
            call,
            result: written.map(Success::Answer),
            unlogged: Vec::new(),
        });
    };
    told(door.client.aside(guarded, complete))
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
