//! Counters of connections and requests, per listener.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::{Value, json};

#[derive(Default)]
pub struct Stats {
    pub connections: AtomicU64,
    pub closed: AtomicU64,
    pub handshakes_failed: AtomicU64,
    pub requests: AtomicU64,
    pub malformed: AtomicU64,
}

impl Stats {
    pub fn to_json(&self) -> Value {
        let closed = self.closed.load(Relaxed);
        let connections = self.connections.load(Relaxed);
        json!({
            "connections": connections,
            "open": connections.saturating_sub(closed),
            "handshakes_failed": self.handshakes_failed.load(Relaxed),
            "requests": self.requests.load(Relaxed),
            "malformed": self.malformed.load(Relaxed),
        })
    }
}

pub fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
