//! The meaning of an answer: the class of its status, and how long to wait before the next attempt.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// The meaning of a status for the update that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerClass {
    /// The endpoint has the update.
    Received,
    /// The endpoint refuses the update for good.
    Rejected,
    /// The endpoint does not have the update, but may accept it later.
    Transient,
}

impl AnswerClass {
    /// Only 204 is a receipt. Another 2xx or a redirect comes from something in between, such as a captive
    /// portal, and has no meaning for the update.
    pub(crate) fn of(status: u16) -> Self {
        match status {
            204 => Self::Received,
            408 | 425 | 429 => Self::Transient,
            400..=499 => Self::Rejected,
            _ => Self::Transient,
        }
    }
}

/// The longest wait that an answer can impose, on one order or on all orders. A longer one is probably
/// a mistake or a wrong clock: a request after five minutes does no harm, while an update that waits
/// for a year is lost.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// Reads `Retry-After`: seconds, or a date. A date in the past means no wait; a longer wait than
/// [`LONGEST_RETRY_AFTER`] is shortened to it.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that does not fit is a long wait.
        let wait = value
            .parse()
            .map_or(LONGEST_RETRY_AFTER, Duration::from_secs);
        return Some(wait.min(LONGEST_RETRY_AFTER));
    }
    let at = DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(value)
        .ok()?;
    // A date in the past gives a negative span, which is not a `Duration`.
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_204_is_a_receipt() {
        assert_eq!(AnswerClass::of(204), AnswerClass::Received);
        for status in [
            400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 418, 422, 451, 499,
        ] {
            assert_eq!(AnswerClass::of(status), AnswerClass::Rejected, "{status}");
        }
        for status in [
            101, 200, 201, 202, 203, 205, 206, 299, 300, 301, 302, 303, 304, 307, 308, 408, 425,
            429, 500, 501, 502, 503, 504, 505, 511, 599, 600, 999,
        ] {
            assert_eq!(AnswerClass::of(status), AnswerClass::Transient, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let read = |value| retry_after(value, now);
        assert_eq!(read("0"), Some(Duration::ZERO));
        assert_eq!(read(" 120 "), Some(Duration::from_secs(120)));
        for long in [
            "301",
            "999999999",
            "18446744073709551615",
            "99999999999999999999999",
            "Sun, 06 Nov 1994 09:49:37 GMT",
            "Sat, 06 Nov 2094 08:49:37 GMT",
            "Thu, 30 Dec 9999 00:00:00 GMT",
        ] {
            assert_eq!(read(long), Some(LONGEST_RETRY_AFTER), "{long}");
        }
        assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(
            read("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::from_secs(37))
        );
        assert_eq!(read("Sun, 06 Nov 1994 08:48:37 GMT"), Some(Duration::ZERO));
        for wrong in ["", "-1", "1.5", "soon", "12 s", "٣", "Sun, 99 Nov 1994"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_retry_after_is_longer_than_the_limit(
            value in prop_oneof![
                any::<String>(),
                "[0-9]{1,40}",
                "[-+]?[0-9]{1,20}",
                "[A-Z][a-z]{2}, [0-9]{1,2} (Jan|Feb|Dec) [0-9]{1,5} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[-+][0-9]{4})",
            ],
            now in -300_000_000_000_i64..250_000_000_000,
        ) {
            let now = Timestamp::from_second(now).unwrap();
            if let Some(wait) = retry_after(&value, now) {
                prop_assert!(wait <= LONGEST_RETRY_AFTER);
            }
        }
    }
}
