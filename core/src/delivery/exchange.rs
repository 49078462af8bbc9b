//! One request and its answer over an open connection.

use super::answer::AnswerClass;
use super::connection::Connection;
use super::failure::{Failure, Hosts, Peer, Phase};
use super::message::{self, AnswerHead, BodyEnd, Extent, measure_body, read_head};
use super::tls::REST_OF_RECORD;
use std::time::{Duration, Instant};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

/// The result of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeOutcome {
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

/// Why an open connection gave no answer.
pub(super) enum ExchangeError {
    Connection(Error),
    Closed,
    NotHttp,
}

impl ExchangeError {
    pub(super) fn into_failure(self, hosts: &Hosts) -> Failure {
        match self {
            Self::Connection(error) => {
                Failure::from_error(&error, Phase::Exchanging, Peer::Endpoint, hosts)
            }
            Self::Closed => Failure::closed(hosts),
            Self::NotHttp => Failure::not_http(hosts),
        }
    }
}

/// An answer with a larger head does not come from the endpoint.
const MAX_HEAD: usize = 12 * 1024;

/// Limits for reading the body of an answer, which serves only to reuse the connection.
const MAX_BODY: usize = 4 * 1024;
const MAX_BODY_TIME: Duration = Duration::from_millis(250);

/// Whether input has arrived on a new connection: what comes before the request is not its answer.
pub(super) fn has_early_input(connection: &mut Connection) -> bool {
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
    // A closed connection has no input: the exchange reports how it ended.
    matches!(
        connection.await_input(limit),
        Ok(true) | Err(Error::Timeout(_))
    )
}

/// How much of a request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// The server answered, or closed the connection, before it had the whole request.
    InPart,
}

/// Sends the pieces of a request as one, so that a TLS record holds all of them.
pub(super) fn send(
    connection: &mut Connection,
    pieces: &[&[u8]],
    deadline: Instant,
) -> Result<Sent, ExchangeError> {
    write(connection, pieces, deadline).map_err(ExchangeError::Connection)
}

fn write(connection: &mut Connection, pieces: &[&[u8]], deadline: Instant) -> Result<Sent, Error> {
    let mut filled = 0;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let free = &mut connection.buffers().output()[filled..];
            let (now, later) = rest.split_at(rest.len().min(free.len()));
            free[..now.len()].copy_from_slice(now);
            let is_full = now.len() == free.len();
            filled += now.len();
            rest = later;
            if is_full {
                connection.transmit_output(filled, time_left(deadline)?)?;
                filled = 0;
                if !connection.is_open() {
                    return Ok(Sent::InPart);
                }
            }
        }
    }
    if filled > 0 {
        connection.transmit_output(filled, time_left(deadline)?)?;
    }
    Ok(Sent::Whole)
}

/// Reads the head of the final answer; interim ones are skipped.
pub(super) fn receive_head(
    connection: &mut Connection,
    deadline: Instant,
) -> Result<AnswerHead, ExchangeError> {
    loop {
        let has_more = await_input(connection, deadline).map_err(ExchangeError::Connection)?;
        while let Some(head) =
            read_head(connection.buffers().input()).map_err(|_| ExchangeError::NotHttp)?
        {
            connection.buffers().input_consume(head.size);
            if !head.is_interim() {
                return Ok(head);
            }
        }
        if !has_more {
            return Err(ExchangeError::Closed);
        }
        if connection.buffers().input().len() > MAX_HEAD {
            return Err(ExchangeError::NotHttp);
        }
    }
}

/// Reads the status and the date of an answer.
pub(super) fn receive_date(
    connection: &mut Connection,
    deadline: Instant,
) -> Result<(u16, Option<i64>), ExchangeError> {
    loop {
        let has_more = await_input(connection, deadline).map_err(ExchangeError::Connection)?;
        let input = connection.buffers().input();
        match read_head(input).map_err(|_| ExchangeError::NotHttp)? {
            Some(head) => return Ok((head.status, message::date_of(&input[..head.size]))),
            None if !has_more => return Err(ExchangeError::Closed),
            None if input.len() > MAX_HEAD => return Err(ExchangeError::NotHttp),
            None => {}
        }
    }
}

/// Reads the rest of a short answer; returns whether the connection can be used again.
pub(super) fn is_reusable_after(
    head: &AnswerHead,
    connection: &mut Connection,
    deadline: Instant,
) -> bool {
    if !head.is_kept || head.status == 101 {
        return false;
    }
    let deadline = match head.body_end {
        BodyEnd::After(0) => deadline,
        _ => deadline.min(Instant::now() + MAX_BODY_TIME),
    };
    loop {
        let input = connection.buffers().input();
        match measure_body(input, head.body_end) {
            Extent::Complete(size) if size == input.len() => {
                connection.buffers().input_consume(size);
                return true;
            }
            Extent::Incomplete if input.len() <= MAX_BODY => {}
            _ => return false,
        }
        if !matches!(await_input(connection, deadline), Ok(true)) {
            return false;
        }
    }
}

/// What an answer to a whole request means.
pub(super) fn outcome_of(head: &AnswerHead) -> ExchangeOutcome {
    if AnswerClass::of(head.status) == AnswerClass::Received {
        return ExchangeOutcome::Received;
    }
    ExchangeOutcome::Answered {
        status: head.status,
        retry_after: head.retry_after,
    }
}

/// What an answer to a part of a request means: the server may refuse the request, but it cannot have
/// received it.
pub(super) fn outcome_of_early(
    head: &AnswerHead,
    hosts: &Hosts,
) -> Result<ExchangeOutcome, Failure> {
    match outcome_of(head) {
        ExchangeOutcome::Received => Err(Failure::early(hosts)),
        refused => Ok(refused),
    }
}

fn await_input(connection: &mut Connection, deadline: Instant) -> Result<bool, Error> {
    connection.await_input(time_left(deadline)?)
}

/// The time left, in the form that ureq's connections take.
fn time_left(deadline: Instant) -> Result<NextTimeout, Error> {
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
