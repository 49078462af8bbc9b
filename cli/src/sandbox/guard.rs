//! Rejects requests that pages of other sites send from a browser on this machine, by the headers
//! `Host`, `Origin` and `Sec-Fetch-Site`; restricts what the sandbox's own page may load.

use super::response::{self, Response};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use std::net::IpAddr;

/// The host names that this server accepts.
pub struct Guard {
    /// Whether the server listens on loopback only.
    is_local: bool,
    names: Vec<String>,
}

/// The page runs its own files only, and cannot be framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Guard {
    pub fn new(address: IpAddr, host: &str, allowed: &[String]) -> Self {
        let names = allowed
            .iter()
            .map(String::as_str)
            .chain([host, "localhost"]);
        Self {
            is_local: address.is_loopback(),
            names: names.map(str::to_ascii_lowercase).collect(),
        }
    }

    /// The response to a request that another site has sent or may have sent.
    pub fn refuse<B>(&self, request: &Request<B>) -> Option<Response> {
        let headers = request.headers();
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let Some(host) = host else {
            return Some(response::error(
                StatusCode::BAD_REQUEST,
                "the Host header is missing",
            ));
        };
        if !self.accepts(host) {
            let message = "this sandbox does not accept that Host; to accept it, start the sandbox with --allow-host NAME";
            return Some(response::error(StatusCode::MISDIRECTED_REQUEST, message));
        }
        // This includes the endpoint, to which a page of another site can post text without a
        // preflight request. Servers send neither Origin nor Sec-Fetch-Site.
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        (changes && is_foreign(headers, host)).then(|| {
            response::error(
                StatusCode::FORBIDDEN,
                "requests from another site may not change this sandbox",
            )
        })
    }

    /// Whether a `Host` is accepted. DNS rebinding needs a name, so a reachable IP address is safe.
    fn accepts(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        let is_address = literal
            .parse::<IpAddr>()
            .is_ok_and(|address| !self.is_local || address.is_loopback());
        is_address || self.names.contains(&name)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let origin = text(&header::ORIGIN);
    let site = text(&FETCH_SITE);
    origin.is_some_and(|origin| origin.strip_prefix("http://") != Some(host))
        || site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// Whether a request declares its body as JSON, which a form of another site cannot do.
pub fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = declared
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Sets the security headers of every response but the endpoint's.
pub fn protect(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_host_names_are_accepted() {
        let local = Guard::new([127, 0, 0, 1].into(), "127.0.0.1", &["box.test".into()]);
        for host in [
            "127.0.0.1:8321",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8321",
            "box.test:80",
            "127.8.9.1",
        ] {
            assert!(local.accepts(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8321",
            "192.168.1.2",
            "",
            "localhost.evil:1",
        ] {
            assert!(!local.accepts(host), "{host}");
        }
        let open = Guard::new([0, 0, 0, 0].into(), "0.0.0.0", &[]);
        assert!(open.accepts("192.168.1.2:8321"));
        assert!(!open.accepts("evil.example:8321"));
    }
}
