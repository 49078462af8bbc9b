//! The retry policy of an outbox: retries an update without a time limit, unless the endpoint
//! refuses the update itself.

use crate::delivery::LONGEST_RETRY_AFTER;
use crate::error::{Error, ErrorCode};
use crate::pipeline::breaker::CircuitBreaker;
use crate::pipeline::policy::{Backoff, Jitter, Policy};
use crate::queue::store::LaneId;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: LONGEST_BACKOFF,
};
pub(super) const LONGEST_BACKOFF: Duration = LONGEST_RETRY_AFTER;

/// The retry policy for one leased update.
pub(super) struct OutboxPolicy<'o> {
    pub breaker: &'o Mutex<CircuitBreaker>,
    pub jitter: &'o Jitter,
    pub lane: LaneId,
    /// Failed attempts so far.
    pub failures: u32,
    pub deadline: Instant,
}

impl OutboxPolicy<'_> {
    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the endpoint refused the update itself. Other errors that a call does not retry, such
    /// as an invalid certificate, concern the route, which may be repaired.
    fn is_final(&self, error: &Error) -> bool {
        let share = self.jitter.share();
        if error.code() == ErrorCode::Rejected {
            return !self.breaker().rejected(self.lane, error.status(), share);
        }
        let retry_after = error.retry_after();
        self.breaker()
            .failed(self.lane, error.code(), retry_after, share);
        false
    }
}

impl Policy for OutboxPolicy<'_> {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn delivered(&mut self) {
        self.breaker().succeeded();
    }

    fn wait_after(&mut self, error: &Error) -> Option<Duration> {
        if self.is_final(error) {
            return None;
        }
        let backoff = BACKOFF.wait(self.failures, self.jitter);
        Some(backoff.max(error.retry_after().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::attempt::{Attempt, answered};

    fn after(status: u16, failures: u32) -> Attempt {
        let mut policy = OutboxPolicy {
            breaker: &Mutex::default(),
            jitter: &Jitter::new(),
            lane: 1,
            failures,
            deadline: Instant::now(),
        };
        answered(status, None, &mut policy)
    }

    #[test]
    fn only_a_refused_update_fails_for_good() {
        for status in [200, 302, 408, 429, 500, 503] {
            assert!(
                matches!(after(status, 1_000), Attempt::Retry(..)),
                "{status}"
            );
        }
        assert!(matches!(after(422, 0), Attempt::Failed(_)));
    }

    #[test]
    fn an_invalid_certificate_is_tried_again() {
        let error = Error::new(ErrorCode::Certificate, "expired");
        let mut policy = OutboxPolicy {
            breaker: &Mutex::default(),
            jitter: &Jitter::new(),
            lane: 1,
            failures: 0,
            deadline: Instant::now(),
        };
        assert!(policy.wait_after(&error).is_some());
    }
}
