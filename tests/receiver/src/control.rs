//! The control requests of tests: paths that begin with `/_`.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::record::Records;
use crate::response::{NO_CONTENT, with_body};
use crate::shared::Shared;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The complete response to a control request.
pub fn respond(method: &str, path: &str, shared: &Shared) -> Vec<u8> {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    match (method, bare) {
        ("GET", "/_stats") => json(&stats(shared)),
        ("GET", "/_recorded") => recorded(shared, Records::all),
        ("DELETE", "/_recorded") => {
            shared.scripts.clear();
            if let Some(records) = &shared.records {
                records.clear();
            }
            NO_CONTENT.to_vec()
        }
        ("GET", _) => match bare.strip_prefix("/_recorded/") {
            Some(run) => of_run(run, query, shared),
            None => not_found(),
        },
        _ => not_found(),
    }
}

fn of_run(run: &str, query: &str, shared: &Shared) -> Vec<u8> {
    let count = parameter(query, "wait")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let seconds = parameter(query, "timeout").and_then(|text| text.parse().ok());
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT);
    recorded(shared, |records| records.of_run(run, count, timeout))
}

fn recorded(shared: &Shared, select: impl Fn(&Records) -> Value) -> Vec<u8> {
    match &shared.records {
        Some(records) => json(&select(records)),
        None => with_body("409 Conflict", "text/plain", b"started with --no-record\n"),
    }
}

fn stats(shared: &Shared) -> Value {
    let listeners: Map<_, _> = shared
        .listeners
        .iter()
        .map(|listener| (listener.name.to_owned(), listener.stats.to_json()))
        .collect();
    let total = |key: &str| {
        listeners
            .values()
            .filter_map(|one| one[key].as_u64())
            .sum::<u64>()
    };
    let (connections, requests) = (total("connections"), total("requests"));
    serde_json::json!({ "connections": connections, "requests": requests, "listeners": listeners })
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}

fn json(value: &Value) -> Vec<u8> {
    with_body("200 OK", "application/json", value.to_string().as_bytes())
}

fn not_found() -> Vec<u8> {
    with_body(
        "404 Not Found",
        "text/plain",
        b"not found; see tests/README.md\n",
    )
}
