//! The stable numbers of errors.
//!
//! Generated from the core's tables by `make generate`; change core/src/error.rs instead.

use katalys_core::ErrorCode;

/// The result of a call: 0, or the number of an error. All errors of a class share the hundreds
/// digit.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum katalys_code {
    /// Success.
    KATALYS_OK = 0,
    /// `ConfigError`: a required setting is missing.
    KATALYS_CONFIG_MISSING = 101,
    /// `ConfigError`: a setting has a value that cannot be used.
    KATALYS_CONFIG_INVALID = 102,
    /// `ConfigError`: there is no setting of that name.
    KATALYS_CONFIG_UNKNOWN = 103,
    /// `ValidationError`: the update is invalid and was not sent.
    KATALYS_VALIDATION = 201,
    /// `RejectedError`: the endpoint rejected the update permanently (most 4xx).
    KATALYS_REJECTED = 301,
    /// `RejectedError`: the endpoint could not accept the update now (408, 425, 429, 5xx). The
    /// same call may succeed later.
    KATALYS_UNAVAILABLE = 302,
    /// `RejectedError`: the answer was a success other than 204, such as from a captive portal.
    /// The same call may succeed later.
    KATALYS_NOT_CONFIRMED = 303,
    /// `RejectedError`: the answer was a redirect, which is never followed. The same call may
    /// succeed later.
    KATALYS_REDIRECTED = 304,
    /// `TransportError`: the name of the endpoint could not be resolved. The same call may
    /// succeed later.
    KATALYS_DNS = 401,
    /// `TransportError`: no connection to the endpoint could be made. The same call may succeed
    /// later.
    KATALYS_CONNECT = 402,
    /// `TransportError`: the connection ended before the answer. The same call may succeed
    /// later.
    KATALYS_DISCONNECTED = 403,
    /// `TransportError`: the endpoint's certificate is not valid.
    KATALYS_CERTIFICATE = 404,
    /// `TransportError`: no TLS connection could be established. The same call may succeed
    /// later.
    KATALYS_TLS = 405,
    /// `TransportError`: the answer was not HTTP. The same call may succeed later.
    KATALYS_PROTOCOL = 406,
    /// `TransportError`: the proxy did not provide a connection. The same call may succeed
    /// later.
    KATALYS_PROXY = 407,
    /// `TimeoutError`: there was no answer within the time limit. The same call may succeed
    /// later.
    KATALYS_TIMEOUT = 501,
    /// `TimeoutError`: the update is safe in the outbox and will be sent, but was not delivered
    /// within the time limit; do not send it again.
    KATALYS_TIMEOUT_PENDING = 502,
    /// `OutboxError`: the outbox could not be read or written. The same call may succeed later.
    KATALYS_OUTBOX_FAILED = 601,
    /// `OutboxError`: the outbox's file is damaged.
    KATALYS_OUTBOX_CORRUPT = 602,
    /// `OutboxError`: the outbox was written by a newer version of this library.
    KATALYS_OUTBOX_NEWER = 603,
    /// `OutboxError`: the file is not an outbox and was left untouched.
    KATALYS_OUTBOX_FOREIGN = 604,
    /// `OutboxError`: the outbox file was moved, deleted or replaced while in use.
    KATALYS_OUTBOX_MOVED = 605,
    /// `OutboxError`: another process has settled the update, and whether it was delivered is
    /// unknown; do not send it again.
    KATALYS_OUTBOX_OUTCOME_UNKNOWN = 606,
    /// `OutboxFullError`: the outbox has reached its capacity. The same call may succeed later.
    KATALYS_OUTBOX_FULL = 611,
    /// `InternalError`: internal error in this library.
    KATALYS_INTERNAL = 901,
    /// `InternalError`: a function was called in a way its documentation forbids.
    KATALYS_MISUSE = 902,
    /// `InternalError`: the compiled library is missing, or cannot be loaded on this platform.
    KATALYS_LIBRARY_UNAVAILABLE = 903,
}

impl From<ErrorCode> for katalys_code {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ConfigMissing => Self::KATALYS_CONFIG_MISSING,
            ErrorCode::ConfigInvalid => Self::KATALYS_CONFIG_INVALID,
            ErrorCode::ConfigUnknown => Self::KATALYS_CONFIG_UNKNOWN,
            ErrorCode::Validation => Self::KATALYS_VALIDATION,
            ErrorCode::Rejected => Self::KATALYS_REJECTED,
            ErrorCode::Unavailable => Self::KATALYS_UNAVAILABLE,
            ErrorCode::NotConfirmed => Self::KATALYS_NOT_CONFIRMED,
            ErrorCode::Redirected => Self::KATALYS_REDIRECTED,
            ErrorCode::Dns => Self::KATALYS_DNS,
            ErrorCode::Connect => Self::KATALYS_CONNECT,
            ErrorCode::Disconnected => Self::KATALYS_DISCONNECTED,
            ErrorCode::Certificate => Self::KATALYS_CERTIFICATE,
            ErrorCode::Tls => Self::KATALYS_TLS,
            ErrorCode::Protocol => Self::KATALYS_PROTOCOL,
            ErrorCode::Proxy => Self::KATALYS_PROXY,
            ErrorCode::Timeout => Self::KATALYS_TIMEOUT,
            ErrorCode::TimeoutPending => Self::KATALYS_TIMEOUT_PENDING,
            ErrorCode::OutboxFailed => Self::KATALYS_OUTBOX_FAILED,
            ErrorCode::OutboxCorrupt => Self::KATALYS_OUTBOX_CORRUPT,
            ErrorCode::OutboxNewer => Self::KATALYS_OUTBOX_NEWER,
            ErrorCode::OutboxForeign => Self::KATALYS_OUTBOX_FOREIGN,
            ErrorCode::OutboxMoved => Self::KATALYS_OUTBOX_MOVED,
            ErrorCode::OutboxOutcome => Self::KATALYS_OUTBOX_OUTCOME_UNKNOWN,
            ErrorCode::OutboxFull => Self::KATALYS_OUTBOX_FULL,
            ErrorCode::Internal => Self::KATALYS_INTERNAL,
            ErrorCode::Misuse => Self::KATALYS_MISUSE,
            ErrorCode::Unloadable => Self::KATALYS_LIBRARY_UNAVAILABLE,
            // `ErrorCode` may grow; a code without a number is an internal error.
            _ => Self::KATALYS_INTERNAL,
        }
    }
}
