//! Describes the route to the endpoint and probes it without sending an update.

use super::failure::Failure;
use super::proxy;
use super::transport::Transport;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The route that updates take to the endpoint.
#[derive(Clone, Debug)]
pub struct RouteChoice {
    /// The endpoint's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is reached over TLS.
    pub is_tls: bool,
    /// The proxy, if one is used.
    pub proxy: Option<ProxyChoice>,
    /// The file with the certificate authorities that replace Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// The time limit for opening a connection.
    pub connect_timeout: Duration,
}

/// A proxy, without its password.
#[derive(Clone, Debug)]
pub struct ProxyChoice {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The answer of the endpoint to a probe.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Date` header, in Unix seconds.
    pub date: Option<i64>,
    /// The time it took, including the connection.
    pub elapsed: Duration,
}

impl Transport {
    pub(crate) fn route(&self) -> RouteChoice {
        let endpoint = self.endpoint();
        RouteChoice {
            host: endpoint.host().unwrap_or_default().to_owned(),
            port: proxy::port_of(endpoint),
            is_tls: endpoint.scheme_str() == Some("https"),
            proxy: self.proxy().map(|proxy| ProxyChoice {
                host: proxy.host().to_owned(),
                port: proxy.port(),
            }),
            ca_file: self.trusted_file().map(PathBuf::from),
            connect_timeout: self.connect_timeout(),
        }
    }

    /// Sends a HEAD request over a new connection.
    pub(crate) fn probe(&self, deadline: Instant) -> Result<Answer, Failure> {
        let started = Instant::now();
        let (status, date) = self.ask(deadline)?;
        Ok(Answer {
            status,
            date,
            elapsed: started.elapsed(),
        })
    }
}
