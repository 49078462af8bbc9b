//! The script in the path of an endpoint: the step for each request of a run.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Maximum number of runs whose position is kept; the oldest is dropped first.
const MAX_RUNS: usize = 100_000;

/// What to do with one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Status {
        code: u16,
        retry_after: Option<RetryAfter>,
    },
    Slow(Duration),
    Hang,
    Trickle,
    ResetBefore,
    ResetAfter,
    Close,
    Garbage,
    Truncated,
    Huge,
    HugeHead,
    NoContentClose,
    NoContentThenClose,
    Continue,
    Unknown(String),
}

/// The value of a Retry-After header.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryAfter {
    /// Sent unchanged.
    Verbatim(String),
    /// An HTTP-date, given as seconds after the response.
    Date(i64),
}

impl RetryAfter {
    fn parse(text: &str) -> Self {
        let offset = text
            .strip_prefix("date")
            .and_then(|offset| offset.parse().ok());
        offset.map_or_else(|| Self::Verbatim(text.to_owned()), Self::Date)
    }

    /// The header's value. Dates are rounded up to whole seconds, so that none is too early.
    pub fn value(&self, now: SystemTime) -> String {
        match self {
            Self::Verbatim(text) => text.clone(),
            Self::Date(offset) => {
                let distance = Duration::from_secs(offset.unsigned_abs());
                let then = if *offset < 0 {
                    now - distance
                } else {
                    now + distance
                };
                let up = Duration::from_nanos(999_999_999);
                httpdate::fmt_http_date(then + up)
            }
        }
    }
}

impl Step {
    pub fn parse(text: &str) -> Self {
        let unknown = || Self::Unknown(text.to_owned());
        match text {
            "hang" => Self::Hang,
            "trickle" => Self::Trickle,
            "reset-before" => Self::ResetBefore,
            "reset-after" => Self::ResetAfter,
            "close" => Self::Close,
            "garbage" => Self::Garbage,
            "truncated" => Self::Truncated,
            "huge" => Self::Huge,
            "huge-head" => Self::HugeHead,
            "204-close" => Self::NoContentClose,
            "204-then-close" => Self::NoContentThenClose,
            "continue" => Self::Continue,
            _ => Self::parse_slow(text)
                .or_else(|| Self::parse_status(text))
                .unwrap_or_else(unknown),
        }
    }

    fn parse_slow(text: &str) -> Option<Self> {
        let milliseconds = text.strip_prefix("slow=")?.parse().ok()?;
        Some(Self::Slow(Duration::from_millis(milliseconds)))
    }

    fn parse_status(text: &str) -> Option<Self> {
        let (code, option) = text
            .split_once(':')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        let code = code
            .parse()
            .ok()
            .filter(|code| (200..=599).contains(code))?;
        let retry_after = match option {
            Some(option) => Some(RetryAfter::parse(option.strip_prefix("retry-after=")?)),
            None => None,
        };
        Some(Self::Status { code, retry_after })
    }
}

/// The position of each run.
#[derive(Default)]
pub struct Scripts {
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    positions: HashMap<String, usize>,
    by_age: VecDeque<String>,
}

impl Scripts {
    /// The step for the next request of a run; the last step repeats. `run` has the run's id and its
    /// script: `<id>/<step>/<step>…`.
    pub fn next<'a>(&self, run: &'a str) -> &'a str {
        let (_, steps) = run.split_once('/').unwrap_or((run, "204"));
        let Some((_, last)) = steps.rsplit_once('/') else {
            return steps;
        };
        let position = self.runs.lock().expect("no holder panics").advance(run);
        steps.split('/').nth(position).unwrap_or(last)
    }

    /// Restarts every run at its first step.
    pub fn clear(&self) {
        *self.runs.lock().expect("no holder panics") = Runs::default();
    }
}

impl Runs {
    fn advance(&mut self, run: &str) -> usize {
        if let Some(position) = self.positions.get_mut(run) {
            *position += 1;
            return *position;
        }
        if self.by_age.len() == MAX_RUNS
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.positions.remove(&oldest);
        }
        self.positions.insert(run.to_owned(), 0);
        self.by_age.push_back(run.to_owned());
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_used_in_order_and_the_last_repeats() {
        let scripts = Scripts::default();
        let taken: Vec<_> = (0..4).map(|_| scripts.next("a/503/hang/204")).collect();
        assert_eq!(taken, ["503", "hang", "204", "204"]);
        assert_eq!(
            scripts.next("b/503/hang/204"),
            "503",
            "another run has its own position"
        );
        scripts.clear();
        assert_eq!(scripts.next("a/503/hang/204"), "503");
    }

    #[test]
    fn a_single_step_repeats_from_the_start() {
        let scripts = Scripts::default();
        assert_eq!(scripts.next("a/503"), "503");
        assert_eq!(scripts.next("a/503"), "503");
        assert_eq!(scripts.next("a"), "204", "no steps: accepted");
    }

    #[test]
    fn old_runs_are_dropped() {
        let scripts = Scripts::default();
        for number in 0..MAX_RUNS + 10 {
            scripts.next(&format!("{number}/503/204"));
        }
        assert_eq!(scripts.runs.lock().unwrap().positions.len(), MAX_RUNS);
        assert_eq!(scripts.next("0/503/204"), "503");
    }

    #[test]
    fn steps_are_parsed() {
        let status = |code, retry_after| Step::Status { code, retry_after };
        assert_eq!(Step::parse("503"), status(503, None));
        let seconds = RetryAfter::Verbatim("1".to_owned());
        assert_eq!(Step::parse("503:retry-after=1"), status(503, Some(seconds)));
        assert_eq!(
            Step::parse("429:retry-after=date+1"),
            status(429, Some(RetryAfter::Date(1)))
        );
        assert_eq!(
            Step::parse("slow=500"),
            Step::Slow(Duration::from_millis(500))
        );
        for unknown in ["", "99", "600", "slow=", "503:what=1", "204x"] {
            assert_eq!(Step::parse(unknown), Step::Unknown(unknown.to_owned()));
        }
    }

    #[test]
    fn a_date_is_rounded_up() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_514_798_620_001);
        let value = |offset| RetryAfter::Date(offset).value(now);
        assert_eq!(value(1), "Mon, 01 Jan 2018 09:23:42 GMT");
        assert_eq!(value(-10), "Mon, 01 Jan 2018 09:23:31 GMT");
    }
}
