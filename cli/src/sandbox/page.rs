//! Serves the page's files, which are embedded in the program.

use super::response::{self, Response};
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};

/// Name, content type and content of each file.
macro_rules! assets {
    ($($name:literal, $content_type:literal;)*) => {
        &[$((
            $name,
            $content_type,
            include_bytes!(concat!("../../web/", $name)).as_slice(),
        )),*]
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

pub async fn index() -> Response {
    file("text/html; charset=utf-8", INDEX)
}

pub async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(of, ..)| *of == name) {
        Some((_, content_type, content)) => file(content_type, content),
        None => response::error(StatusCode::NOT_FOUND, "there is no such file"),
    }
}

fn file(content_type: &'static str, content: &'static [u8]) -> Response {
    let mut response = Response::new(Body::from(content));
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, INDEX};
    use std::path::Path;

    #[test]
    fn every_file_of_the_page_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("UTF-8"))
            .filter(|name| name != "index.html")
            .collect();
        let mut embedded: Vec<&str> = ASSETS.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        embedded.sort_unstable();
        assert_eq!(names, embedded);
        let index = str::from_utf8(INDEX).expect("UTF-8");
        for name in embedded {
            let is_used = index.contains(&format!("/assets/{name}"));
            assert!(is_used, "{name} is not loaded by the page");
        }
    }
}
