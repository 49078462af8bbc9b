//! A request that was read, and its outcome.

use crate::sandbox::update::{Refusal, Update};

/// A request that was read.
pub struct ReceivedRequest {
    pub received_ms: i64,
    pub body: String,
    pub content: Content,
    /// The rule of the fault as JSON, and whether the update is applied nevertheless.
    pub fault: Option<(String, bool)>,
    /// The status of the response; 0 if there is none.
    pub status: u16,
}

/// What a request contains.
pub enum Content {
    Update(Update),
    Unreadable(Refusal),
}

/// The outcome of a request, as stored in `updates.outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    Recorded = 0,
    Refused = 1,
    Faulted = 2,
}

impl RequestOutcome {
    pub const fn name(number: i64) -> &'static str {
        match number {
            0 => "recorded",
            1 => "refused",
            _ => "faulted",
        }
    }
}
