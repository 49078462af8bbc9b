//! Retry policies: a policy decides whether and when a failed attempt is retried. A call has one
//! with a time limit, an outbox has one without.

use crate::error::Error;
use fastrand::Rng;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Decides how long an attempt may take, and what follows it.
pub(crate) trait Policy {
    /// When an attempt that starts now has to end.
    fn deadline(&self) -> Instant;

    /// Called when the endpoint has received the update.
    fn delivered(&mut self) {}

    /// Called when an attempt failed: returns the wait before the next one, or `None` to give up.
    fn wait_after(&mut self, error: &Error) -> Option<Duration>;
}

/// Waits that grow with the number of failures: exponential backoff with full jitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The longest wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest wait of all.
    pub longest: Duration,
}

impl Backoff {
    /// A random wait after a failure that `failures` others preceded.
    pub(crate) fn wait(self, failures: u32, jitter: &Jitter) -> Duration {
        const MAX_DOUBLINGS: u32 = 9;
        let bound = self.first * 2_u32.pow(failures.min(MAX_DOUBLINGS));
        jitter.below(bound.min(self.longest))
    }
}

/// A random number generator for waits. Seeded with the process id, so that forked processes do not
/// retry at the same moments.
pub(crate) struct Jitter(Mutex<Rng>);

impl Jitter {
    pub(crate) fn new() -> Self {
        let mut rng = Rng::new();
        let process = u64::from(std::process::id());
        let seed = rng.u64(..) ^ process.rotate_left(32);
        Self(Mutex::new(Rng::with_seed(seed)))
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }

    fn below(&self, bound: Duration) -> Duration {
        bound.mul_f64(self.share())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_random_up_to_a_bound_that_doubles() {
        let backoff = Backoff {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(5),
        };
        let jitter = Jitter::new();
        for (failures, bound) in [(0, 200), (1, 400), (2, 800), (5, 5_000), (100, 5_000)] {
            let bound = Duration::from_millis(bound);
            let waits: Vec<Duration> = (0..200).map(|_| backoff.wait(failures, &jitter)).collect();
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
}
