//! The page's files, which are part of the program.

use super::answer::{self, Answer};
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, Response, StatusCode, header};

/// Name, type and content of each file.
macro_rules! assets {
    ($($name:literal, $kind:literal;)*) => {
        &[$(($name, $kind, include_bytes!(concat!("../../web/", $name)).as_slice())),*]
    };
}

const INDEX: &[u8] = include_bytes!("../../web/index.html");
const ASSETS: &[(&str, &str, &[u8])] = assets! {
    "style.css", "text/css; charset=utf-8";
    "icon.svg", "image/svg+xml";
    "app.js", "text/javascript; charset=utf-8";
    "api.js", "text/javascript; charset=utf-8";
    "details.js", "text/javascript; charset=utf-8";
    "details-parts.js", "text/javascript; charset=utf-8";
    "details-summary.js", "text/javascript; charset=utf-8";
    "details-tables.js", "text/javascript; charset=utf-8";
    "details-timeline.js", "text/javascript; charset=utf-8";
    "dom.js", "text/javascript; charset=utf-8";
    "faults.js", "text/javascript; charset=utf-8";
    "format.js", "text/javascript; charset=utf-8";
    "orders.js", "text/javascript; charset=utf-8";
    "requests.js", "text/javascript; charset=utf-8";
    "snippets.js", "text/javascript; charset=utf-8";
};

pub async fn index() -> Answer {
    file("text/html; charset=utf-8", INDEX)
}

pub async fn asset(Path(name): Path<String>) -> Answer {
    match ASSETS.iter().find(|(of, ..)| *of == name) {
        Some((_, kind, content)) => file(kind, content),
        None => answer::error(StatusCode::NOT_FOUND, "there is no such file"),
    }
}

fn file(kind: &'static str, content: &'static [u8]) -> Answer {
    let mut answer = Response::new(Body::from(content));
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
