//! Whether the endpoint itself is down: then it is not each order's failure, and one request at a
//! time finds out when it is back.
//!
//! Many orders of which each fails for itself look the same at first. What tells them apart is that
//! a request for some other order succeeds; so a probe goes out for any of the orders that wait,
//! and each alarm that ends at once makes the next one take more.

use super::store::LaneId;
use crate::error::ErrorCode;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// So many different orders that fail alike, with no success in between, are no coincidence.
const MANY: usize = 5;
/// After a false alarm it takes so many times more.
const MORE: usize = 4;
const MOST_FALSE_ALARMS: u32 = 6;
/// An alarm that ended after so few pauses was false.
const FEW_PAUSES: u32 = 2;
/// After so long without an alarm, earlier ones do not count.
const CALM: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// More than this only means "not soon".
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

#[derive(Default)]
pub(super) struct Health {
    failing: HashSet<LaneId>,
    alike: Option<ErrorCode>,
    pauses: u32,
    until: Option<Instant>,
    false_alarms: u32,
    calm_since: Option<Instant>,
}

impl Health {
    pub(super) fn succeeded(&mut self) {
        self.failing.clear();
        self.alike = None;
        if self.until.take().is_some() {
            let was_false = self.pauses <= FEW_PAUSES;
            self.false_alarms = if was_false { self.false_alarms + 1 } else { 0 };
            self.calm_since = Some(Instant::now());
        }
        self.pauses = 0;
    }

    /// Notes a failure that is no order's own fault. `share` is random, from 0 to 1.
    pub(super) fn failed(
        &mut self,
        lane: LaneId,
        code: ErrorCode,
        asked: Option<Duration>,
        share: f64,
    ) {
        if self.alike.replace(code) != Some(code) {
            self.failing.clear();
        }
        self.failing.insert(lane);
        let is_probe = self.until.is_some_and(|until| until <= Instant::now());
        let pause = match asked {
            Some(asked) => asked.min(LONGEST_ASKED),
            None if is_probe || (self.until.is_none() && self.failing.len() >= self.many()) => {
                let longest = FIRST_PAUSE * 2_u32.pow(self.pauses.min(9));
                longest.min(LONGEST_PAUSE).mul_f64(0.5 + share / 2.0)
            }
            None => return,
        };
        self.pauses += 1;
        let until = Instant::now() + pause;
        self.until = Some(self.until.map_or(until, |earlier| earlier.max(until)));
    }

    fn many(&mut self) -> usize {
        if self.calm_since.is_some_and(|since| since.elapsed() > CALM) {
            self.false_alarms = 0;
        }
        MANY * MORE.pow(self.false_alarms.min(MOST_FALSE_ALARMS))
    }

    /// How many more requests may be under way, while there are so many.
    pub(super) fn room(&self, under_way: usize, most: usize) -> usize {
        match self.until {
            None => most.saturating_sub(under_way),
            Some(until) if until <= Instant::now() && under_way == 0 => 1,
            Some(_) => 0,
        }
    }

    /// Whether the next request is to find out if the endpoint is back.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.until.is_some()
    }

    /// Ends a pause: the next request finds out whether the endpoint is back.
    pub(super) fn reset(&mut self) {
        if self.until.is_some() {
            self.until = Some(Instant::now());
        }
    }

    /// How long there is nothing to send.
    pub(super) fn pause(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_alike_pause_everything_and_one_success_ends_it() {
        let mut health = Health::default();
        for lane in 1..5 {
            health.failed(lane, ErrorCode::Connect, None, 1.0);
            health.failed(lane, ErrorCode::Connect, None, 1.0);
        }
        assert_eq!(health.room(0, 8), 8, "four orders are no proof");
        health.failed(5, ErrorCode::Connect, None, 1.0);
        assert_eq!(health.room(0, 8), 0);
        assert!(health.pause().is_some());
        health.succeeded();
        assert_eq!(health.room(3, 8), 5);
    }

    #[test]
    fn orders_that_fail_for_themselves_soon_pause_nobody() {
        let mut health = Health::default();
        let alarms = (0..10_000).filter(|lane| {
            health.failed(*lane, ErrorCode::Unavailable, None, 1.0);
            let is_alarm = health.is_in_doubt();
            if is_alarm {
                health.succeeded();
            }
            is_alarm
        });
        assert_eq!(alarms.count(), 6);
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept_and_then_one_request_probes() {
        let mut health = Health::default();
        health.failed(1, ErrorCode::Unavailable, Some(Duration::ZERO), 1.0);
        assert_eq!(health.room(0, 8), 1);
        assert_eq!(health.room(1, 8), 0);
        health.failed(1, ErrorCode::Unavailable, Some(Duration::from_secs(9)), 1.0);
        assert!(health.pause().unwrap() > Duration::from_secs(8));
    }
}
