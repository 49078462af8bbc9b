//! One exchange with the endpoint: a POST and what came of it. No retries here, and no rules.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use jiff::Timestamp;
use ureq::config::{AutoHeaderValue, Config};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, RustlsConnector,
    Transport as UreqTransport,
};
use ureq::{Agent, Body, Proxy};

use super::answer::{Class, Failure, Hosts, retry_after};
use super::connection::SocketConnector;
use super::exchange::{self, Exchange, Peer};
use super::one_write::OneWriteConnector;
use super::resolver::{Addresses, AddressesComeLater};
use super::{proxy, trust};

/// How updates reach the endpoint.
pub(crate) struct Route {
    pub(crate) endpoint: Uri,
    /// Trust these authorities alone.
    pub(crate) ca_file: Option<PathBuf>,
    /// Counts more than the environment; empty means "none".
    pub(crate) proxy: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) user_agent: String,
    /// How many connections are kept while unused: at best, one per thread that sends.
    pub(crate) idle_connections: usize,
}

/// A route that cannot be taken: which setting is wrong, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteError {
    /// The option or environment variable.
    pub(crate) setting: &'static str,
    /// Reads on after the setting's name. Never holds a password.
    pub(crate) reason: String,
}

/// What came of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The endpoint has the update.
    Received,
    /// The endpoint, or something in between, answered something else.
    Answered {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// There was no answer.
    Failed(Failure),
}

/// Connections are closed after this long without use; most servers and the boxes in between
/// keep theirs for a minute or more.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// Room for a usual update with its head, and for any answer's head.
const BUFFER_SIZE: usize = 16 * 1024;

/// An answer whose head is larger is not from the endpoint. Less than a buffer, so that it is
/// seen as such.
const LARGEST_HEAD: usize = 12 * 1024;

/// What is read of an answer's body, and for how long: only so that the connection can be used
/// again.
const LARGEST_BODY: usize = 4 * 1024;
const LONGEST_BODY: Duration = Duration::from_millis(250);

/// The way to one endpoint, with its connections.
pub(crate) struct Transport {
    agent: Agent,
    endpoint: Uri,
    headers: HeaderMap,
    hosts: Hosts,
}

impl Transport {
    /// Prepares the route: reads settings and files, but opens nothing and starts nothing.
    pub(crate) fn new(route: &Route) -> Result<Self, RouteError> {
        Self::in_environment(route, &|name| std::env::var(name).ok())
    }

    fn in_environment(route: &Route, environment: proxy::Environment) -> Result<Self, RouteError> {
        let proxy = proxy::choose(&route.endpoint, route.proxy.as_deref(), environment)?;
        let roots = trust::roots(route.ca_file.as_deref(), environment)?;
        let user_agent = HeaderValue::from_str(&route.user_agent).map_err(|_| RouteError {
            setting: "user_agent",
            reason: "has characters that a header cannot carry".to_owned(),
        })?;
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TunnelMark)
                .chain(socket_connector(&route.endpoint, proxy.as_ref()))
                .chain(RustlsConnector::default())
                .chain(OneWriteConnector);
        let hosts = Hosts {
            endpoint: route.endpoint.host().unwrap_or_default().to_owned(),
            proxy: proxy.as_ref().map(|proxy| proxy.host().to_owned()),
        };
        let config = configure(route, TlsConfig::builder().root_certs(roots).build(), proxy);
        Ok(Self {
            agent: Agent::with_parts(config, connector, AddressesComeLater),
            endpoint: route.endpoint.clone(),
            headers: HeaderMap::from_iter([
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (USER_AGENT, user_agent),
            ]),
            hosts,
        })
    }

    /// Sends `body` once, on this thread, and waits for the answer until `deadline` at most.
    pub(crate) fn post(&self, body: &[u8], deadline: Instant) -> Outcome {
        let exchange = Exchange::begin(deadline);
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        *request.headers_mut() = self.headers.clone();
        match self.agent.run(request) {
            Ok(answer) => judge(answer, &exchange),
            Err(error) => {
                Outcome::Failed(Failure::from_error(&error, exchange.reached(), &self.hosts))
            }
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

fn configure(route: &Route, tls: TlsConfig, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .http_status_as_error(false)
        // A redirect is an answer like any other: customer data goes nowhere else.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .user_agent(route.user_agent.as_str())
        .timeout_connect(Some(route.connect_timeout))
        .max_idle_connections(route.idle_connections)
        .max_idle_connections_per_host(route.idle_connections)
        .max_idle_age(LONGEST_IDLE)
        .max_response_header_size(LARGEST_HEAD)
        .input_buffer_size(BUFFER_SIZE)
        .output_buffer_size(BUFFER_SIZE)
        .build()
}

/// Whatever the target, sockets are opened to one host only.
fn socket_connector(endpoint: &Uri, proxy: Option<&Proxy>) -> SocketConnector {
    let (host, port, peer) = match proxy {
        Some(proxy) => (proxy.host(), proxy.port(), Peer::Proxy),
        None => (
            endpoint.host().unwrap_or_default(),
            proxy::port_of(endpoint),
            Peer::Endpoint,
        ),
    };
    SocketConnector::new(Arc::new(Addresses::of(host, port)), peer)
}

fn judge(mut answer: Response<Body>, exchange: &Exchange) -> Outcome {
    let status = answer.status().as_u16();
    if Class::of(status) == Class::Received {
        return Outcome::Received;
    }
    let retry_after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, Timestamp::now()));
    finish_reading(answer.body_mut(), exchange);
    Outcome::Answered {
        status,
        retry_after,
    }
}

/// Reads the rest of a short answer. ureq keeps a connection only if its answer was read to the
/// end, and closes it otherwise.
fn finish_reading(body: &mut Body, exchange: &Exchange) {
    exchange.shorten(LONGEST_BODY);
    let mut reader = body.as_reader();
    let mut scratch = [0; 1024];
    let mut total = 0;
    while total <= LARGEST_BODY {
        match reader.read(&mut scratch) {
            Ok(0) | Err(_) => return,
            Ok(count) => total += count,
        }
    }
}

/// Notes that the proxy has made its tunnel: from here on, failures are the endpoint's.
#[derive(Debug)]
struct TunnelMark;

impl<In: UreqTransport> Connector<In> for TunnelMark {
    type Out = In;

    fn connect(
        &self,
        _: &ConnectionDetails,
        tunnel: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        if tunnel.is_some() {
            exchange::face(Peer::Endpoint);
            exchange::enter(exchange::Stage::Negotiating);
        }
        Ok(tunnel)
    }
}
