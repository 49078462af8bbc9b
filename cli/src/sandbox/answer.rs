//! Answers in JSON.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

pub type Answer = Response<Body>;

pub fn of(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut answer = Response::new(Body::from(bytes));
            *answer.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(header::CONTENT_TYPE, json);
            answer
        }
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

pub fn ok(body: &impl Serialize) -> Answer {
    of(StatusCode::OK, body)
}

pub fn error(status: StatusCode, message: &str) -> Answer {
    of(status, &json!({ "error": message }))
}

pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// The answer to a question, or why there is none.
pub fn from(result: Result<impl Serialize, String>) -> Answer {
    match result {
        Ok(body) => ok(&body),
        Err(message) => error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}
