//! The exit codes: one table, shown by `--help`, the man page and the documentation.

use katalys_core::{Error, ErrorKind};
use std::fmt::Write;
use std::process::ExitCode;

macro_rules! exits {
    ($($variant:ident = $number:literal, $text:literal;)*) => {
        /// The exit code of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Exit {
            $(#[doc = $text] $variant = $number,)*
        }

        const TABLE: &[(Exit, &str)] = &[$((Exit::$variant, $text),)*];
    };
}

exits! {
    Done = 0, "success";
    Problems = 1, "problems were found, or updates were refused";
    Usage = 2, "usage error: an argument, a setting or a file";
    Undelivered = 3, "not delivered; the same command may succeed later";
    Outbox = 4, "the outbox cannot be used, or is full";
    Incomplete = 5, "the outbox was repaired, but not everything in it could be read";
    Internal = 70, "internal error";
    Interrupted = 130, "interrupted; completed work is kept";
}

impl Exit {
    /// The exit code of a command that failed with this error.
    pub fn after(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Validation => Self::Problems,
            ErrorKind::Rejected if !error.is_retryable() => Self::Problems,
            ErrorKind::Rejected | ErrorKind::Transport | ErrorKind::Timeout => Self::Undelivered,
            ErrorKind::Config => Self::Usage,
            ErrorKind::Outbox | ErrorKind::OutboxFull => Self::Outbox,
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table, for `--help`.
pub fn table() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (exit, meaning) in TABLE {
        let _ = writeln!(text, "{:>5}  {meaning}", *exit as u8);
    }
    text
}
