//! What a check found, and what to do about it.

use crate::output::{Output, Style};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Warning,
    Bad,
    /// There was nothing to check, or an earlier check failed.
    Skipped,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "error",
            Self::Skipped => "skipped",
        }
    }

    pub fn painted(self, output: &Output) -> String {
        let style = match self {
            Self::Good => Style::Good,
            Self::Warning => Style::Warning,
            Self::Bad => Style::Bad,
            Self::Skipped => Style::Faint,
        };
        output.paint(style, &format!("{:<8}", self.as_str()))
    }
}

/// One check: its name, what it found, and what to do.
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub found: String,
    pub advice: Option<String>,
}

impl Finding {
    pub fn new(check: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        let (found, advice) = (found.into(), None);
        Self {
            check,
            verdict,
            found,
            advice,
        }
    }

    pub fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Good, found)
    }

    pub fn bad(check: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self::new(check, Verdict::Bad, found).advise(advice)
    }

    pub fn advise(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }
}
