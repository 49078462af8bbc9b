//! One exchange with the endpoint: a POST and what came of it. No retries here, and no rules.
//!
//! The opener makes the connections (TLS, proxy tunnels); the exchange over them is done here. Through
//! ureq's agent a request takes some 23,000 instructions, most of them for generality that one
//! fixed request has no use for; here it takes some 3,000.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderValue, Uri};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Proxy, Timeout};

use super::answer::{Class, Failure, Peer, Stage};
use super::contained::StandIn;
use super::idle::IdleConnections;
use super::message::{
    self, AnswerHead, BodyEnd, Extent, LengthDigits, RequestHead, measure_body, read_head,
};
use super::opener::{Connection, Opener};
use super::proxy;
use super::tls::REST_OF_RECORD;
use super::trust::Trust;
use crate::interrupt;
use crate::testing;

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

/// An answer whose head is larger is not from the endpoint.
const LARGEST_HEAD: usize = 12 * 1024;

/// What is read of an answer's body, and for how long: only so that the connection can be used
/// again.
const LARGEST_BODY: usize = 4 * 1024;
const LONGEST_BODY: Duration = Duration::from_millis(250);

/// The way to one endpoint, with its connections.
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
    stand_in: Option<StandIn>,
}

impl Transport {
    /// Prepares the route: reads settings and files, but opens nothing and starts nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the route.
    pub(crate) fn new(route: &Route) -> Result<Self, Vec<RouteError>> {
        Self::in_environment(route, &|name| std::env::var(name).ok())
    }

    fn in_environment(
        route: &Route,
        environment: proxy::Environment,
    ) -> Result<Self, Vec<RouteError>> {
        if HeaderValue::from_str(&route.user_agent).is_err() {
            return Err(vec![RouteError {
                setting: "user_agent",
                reason: "has characters that a header cannot carry".to_owned(),
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
            stand_in: StandIn::of(&route.endpoint),
        })
    }

    /// Sends `body` once, on this thread, and waits for the answer until `deadline` at most.
    pub(crate) fn post(&self, body: &[u8], deadline: Instant) -> Outcome {
        self.try_post(body, deadline)
            .unwrap_or_else(Outcome::Failed)
    }

    fn try_post(&self, body: &[u8], deadline: Instant) -> Result<Outcome, Failure> {
        if testing::is_on()
            && let Some(route) = self.contained()?
        {
            return route.try_post(body, deadline);
        }
        let opener = self.opener();
        let mut connection = match self.idle.take() {
            Some(connection) => connection,
            None if self.stand_in.is_some() && testing::look() => {
                return self.try_post(body, deadline);
            }
            None => open_without_input(opener, deadline)?,
        };
        let mut digits = LengthDigits::default();
        let request = self.head.request(body, &mut digits);
        let exchanged = send(&mut connection, &request, deadline)
            .map_err(Trouble::Connection)
            .and_then(|sent| Ok((sent, receive_head(&mut connection, deadline)?)))
            .map_err(|trouble| trouble.into_failure(opener));
        let (sent, head) = match exchanged {
            Err(failure) if interrupt::was_over() => {
                // The request was made: the order's next update leaves once it is answered.
                interrupt::leave(Box::new(move || {
                    drop(receive_head(&mut connection, deadline));
                }));
                return Err(failure);
            }
            exchanged => exchanged?,
        };
        if sent == Sent::InPart {
            return judge_early(&head, opener);
        }
        if is_at_rest_after(&head, &mut connection, deadline) {
            self.idle.put(connection);
        }
        Ok(judge(&head))
    }

    /// The status and the date of the answer to a request that carries nothing.
    pub(super) fn ask(&self, deadline: Instant) -> Result<(u16, Option<i64>), Failure> {
        if let Some(route) = self.contained()? {
            return route.ask(deadline);
        }
        let opener = self.opener();
        let mut connection = open_without_input(opener, deadline)?;
        let question = message::question(&self.endpoint, &self.user_agent);
        send(&mut connection, &[&question], deadline)
            .map_err(Trouble::Connection)
            .and_then(|_| receive_date(&mut connection, deadline))
            .map_err(|trouble| trouble.into_failure(opener))
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

    /// What takes this route's place in a contained test run.
    fn contained(&self) -> Result<Option<Arc<Self>>, Failure> {
        let stand_in = self.stand_in.as_ref();
        stand_in.map_or(Ok(None), |stand_in| stand_in.route(self))
    }

    /// What another route to the same kind of endpoint is made from.
    pub(super) fn settings(&self) -> Route {
        Route {
            endpoint: self.endpoint.clone(),
            ca_file: None,
            proxy: None,
            connect_timeout: self.connect_timeout,
            user_agent: self.user_agent.clone(),
            idle_connections: self.idle.most(),
        }
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

/// Why there is no answer from an open connection.
enum Trouble {
    Connection(Error),
    Closed,
    NotHttp,
}

impl Trouble {
    fn into_failure(self, opener: &Opener) -> Failure {
        let hosts = opener.hosts();
        match self {
            Self::Connection(error) => {
                Failure::from_error(&error, Stage::Exchanging, Peer::Endpoint, hosts)
            }
            Self::Closed => Failure::closed(hosts),
            Self::NotHttp => Failure::not_http(hosts),
        }
    }
}

/// A new connection on which no input has arrived.
fn open_without_input(opener: &Opener, deadline: Instant) -> Result<Connection, Failure> {
    let mut connection = opener.open(deadline)?;
    if has_early_input(&mut connection) {
        return Err(Failure::early(opener.hosts()));
    }
    Ok(connection)
}

/// Whether input has arrived on a new connection: what comes before the request is not its answer.
fn has_early_input(connection: &mut Connection) -> bool {
    if connection.is_open() {
        return false;
    }
    if !connection.buffers().input().is_empty() {
        return true;
    }
    let limit = NextTimeout {
        after: REST_OF_RECORD.into(),
        reason: Timeout::RecvResponse,
        ..NextTimeout::default()
    };
    // A connection that was closed has none: the exchange reports how it ended.
    matches!(
        connection.await_input(limit),
        Ok(true) | Err(Error::Timeout(_))
    )
}

/// How much of a request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Whole,
    /// The server answered, or closed the connection, before it had all of it.
    InPart,
}

/// Hands over the pieces as if they were one, so that they are one TLS record.
fn send(connection: &mut Connection, pieces: &[&[u8]], deadline: Instant) -> Result<Sent, Error> {
    let mut filled = 0;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let room = &mut connection.buffers().output()[filled..];
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            let is_full = now.len() == room.len();
            filled += now.len();
            rest = later;
            if is_full {
                connection.transmit_output(filled, until(deadline)?)?;
                filled = 0;
                if !connection.is_open() {
                    return Ok(Sent::InPart);
                }
            }
        }
    }
    if filled > 0 {
        connection.transmit_output(filled, until(deadline)?)?;
    }
    Ok(Sent::Whole)
}

/// The head of the answer that counts.
fn receive_head(connection: &mut Connection, deadline: Instant) -> Result<AnswerHead, Trouble> {
    loop {
        let has_more = await_input(connection, deadline).map_err(Trouble::Connection)?;
        while let Some(head) =
            read_head(connection.buffers().input()).map_err(|_| Trouble::NotHttp)?
        {
            connection.buffers().input_consume(head.size);
            if !head.is_interim() {
                return Ok(head);
            }
        }
        if !has_more {
            return Err(Trouble::Closed);
        }
        if connection.buffers().input().len() > LARGEST_HEAD {
            return Err(Trouble::NotHttp);
        }
    }
}

fn receive_date(
    connection: &mut Connection,
    deadline: Instant,
) -> Result<(u16, Option<i64>), Trouble> {
    loop {
        let has_more = await_input(connection, deadline).map_err(Trouble::Connection)?;
        let input = connection.buffers().input();
        match read_head(input).map_err(|_| Trouble::NotHttp)? {
            Some(head) => return Ok((head.status, message::date_of(&input[..head.size]))),
            None if !has_more => return Err(Trouble::Closed),
            None if input.len() > LARGEST_HEAD => return Err(Trouble::NotHttp),
            None => {}
        }
    }
}

/// Reads the rest of a short answer and says whether the connection can be used again.
fn is_at_rest_after(head: &AnswerHead, connection: &mut Connection, deadline: Instant) -> bool {
    if !head.is_kept || head.status == 101 {
        return false;
    }
    let deadline = match head.body_end {
        BodyEnd::After(0) => deadline,
        _ => deadline.min(Instant::now() + LONGEST_BODY),
    };
    loop {
        let input = connection.buffers().input();
        match measure_body(input, head.body_end) {
            Extent::Complete(size) if size == input.len() => {
                connection.buffers().input_consume(size);
                return true;
            }
            Extent::Incomplete if input.len() <= LARGEST_BODY => {}
            _ => return false,
        }
        if !matches!(await_input(connection, deadline), Ok(true)) {
            return false;
        }
    }
}

fn await_input(connection: &mut Connection, deadline: Instant) -> Result<bool, Error> {
    connection.await_input(until(deadline)?)
}

/// The time left, in the form that ureq's connections take.
fn until(deadline: Instant) -> Result<NextTimeout, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Error::Timeout(Timeout::RecvResponse));
    }
    Ok(NextTimeout {
        after: left.into(),
        reason: Timeout::RecvResponse,
        ..NextTimeout::default()
    })
}

/// A server may refuse a request that it has not read to its end, but it cannot have received it.
fn judge_early(head: &AnswerHead, opener: &Opener) -> Result<Outcome, Failure> {
    match judge(head) {
        Outcome::Received => Err(Failure::early(opener.hosts())),
        refused => Ok(refused),
    }
}

fn judge(head: &AnswerHead) -> Outcome {
    if Class::of(head.status) == Class::Received {
        return Outcome::Received;
    }
    Outcome::Answered {
        status: head.status,
        retry_after: head.retry_after,
    }
}

#[cfg(test)]
mod tests;
