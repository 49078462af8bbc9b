//! Serves the page's files, which are embedded in the program.

use super::response::{self, Response};
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use std::sync::LazyLock;

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
    "icon.svg", "image/svg+xml";
    "app.js", "text/javascript; charset=utf-8";
    "api.js", "text/javascript; charset=utf-8";
    "details.js", "text/javascript; charset=utf-8";
    "details-parts.js", "text/javascript; charset=utf-8";
    "details-summary.js", "text/javascript; charset=utf-8";
    "details-tables.js", "text/javascript; charset=utf-8";
    "details-timeline.js", "text/javascript; charset=utf-8";
    "dom.js", "text/javascript; charset=utf-8";
    "empty.js", "text/javascript; charset=utf-8";
    "faults.js", "text/javascript; charset=utf-8";
    "format.js", "text/javascript; charset=utf-8";
    "orders.js", "text/javascript; charset=utf-8";
    "requests.js", "text/javascript; charset=utf-8";
    "snippets.js", "text/javascript; charset=utf-8";
};

/// The parts of `style.css`, in the order of the cascade; served as one file.
const STYLES: &[&[u8]] = &[
    include_bytes!("../../web/style/base.css"),
    include_bytes!("../../web/style/views.css"),
    include_bytes!("../../web/style/orders.css"),
    include_bytes!("../../web/style/details.css"),
    include_bytes!("../../web/style/requests.css"),
    include_bytes!("../../web/style/narrow.css"),
];
static STYLE: LazyLock<Vec<u8>> = LazyLock::new(|| STYLES.concat());

pub async fn index() -> Response {
    file("text/html; charset=utf-8", INDEX)
}

pub async fn asset(Path(name): Path<String>) -> Response {
    if name == "style.css" {
        return file("text/css; charset=utf-8", &STYLE);
    }
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
    use super::{ASSETS, INDEX, STYLES};
    use std::path::Path;

    fn names(folder: &str) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = std::fs::read_dir(path).expect("the folder");
        let files = entries.map(|entry| entry.expect("an entry"));
        let files = files.filter(|entry| entry.path().is_file());
        files
            .map(|entry| entry.file_name().into_string().expect("UTF-8"))
            .collect()
    }

    #[test]
    fn every_file_of_the_page_is_embedded_and_loaded() {
        let mut files = names("web");
        files.retain(|name| name != "index.html");
        let mut embedded: Vec<&str> = ASSETS.iter().map(|(name, ..)| *name).collect();
        files.sort_unstable();
        embedded.sort_unstable();
        assert_eq!(files, embedded);
        assert_eq!(names("web/style").len(), STYLES.len());
        let index = str::from_utf8(INDEX).expect("UTF-8");
        for name in embedded {
            let is_loaded = index.contains(&format!("/assets/{name}"));
            assert!(is_loaded, "{name} is not loaded by the page");
        }
    }
}
