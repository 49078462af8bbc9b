//! Builds the HTTP responses of the sandbox.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

pub type Response = axum::http::Response<Body>;

pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

pub fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, body)
}

pub fn error(status: StatusCode, message: &str) -> Response {
    json(status, &json!({ "error": message }))
}

pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// 200 with the result of a command, or 500 with the reason for its failure.
pub fn from_result(result: Result<impl Serialize, String>) -> Response {
    match result {
        Ok(body) => ok(&body),
        Err(message) => error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}
