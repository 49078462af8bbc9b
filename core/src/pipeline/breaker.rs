//! The circuit breaker: whether the endpoint itself is down. Then it is no order's own failure, and
//! one request at a time finds out when it is back.
//!
//! It counts different orders that fail alike with no success in between. Many orders of which each
//! fails for itself look the same at first; what tells them apart is that a request for another
//! order succeeds. So a probe goes out for any of the pending orders, and each false alarm raises
//! the threshold fourfold.
//!
//! The same holds for refusals that say something of the way in, not of the update (401, 403, 404
//! and the like, as a firewall or a moved endpoint gives them for hours). The first few updates
//! become dead letters; once [`MANY`] orders were refused in a row, the others are kept and tried
//! again.
//!
//! A wait that the endpoint asks for (`Retry-After`) holds for the order that was answered so. It
//! pauses all orders once a second order was answered alike.

use crate::delivery::LONGEST_RETRY_AFTER;
use crate::error::ErrorCode;
use crate::queue::store::LaneId;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// This many different orders that fail alike, with no success in between, are no coincidence.
const MANY: usize = 5;
/// A false alarm raises the threshold by this factor.
const MORE: usize = 4;
const MOST_FALSE_ALARMS: u32 = 6;
/// An alarm that ended after this many pauses was false.
const FEW_PAUSES: u32 = 2;
/// After this long without an alarm, earlier ones do not count.
const CALM: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known of the endpoint since its last success.
#[derive(Default)]
pub(crate) struct Health {
    failing: HashSet<LaneId>,
    alike: Option<ErrorCode>,
    /// Orders that were refused in a way that may have nothing to do with them.
    refused: HashSet<LaneId>,
    /// The order that was first asked to wait, and how long.
    asked: Option<(LaneId, Duration)>,
    pauses: u32,
    until: Option<Instant>,
    false_alarms: u32,
    calm_since: Option<Instant>,
}

impl Health {
    pub(crate) fn succeeded(&mut self) {
        self.refused.clear();
        self.asked = None;
        self.answered();
    }

    /// The endpoint answers, though it does not take everything.
    fn answered(&mut self) {
        self.failing.clear();
        self.alike = None;
        if self.until.take().is_some() {
            let was_false = self.pauses <= FEW_PAUSES;
            self.false_alarms = if was_false { self.false_alarms + 1 } else { 0 };
            self.calm_since = Some(Instant::now());
        }
        self.pauses = 0;
    }

    /// Notes a failure that is no order's own fault. `asked` is the wait the endpoint asked for,
    /// `share` is random, from 0 to 1.
    pub(crate) fn failed(
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
        match asked.and_then(|asked| self.confirmed(lane, asked)) {
            Some(wait) if !wait.is_zero() => self.pause_for(wait),
            _ => self.pause_if(self.failing.len(), share),
        }
    }

    /// Notes that an update was refused for good; true if that is not the update's own fault, so
    /// that it is to be tried again.
    pub(crate) fn rejected(&mut self, lane: LaneId, status: Option<u16>, share: f64) -> bool {
        if !status.is_some_and(is_about_access) {
            self.succeeded();
            return false;
        }
        self.refused.insert(lane);
        if self.refused.len() < self.many() {
            self.answered();
            return false;
        }
        if self.until.is_none() {
            log::warn!(
                target: "katalys",
                "the endpoint refuses every order; pending updates are kept and tried again"
            );
        }
        self.pause_if(self.refused.len(), share);
        true
    }

    /// Ends a pause: the next request finds out at once whether the endpoint is back.
    pub(crate) fn reset(&mut self) {
        self.asked = None;
        if self.until.is_some() {
            self.until = Some(Instant::now());
        }
    }

    /// The wait for all orders, if another order was asked to wait before: the shorter of the two.
    fn confirmed(&mut self, lane: LaneId, asked: Duration) -> Option<Duration> {
        let asked = asked.min(LONGEST_RETRY_AFTER);
        let (first, wait) = *self.asked.get_or_insert((lane, asked));
        if first == lane {
            self.asked = Some((lane, asked));
            return None;
        }
        Some(asked.min(wait))
    }

    /// Pauses if a probe failed, or once this many orders that failed alike are too many.
    fn pause_if(&mut self, count: usize, share: f64) {
        let is_probe = self.until.is_some_and(|until| until <= Instant::now());
        if is_probe || (self.until.is_none() && count >= self.many()) {
            let longest = FIRST_PAUSE * 2_u32.pow(self.pauses.min(9));
            self.pause_for(longest.min(LONGEST_PAUSE).mul_f64(0.5 + share / 2.0));
        }
    }

    fn pause_for(&mut self, pause: Duration) {
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

    /// How many more requests may be under way, in addition to `under_way` and up to `most`.
    pub(crate) fn room(&self, under_way: usize, most: usize) -> usize {
        match self.until {
            None => most.saturating_sub(under_way),
            Some(until) if until <= Instant::now() && under_way == 0 => 1,
            Some(_) => 0,
        }
    }

    /// Whether the next request is to find out if the endpoint is back.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.until.is_some()
    }

    /// How long there is nothing to send.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// Whether a status that refuses an update says something of the way to the endpoint rather than
/// of what was sent.
fn is_about_access(status: u16) -> bool {
    matches!(status, 401..=405 | 407 | 410 | 421 | 451)
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
    fn orders_that_fail_for_themselves_soon_pause_no_others() {
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

    const HOUR: Option<Duration> = Some(Duration::from_secs(60 * 60));

    #[test]
    fn one_order_that_is_asked_to_wait_holds_up_no_other() {
        let mut health = Health::default();
        for _ in 0..10 {
            health.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
            assert_eq!(health.room(0, 8), 8);
        }
        health.succeeded();
        health.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        assert_eq!(health.room(0, 8), 8, "a success lies between the two");
    }

    #[test]
    fn a_wait_that_two_orders_were_asked_for_holds_for_all_but_not_for_long() {
        let mut health = Health::default();
        health.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
        health.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        assert_eq!(health.room(0, 8), 0);
        assert!(health.pause().unwrap() > LONGEST_RETRY_AFTER / 2);
        assert!(health.pause().unwrap() <= LONGEST_RETRY_AFTER);
        health.succeeded();
        health.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
        health.failed(2, ErrorCode::Unavailable, Some(Duration::from_secs(9)), 1.0);
        assert!(health.pause().unwrap() > Duration::from_secs(8));
        assert!(
            health.pause().unwrap() <= Duration::from_secs(9),
            "the shorter"
        );
        health.succeeded();
        health.failed(1, ErrorCode::Unavailable, Some(Duration::ZERO), 1.0);
        health.failed(2, ErrorCode::Unavailable, Some(Duration::ZERO), 1.0);
        assert!(!health.is_in_doubt(), "no wait was asked for");
    }

    #[test]
    fn a_pause_can_be_ended_so_that_one_request_probes_at_once() {
        let mut health = Health::default();
        health.reset();
        assert!(!health.is_in_doubt(), "there is nothing to end");
        health.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
        health.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        health.reset();
        assert_eq!((health.pause(), health.room(0, 8)), (None, 1));
        health.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        assert!(
            health.pause().unwrap() <= LONGEST_PAUSE,
            "one order is no proof"
        );
    }

    #[test]
    fn refusals_of_many_orders_in_a_row_are_the_endpoints() {
        let mut health = Health::default();
        for lane in 1..5 {
            assert!(!health.rejected(lane, Some(403), 1.0));
            assert!(!health.rejected(lane, Some(403), 1.0), "the same order");
        }
        assert_eq!(health.room(0, 8), 8);
        assert!(health.rejected(5, Some(401), 1.0));
        assert!(health.rejected(6, Some(403), 1.0), "was under way");
        assert_eq!(health.room(0, 8), 0);
        health.reset();
        assert!(health.rejected(1, Some(403), 1.0), "the probe");
        assert!(health.pause().is_some());
        health.succeeded();
        assert!(!health.rejected(7, Some(403), 1.0));
    }

    #[test]
    fn refusals_that_speak_of_the_update_are_its_own() {
        let mut health = Health::default();
        for lane in 0..1_000 {
            assert!(!health.rejected(lane, Some(422), 1.0));
            assert!(!health.rejected(lane, Some(400), 1.0));
        }
        for lane in 0..1_000 {
            assert!(!health.rejected(lane, Some(403), 1.0));
            health.succeeded();
        }
        assert_eq!(health.room(0, 8), 8);
    }

    #[test]
    fn a_refusal_ends_a_pause_for_an_endpoint_that_did_not_answer() {
        let mut health = Health::default();
        for lane in 0..5 {
            health.failed(lane, ErrorCode::Connect, None, 1.0);
        }
        assert!(health.is_in_doubt());
        assert!(!health.rejected(1, Some(403), 1.0));
        assert!(!health.is_in_doubt());
    }
}
