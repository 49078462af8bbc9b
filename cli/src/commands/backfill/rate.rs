//! Limits the number of updates per second.

use std::time::{Duration, Instant};

/// Reads `--rate`.
pub fn parse(text: &str) -> Result<f64, String> {
    const RANGE: std::ops::RangeInclusive<f64> = 0.001..=1e6;
    match text.parse() {
        Ok(rate) if RANGE.contains(&rate) => Ok(rate),
        _ => {
            let (min, max) = (RANGE.start(), RANGE.end());
            Err(format!("must be a number from {min} to {max}"))
        }
    }
}

/// Allows one update per interval.
pub struct RateLimiter {
    interval: Option<Duration>,
    next: Instant,
}

impl RateLimiter {
    /// Without a rate there is no limit.
    pub fn new(rate: Option<f64>, now: Instant) -> Self {
        let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Self {
            interval,
            next: now,
        }
    }

    /// The time until the next update is allowed.
    pub fn wait(&self) -> Duration {
        match self.interval {
            None => Duration::ZERO,
            Some(_) => self.next.saturating_duration_since(Instant::now()),
        }
    }

    /// Counts an update. Up to a tenth of a second of missed updates may be caught up.
    pub fn count(&mut self) {
        const MAX_BEHIND: Duration = Duration::from_millis(100);
        if let Some(interval) = self.interval {
            let earliest = Instant::now().checked_sub(MAX_BEHIND).unwrap_or(self.next);
            self.next = self.next.max(earliest) + interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_finite_and_has_an_interval() {
        for wrong in ["nan", "inf", "-1", "0", "1e-300", "1e9", "", "fast"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        for right in ["0.001", "0.5", "200", "1e6"] {
            let rate = parse(right).expect("a rate");
            let mut limiter = RateLimiter::new(Some(rate), Instant::now());
            assert_eq!(limiter.wait(), Duration::ZERO, "{right}");
            limiter.count();
        }
    }
}
