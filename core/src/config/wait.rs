//! How long a call may wait: one check of a caller's seconds for every language, and the defaults.

use crate::error::Error;
use std::time::Duration;

/// How long `flush` and `close` wait unless the caller says otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// How long the end of a process waits for updates in flight.
pub const EXIT_WAIT: Duration = Duration::from_secs(5);

/// How many dead letters one call returns unless the caller says otherwise.
pub const DEFAULT_PAGE: usize = 1000;

/// The longest wait: a clock cannot add much more.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A timeout as a caller gave it, in seconds.
///
/// ```
/// use katalys_core::config::timeout;
/// use std::time::Duration;
/// assert_eq!(timeout(2.5).unwrap(), Duration::from_millis(2500));
/// assert_eq!(timeout(f64::NAN).unwrap_err().code().as_str(), "misuse");
/// ```
///
/// # Errors
/// `misuse` for a number that is negative, not finite, or larger than a year.
pub fn timeout(seconds: f64) -> Result<Duration, Error> {
    let longest = LONGEST_WAIT.as_secs_f64();
    if !(0.0..=longest).contains(&seconds) {
        return Err(Error::misuse(format!(
            "timeout must be a number of seconds, 0 or more and up to {longest} (366 days), such as \
             10 or 2.5"
        )));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_timeout_is_a_finite_number_of_seconds_up_to_a_year() {
        for (given, milliseconds) in [
            (0.0, 0),
            (-0.0, 0),
            (0.001, 1),
            (2.5, 2500),
            (31_622_400.0, 31_622_400_000),
        ] {
            let read = timeout(given).expect("valid");
            assert_eq!(read, Duration::from_millis(milliseconds), "{given}");
        }
        for given in [
            -1.0,
            -1e-9,
            31_622_401.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            let error = timeout(given).expect_err("invalid");
            assert_eq!(error.code(), ErrorCode::Misuse, "{given}");
            assert_eq!(
                error.message(),
                "timeout must be a number of seconds, 0 or more and up to 31622400 (366 days), \
                 such as 10 or 2.5"
            );
        }
    }
}
