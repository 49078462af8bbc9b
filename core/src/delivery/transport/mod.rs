//! The transport to one endpoint: sends an update in one exchange. It neither retries nor checks.
//!
//! The opener makes the connections (TLS, proxy tunnels); the exchange over them is this library's.
//! Through ureq's agent a request takes about 23,000 instructions, most of them for generality that one
//! fixed request does not need; this way it takes about 3,000.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderValue, Uri};
use ureq::Proxy;

use super::connection::Connection;
use super::containment::Replacement;
use super::exchange::{self, ExchangeOutcome, Sent, has_early_input, receive_head, send};
use super::failure::Failure;
use super::idle::IdleConnections;
use super::message::{self, LengthDigits, RequestHead};
use super::opener::Opener;
use super::proxy;
use super::route::{Environment, Route, RouteError};
use super::trust::Trust;
use crate::interrupt;
use crate::testing;

/// One endpoint, with the connections to it.
pub(crate) struct Transport {
    endpoint: Uri,
    proxy: Option<Proxy>,
    trust: Arc<Trust>,
    user_agent: String,
    connect_timeout: Duration,
    head: RequestHead,
    idle: IdleConnections,
    opener: OnceLock<Opener>,
    /// For endpoints on other hosts.
    replacement: Option<Replacement<Self>>,
}

impl Transport {
    /// Prepares the route: reads settings and files, but opens no connection and starts no thread.
    ///
    /// # Errors
    /// Everything that is wrong with the route.
    pub(crate) fn new(route: &Route) -> Result<Self, Vec<RouteError>> {
        Self::in_environment(route, &|name| std::env::var(name).ok())
    }

    fn in_environment(route: &Route, environment: Environment) -> Result<Self, Vec<RouteError>> {
        if HeaderValue::from_str(&route.user_agent).is_err() {
            return Err(vec![RouteError {
                setting: "user_agent",
                reason: "has characters that are not allowed in a header".to_owned(),
            }]);
        }
        let proxy = proxy::choose(&route.endpoint, route.proxy.as_deref(), environment);
        let trust = Trust::choose(route.ca_file.as_deref(), environment);
        let (proxy, trust) = match (proxy, trust) {
            (Ok(proxy), Ok(trust)) => (proxy, trust),
            (proxy, trust) => return Err(proxy.err().into_iter().chain(trust.err()).collect()),
        };
        Ok(Self {
            endpoint: route.endpoint.clone(),
            proxy,
            trust: Arc::new(trust),
            user_agent: route.user_agent.clone(),
            connect_timeout: route.connect_timeout,
            head: RequestHead::new(&route.endpoint, &route.user_agent),
            idle: IdleConnections::new(route.idle_connections),
            opener: OnceLock::new(),
            replacement: Replacement::of(&route.endpoint),
        })
    }

    /// Sends `body` once, on this thread, and waits for the answer until `deadline`.
    pub(crate) fn post(&self, body: &[u8], deadline: Instant) -> ExchangeOutcome {
        self.try_post(body, deadline)
            .unwrap_or_else(ExchangeOutcome::Failed)
    }

    fn try_post(&self, body: &[u8], deadline: Instant) -> Result<ExchangeOutcome, Failure> {
        if testing::is_on()
            && let Some(route) = self.contained()?
        {
            return route.try_post(body, deadline);
        }
        let opener = self.opener();
        let mut connection = match self.idle.take() {
            Some(connection) => connection,
            None if self.replacement.is_some() && testing::look() => {
                return self.try_post(body, deadline);
            }
            None => open_without_input(opener, deadline)?,
        };
        let mut digits = LengthDigits::default();
        let request = self.head.request(body, &mut digits);
        let exchanged = send(&mut connection, &request, deadline)
            .and_then(|sent| Ok((sent, receive_head(&mut connection, deadline)?)))
            .map_err(|error| error.into_failure(opener.hosts()));
        let (sent, head) = match exchanged {
            Err(failure) if interrupt::was_over() => {
                // The request is sent, so the order's next update has to wait for its answer.
                interrupt::leave(Box::new(move || {
                    drop(receive_head(&mut connection, deadline));
                }));
                return Err(failure);
            }
            exchanged => exchanged?,
        };
        if sent == Sent::InPart {
            return exchange::outcome_of_early(&head, opener.hosts());
        }
        if exchange::is_reusable_after(&head, &mut connection, deadline) {
            self.idle.put(connection);
        }
        Ok(exchange::outcome_of(&head))
    }

    /// Sends a request without an update; returns the status and the date of the answer.
    pub(super) fn ask(&self, deadline: Instant) -> Result<(u16, Option<i64>), Failure> {
        if let Some(route) = self.contained()? {
            return route.ask(deadline);
        }
        let opener = self.opener();
        let mut connection = open_without_input(opener, deadline)?;
        let probe = message::probe(&self.endpoint, &self.user_agent);
        send(&mut connection, &[&probe], deadline)
            .and_then(|_| exchange::receive_date(&mut connection, deadline))
            .map_err(|error| error.into_failure(opener.hosts()))
    }

    pub(super) fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(super) fn trusted_file(&self) -> Option<&Path> {
        self.trust.file()
    }

    /// The transport that replaces this one in a contained test run.
    fn contained(&self) -> Result<Option<Arc<Self>>, Failure> {
        let Some(replacement) = &self.replacement else {
            return Ok(None);
        };
        replacement.current(&self.endpoint, |sandbox| {
            Self::new(&Route {
                endpoint: sandbox.clone(),
                ca_file: None,
                proxy: Some(String::new()),
                connect_timeout: self.connect_timeout,
                user_agent: self.user_agent.clone(),
                idle_connections: self.idle.limit(),
            })
        })
    }

    fn opener(&self) -> &Opener {
        self.opener.get_or_init(|| {
            Opener::new(
                self.endpoint.clone(),
                self.proxy.clone(),
                Arc::clone(&self.trust),
                &self.user_agent,
                self.connect_timeout,
            )
        })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("endpoint", &self.endpoint.host())
            .finish_non_exhaustive()
    }
}

/// Opens a connection, on which no input must have arrived.
fn open_without_input(opener: &Opener, deadline: Instant) -> Result<Connection, Failure> {
    let mut connection = opener.open(deadline)?;
    if has_early_input(&mut connection) {
        return Err(Failure::early(opener.hosts()));
    }
    Ok(connection)
}

#[cfg(test)]
mod tests;
