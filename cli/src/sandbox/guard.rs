//! Keeps other sites away that a browser on this machine may have open: by the Host header, by
//! the Origin, and by what a page of ours may load.

use super::answer::{self, Answer};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use std::net::IpAddr;

/// The names this server answers to.
pub struct Guard {
    /// Whether only this machine can connect.
    is_local: bool,
    names: Vec<String>,
}

/// The page runs its own files and nothing else, and can't be framed.
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

    /// The refusal, if another site is behind the request.
    pub fn refuse<B>(&self, request: &Request<B>) -> Option<Answer> {
        let headers = request.headers();
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let Some(host) = host else {
            return Some(answer::error(
                StatusCode::BAD_REQUEST,
                "the Host header is missing",
            ));
        };
        if !self.knows(host) {
            let message = "this sandbox does not answer to that Host; start it with --allow-host NAME if it should";
            return Some(answer::error(StatusCode::MISDIRECTED_REQUEST, message));
        }
        // The endpoint too: a page of another site can post text to it without asking. Servers
        // send neither an Origin nor Sec-Fetch-Site.
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        (changes && is_foreign(headers, host)).then(|| {
            answer::error(
                StatusCode::FORBIDDEN,
                "another site may not change this sandbox",
            )
        })
    }

    /// DNS rebinding needs a name; an address in its place is harmless where it can be reached.
    fn knows(&self, host: &str) -> bool {
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

/// Whether a request's body is declared as JSON, which another site's form can't do.
pub fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = declared
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// What every answer but the endpoint's own carries.
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
    fn only_names_of_its_own_are_answered() {
        let local = Guard::new([127, 0, 0, 1].into(), "127.0.0.1", &["box.test".into()]);
        for host in [
            "127.0.0.1:8321",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8321",
            "box.test:80",
            "127.8.9.1",
        ] {
            assert!(local.knows(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8321",
            "192.168.1.2",
            "",
            "localhost.evil:1",
        ] {
            assert!(!local.knows(host), "{host}");
        }
        let open = Guard::new([0, 0, 0, 0].into(), "0.0.0.0", &[]);
        assert!(open.knows("192.168.1.2:8321"));
        assert!(!open.knows("evil.example:8321"));
    }
}
