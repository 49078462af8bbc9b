//! What can go wrong with a call: one tree of errors with the same names, codes and numbers in
//! every language.

use crate::language::Language;
use crate::order::{Problem, Severity};
use crate::table::{Holds, ResultValue, Words};
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal, $parent:expr, [$($property:ident),*], $text:literal;)*) => {
        /// A class of errors; its name is the class in every language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $(#[doc = concat!("`", $name, "`: ", $text)] $(#[doc = $doc])* $kind,)*
        }

        impl ErrorKind {
            /// Every class, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name of the class, such as `ValidationError`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The class it belongs to, besides the base of all errors.
            pub const fn parent(self) -> Option<Self> {
                match self { $(Self::$kind => $parent,)* }
            }

            /// What it has besides the properties of every error.
            pub const fn properties(self) -> &'static [ErrorProperty] {
                match self { $(Self::$kind => &[$(ErrorProperty::$property),*],)* }
            }

            /// What it means, in one or two sentences.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$kind => $text,)* }
            }
        }
    };
}

error_kinds! {
    Config = "ConfigError", None, [], "The client cannot be created from these settings.";
    Validation = "ValidationError", None, [Problems], "The update is invalid and was not sent.";
    Rejected = "RejectedError", None, [Status, RetryAfter], "The endpoint answered, but not with 204.";
    Transport = "TransportError", None, [], "There was no answer.";
    Timeout = "TimeoutError", None, [], "There was no answer within the time limit. With a ticket, the update is in the outbox and will be sent; do not send it again.";
    Outbox = "OutboxError", None, [], "The outbox cannot be used, or the update was not accepted.";
    OutboxFull = "OutboxFullError", Some(Self::Outbox), [], "The outbox has reached its capacity; the update was not accepted.";
    Internal = "InternalError", None, [], "An internal error of this library, or a misuse of its interface. Languages with a base class of all errors raise that.";
}

macro_rules! error_properties {
    ($($property:ident = $name:literal, $holds:expr, $optional:literal, $text:literal;)*) => {
        /// A property that errors have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorProperty {
            $(#[doc = concat!("`", $name, "`: ", $text)] $property,)*
        }

        impl ErrorProperty {
            /// Every property, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$property,)*];

            /// Its name, in `snake_case`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$property => $name,)* }
            }

            /// What it holds.
            pub const fn holds(self) -> Holds {
                match self { $(Self::$property => $holds,)* }
            }

            /// Whether it may be missing.
            pub const fn is_optional(self) -> bool {
                match self { $(Self::$property => $optional,)* }
            }

            /// For every language's documentation.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$property => $text,)* }
            }
        }
    };
}

error_properties! {
    Code = "code", Holds::Word(Words::ErrorCode), false, "The stable code, the same in every language.";
    Retryable = "retryable", Holds::Flag, false, "Whether the same call may succeed later without any change.";
    Attempts = "attempts", Holds::Number, false, "Number of requests that were made.";
    Ticket = "ticket", Holds::Id, true, "Number of the update in the outbox, if it was accepted before the call failed: it will be sent, or is a dead letter. Do not send it again.";
    Problems = "problems", Holds::Problems, false, "Everything that is wrong with the update, errors and warnings.";
    Status = "status", Holds::Status, false, "HTTP status of the last answer.";
    RetryAfter = "retry_after", Holds::Seconds, true, "How long the endpoint asked to wait, in seconds, at most five minutes.";
}

impl ErrorProperty {
    /// The properties of every error.
    pub const COMMON: &'static [Self] =
        &[Self::Code, Self::Retryable, Self::Attempts, Self::Ticket];

    /// Its name in a language. PHP's exceptions have a `code` of their own, which is a number.
    pub fn spelled(self, language: Language) -> String {
        match (self, language) {
            (Self::Code, Language::Php) => "errorCode".into(),
            _ => language.spell(self.name()),
        }
    }
}

macro_rules! error_codes {
    ($($variant:ident = $number:literal, $name:literal, $kind:ident, $retryable:literal, $text:literal;)*) => {
        /// The stable code of an error; its numbers are those of the C interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $name, "`: ", $text)] $variant = $number,)*
        }

        impl ErrorCode {
            /// Every code, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it appears in every language, such as `config_invalid`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The class of errors it belongs to.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)* }
            }

            /// Whether the same call may succeed later without any change.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* }
            }

            /// What it means, in one sentence.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

// Numbers are part of the C interface: a row is never renumbered or reused, and each class has
// a hundred of its own.
error_codes! {
    ConfigMissing = 101, "config_missing", Config, false, "a required setting is missing";
    ConfigInvalid = 102, "config_invalid", Config, false, "a setting has a value that cannot be used";
    ConfigUnknown = 103, "config_unknown", Config, false, "there is no setting of that name";
    Validation = 201, "validation", Validation, false, "the update is invalid and was not sent";
    Rejected = 301, "rejected", Rejected, false, "the endpoint rejected the update permanently (most 4xx)";
    Unavailable = 302, "unavailable", Rejected, true, "the endpoint could not accept the update now (408, 425, 429, 5xx)";
    NotConfirmed = 303, "not_confirmed", Rejected, true, "the answer was a success other than 204, such as from a captive portal";
    Redirected = 304, "redirected", Rejected, true, "the answer was a redirect, which is never followed";
    Dns = 401, "dns", Transport, true, "the name of the endpoint could not be resolved";
    Connect = 402, "connect", Transport, true, "no connection to the endpoint could be made";
    Disconnected = 403, "disconnected", Transport, true, "the connection ended before the answer";
    Certificate = 404, "certificate", Transport, false, "the endpoint's certificate is not valid";
    Tls = 405, "tls", Transport, true, "no TLS connection could be established";
    Protocol = 406, "protocol", Transport, true, "the answer was not HTTP";
    Proxy = 407, "proxy", Transport, true, "the proxy did not provide a connection";
    Timeout = 501, "timeout", Timeout, true, "there was no answer within the time limit";
    TimeoutPending = 502, "timeout_pending", Timeout, false, "the update is safe in the outbox and will be sent, but was not delivered within the time limit; do not send it again";
    OutboxFailed = 601, "outbox_failed", Outbox, true, "the outbox could not be read or written";
    OutboxCorrupt = 602, "outbox_corrupt", Outbox, false, "the outbox's file is damaged";
    OutboxNewer = 603, "outbox_newer", Outbox, false, "the outbox was written by a newer version of this library";
    OutboxForeign = 604, "outbox_foreign", Outbox, false, "the file is not an outbox and was left untouched";
    OutboxMoved = 605, "outbox_moved", Outbox, false, "the outbox file was moved, deleted or replaced while in use";
    OutboxOutcome = 606, "outbox_outcome_unknown", Outbox, false, "another process has settled the update, and whether it was delivered is unknown; do not send it again";
    OutboxFull = 611, "outbox_full", OutboxFull, true, "the outbox has reached its capacity";
    Internal = 901, "internal", Internal, false, "internal error in this library";
    Misuse = 902, "misuse", Internal, false, "a function was called in a way its documentation forbids";
    Unloadable = 903, "library_unavailable", Internal, false, "the compiled library is missing, or cannot be loaded on this platform";
}

/// Why a call failed.
///
/// ```
/// use katalys_core::{Client, Error, ErrorKind, Fields};
/// # fn main() -> Result<(), Error> {
/// let client = Client::new("abcd.com")?;
/// let error = client.update_order("1001", Fields::new().set("sale_amount", "$25")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Validation);
/// assert_eq!(error.problems()[0].path, "sale_amount");
/// assert!(!error.is_retryable());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    problems: Vec<Problem>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    attempts: u32,
    ticket: Option<i64>,
}

impl Error {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        let (problems, status, retry_after, attempts) = (Vec::new(), None, None, 0);
        Self {
            inner: Box::new(Inner {
                code,
                message,
                problems,
                status,
                retry_after,
                attempts,
                ticket: None,
            }),
        }
    }

    /// The update is in the outbox: this error only ended the wait for it.
    pub(crate) fn accepted_as(mut self, ticket: i64) -> Self {
        self.inner.ticket = Some(ticket);
        self
    }

    /// Everything that is wrong with an update, for what a binding finds before the core sees it.
    pub fn validation(problems: Vec<Problem>) -> Self {
        let mut error = Self::new(ErrorCode::Validation, summary(&problems));
        error.inner.problems = problems;
        error
    }

    /// One error that says everything that is wrong with a client's settings; its code is the
    /// first one's.
    pub(crate) fn all_of(mut errors: Vec<Self>) -> Self {
        if errors.len() == 1 {
            return errors.remove(0);
        }
        let code = errors.first().map_or(ErrorCode::Internal, Self::code);
        let mut text = format!("the client was not created, {} problems:", errors.len());
        for error in &errors {
            let _ = write!(text, "\n  {} [{}]", error.message(), error.code().as_str());
        }
        Self::new(code, text)
    }

    pub(crate) fn answered(code: ErrorCode, status: u16, retry_after: Option<Duration>) -> Self {
        let message = format!("the endpoint answered {status}: {}", code.explanation());
        let mut error = Self::new(code, message);
        error.inner.status = Some(status);
        error.inner.retry_after = retry_after;
        error
    }

    /// The same error, with its subject in front of the message.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        self.inner.message = format!("{subject} {}", self.inner.message);
        self
    }

    pub(crate) fn after(mut self, attempts: u32) -> Self {
        self.inner.attempts = attempts;
        self
    }

    /// An internal error that a binding caught, such as a panic.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// A call that breaks the rules of the interface, such as a null pointer from C.
    pub fn misuse(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Misuse, message)
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.inner.code
    }

    /// The class.
    pub fn kind(&self) -> ErrorKind {
        self.inner.code.kind()
    }

    /// Whether the same call may succeed later without any change. Never with a ticket: the outbox has
    /// the update then.
    pub fn is_retryable(&self) -> bool {
        self.inner.code.is_retryable() && self.inner.ticket.is_none()
    }

    /// What happened, and how to fix it where that is possible. Holds no customer data.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// For a `ValidationError`: everything that is wrong with the update, errors and warnings.
    pub fn problems(&self) -> &[Problem] {
        &self.inner.problems
    }

    /// For a `RejectedError`: the HTTP status of the last answer.
    pub fn status(&self) -> Option<u16> {
        self.inner.status
    }

    /// For a `RejectedError`: how long the endpoint asked to wait (`Retry-After`, RFC 9110), at most
    /// five minutes: a longer wait is capped.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// The number of the update in the outbox, if it was accepted before the call failed: it will be
    /// sent (`timeout_pending`) or is a dead letter (`rejected`), and must not be sent again.
    pub fn ticket(&self) -> Option<i64> {
        self.inner.ticket
    }

    /// How many requests were made before the call failed.
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// The value of a property.
    pub fn value(&self, property: ErrorProperty) -> ResultValue<'_> {
        let missing = ResultValue::Missing;
        match property {
            ErrorProperty::Code => ResultValue::Text(self.code().as_str().into()),
            ErrorProperty::Retryable => ResultValue::Flag(self.is_retryable()),
            ErrorProperty::Attempts => ResultValue::Whole(self.attempts().into()),
            ErrorProperty::Ticket => self.ticket().map_or(missing, ResultValue::Id),
            ErrorProperty::Problems => ResultValue::Problems(self.problems()),
            ErrorProperty::Status => self
                .status()
                .map_or(missing, |status| ResultValue::Whole(status.into())),
            ErrorProperty::RetryAfter => self
                .retry_after()
                .map_or(missing, |wait| ResultValue::Seconds(wait.as_secs_f64())),
        }
    }
}

/// Maximum number of problems listed in a message; `problems` has them all.
const MOST_SHOWN: usize = 20;

/// The errors in one message, so that one failed call lists everything there is to fix.
fn summary(problems: &[Problem]) -> String {
    let errors: Vec<&Problem> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .collect();
    let noun = if errors.len() == 1 {
        "problem"
    } else {
        "problems"
    };
    let mut text = format!(
        "the order update was not sent, {} {noun}:",
        grouped(errors.len())
    );
    for problem in errors.iter().take(MOST_SHOWN) {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    if errors.len() > MOST_SHOWN {
        let _ = write!(text, "\n  and {} more", grouped(errors.len() - MOST_SHOWN));
    }
    text
}

/// A number with a comma at every thousand.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}({}): {self}",
            self.kind().as_str(),
            self.code().as_str()
        )
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_ticket_is_not_retryable() {
        let error = Error::new(ErrorCode::OutboxFailed, "three attempts never finished");
        assert!(error.is_retryable());
        assert!(!error.accepted_as(7).is_retryable());
    }
}
