//! Chooses the proxy of a route: the given one, or one from the environment.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use super::route::{Environment, RouteError};
use crate::address::{bare, has_usable_port, is_loopback};

/// The proxy for `endpoint`. An explicit one overrides the environment; an empty one means no proxy.
pub(crate) fn choose(
    endpoint: &Uri,
    explicit: Option<&str>,
    environment: Environment,
) -> Result<Option<Proxy>, RouteError> {
    if let Some(address) = explicit {
        return parse("proxy", address.trim());
    }
    let host = bare(endpoint.host().unwrap_or_default());
    if is_loopback(host) {
        return Ok(None);
    }
    for name in variables(endpoint, environment) {
        if let Some(address) = set_and_not_blank(name, environment) {
            if is_exempt(host, port_of(endpoint), environment)? {
                return Ok(None);
            }
            return parse(name, address.trim());
        }
    }
    Ok(None)
}

/// The variables to read, by precedence.
fn variables(endpoint: &Uri, environment: Environment) -> &'static [&'static str] {
    if endpoint.scheme_str() == Some("https") {
        return &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    }
    // Under CGI, any client can set HTTP_PROXY with a "Proxy" header (httpoxy).
    if environment("REQUEST_METHOD").is_some() {
        &["http_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    }
}

fn set_and_not_blank(name: &str, environment: Environment) -> Option<String> {
    environment(name).filter(|value| !value.trim().is_empty())
}

/// Parses the URL of a proxy. It may contain a password, so no message repeats it.
fn parse(setting: &'static str, address: &str) -> Result<Option<Proxy>, RouteError> {
    if address.is_empty() {
        return Ok(None);
    }
    let error = |reason: &str| RouteError {
        setting,
        reason: reason.to_owned(),
    };
    let not_a_proxy = || error("is not the URL of a proxy, such as http://proxy.example.com:3128");
    // As in other programs, a variable may hold `host:port` alone.
    let is_short = !address.contains("://");
    if is_short && (setting == "proxy" || !address.contains(':')) {
        return Err(not_a_proxy());
    }
    let proxy = Proxy::new(address).map_err(|_| not_a_proxy())?;
    if proxy.host().is_empty() {
        return Err(not_a_proxy());
    }
    if !has_usable_port(proxy.uri()) {
        return Err(error("has a port that is not a number from 1 to 65535"));
    }
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(Some(proxy)),
        _ => Err(error(
            "names a SOCKS proxy, which is not supported: give one that begins with http:// or https://",
        )),
    }
}

/// Whether `NO_PROXY` exempts the host.
fn is_exempt(host: &str, port: u16, environment: Environment) -> Result<bool, RouteError> {
    let found = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .find_map(|name| Some((name, set_and_not_blank(name, environment)?)));
    let Some((setting, list)) = found else {
        return Ok(false);
    };
    let mut entries = list.split([',', ' ', '\t']);
    if entries.clone().any(has_impossible_port) {
        let reason = "has an entry with a port above 65535".to_owned();
        return Err(RouteError { setting, reason });
    }
    Ok(entries.any(|entry| exempts(entry, host, port)))
}

fn has_impossible_port(entry: &str) -> bool {
    let (host, port) = entry.rsplit_once(':').unwrap_or_default();
    let is_port = !host.contains(':') || host.ends_with(']');
    is_port
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_err()
        && !port.is_empty()
}

/// Whether one entry exempts the host: `*`, a domain with its subdomains, an address, or a network
/// (`10.0.0.0/8`); all but a network may have a port.
fn exempts(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, length)) = entry.split_once('/') {
        return is_in_network(host, network, length);
    }
    let (entry, entry_port) = split_port(entry);
    if entry_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let domain = bare(entry).trim_start_matches('*').trim_start_matches('.');
    if domain.is_empty() {
        return false;
    }
    if let (Ok(host), Ok(address)) = (host.parse::<IpAddr>(), domain.parse::<IpAddr>()) {
        return host == address;
    }
    is_or_is_below(host, domain)
}

fn is_or_is_below(host: &str, domain: &str) -> bool {
    let host = host.trim_end_matches('.').as_bytes();
    let domain = domain.trim_end_matches('.').as_bytes();
    let Some(start) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    host[start..].eq_ignore_ascii_case(domain) && (start == 0 || host[start - 1] == b'.')
}

/// Splits `host:port`, but not an IPv6 address without brackets.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn is_in_network(host: &str, network: &str, length: &str) -> bool {
    let (Ok(host), Ok(network), Ok(length)) = (
        host.parse::<IpAddr>(),
        network.parse::<IpAddr>(),
        length.parse::<u32>(),
    ) else {
        return false;
    };
    let (host, network, width) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => (
            u128::from(host.to_bits()),
            u128::from(network.to_bits()),
            32,
        ),
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    length <= width && (host ^ network).checked_shr(width - length).unwrap_or(0) == 0
}

pub(crate) fn port_of(endpoint: &Uri) -> u16 {
    endpoint.port_u16().unwrap_or_else(|| {
        if endpoint.scheme_str() == Some("https") {
            443
        } else {
            80
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        endpoint: &str,
        explicit: Option<&str>,
        environment: &[(&str, &str)],
    ) -> Result<Option<String>, RouteError> {
        let look_up = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        choose(&endpoint.parse().unwrap(), explicit, &look_up)
            .map(|proxy| proxy.map(|proxy| proxy.host().to_owned()))
    }

    fn through(endpoint: &str, environment: &[(&str, &str)]) -> Option<String> {
        chosen(endpoint, None, environment).unwrap()
    }

    #[test]
    fn the_scheme_decides_which_variable_is_read() {
        let all = [
            ("HTTPS_PROXY", "http://secure"),
            ("HTTP_PROXY", "http://plain"),
            ("ALL_PROXY", "http://any"),
        ];
        assert_eq!(through("https://a.com/", &all).unwrap(), "secure");
        assert_eq!(through("http://a.com/", &all).unwrap(), "plain");
        assert_eq!(through("https://a.com/", &all[1..]).unwrap(), "any");
        assert_eq!(through("https://a.com/", &all[1..2]), None);
        assert_eq!(
            through("https://a.com/", &[("https_proxy", "low:3128")]).unwrap(),
            "low"
        );
        assert_eq!(through("https://a.com/", &[("HTTPS_PROXY", " ")]), None);
    }

    #[test]
    fn a_request_header_cannot_name_the_proxy() {
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil")];
        assert_eq!(through("http://a.com/", &cgi), None);
        let both = [cgi[0], cgi[1], ("http_proxy", "http://good")];
        assert_eq!(through("http://a.com/", &both).unwrap(), "good");
    }

    #[test]
    fn exemptions_cover_domains_addresses_networks_and_ports() {
        let is_direct = |endpoint: &str, list: &str| {
            through(endpoint, &[("ALL_PROXY", "http://p"), ("NO_PROXY", list)]).is_none()
        };
        for (endpoint, list) in [
            ("https://a.com/", "*"),
            ("https://a.com/", "b.org, a.com"),
            ("https://x.a.com/", "a.com"),
            ("https://x.A.com/", ".a.COM"),
            ("https://x.a.com/", "*.a.com"),
            ("https://a.com/", "a.com:443"),
            ("https://10.1.2.3/", "10.0.0.0/8"),
            ("https://10.1.2.3/", "10.1.2.3"),
            ("https://[fd00::1]/", "fd00::1"),
            ("https://[fd00::1]/", "[fd00::1]:443"),
            ("https://[fd00::1]/", "fd00::/8"),
        ] {
            assert!(is_direct(endpoint, list), "{endpoint} {list}");
        }
        for (endpoint, list) in [
            ("https://a.com/", "b.com"),
            ("https://xa.com/", "a.com"),
            ("https://a.com/", "x.a.com"),
            ("https://a.com/", "a.com:8443"),
            ("https://11.1.2.3/", "10.0.0.0/8"),
            ("https://10.1.2.3/", "10.0.0.0/33"),
            ("https://a.com/", ",,."),
        ] {
            assert!(!is_direct(endpoint, list), "{endpoint} {list}");
        }
    }

    #[test]
    fn a_given_proxy_overrides_no_proxy() {
        let environment = [("ALL_PROXY", "http://p"), ("NO_PROXY", "*")];
        for host in ["localhost", "127.0.0.1", "[::1]", "shop.example"] {
            let endpoint = format!("http://{host}:80/");
            assert_eq!(through(&endpoint, &environment), None, "{host}");
            let given = chosen(&endpoint, Some("http://given"), &environment);
            assert_eq!(given.unwrap().unwrap(), "given", "{host}");
        }
    }

    #[test]
    fn this_machine_is_reached_through_no_proxy_of_the_environment() {
        let environment = [("ALL_PROXY", "http://p"), ("HTTP_PROXY", "http://p")];
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.8.9.10", "[::1]"] {
            for scheme in ["http", "https"] {
                let endpoint = format!("{scheme}://{host}:8080/");
                assert_eq!(through(&endpoint, &environment), None, "{endpoint}");
            }
        }
        for host in ["localhost.example.com", "128.0.0.1", "[::2]"] {
            let endpoint = format!("https://{host}/");
            assert_eq!(through(&endpoint, &environment).unwrap(), "p", "{endpoint}");
        }
    }

    #[test]
    fn ports_that_do_not_exist_are_refused() {
        for port in ["0", "65536", "99999", "4294967376", "x", ""] {
            let address = format!("http://user:geheim@p:{port}");
            let error = chosen("https://a.com/", Some(&address), &[]).unwrap_err();
            assert!(!error.reason.contains("geheim"), "{}", error.reason);
        }
        let environment = [
            ("HTTPS_PROXY", "http://p"),
            ("NO_PROXY", "b.com,a.com:65536"),
        ];
        let error = chosen("https://a.com/", None, &environment).unwrap_err();
        assert_eq!(error.setting, "NO_PROXY");
        assert!(error.reason.contains("65535"), "{}", error.reason);
        let without_proxy = chosen("https://a.com/", None, &environment[1..]);
        assert_eq!(without_proxy, Ok(None), "the exceptions have no meaning");
    }

    #[test]
    fn only_the_environment_may_leave_out_the_scheme() {
        for address in ["foo", "p:3128", "user:geheim@p:3128", "not a proxy", "/p"] {
            let error = chosen("https://a.com/", Some(address), &[]).unwrap_err();
            assert!(error.reason.contains("such as http://"), "{}", error.reason);
        }
        assert_eq!(
            through("https://a.com/", &[("ALL_PROXY", "p:3128")]).unwrap(),
            "p"
        );
        assert!(chosen("https://a.com/", None, &[("ALL_PROXY", "foo")]).is_err());
    }

    #[test]
    fn an_empty_option_turns_the_environment_off() {
        let environment = [("ALL_PROXY", "http://p")];
        assert_eq!(chosen("https://a.com/", Some(""), &environment), Ok(None));
    }

    #[test]
    fn a_wrong_proxy_is_named_without_its_password() {
        for (value, hint) in [
            ("socks5://user:geheim@p:1080", "SOCKS"),
            ("gopher://user:geheim@p", "such as http://"),
            ("http://user:geheim@", "such as http://"),
            ("http://user:geheim@ p", "such as http://"),
        ] {
            let error = chosen("https://a.com/", None, &[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(error.setting, "HTTPS_PROXY");
            assert!(error.reason.contains(hint), "{}", error.reason);
            assert!(!error.reason.contains("geheim"));
            let error = chosen("https://a.com/", Some(value), &[]).unwrap_err();
            assert_eq!(error.setting, "proxy");
        }
    }
}
