//! The progress of a call with a time limit: its attempts so far, and the retry policy that keeps
//! them within the limit.

use super::attempt::{Attempt, attempt};
use super::link::Link;
use super::policy::{Backoff, Jitter, Policy};
use crate::error::{Error, ErrorCode};
use crate::order::Problem;
use crate::results::Receipt;
use std::time::{Duration, Instant};

const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(5),
};
/// No attempt starts with less time left than this: it would be cut off.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(20);
/// With less time left than this, an attempt may use all of it.
const LAST_STRETCH: Duration = Duration::from_millis(250);

/// A call's attempts so far and its time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallProgress {
    pub started: Instant,
    pub deadline: Instant,
    /// Number of attempts so far.
    pub count: u32,
}

impl CallProgress {
    pub(crate) fn within(timeout: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            deadline: started + timeout,
            count: 0,
        }
    }

    /// Makes one attempt on this thread.
    pub(crate) fn attempt(&mut self, link: &Link, payload: &[u8]) -> Attempt {
        if self.left().is_zero() {
            return Attempt::Failed(self.out_of_time());
        }
        self.count += 1;
        let mut policy = CallPolicy {
            call: self,
            jitter: &link.jitter,
        };
        match attempt(&link.transport, payload, &mut policy) {
            Attempt::Failed(error) => Attempt::Failed(error.after(self.count)),
            other => other,
        }
    }

    /// The receipt of a call whose last attempt was answered with 204.
    pub(crate) fn receipt(&self, warnings: Vec<Problem>) -> Receipt {
        Receipt {
            attempts: self.count,
            elapsed: self.started.elapsed(),
            warnings,
        }
    }

    /// The error of a call whose time limit passed before the first attempt, or between two.
    pub(crate) fn out_of_time(&self) -> Error {
        let reason = if self.count == 0 {
            "the time limit passed while earlier updates of the same order were being sent"
        } else {
            "there was no answer within the time limit"
        };
        Error::new(ErrorCode::Timeout, reason).after(self.count)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Retries errors that the error table calls retryable, as long as another attempt fits into the
/// limit.
struct CallPolicy<'c> {
    call: &'c CallProgress,
    jitter: &'c Jitter,
}

impl Policy for CallPolicy<'_> {
    /// Two thirds of the time left: a connection that hangs must not use up the time in which
    /// another one would succeed.
    fn deadline(&self) -> Instant {
        let left = self.call.left();
        if left <= LAST_STRETCH {
            return self.call.deadline;
        }
        Instant::now() + left * 2 / 3
    }

    /// At least the wait that the endpoint asked for. A call that cannot succeed any more fails now
    /// rather than at its deadline.
    fn wait_after(&mut self, error: &Error) -> Option<Duration> {
        if !error.is_retryable() {
            return None;
        }
        let backoff = BACKOFF.wait(self.call.count.saturating_sub(1), self.jitter);
        let wait = error
            .retry_after()
            .map_or(backoff, |asked| asked.max(backoff));
        (wait + SHORTEST_ATTEMPT < self.call.left()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempt::answered;
    use super::*;

    fn after(status: u16, asked: Option<Duration>, timeout: Duration) -> Attempt {
        let call = CallProgress {
            count: 1,
            ..CallProgress::within(timeout)
        };
        let mut policy = CallPolicy {
            call: &call,
            jitter: &Jitter::new(),
        };
        answered(status, asked, &mut policy)
    }

    #[test]
    fn a_wait_that_does_not_fit_fails_at_once() {
        let limit = Duration::from_secs(5);
        let asked = Some(Duration::from_secs(60));
        let Attempt::Failed(error) = after(429, asked, limit) else {
            panic!("a minute's wait does not fit");
        };
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert_eq!((error.status(), error.retry_after()), (Some(429), asked));
        let Attempt::Retry(wait, _) = after(429, Some(Duration::from_secs(2)), limit) else {
            panic!("two seconds fit");
        };
        assert!(wait >= Duration::from_secs(2));
    }

    #[test]
    fn only_retryable_errors_are_retried() {
        let limit = Duration::from_secs(60);
        assert!(matches!(after(400, None, limit), Attempt::Failed(_)));
        for status in [200, 302, 408, 429, 500, 503] {
            assert!(
                matches!(after(status, None, limit), Attempt::Retry(..)),
                "{status}"
            );
        }
    }
}
