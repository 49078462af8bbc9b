//! The attempts of one call: when to try again, how long to wait before, when to give up.

use crate::delivery::{AnswerClass, ExchangeOutcome, Failure, Transport};
use crate::error::{Error, ErrorCode};
use crate::order::Problem;
use crate::results::Receipt;
use fastrand::Rng;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait before the second attempt; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// With less time left than this, another attempt would only be cut off.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(20);
/// With less time left than this, an attempt may use all of it.
const LAST_STRETCH: Duration = Duration::from_millis(250);

/// What one attempt led to.
pub(crate) enum Step {
    /// The endpoint has the update.
    Received,
    /// Nothing more is to be done.
    Failed(Error),
    /// Worth another attempt after this wait.
    Again(Duration),
}

/// A call's attempts so far and its time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts {
    pub started: Instant,
    pub deadline: Instant,
    pub count: u32,
}

impl Attempts {
    pub(crate) fn within(timeout: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            deadline: started + timeout,
            count: 0,
        }
    }

    /// The receipt for a call whose last attempt was answered with 204.
    pub(crate) fn receipt(&self, warnings: Vec<Problem>) -> Receipt {
        Receipt {
            attempts: self.count,
            elapsed: self.started.elapsed(),
            warnings,
        }
    }

    /// Makes one attempt, on this thread.
    pub(crate) fn attempt(&mut self, transport: &Transport, payload: &[u8], rng: &Jitter) -> Step {
        if self.left().is_zero() {
            return Step::Failed(self.out_of_time());
        }
        self.count += 1;
        match transport.post(payload, self.attempt_deadline()) {
            ExchangeOutcome::Received => Step::Received,
            ExchangeOutcome::Answered {
                status,
                retry_after,
            } => self.after_answer(status, retry_after, rng),
            ExchangeOutcome::Failed(failure) => self.after_failure(&failure, rng),
        }
    }

    /// The time limit passed before the first attempt was made, or between two.
    pub(crate) fn out_of_time(&self) -> Error {
        let reason = if self.count == 0 {
            "the time limit passed while earlier updates of the same order were being sent"
        } else {
            "there was no answer within the time limit"
        };
        Error::new(ErrorCode::Timeout, reason).after(self.count)
    }

    /// A hanging connection must not use up the time in which another one would succeed, so an
    /// attempt gets two thirds of what is left.
    fn attempt_deadline(&self) -> Instant {
        let left = self.left();
        if left <= LAST_STRETCH {
            return self.deadline;
        }
        Instant::now() + left * 2 / 3
    }

    fn after_answer(&self, status: u16, retry_after: Option<Duration>, rng: &Jitter) -> Step {
        let code = code_of_answer(status);
        let error = || Error::answered(code, status, retry_after).after(self.count);
        match code {
            ErrorCode::Rejected => Step::Failed(error()),
            _ => self.again_or(retry_after, rng, error),
        }
    }

    fn after_failure(&self, failure: &Failure, rng: &Jitter) -> Step {
        let code = failure.code;
        let error = || Error::new(code, failure.reason.clone()).after(self.count);
        match code {
            ErrorCode::Certificate | ErrorCode::ConfigInvalid => Step::Failed(error()),
            _ => self.again_or(None, rng, error),
        }
    }

    /// Another attempt if it still fits into the time limit, after the wait the endpoint asked
    /// for or longer; otherwise the error at once, rather than later.
    fn again_or(
        &self,
        asked: Option<Duration>,
        rng: &Jitter,
        error: impl FnOnce() -> Error,
    ) -> Step {
        let backoff = rng.below(self.longest_backoff());
        let wait = asked.map_or(backoff, |asked| asked.max(backoff));
        if wait + SHORTEST_ATTEMPT >= self.left() {
            Step::Failed(error())
        } else {
            Step::Again(wait)
        }
    }

    fn longest_backoff(&self) -> Duration {
        const MOST_DOUBLINGS: u32 = 8;
        let doublings = self.count.saturating_sub(1).min(MOST_DOUBLINGS);
        (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// What an answer other than 204 is called.
pub(crate) fn code_of_answer(status: u16) -> ErrorCode {
    match (AnswerClass::of(status), status) {
        (AnswerClass::Rejected, _) => ErrorCode::Rejected,
        (_, 200..=299) => ErrorCode::NotConfirmed,
        (_, 300..=399) => ErrorCode::Redirected,
        _ => ErrorCode::Unavailable,
    }
}

/// Randomness for full jitter: seeded per process, so that forked workers do not retry in step.
pub(crate) struct Jitter(Mutex<Rng>);

impl Jitter {
    pub(crate) fn new() -> Self {
        let mut rng = Rng::new();
        let process = u64::from(std::process::id());
        Self(Mutex::new(Rng::with_seed(
            rng.u64(..) ^ process.rotate_left(32),
        )))
    }

    pub(crate) fn below(&self, most: Duration) -> Duration {
        let share = self.0.lock().unwrap_or_else(PoisonError::into_inner).f64();
        most.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_attempt(count: u32, timeout: Duration) -> Attempts {
        Attempts {
            count,
            ..Attempts::within(timeout)
        }
    }

    #[test]
    fn waits_are_random_up_to_a_bound_that_doubles() {
        let rng = Jitter::new();
        for (count, bound) in [(1, 200), (2, 400), (3, 800), (6, 5_000), (100, 5_000)] {
            let attempts = at_attempt(count, Duration::from_secs(60));
            let waits: Vec<Duration> = (0..200)
                .map(|_| match attempts.after_answer(503, None, &rng) {
                    Step::Again(wait) => wait,
                    _ => panic!("there is time for another attempt"),
                })
                .collect();
            let bound = Duration::from_millis(bound);
            assert!(waits.iter().all(|wait| *wait <= bound));
            assert!(
                waits.iter().any(|wait| *wait > bound / 2),
                "not always short"
            );
            assert!(
                waits.iter().any(|wait| *wait < bound / 2),
                "not always long"
            );
        }
    }

    #[test]
    fn a_wait_that_does_not_fit_fails_at_once() {
        let rng = Jitter::new();
        let attempts = at_attempt(1, Duration::from_secs(5));
        let asked = Some(Duration::from_secs(60));
        let Step::Failed(error) = attempts.after_answer(429, asked, &rng) else {
            panic!("an hour's wait does not fit");
        };
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert_eq!((error.status(), error.retry_after()), (Some(429), asked));
        let asked = Some(Duration::from_secs(2));
        let Step::Again(wait) = attempts.after_answer(429, asked, &rng) else {
            panic!("two seconds fit");
        };
        assert!(wait >= Duration::from_secs(2));
    }

    #[test]
    fn statuses_lead_to_their_codes() {
        let rng = Jitter::new();
        let done = at_attempt(1, Duration::ZERO);
        for (status, code) in [
            (400, ErrorCode::Rejected),
            (451, ErrorCode::Rejected),
            (408, ErrorCode::Unavailable),
            (500, ErrorCode::Unavailable),
            (200, ErrorCode::NotConfirmed),
            (302, ErrorCode::Redirected),
        ] {
            let Step::Failed(error) = done.after_answer(status, None, &rng) else {
                panic!("no time is left");
            };
            assert_eq!(error.code(), code, "{status}");
        }
    }
}
