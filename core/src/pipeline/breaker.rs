//! The circuit breaker: detects that the endpoint as a whole is unavailable, and pauses all orders.
//! Single requests then probe the endpoint until it is available again.
//!
//! It opens when many different orders fail with the same error code and no request succeeds in
//! between. Orders that each fail for a reason of their own can cause the same; such a false trip
//! shows when a request for another order succeeds soon. A probe therefore sends any pending order,
//! chosen at random, and each false trip raises the threshold fourfold.
//!
//! The same holds for refusals that concern access, not the update (401, 403, 404 and the like, as a
//! firewall or a moved endpoint answers for hours). The first few updates become dead letters; once
//! [`THRESHOLD`] orders were refused in a row, further updates are kept and tried again.
//!
//! A wait that the endpoint asks for (`Retry-After`) applies to the order whose request was
//! answered. It applies to all orders once the endpoint asks a second order to wait.

use crate::delivery::LONGEST_RETRY_AFTER;
use crate::error::ErrorCode;
use crate::queue::store::LaneId;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// The breaker opens when this many different orders fail alike with no success in between.
const THRESHOLD: usize = 5;
/// A false trip raises the threshold by this factor.
const FALSE_TRIP_FACTOR: usize = 4;
const MAX_FALSE_TRIPS: u32 = 6;
/// A trip that ends after at most this many pauses was false.
const FALSE_TRIP_PAUSES: u32 = 2;
/// Earlier false trips are forgotten after this long without a trip.
const MEMORY: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether requests go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// All requests go out.
    Closed,
    /// No request goes out for this long.
    Open(Duration),
    /// One request at a time goes out, as a probe.
    HalfOpen,
}

/// What is known of the endpoint since its last success.
#[derive(Default)]
pub(crate) struct CircuitBreaker {
    failing: HashSet<LaneId>,
    /// The error code of the orders in `failing`.
    failure: Option<ErrorCode>,
    /// Orders that were refused with a status that concerns access.
    refused: HashSet<LaneId>,
    /// The first order with a `Retry-After` since the last success, and the wait.
    asked: Option<(LaneId, Duration)>,
    /// Number of pauses since the breaker opened.
    pauses: u32,
    /// The breaker is open until then and half-open afterwards; it is closed if this is `None`.
    until: Option<Instant>,
    false_trips: u32,
    last_trip: Option<Instant>,
}

impl CircuitBreaker {
    pub(crate) fn state(&self) -> State {
        let Some(until) = self.until else {
            return State::Closed;
        };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => State::HalfOpen,
            left => State::Open(left),
        }
    }

    pub(crate) fn succeeded(&mut self) {
        self.refused.clear();
        self.asked = None;
        self.answered();
    }

    /// Records that the endpoint answers, even if it does not accept everything: closes.
    fn answered(&mut self) {
        self.failing.clear();
        self.failure = None;
        if self.until.take().is_some() {
            let was_false = self.pauses <= FALSE_TRIP_PAUSES;
            self.false_trips = if was_false { self.false_trips + 1 } else { 0 };
            self.last_trip = Some(Instant::now());
        }
        self.pauses = 0;
    }

    /// Records a failure that does not concern the update itself. `asked` is the wait that the endpoint
    /// asked for, `share` is random, from 0 to 1.
    pub(crate) fn failed(
        &mut self,
        lane: LaneId,
        code: ErrorCode,
        asked: Option<Duration>,
        share: f64,
    ) {
        if self.failure.replace(code) != Some(code) {
            self.failing.clear();
        }
        self.failing.insert(lane);
        match asked.and_then(|asked| self.confirmed(lane, asked)) {
            Some(wait) if !wait.is_zero() => self.pause_for(wait),
            _ => self.pause_if(self.failing.len(), share),
        }
    }

    /// Records that an update was refused for good; true if the refusal does not concern the update, so
    /// that it is to be tried again.
    pub(crate) fn rejected(&mut self, lane: LaneId, status: Option<u16>, share: f64) -> bool {
        if !status.is_some_and(is_about_access) {
            self.succeeded();
            return false;
        }
        self.refused.insert(lane);
        if self.refused.len() < self.threshold() {
            self.answered();
            return false;
        }
        if self.until.is_none() {
            log::warn!(
                target: "katalys",
                "the endpoint refuses every order; pending updates are kept and retried"
            );
        }
        self.pause_if(self.refused.len(), share);
        true
    }

    /// Half-opens at once: the next request tests whether the endpoint is available again.
    pub(crate) fn half_open(&mut self) {
        self.asked = None;
        if self.until.is_some() {
            self.until = Some(Instant::now());
        }
    }

    /// The wait for all orders, if another order was asked to wait before: the shorter one.
    fn confirmed(&mut self, lane: LaneId, asked: Duration) -> Option<Duration> {
        let asked = asked.min(LONGEST_RETRY_AFTER);
        let (first, wait) = *self.asked.get_or_insert((lane, asked));
        if first == lane {
            self.asked = Some((lane, asked));
            return None;
        }
        Some(asked.min(wait))
    }

    /// Pauses if a probe failed, or if this many orders failed alike and that is too many.
    fn pause_if(&mut self, count: usize, share: f64) {
        let trips = match self.state() {
            State::Closed => count >= self.threshold(),
            State::Open(_) => false,
            State::HalfOpen => true,
        };
        if trips {
            let longest = FIRST_PAUSE * 2_u32.pow(self.pauses.min(9));
            self.pause_for(longest.min(LONGEST_PAUSE).mul_f64(0.5 + share / 2.0));
        }
    }

    fn pause_for(&mut self, pause: Duration) {
        self.pauses += 1;
        let until = Instant::now() + pause;
        self.until = Some(self.until.map_or(until, |earlier| earlier.max(until)));
    }

    fn threshold(&mut self) -> usize {
        if self.last_trip.is_some_and(|last| last.elapsed() > MEMORY) {
            self.false_trips = 0;
        }
        THRESHOLD * FALSE_TRIP_FACTOR.pow(self.false_trips.min(MAX_FALSE_TRIPS))
    }

    /// How many further requests may start while `in_flight` run and `max` are allowed.
    pub(crate) fn capacity(&self, in_flight: usize, max: usize) -> usize {
        match self.state() {
            State::Closed => max.saturating_sub(in_flight),
            State::HalfOpen if in_flight == 0 => 1,
            State::HalfOpen | State::Open(_) => 0,
        }
    }
}

/// Whether a status that refuses an update concerns access to the endpoint rather than the update.
fn is_about_access(status: u16) -> bool {
    matches!(status, 401..=405 | 407 | 410 | 421 | 451)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(breaker: &CircuitBreaker) -> Duration {
        match breaker.state() {
            State::Open(left) => left,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn orders_that_fail_alike_open_it_and_a_success_closes_it() {
        let mut breaker = CircuitBreaker::default();
        for lane in 1..5 {
            breaker.failed(lane, ErrorCode::Connect, None, 1.0);
            breaker.failed(lane, ErrorCode::Connect, None, 1.0);
        }
        assert_eq!(breaker.capacity(0, 8), 8, "four orders are not enough");
        breaker.failed(5, ErrorCode::Connect, None, 1.0);
        assert_eq!(breaker.capacity(0, 8), 0);
        assert!(matches!(breaker.state(), State::Open(_)));
        breaker.succeeded();
        assert_eq!(breaker.capacity(3, 8), 5);
    }

    #[test]
    fn each_false_trip_raises_the_threshold() {
        let mut breaker = CircuitBreaker::default();
        let trips = (0..10_000).filter(|lane| {
            breaker.failed(*lane, ErrorCode::Unavailable, None, 1.0);
            let is_trip = breaker.state() != State::Closed;
            if is_trip {
                breaker.succeeded();
            }
            is_trip
        });
        assert_eq!(trips.count(), 6);
    }

    const HOUR: Option<Duration> = Some(Duration::from_secs(60 * 60));

    #[test]
    fn a_wait_asked_of_one_order_delays_no_other() {
        let mut breaker = CircuitBreaker::default();
        for _ in 0..10 {
            breaker.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
            assert_eq!(breaker.capacity(0, 8), 8);
        }
        breaker.succeeded();
        breaker.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        assert_eq!(breaker.capacity(0, 8), 8, "a success lies between the two");
    }

    #[test]
    fn a_wait_asked_of_two_orders_applies_to_all_with_a_limit() {
        let mut breaker = CircuitBreaker::default();
        breaker.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
        breaker.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        assert_eq!(breaker.capacity(0, 8), 0);
        assert!(pause(&breaker) > LONGEST_RETRY_AFTER / 2);
        assert!(pause(&breaker) <= LONGEST_RETRY_AFTER);
        breaker.succeeded();
        breaker.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
        breaker.failed(2, ErrorCode::Unavailable, Some(Duration::from_secs(9)), 1.0);
        assert!(pause(&breaker) > Duration::from_secs(8));
        assert!(pause(&breaker) <= Duration::from_secs(9), "the shorter");
        breaker.succeeded();
        breaker.failed(1, ErrorCode::Unavailable, Some(Duration::ZERO), 1.0);
        breaker.failed(2, ErrorCode::Unavailable, Some(Duration::ZERO), 1.0);
        assert!(breaker.state() == State::Closed, "no wait was asked for");
    }

    #[test]
    fn half_open_lets_one_request_probe_at_once() {
        let mut breaker = CircuitBreaker::default();
        breaker.half_open();
        assert!(breaker.state() == State::Closed, "it was closed");
        breaker.failed(1, ErrorCode::Unavailable, HOUR, 1.0);
        breaker.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        breaker.half_open();
        assert_eq!(
            (breaker.state(), breaker.capacity(0, 8)),
            (State::HalfOpen, 1)
        );
        breaker.failed(2, ErrorCode::Unavailable, HOUR, 1.0);
        assert!(pause(&breaker) <= LONGEST_PAUSE, "one order is not enough");
    }

    #[test]
    fn refusals_of_many_orders_in_a_row_concern_the_endpoint() {
        let mut breaker = CircuitBreaker::default();
        for lane in 1..5 {
            assert!(!breaker.rejected(lane, Some(403), 1.0));
            assert!(!breaker.rejected(lane, Some(403), 1.0), "the same order");
        }
        assert_eq!(breaker.capacity(0, 8), 8);
        assert!(breaker.rejected(5, Some(401), 1.0));
        assert!(breaker.rejected(6, Some(403), 1.0), "was in flight");
        assert_eq!(breaker.capacity(0, 8), 0);
        breaker.half_open();
        assert!(breaker.rejected(1, Some(403), 1.0), "the probe");
        assert!(matches!(breaker.state(), State::Open(_)));
        breaker.succeeded();
        assert!(!breaker.rejected(7, Some(403), 1.0));
    }

    #[test]
    fn refusals_that_concern_the_update_never_open_it() {
        let mut breaker = CircuitBreaker::default();
        for lane in 0..1_000 {
            assert!(!breaker.rejected(lane, Some(422), 1.0));
            assert!(!breaker.rejected(lane, Some(400), 1.0));
        }
        for lane in 0..1_000 {
            assert!(!breaker.rejected(lane, Some(403), 1.0));
            breaker.succeeded();
        }
        assert_eq!(breaker.capacity(0, 8), 8);
    }

    #[test]
    fn a_refusal_closes_it_after_failures_to_connect() {
        let mut breaker = CircuitBreaker::default();
        for lane in 0..5 {
            breaker.failed(lane, ErrorCode::Connect, None, 1.0);
        }
        assert_ne!(breaker.state(), State::Closed);
        assert!(!breaker.rejected(1, Some(403), 1.0));
        assert!(breaker.state() == State::Closed);
    }
}
