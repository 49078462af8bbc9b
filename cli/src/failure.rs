//! Why a command failed, and how the failure is reported.

use crate::exit::Exit;
use crate::output::{Output, Style, plain};
use katalys_core::{Error, Problem};
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::Path;

/// Why a command failed.
pub enum Failure {
    /// An error of the core.
    Core(Error),
    /// Another failure; the message holds no customer data.
    Other { exit: Exit, message: String },
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Other { exit, message }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, error: &dyn Display) -> Self {
        Self::usage(format!("{}: {error}", path.display()))
    }

    /// Reports the failure on stderr, or as JSON on stdout; returns the exit code.
    pub fn report(&self, output: &Output) -> Exit {
        let (exit, message) = match self {
            Self::Core(error) => (Exit::after(error), error.message()),
            Self::Other { exit, message } => (*exit, message.as_str()),
        };
        if output.json {
            output.json(&json!({ "error": self.as_json(message) }));
        } else {
            let label = output.paint_error(Style::Bad, "error:");
            eprintln!("{label} {}", plain(message));
        }
        exit
    }

    fn as_json(&self, message: &str) -> Value {
        let Self::Core(error) = self else {
            return json!({ "code": "command", "message": message });
        };
        let problems: Vec<&Problem> = error.problems().iter().collect();
        json!({
            "class": error.kind().as_str(),
            "code": error.code().as_str(),
            "message": message,
            "retryable": error.is_retryable(),
            "status": error.status(),
            "attempts": error.attempts(),
            "problems": problems,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}
