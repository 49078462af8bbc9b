//! Exchanges without an answer: the error code and the reason of every kind of failure.

use crate::error::ErrorCode;
use rustls::CertificateError;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The phase of an exchange, which decides the code of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Resolving the name of the host.
    Resolving,
    /// Connecting a socket to one of the addresses.
    Connecting,
    /// The TLS handshake, or the request to the proxy for a tunnel.
    Negotiating,
    /// Sending the request and waiting for the answer.
    Exchanging,
}

/// The other side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Endpoint,
    Proxy,
}

/// An error before there was a connection, passed through ureq's connectors with its phase.
#[derive(Debug)]
pub(crate) struct ConnectError {
    phase: Phase,
    cause: ureq::Error,
}

impl ConnectError {
    pub(crate) fn in_phase(phase: Phase) -> impl FnOnce(ureq::Error) -> ureq::Error {
        move |cause| ureq::Error::Other(Box::new(Self { phase, cause }))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl StdError for ConnectError {}

/// An exchange without an answer. The reason is shown to users; it names hosts, but contains
/// neither the update nor a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) reason: String,
}

/// The hosts of a route, for the reason of a failure.
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
    /// Classifies an error of ureq by its kind, its phase and the peer.
    pub(crate) fn from_error(error: &ureq::Error, phase: Phase, peer: Peer, hosts: &Hosts) -> Self {
        if let ureq::Error::Other(inner) = error
            && let Some(inner) = inner.downcast_ref::<ConnectError>()
        {
            return Self::from_error(&inner.cause, inner.phase, peer, hosts);
        }
        let host = hosts.name(peer);
        let (code, reason) = match tls_cause(error) {
            Some(cause) => describe_tls(cause, &host),
            None => describe(error, phase, &host),
        };
        Self {
            code: code_for(code, peer),
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

/// Failures with the proxy have a code of their own, except timeouts and certificates that do not
/// verify.
fn code_for(code: ErrorCode, peer: Peer) -> ErrorCode {
    match (peer, code) {
        (Peer::Endpoint, _) | (_, ErrorCode::Timeout | ErrorCode::Certificate) => code,
        (Peer::Proxy, _) => ErrorCode::Proxy,
    }
}

fn describe(error: &ureq::Error, phase: Phase, host: &str) -> (ErrorCode, String) {
    use ureq::Error;
    match error {
        Error::Timeout(_) => (ErrorCode::Timeout, describe_timeout(phase, host)),
        Error::HostNotFound => describe_io(&"no such host", Phase::Resolving, host),
        Error::Io(cause) if cause.kind() == io::ErrorKind::TimedOut => {
            (ErrorCode::Timeout, describe_timeout(phase, host))
        }
        Error::Io(cause) => describe_io(cause, phase, host),
        Error::ConnectionFailed => describe_io(&"no connection", Phase::Connecting, host),
        Error::ConnectProxyFailed(cause) => (
            ErrorCode::Proxy,
            format!("{host} did not open a tunnel: {cause}"),
        ),
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

fn describe_io(cause: &dyn fmt::Display, phase: Phase, host: &str) -> (ErrorCode, String) {
    match phase {
        Phase::Resolving => (ErrorCode::Dns, format!("cannot find {host}: {cause}")),
        Phase::Connecting => (
            ErrorCode::Connect,
            format!("cannot connect to {host}: {cause}"),
        ),
        Phase::Negotiating => (
            ErrorCode::Disconnected,
            format!("the connection to {host} ended while it was being set up: {cause}"),
        ),
        Phase::Exchanging => (
            ErrorCode::Disconnected,
            format!("the connection to {host} ended before the answer: {cause}"),
        ),
    }
}

fn describe_timeout(phase: Phase, host: &str) -> String {
    match phase {
        Phase::Resolving => format!("connecting took too long: no address found for {host}"),
        Phase::Connecting => format!("connecting to {host} took too long"),
        Phase::Negotiating => {
            format!("connecting took too long: {host} did not complete the handshake")
        }
        Phase::Exchanging => format!("no answer from {host} in time"),
    }
}

/// Finds the TLS error within the errors that ureq and the standard library wrap around it.
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

    fn failure(error: &ureq::Error, phase: Phase, peer: Peer) -> Failure {
        let hosts = Hosts {
            endpoint: "db.example.com".to_owned(),
            proxy: Some("p.example.com".to_owned()),
        };
        Failure::from_error(error, phase, peer, &hosts)
    }

    fn io_error(kind: io::ErrorKind) -> ureq::Error {
        ureq::Error::Io(kind.into())
    }

    #[test]
    fn the_phase_decides_the_code() {
        let refused = io_error(io::ErrorKind::ConnectionRefused);
        let reset = io_error(io::ErrorKind::ConnectionReset);
        for (error, phase, code) in [
            (&refused, Phase::Resolving, ErrorCode::Dns),
            (&refused, Phase::Connecting, ErrorCode::Connect),
            (&reset, Phase::Negotiating, ErrorCode::Disconnected),
            (&reset, Phase::Exchanging, ErrorCode::Disconnected),
        ] {
            let direct = failure(error, phase, Peer::Endpoint);
            assert_eq!(direct.code, code);
            assert!(
                direct.reason.contains("db.example.com"),
                "{}",
                direct.reason
            );
            let proxied = failure(error, phase, Peer::Proxy);
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
        for (phase, words) in [
            (Phase::Resolving, "connecting took too long"),
            (Phase::Connecting, "connecting to"),
            (Phase::Negotiating, "handshake"),
            (Phase::Exchanging, "no answer"),
        ] {
            for peer in [Peer::Endpoint, Peer::Proxy] {
                let failure = failure(&timeout, phase, peer);
                assert_eq!(failure.code, ErrorCode::Timeout);
                assert!(failure.reason.contains(words), "{}", failure.reason);
            }
        }
    }

    #[test]
    fn a_certificate_error_is_found_within_other_errors() {
        let expired = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        let in_io = || io::Error::new(io::ErrorKind::InvalidData, expired());
        for error in [
            ureq::Error::Rustls(expired()),
            ureq::Error::Io(in_io()),
            ureq::Error::Io(io::Error::other(in_io())),
            ureq::Error::Io(io::Error::other(ureq::Error::Rustls(expired()))),
            ureq::Error::Other(Box::new(ureq::Error::Io(in_io()))),
        ] {
            let failure = failure(&error, Phase::Negotiating, Peer::Endpoint);
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
            Phase::Negotiating,
            Peer::Endpoint,
        );
        assert_eq!(garbage.code, ErrorCode::Tls);
    }

    #[test]
    fn the_phase_passes_through_the_connectors() {
        let refused = io_error(io::ErrorKind::ConnectionRefused);
        let error = ConnectError::in_phase(Phase::Connecting)(refused);
        let failure = failure(&error, Phase::Negotiating, Peer::Endpoint);
        assert_eq!(failure.code, ErrorCode::Connect);
    }
}
