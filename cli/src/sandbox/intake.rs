//! The endpoint: reads an update, lets a fault have its way, records it, and answers 204.

use super::App;
use super::answer::{self, Answer};
use super::faults::{Action, Fault};
use super::serve::Connection;
use super::store::{Arrival, Content};
use super::update::{self, Refusal};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use std::future;
use std::sync::Arc;

/// The clients' own limit is 256 KiB; a little over it is still read, so that it can be shown.
const LARGEST_BODY: usize = 272 * 1024;
const MOST_READ: usize = 16 * 1024 * 1024;

pub async fn receive(State(app): State<Arc<App>>, request: Request<Body>) -> Answer {
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    if app.faults.resets_before() {
        return reset(connection).await;
    }
    let read = match read_body(request.into_body()).await {
        Ok(body) => Read::new(body),
        Err(status) => Read::without_body(status),
    };
    let fault = match read.order() {
        Some(order) => app.faults.pick(Some(order)),
        None => app.faults.pick(None),
    };
    let refusal = read.refusal_answer();
    let (status, refusal) = match refusal {
        Some((status, message)) => (status, Some(message)),
        None => (StatusCode::NO_CONTENT, None),
    };
    let arrival = read.into_arrival(fault.as_ref(), status);
    if let Err(message) = app.store.record(arrival).await {
        return answer::error(StatusCode::INTERNAL_SERVER_ERROR, &message);
    }
    let due = match refusal {
        Some(message) => answer::error(status, &message),
        None => answer::empty(status),
    };
    match fault {
        None => due,
        Some(fault) => carry_out(fault, due, connection).await,
    }
}

/// A request as far as it could be read.
struct Read {
    body: String,
    content: Content,
    /// The status of a refusal.
    refused: StatusCode,
}

impl Read {
    fn new(body: Vec<u8>) -> Self {
        let content = match update::read(&body) {
            Ok(update) => Content::Update(update),
            Err(refusal) => Content::Unreadable(refusal),
        };
        // What is not UTF-8 is not JSON either; it is shown as well as it can be.
        let body = String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Self {
            body,
            content,
            refused: StatusCode::BAD_REQUEST,
        }
    }

    fn without_body(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than 256 KiB",
            _ => "the body ended before it was complete",
        };
        Self {
            body: String::new(),
            content: Content::Unreadable(Refusal::new(message)),
            refused: status,
        }
    }

    fn order(&self) -> Option<(&str, &str)> {
        match &self.content {
            Content::Update(update) => Some((&update.site_id, &update.order_id)),
            Content::Unreadable(_) => None,
        }
    }

    fn refusal_answer(&self) -> Option<(StatusCode, String)> {
        match &self.content {
            Content::Update(_) => None,
            Content::Unreadable(refusal) => Some((self.refused, refusal.message.clone())),
        }
    }

    fn into_arrival(self, fault: Option<&Fault>, due: StatusCode) -> Arrival {
        let status = match fault.map(|fault| &fault.action) {
            None | Some(Action::Delay) => due.as_u16(),
            Some(Action::Answer { status, .. }) => *status,
            Some(Action::Hang | Action::Reset) => 0,
        };
        let applies = |fault: &Fault| fault.apply || fault.action == Action::Delay;
        Arrival {
            received_ms: Timestamp::now().as_millisecond(),
            body: self.body,
            content: self.content,
            fault: fault.map(|fault| (fault.rule.clone(), applies(fault))),
            status,
        }
    }
}

/// Reads on for a while where the body is too large, so that the client gets to its answer.
async fn read_body(mut body: Body) -> Result<Vec<u8>, StatusCode> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let data = frame.into_data().unwrap_or_default();
        length += data.len();
        if length <= LARGEST_BODY {
            bytes.extend_from_slice(&data);
        } else if length > MOST_READ {
            break;
        }
    }
    if length > LARGEST_BODY {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(bytes)
}

async fn carry_out(fault: Fault, due: Answer, connection: Option<Arc<Connection>>) -> Answer {
    if !fault.latency.is_zero() {
        tokio::time::sleep(fault.latency).await;
    }
    match fault.action {
        Action::Delay => due,
        Action::Hang => future::pending().await,
        Action::Reset => reset(connection).await,
        Action::Answer {
            status,
            location,
            retry_after,
        } => faulty_answer(status, location, retry_after),
    }
}

fn faulty_answer(status: u16, location: Option<String>, retry_after: Option<u32>) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut faulty = match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            answer::empty(status)
        }
        _ => answer::error(status, "a fault that this sandbox was asked for"),
    };
    let location = location.and_then(|place| HeaderValue::try_from(place).ok());
    let retry_after = retry_after.map(HeaderValue::from);
    for (name, value) in [
        (header::LOCATION, location),
        (header::RETRY_AFTER, retry_after),
    ] {
        if let Some(value) = value {
            faulty.headers_mut().insert(name, value);
        }
    }
    faulty
}

/// Has the connection's own task end it with a reset; there is no answer to wait for.
async fn reset(connection: Option<Arc<Connection>>) -> Answer {
    if let Some(connection) = connection {
        connection.reset();
    }
    future::pending().await
}
