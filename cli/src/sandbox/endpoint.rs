//! The endpoint: reads an update, applies a fault if a rule matches, records it, and answers 204.

use super::connection::Connection;
use super::faults::{Action, Fault};
use super::response::{self, Response};
use super::state::App;
use super::store::{Content, ReceivedRequest};
use super::update::{self, Refusal};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use std::future;
use std::sync::Arc;

/// The clients' own limit is 256 KiB; a body slightly above it is still read, so that the page can
/// show it.
const MAX_BODY: usize = 272 * 1024;
/// A larger body is read up to here, so that the client gets its response instead of a reset.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

pub async fn receive(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    if app.faults.resets_before() {
        return reset(connection).await;
    }
    let parsed = match read_body(request.into_body()).await {
        Ok(body) => Parsed::new(body),
        Err(status) => Parsed::without_body(status),
    };
    let fault = app.faults.pick(parsed.order());
    let (status, refusal) = match parsed.refusal() {
        Some((status, message)) => (status, Some(message)),
        None => (StatusCode::NO_CONTENT, None),
    };
    let received = parsed.into_received(fault.as_ref(), status);
    if let Err(message) = app.store.record(received).await {
        return response::error(StatusCode::INTERNAL_SERVER_ERROR, &message);
    }
    let regular = match refusal {
        Some(message) => response::error(status, &message),
        None => response::empty(status),
    };
    match fault {
        None => regular,
        Some(fault) => apply(fault, regular, connection).await,
    }
}

/// A request, as far as it could be parsed.
struct Parsed {
    body: String,
    content: Content,
    /// The status of a refusal.
    refusal_status: StatusCode,
}

impl Parsed {
    fn new(body: Vec<u8>) -> Self {
        let content = match update::read(&body) {
            Ok(update) => Content::Update(update),
            Err(refusal) => Content::Unreadable(refusal),
        };
        // A body that is not UTF-8 is not JSON either; the page shows its readable part.
        let body = String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Self {
            body,
            content,
            refusal_status: StatusCode::BAD_REQUEST,
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
            refusal_status: status,
        }
    }

    /// Site id and order id.
    fn order(&self) -> Option<(&str, &str)> {
        match &self.content {
            Content::Update(update) => Some((&update.site_id, &update.order_id)),
            Content::Unreadable(_) => None,
        }
    }

    fn refusal(&self) -> Option<(StatusCode, String)> {
        match &self.content {
            Content::Update(_) => None,
            Content::Unreadable(refusal) => Some((self.refusal_status, refusal.message.clone())),
        }
    }

    /// What the store records; `regular` is the status of the response without a fault.
    fn into_received(self, fault: Option<&Fault>, regular: StatusCode) -> ReceivedRequest {
        let status = match fault.map(|fault| &fault.action) {
            None | Some(Action::Delay) => regular.as_u16(),
            Some(Action::Respond { status, .. }) => *status,
            Some(Action::Hang | Action::Reset) => 0,
        };
        let is_applied = |fault: &Fault| fault.apply || fault.action == Action::Delay;
        ReceivedRequest {
            received_ms: Timestamp::now().as_millisecond(),
            body: self.body,
            content: self.content,
            fault: fault.map(|fault| (fault.rule.clone(), is_applied(fault))),
            status,
        }
    }
}

async fn read_body(mut body: Body) -> Result<Vec<u8>, StatusCode> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let data = frame.into_data().unwrap_or_default();
        length += data.len();
        if length <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if length > MAX_DISCARDED {
            break;
        }
    }
    if length > MAX_BODY {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(bytes)
}

async fn apply(fault: Fault, regular: Response, connection: Option<Arc<Connection>>) -> Response {
    if !fault.latency.is_zero() {
        tokio::time::sleep(fault.latency).await;
    }
    match fault.action {
        Action::Delay => regular,
        Action::Hang => future::pending().await,
        Action::Reset => reset(connection).await,
        Action::Respond {
            status,
            location,
            retry_after,
        } => fault_response(status, location, retry_after),
    }
}

fn fault_response(status: u16, location: Option<String>, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            response::empty(status)
        }
        _ => response::error(status, "this answer is an injected fault"),
    };
    let location = location.and_then(|place| HeaderValue::try_from(place).ok());
    let retry_after = retry_after.map(HeaderValue::from);
    for (name, value) in [
        (header::LOCATION, location),
        (header::RETRY_AFTER, retry_after),
    ] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Tells the connection's task to reset it. Never returns, as there is no response.
async fn reset(connection: Option<Arc<Connection>>) -> Response {
    if let Some(connection) = connection {
        connection.reset();
    }
    future::pending().await
}
