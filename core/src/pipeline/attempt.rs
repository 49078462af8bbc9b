//! One attempt to deliver an update: one exchange with the endpoint, whose outcome the policy
//! judges.

use super::policy::Policy;
use crate::delivery::{AnswerClass, ExchangeOutcome, Transport};
use crate::error::{Error, ErrorCode};
use std::time::Duration;

/// The result of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The endpoint has received the update.
    Delivered,
    /// Another attempt follows after this wait.
    Retry(Duration, Error),
    /// No further attempt is made.
    Failed(Error),
}

/// Makes one attempt on this thread.
pub(crate) fn attempt(transport: &Transport, payload: &[u8], policy: &mut dyn Policy) -> Attempt {
    let outcome = transport.post(payload, policy.deadline());
    judge(outcome, policy)
}

fn judge(outcome: ExchangeOutcome, policy: &mut dyn Policy) -> Attempt {
    let error = match outcome {
        ExchangeOutcome::Received => {
            policy.delivered();
            return Attempt::Delivered;
        }
        ExchangeOutcome::Answered {
            status,
            retry_after,
        } => Error::answered(code_of_answer(status), status, retry_after),
        ExchangeOutcome::Failed(failure) => Error::new(failure.code, failure.reason),
    };
    match policy.wait_after(&error) {
        Some(wait) => Attempt::Retry(wait, error),
        None => Attempt::Failed(error),
    }
}

/// The code of an answer other than 204.
fn code_of_answer(status: u16) -> ErrorCode {
    match (AnswerClass::of(status), status) {
        (AnswerClass::Rejected, _) => ErrorCode::Rejected,
        (_, 200..=299) => ErrorCode::NotConfirmed,
        (_, 300..=399) => ErrorCode::Redirected,
        _ => ErrorCode::Unavailable,
    }
}

/// The result of an attempt that is answered with this status.
#[cfg(test)]
pub(crate) fn answered(
    status: u16,
    retry_after: Option<Duration>,
    policy: &mut dyn Policy,
) -> Attempt {
    let outcome = ExchangeOutcome::Answered {
        status,
        retry_after,
    };
    judge(outcome, policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_lead_to_their_codes() {
        for (status, code) in [
            (400, ErrorCode::Rejected),
            (451, ErrorCode::Rejected),
            (408, ErrorCode::Unavailable),
            (500, ErrorCode::Unavailable),
            (200, ErrorCode::NotConfirmed),
            (302, ErrorCode::Redirected),
        ] {
            assert_eq!(code_of_answer(status), code, "{status}");
        }
    }
}
