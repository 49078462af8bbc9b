//! What came back from an exchange: the class of a status, how long to hold off, and what every
//! kind of failure is called.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use rustls::CertificateError;

use crate::error::ErrorCode;

/// What a status means for the update that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The endpoint has the update.
    Received,
    /// The endpoint does not want the update, now or later.
    Rejected,
    /// The endpoint does not have the update, but may take it another time.
    Transient,
}

impl Class {
    /// Only 204 is a receipt. Another 2xx or a redirect comes from something in between, such as
    /// a captive portal, and says nothing about the update.
    pub(crate) fn of(status: u16) -> Self {
        match status {
            204 => Self::Received,
            408 | 425 | 429 => Self::Transient,
            400..=499 => Self::Rejected,
            _ => Self::Transient,
        }
    }
}

/// The longest wait that an answer can impose, on one order or on all of them. A longer one is
/// more likely a mistake, or a wrong clock, than meant: five minutes later another request does no
/// harm, while an order that waits for a year is lost.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// Reads `Retry-After`: seconds, or a date. A date that has passed means "at once", and more than
/// [`LONGEST_RETRY_AFTER`] means just that.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long wait, too.
        let wait = value
            .parse()
            .map_or(LONGEST_RETRY_AFTER, Duration::from_secs);
        return Some(wait.min(LONGEST_RETRY_AFTER));
    }
    let at = DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(value)
        .ok()?;
    // Negative, and so no `Duration`, if it has passed.
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// What was being done, which decides what a failure is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Turning the host's name into addresses.
    LookingUp,
    /// Opening a socket to one of the addresses.
    Connecting,
    /// Agreeing on TLS, or asking the proxy for a tunnel.
    Negotiating,
    /// Sending the request and waiting for the answer.
    Exchanging,
}

/// Whom something was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Endpoint,
    Proxy,
}

/// An error on the way to a socket, carried through ureq's connectors with its stage.
#[derive(Debug)]
pub(crate) struct Unreached {
    stage: Stage,
    cause: ureq::Error,
}

impl Unreached {
    pub(crate) fn at(stage: Stage) -> impl FnOnce(ureq::Error) -> ureq::Error {
        move |cause| ureq::Error::Other(Box::new(Self { stage, cause }))
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl StdError for Unreached {}

/// An exchange without an answer. The reason is for humans and names hosts only: never what was
/// sent, never a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) reason: String,
}

/// The hosts of a route, by the names used in a failure's reason.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    pub(crate) endpoint: String,
    pub(crate) proxy: Option<String>,
}

impl Hosts {
    fn name(&self, peer: Peer) -> String {
        match (peer, &self.proxy) {
            (Peer::Proxy, Some(proxy)) => format!("the proxy {proxy}"),
            _ => self.endpoint.clone(),
        }
    }
}

impl Failure {
    /// Names an error of ureq by what it is, and by when and with whom it happened.
    pub(crate) fn from_error(error: &ureq::Error, stage: Stage, peer: Peer, hosts: &Hosts) -> Self {
        if let ureq::Error::Other(inner) = error
            && let Some(unreached) = inner.downcast_ref::<Unreached>()
        {
            return Self::from_error(&unreached.cause, unreached.stage, peer, hosts);
        }
        let host = hosts.name(peer);
        let (code, reason) = match tls_cause(error) {
            Some(cause) => describe_tls(cause, &host),
            None => describe(error, stage, &host),
        };
        Self {
            code: blame(code, peer),
            reason,
        }
    }

    /// The endpoint answered with something that is not HTTP.
    pub(crate) fn not_http(hosts: &Hosts) -> Self {
        Self {
            code: ErrorCode::Protocol,
            reason: format!("the answer from {} is not valid HTTP", hosts.endpoint),
        }
    }

    /// The endpoint sent something before it had the whole request.
    pub(crate) fn early(hosts: &Hosts) -> Self {
        Self {
            code: ErrorCode::Protocol,
            reason: format!("{} answered before it had the request", hosts.endpoint),
        }
    }

    /// The connection was closed instead of an answer.
    pub(crate) fn closed(hosts: &Hosts) -> Self {
        Self {
            code: ErrorCode::Disconnected,
            reason: format!(
                "{} closed the connection before it answered",
                hosts.endpoint
            ),
        }
    }
}

/// What goes wrong on the way to the proxy is the proxy's fault, except for what is said the same
/// way of everyone: the time was up, the certificate does not verify.
fn blame(code: ErrorCode, peer: Peer) -> ErrorCode {
    match (peer, code) {
        (Peer::Endpoint, _) | (_, ErrorCode::Timeout | ErrorCode::Certificate) => code,
        (Peer::Proxy, _) => ErrorCode::Proxy,
    }
}

fn describe(error: &ureq::Error, stage: Stage, host: &str) -> (ErrorCode, String) {
    use ureq::Error;
    match error {
        Error::Timeout(_) => (ErrorCode::Timeout, describe_timeout(stage, host)),
        Error::HostNotFound => describe_io(&"no such host", Stage::LookingUp, host),
        Error::Io(cause) if cause.kind() == io::ErrorKind::TimedOut => {
            (ErrorCode::Timeout, describe_timeout(stage, host))
        }
        Error::Io(cause) => describe_io(cause, stage, host),
        Error::ConnectionFailed => describe_io(&"no connection", Stage::Connecting, host),
        Error::ConnectProxyFailed(cause) => {
            (ErrorCode::Proxy, format!("{host} made no tunnel: {cause}"))
        }
        Error::Tls(cause) => (
            ErrorCode::Tls,
            format!("no secure connection to {host}: {cause}"),
        ),
        Error::TlsRequired => (
            ErrorCode::Tls,
            format!("the connection to {host} is not secure"),
        ),
        _ => (
            ErrorCode::Protocol,
            format!("the answer from {host} is not valid HTTP"),
        ),
    }
}

fn describe_io(cause: &dyn fmt::Display, stage: Stage, host: &str) -> (ErrorCode, String) {
    match stage {
        Stage::LookingUp => (ErrorCode::Dns, format!("cannot find {host}: {cause}")),
        Stage::Connecting => (
            ErrorCode::Connect,
            format!("cannot connect to {host}: {cause}"),
        ),
        Stage::Negotiating => (
            ErrorCode::Disconnected,
            format!("the connection to {host} ended while it was being set up: {cause}"),
        ),
        Stage::Exchanging => (
            ErrorCode::Disconnected,
            format!("the connection to {host} ended before the answer: {cause}"),
        ),
    }
}

fn describe_timeout(stage: Stage, host: &str) -> String {
    match stage {
        Stage::LookingUp => format!("connecting took too long: no address found for {host}"),
        Stage::Connecting => format!("connecting to {host} took too long"),
        Stage::Negotiating => {
            format!("connecting took too long: {host} did not complete the handshake")
        }
        Stage::Exchanging => format!("no answer from {host} in time"),
    }
}

/// Finds the TLS error in whatever ureq and the standard library have wrapped around it.
fn tls_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(cause) = error.downcast_ref::<rustls::Error>() {
        return Some(cause);
    }
    if let Some(cause) = error.downcast_ref::<io::Error>() {
        return cause.get_ref().and_then(|inner| tls_cause(inner));
    }
    match error.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Rustls(cause)) => Some(cause),
        Some(ureq::Error::Io(cause)) => tls_cause(cause),
        Some(ureq::Error::Other(cause)) => tls_cause(cause.as_ref()),
        _ => error.source().and_then(tls_cause),
    }
}

fn describe_tls(cause: &rustls::Error, host: &str) -> (ErrorCode, String) {
    use rustls::Error;
    match cause {
        Error::InvalidCertificate(problem) => (
            ErrorCode::Certificate,
            format!(
                "the certificate of {host} {}",
                describe_certificate(problem)
            ),
        ),
        Error::NoCertificatesPresented => (
            ErrorCode::Certificate,
            format!("{host} presents no certificate"),
        ),
        Error::UnsupportedNameType | Error::InvalidCertRevocationList(_) => (
            ErrorCode::Certificate,
            format!("the certificate of {host} cannot be verified: {cause}"),
        ),
        _ => (
            ErrorCode::Tls,
            format!("no secure connection to {host}: {cause}"),
        ),
    }
}

fn describe_certificate(problem: &CertificateError) -> String {
    use CertificateError as Problem;
    match problem {
        Problem::Expired | Problem::ExpiredContext { .. } => "has expired".to_owned(),
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => "is not valid yet".to_owned(),
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => {
            "is for another name".to_owned()
        }
        Problem::UnknownIssuer => {
            "is not signed by an authority that is trusted here (see ca_file)".to_owned()
        }
        Problem::Revoked => "was revoked".to_owned(),
        other => format!("does not verify: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_204_is_a_receipt() {
        assert_eq!(Class::of(204), Class::Received);
        for status in [
            400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 418, 422, 451, 499,
        ] {
            assert_eq!(Class::of(status), Class::Rejected, "{status}");
        }
        for status in [
            101, 200, 201, 202, 203, 205, 206, 299, 300, 301, 302, 303, 304, 307, 308, 408, 425,
            429, 500, 501, 502, 503, 504, 505, 511, 599, 600, 999,
        ] {
            assert_eq!(Class::of(status), Class::Transient, "{status}");
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
        fn no_retry_after_is_longer_than_believed(
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

    fn failure(error: &ureq::Error, stage: Stage, peer: Peer) -> Failure {
        let hosts = Hosts {
            endpoint: "db.example.com".to_owned(),
            proxy: Some("p.example.com".to_owned()),
        };
        Failure::from_error(error, stage, peer, &hosts)
    }

    fn io_error(kind: io::ErrorKind) -> ureq::Error {
        ureq::Error::Io(kind.into())
    }

    #[test]
    fn the_stage_names_the_failure() {
        let refused = io_error(io::ErrorKind::ConnectionRefused);
        let reset = io_error(io::ErrorKind::ConnectionReset);
        for (error, stage, code) in [
            (&refused, Stage::LookingUp, ErrorCode::Dns),
            (&refused, Stage::Connecting, ErrorCode::Connect),
            (&reset, Stage::Negotiating, ErrorCode::Disconnected),
            (&reset, Stage::Exchanging, ErrorCode::Disconnected),
        ] {
            let direct = failure(error, stage, Peer::Endpoint);
            assert_eq!(direct.code, code);
            assert!(
                direct.reason.contains("db.example.com"),
                "{}",
                direct.reason
            );
            let proxied = failure(error, stage, Peer::Proxy);
            assert_eq!(proxied.code, ErrorCode::Proxy);
            assert!(
                proxied.reason.contains("p.example.com"),
                "{}",
                proxied.reason
            );
        }
    }

    #[test]
    fn a_timeout_says_what_took_too_long() {
        let timeout = ureq::Error::Timeout(ureq::Timeout::Global);
        for (stage, words) in [
            (Stage::LookingUp, "connecting took too long"),
            (Stage::Connecting, "connecting to"),
            (Stage::Negotiating, "handshake"),
            (Stage::Exchanging, "no answer"),
        ] {
            for peer in [Peer::Endpoint, Peer::Proxy] {
                let failure = failure(&timeout, stage, peer);
                assert_eq!(failure.code, ErrorCode::Timeout);
                assert!(failure.reason.contains(words), "{}", failure.reason);
            }
        }
    }

    #[test]
    fn a_certificate_error_is_found_in_any_wrapping() {
        let expired = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        let in_io = || io::Error::new(io::ErrorKind::InvalidData, expired());
        for error in [
            ureq::Error::Rustls(expired()),
            ureq::Error::Io(in_io()),
            ureq::Error::Io(io::Error::other(in_io())),
            ureq::Error::Io(io::Error::other(ureq::Error::Rustls(expired()))),
            ureq::Error::Other(Box::new(ureq::Error::Io(in_io()))),
        ] {
            let failure = failure(&error, Stage::Negotiating, Peer::Endpoint);
            assert_eq!(failure.code, ErrorCode::Certificate, "{error:?}");
            assert!(
                failure.reason.ends_with("has expired"),
                "{}",
                failure.reason
            );
        }
        let garbage = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let garbage = failure(
            &ureq::Error::Rustls(garbage),
            Stage::Negotiating,
            Peer::Endpoint,
        );
        assert_eq!(garbage.code, ErrorCode::Tls);
    }

    #[test]
    fn the_stage_travels_through_the_connectors() {
        let refused = io_error(io::ErrorKind::ConnectionRefused);
        let error = Unreached::at(Stage::Connecting)(refused);
        let failure = failure(&error, Stage::Negotiating, Peer::Endpoint);
        assert_eq!(failure.code, ErrorCode::Connect);
    }
}
