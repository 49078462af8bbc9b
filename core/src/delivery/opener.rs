//! Opens connections: directly or through a tunnel of a proxy, with TLS if the scheme requires it.
//! ureq requests the tunnel; this library implements the sockets below it and TLS above it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::transport::time::Instant as UreqInstant;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout,
};
use ureq::{Agent, Error, Proxy, Timeout};

use super::connection::{BUFFER_SIZE, Connection, SocketConnector};
use super::failure::{Failure, Hosts, Peer, Phase};
use super::proxy::port_of;
use super::resolver::{Addresses, NoAddresses};
use super::tls::TlsConnector;
use super::trust::Trust;

type FirstHop = dyn Fn(&ConnectionDetails) -> Result<Connection, Error> + Send + Sync;

/// Opens connections to one endpoint.
pub(crate) struct Opener {
    endpoint: Uri,
    connect_timeout: Duration,
    hosts: Hosts,
    config: Config,
    /// Connects to the endpoint, or to the proxy if there is one, including TLS.
    first_hop: Arc<FirstHop>,
    tls: Arc<TlsConnector>,
}

impl Opener {
    pub(crate) fn new(
        endpoint: Uri,
        proxy: Option<Proxy>,
        trust: Arc<Trust>,
        user_agent: &str,
        connect_timeout: Duration,
    ) -> Self {
        let hosts = Hosts {
            endpoint: endpoint.host().unwrap_or_default().to_owned(),
            proxy: proxy.as_ref().map(|proxy| proxy.host().to_owned()),
        };
        let addresses = match &proxy {
            Some(proxy) => Addresses::of(proxy.host(), proxy.port()),
            None => Addresses::of(&hosts.endpoint, port_of(&endpoint)),
        };
        let config = Agent::config_builder()
            .proxy(proxy)
            .user_agent(user_agent)
            .input_buffer_size(BUFFER_SIZE)
            .output_buffer_size(BUFFER_SIZE)
            .build();
        let tls = Arc::new(TlsConnector::new(trust));
        Self {
            endpoint,
            connect_timeout,
            hosts,
            config,
            first_hop: first_hop(SocketConnector::new(addresses), Arc::clone(&tls)),
            tls,
        }
    }

    /// The hosts of the route, for the reasons of failures.
    pub(crate) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Opens a connection within the connect timeout, and not later than `deadline`.
    pub(crate) fn open(&self, deadline: Instant) -> Result<Connection, Failure> {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let details = self.details(now, left.min(self.connect_timeout));
        if self.hosts.proxy.is_none() {
            return (self.first_hop)(&details)
                .map_err(|error| self.failure(&error, Peer::Endpoint));
        }
        let tunnel = open_tunnel(&details).map_err(|error| self.failure(&error, Peer::Proxy))?;
        secure(&self.tls, &details, tunnel).map_err(|error| self.failure(&error, Peer::Endpoint))
    }

    fn failure(&self, error: &Error, peer: Peer) -> Failure {
        Failure::from_error(error, Phase::Negotiating, peer, &self.hosts)
    }

    fn details(&self, now: Instant, limit: Duration) -> ConnectionDetails<'_> {
        ConnectionDetails {
            uri: &self.endpoint,
            addrs: NoAddresses::none(),
            config: &self.config,
            request_level: false,
            resolver: &NoAddresses,
            now: UreqInstant::Exact(now),
            timeout: NextTimeout {
                after: limit.into(),
                reason: Timeout::Connect,
                ..NextTimeout::default()
            },
            current_time: Arc::new(UreqInstant::now),
            run_connector: self.first_hop.clone(),
            register_shutdown: Arc::new(|_| Ok(())),
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

fn first_hop(sockets: SocketConnector, tls: Arc<TlsConnector>) -> Arc<FirstHop> {
    Arc::new(move |details| {
        let socket = Box::new(sockets.open(details.timeout)?);
        secure(&tls, details, socket)
    })
}

fn open_tunnel(details: &ConnectionDetails) -> Result<Connection, Error> {
    match ConnectProxyConnector::default().connect(details, None::<()>)? {
        Some(tunnel) => Ok(Box::new(tunnel)),
        None => Err(Error::ConnectionFailed),
    }
}

/// Adds TLS to a connection if the scheme of the target requires it.
fn secure(
    tls: &TlsConnector,
    details: &ConnectionDetails,
    connection: Connection,
) -> Result<Connection, Error> {
    if !details.needs_tls() {
        return Ok(connection);
    }
    let host = details.uri.host().unwrap_or_default();
    Ok(Box::new(tls.secure(host, connection, details.timeout)?))
}
