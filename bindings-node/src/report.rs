//! Results that are rare or rich go to JavaScript as JSON, in the shape that `lib/` reads.

use crate::completions::{Outcome, Success};
use katalys_core::{DeadLetter, Error, Event, Problem, Stats};
use serde::Serialize;
use serde_json::value::RawValue;

/// What comes of a call, or of handing one over.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'r RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<&'r Problem>>,
    /// Those that are to be logged.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unlogged: &'r [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'r> {
    kind: &'static str,
    code: &'static str,
    message: &'r str,
    retryable: bool,
    problems: &'r [Problem],
    status: Option<u16>,
    retry_after: Option<f64>,
    ticket: Option<f64>,
}

impl<'r> Report<'r> {
    /// A call that could not be handed over.
    pub fn refusal(error: &'r Error) -> Self {
        Self {
            error: Some(Failure::new(error)),
            ..Self::default()
        }
    }

    /// Problems to be logged, of a call that was handed over.
    pub fn warnings(problems: Vec<&'r Problem>) -> Self {
        Self {
            warnings: Some(problems),
            ..Self::default()
        }
    }

    /// The end of a call in the background.
    pub fn outcome(outcome: &'r Outcome) -> Self {
        Self {
            call: Some(outcome.call),
            unlogged: &outcome.unlogged,
            ..match &outcome.result {
                Ok(success) => Self::success(success),
                Err(error) => Self::refusal(error),
            }
        }
    }

    fn success(success: &'r Success) -> Self {
        match success {
            Success::Receipt(receipt) => Self {
                attempts: Some(receipt.attempts),
                elapsed: Some(receipt.elapsed.as_secs_f64()),
                ..Self::warnings(receipt.warnings.iter().collect())
            },
            Success::Ticket(ticket) => Self {
                id: Some(number(ticket.id)),
                ..Self::warnings(ticket.warnings.iter().collect())
            },
            Success::Answer(answer) => Self {
                answer: Some(answer),
                ..Self::default()
            },
        }
    }
}

impl<'r> Failure<'r> {
    fn new(error: &'r Error) -> Self {
        Self {
            kind: error.kind().as_str(),
            code: error.code().as_str(),
            message: error.message(),
            retryable: error.is_retryable(),
            problems: error.problems(),
            status: error.status(),
            retry_after: error.retry_after().map(|wait| wait.as_secs_f64()),
            ticket: error.ticket().map(number),
        }
    }
}

/// What happened, and what is to be logged.
#[derive(Serialize)]
pub struct News<'r> {
    events: Vec<Happening<'r>>,
    logged: &'r [String],
}

#[derive(Serialize)]
struct Happening<'r> {
    client: f64,
    kind: &'static str,
    id: f64,
    order: &'r str,
    attempts: u32,
    status: Option<u16>,
    code: Option<&'static str>,
}

impl<'r> News<'r> {
    pub fn new(events: &'r [(f64, Event)], logged: &'r [String]) -> Self {
        let happening = |(client, event): &'r (f64, Event)| Happening {
            client: *client,
            kind: event.kind.as_str(),
            id: number(event.id),
            order: &event.order,
            attempts: event.attempts,
            status: event.status,
            code: event.code,
        };
        Self {
            events: events.iter().map(happening).collect(),
            logged,
        }
    }
}

/// The counters, for JavaScript.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    accepted: u64,
    delivered: u64,
    pending: u64,
    in_flight: u64,
    dead: u64,
    discarded: u64,
    oldest_pending_seconds: f64,
}

impl From<Stats> for Counters {
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

/// A dead letter, for JavaScript.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    id: f64,
    order_id: String,
    site_id: String,
    payload: String,
    status: Option<u16>,
    code: String,
    reason: String,
    died_at: f64,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: number(letter.id),
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

/// Ids count from 1, and stay below where JavaScript's numbers are no longer exact.
#[allow(clippy::cast_precision_loss, reason = "there are no 2^53 updates")]
pub fn number(id: i64) -> f64 {
    id as f64
}

/// Cannot fail: there are no maps, and numbers are finite.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
