//! Checks the connection to the endpoint step by step: route, name, connection, certificate,
//! response, clock.

use super::certificate;
use super::finding::{Finding, Verdict};
use katalys_core::{Answer, Client, Error, ErrorCode, RouteChoice};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub fn check(client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    let route = match client.route() {
        Ok(route) => route,
        Err(error) => {
            return vec![Finding::bad(
                "route",
                error.message(),
                "correct this setting",
            )];
        }
    };
    let (host, port) = first_hop(&route);
    findings.push(via(&route));
    let addresses = match resolve(&host, port, route.connect_timeout) {
        Ok(addresses) => addresses,
        Err(reason) => {
            let advice = "check the spelling of the host and this machine's name servers \
                          (/etc/resolv.conf)";
            findings.push(Finding::bad("dns", format!("{host}: {reason}"), advice));
            return findings;
        }
    };
    let listed: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    findings.push(Finding::good(
        "dns",
        format!("{host} is {}", listed.join(", ")),
    ));
    let Some((finding, address)) = connect(&addresses, &route) else {
        let found = format!("no address of {host} accepts connections on port {port}");
        let advice = "check that firewalls allow connections to that port, or set a proxy";
        findings.push(Finding::bad("tcp", found, advice));
        return findings;
    };
    findings.push(finding);
    if route.is_tls {
        findings.push(if route.proxy.is_none() {
            certificate::check(&route, address)
        } else {
            let found = "not checked through a proxy";
            Finding::new("certificate", Verdict::Skipped, found)
        });
    }
    findings.extend(response(client.probe()));
    findings
}

fn first_hop(route: &RouteChoice) -> (String, u16) {
    let (host, port) = match &route.proxy {
        Some(proxy) => (&proxy.host, proxy.port),
        None => (&route.host, route.port),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

fn via(route: &RouteChoice) -> Finding {
    let scheme = if route.is_tls { "https" } else { "http" };
    let RouteChoice { host, port, .. } = route;
    let way = match &route.proxy {
        Some(proxy) => format!("through the proxy {}:{}", proxy.host, proxy.port),
        None => "directly".to_owned(),
    };
    let trust = match &route.ca_file {
        _ if !route.is_tls => String::new(),
        Some(file) => format!(", trusting {}", file.display()),
        None => ", trusting Mozilla's authorities".to_owned(),
    };
    Finding::good("route", format!("{scheme}://{host}:{port} {way}{trust}"))
}

/// Resolves a name on a separate thread, since the system's resolver cannot be interrupted.
fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let (done, result) = channel();
    let name = host.to_owned();
    thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        let _ = done.send(found.map(Vec::from_iter).map_err(|error| error.to_string()));
    });
    match result.recv_timeout(limit) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(found) => found,
        Err(_) => Err(format!("no answer within {} s", limit.as_secs_f64())),
    }
}

fn connect(addresses: &[SocketAddr], route: &RouteChoice) -> Option<(Finding, SocketAddr)> {
    let mut refused = Vec::new();
    for address in addresses {
        let started = Instant::now();
        match TcpStream::connect_timeout(address, route.connect_timeout) {
            Ok(_) => {
                let took = started.elapsed().as_millis();
                let mut finding = Finding::good("tcp", format!("{address} connects in {took} ms"));
                if !refused.is_empty() {
                    finding.verdict = Verdict::Warning;
                    finding.found.push_str("; no connection to ");
                    finding.found.push_str(&refused.join(", "));
                }
                return Some((finding, *address));
            }
            Err(error) => refused.push(format!("{address} ({error})")),
        }
    }
    None
}

fn response(answer: Result<Answer, Error>) -> Vec<Finding> {
    match answer {
        Err(error) => vec![Finding::bad(
            "endpoint",
            error.message(),
            advice(error.code()),
        )],
        Ok(answer) => {
            let took = answer.elapsed.as_millis();
            let found = format!("answers ({} to a HEAD) in {took} ms", answer.status);
            vec![Finding::good("endpoint", found), clock(answer.date)]
        }
    }
}

fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Certificate => {
            "if your own proxy intercepts TLS, use --ca-file with its authority; otherwise send \
             nothing: the server is not the endpoint"
        }
        ErrorCode::Proxy => "check the proxy's address, user name and password",
        ErrorCode::Tls | ErrorCode::Protocol => {
            "the server there is not the endpoint; check --endpoint, its port and scheme"
        }
        ErrorCode::Timeout => "check firewalls, or increase --timeout and --connect-timeout",
        _ => "check --endpoint, and try again later; updates are retried until then",
    }
}

/// Compares this machine's clock with the endpoint's.
fn clock(date: Option<i64>) -> Finding {
    const MAX_GOOD: i64 = 5;
    const MAX_TOLERABLE: i64 = 5 * 60;
    let Some(date) = date else {
        return Finding::new(
            "clock",
            Verdict::Skipped,
            "the answer has no Date to compare with",
        );
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    let apart = i64::try_from(now).unwrap_or(i64::MAX) - date;
    let direction = if apart < 0 { "behind" } else { "ahead of" };
    let found = format!("{} s {direction} the endpoint's", apart.abs());
    let advice = "set the clock (NTP): with a wrong order_time, orders may be counted twice";
    match apart.abs() {
        0..=MAX_GOOD => Finding::good("clock", found),
        ..=MAX_TOLERABLE => Finding::new("clock", Verdict::Warning, found).advise(advice),
        _ => Finding::bad("clock", found, advice),
    }
}
