//! The result of a successful check.

use super::fields::Stage;
use super::problem::Problem;
use std::fmt;
use std::ops::Range;

/// An order update that passed the check: the payload to send, its warnings, and what the queue needs
/// to know about it.
#[derive(Clone)]
pub struct Checked {
    /// The exact bytes that are sent: one flat JSON object.
    pub payload: Vec<u8>,
    /// Suspicious values, and fields that were left out.
    pub warnings: Vec<Problem>,
    pub(crate) lane: u64,
    pub(crate) stage: Stage,
    /// Where the payload holds the text of `order_id`, with its quotes.
    pub(super) order_id: Range<usize>,
    pub(super) order_time: Option<i64>,
}

impl Checked {
    /// The `order_id` of the update.
    pub fn order_id(&self) -> String {
        let text = self.payload.get(self.order_id.clone()).unwrap_or_default();
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// The `order_time` that is sent, in Unix seconds; none if the update has none.
    pub fn order_time(&self) -> Option<i64> {
        self.order_time
    }

    /// The ordering key of the order: the same number for every update of one order of one site.
    pub fn lane(&self) -> u64 {
        self.lane
    }
}

/// Shows sizes only: the payload is customer data.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Checked({} bytes, {:?})",
            self.payload.len(),
            self.warnings
        )
    }
}
