//! The problems found in one update, and the policy that leaves out an invalid field instead of
//! rejecting the update.

use super::fields::{ORDER_FIELDS, ORDER_ID, ORDER_STATUS, SITE_ID};
use super::problem::{Code, Problem, Severity};

/// Without these fields nothing can be sent, so `invalid = "drop"` does not apply to them.
const INDISPENSABLE: [usize; 3] = [SITE_ID, ORDER_ID, ORDER_STATUS];

/// What happens to an invalid optional field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// The update is refused.
    Raise,
    /// The field is left out, with a warning.
    Drop,
}

/// Collects problems in the order in which they are found.
pub(super) struct Findings {
    problems: Vec<Problem>,
    invalid: Invalid,
}

impl Findings {
    pub(super) fn new(invalid: Invalid) -> Self {
        let problems = Vec::new();
        Self { problems, invalid }
    }

    /// Whether invalid fields are left out instead of rejecting the update.
    pub(super) fn drops_invalid(&self) -> bool {
        self.invalid == Invalid::Drop
    }

    pub(super) fn warn(&mut self, path: impl Into<String>, code: Code) {
        self.warn_with(path, code, &[]);
    }

    pub(super) fn warn_with(&mut self, path: impl Into<String>, code: Code, details: &[&str]) {
        let mut problem = Problem::with_details(path, code, details);
        problem.severity = Severity::Warning;
        self.problems.push(problem);
    }

    pub(super) fn reject(&mut self, path: impl Into<String>, code: Code) {
        self.reject_with(path, code, &[]);
    }

    pub(super) fn reject_with(&mut self, path: impl Into<String>, code: Code, details: &[&str]) {
        self.push_error(Problem::with_details(path, code, details));
    }

    /// An empty value of a required field.
    pub(super) fn reject_empty(&mut self, path: impl Into<String>) {
        self.push_error(Problem::empty_required(path));
    }

    /// An error about the update as a whole, which no policy turns into a warning.
    pub(super) fn reject_update(&mut self, code: Code) {
        self.problems.push(Problem::new("", code));
    }

    /// The warnings, or all problems if one of them is an error.
    pub(super) fn into_warnings(self) -> Result<Vec<Problem>, Vec<Problem>> {
        if self.problems.iter().any(Problem::is_error) {
            return Err(self.problems);
        }
        Ok(self.problems)
    }

    /// Adds an error, or a warning if the field is left out instead.
    fn push_error(&mut self, mut problem: Problem) {
        problem.severity = Severity::Error;
        if self.drops_invalid() && !is_indispensable(&problem.path) {
            problem.leave_out();
        }
        self.problems.push(problem);
    }
}

fn is_indispensable(path: &str) -> bool {
    INDISPENSABLE
        .iter()
        .any(|index| ORDER_FIELDS[*index].name == path)
}
