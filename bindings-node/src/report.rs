//! Results that are rare or rich go to JavaScript as JSON, in the shape that `lib/` reads.

use katalys_core::{Error, Problem, Receipt};
use serde::Serialize;

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
    warnings: Option<Vec<&'r Problem>>,
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
}

impl<'r> Report<'r> {
    /// A call that could not be handed over.
    pub fn refusal(error: &'r Error) -> Self {
        Self {
            error: Some(Failure::new(error)),
            ..Self::default()
        }
    }

    /// A call that failed in the background.
    pub fn failure(call: f64, error: &'r Error) -> Self {
        Self {
            call: Some(call),
            ..Self::refusal(error)
        }
    }

    /// Problems to be logged, of a call that was handed over.
    pub fn warnings(problems: Vec<&'r Problem>) -> Self {
        Self {
            warnings: Some(problems),
            ..Self::default()
        }
    }

    /// A call that succeeded.
    pub fn receipt(call: f64, receipt: &'r Receipt) -> Self {
        Self {
            call: Some(call),
            attempts: Some(receipt.attempts),
            elapsed: Some(receipt.elapsed.as_secs_f64()),
            ..Self::warnings(receipt.warnings.iter().collect())
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
        }
    }
}

/// Cannot fail: there are no maps, and numbers are finite.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
