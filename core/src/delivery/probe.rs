//! Looks at the way to the endpoint without sending an order: which way it is, and what answers.

use super::answer::Failure;
use super::proxy;
use super::transport::Transport;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The way that updates take.
#[derive(Clone, Debug)]
pub struct RouteChoice {
    /// The endpoint's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is reached over TLS.
    pub is_tls: bool,
    /// The proxy in between.
    pub proxy: Option<ProxyChoice>,
    /// The file with the authorities that are trusted in place of Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// The longest that making one connection may take.
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

/// What the endpoint answered to a question that carried no order.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Date` header, in Unix seconds.
    pub date: Option<i64>,
    /// How long it took, with the connection.
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

    /// Asks with HEAD over a new connection.
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
