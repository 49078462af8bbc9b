//! Records the newest requests; a test can wait until those of a run have arrived.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::http::headers_of;

const MAX_RECORDS: usize = 10_000;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// One request as it arrived.
pub struct Record {
    pub run: String,
    pub at: SystemTime,
    pub connection: u64,
    pub listener: &'static str,
    pub via: Option<&'static str>,
    pub method: String,
    pub path: String,
    pub head: Vec<u8>,
    /// `None` if it was not read, or not in full.
    pub body: Option<Vec<u8>>,
    pub step: String,
}

impl Record {
    fn size(&self) -> usize {
        self.head.len() + self.body.as_ref().map_or(0, Vec::len) + self.run.len() + self.path.len()
    }

    fn to_json(&self, number: u64) -> Value {
        let at = self
            .at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        let body = self.body.as_deref().map(String::from_utf8_lossy);
        json!({
            "number": number,
            "run": self.run,
            "at": at,
            "connection": self.connection,
            "listener": self.listener,
            "via": self.via,
            "method": self.method,
            "path": self.path,
            "headers": headers_json(&self.head),
            "body": body,
            "step": self.step,
        })
    }
}

/// Headers with names in lower case; the values of a repeated header are joined.
fn headers_json(head: &[u8]) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in headers_of(head) {
        match headers.get_mut(&name) {
            Some(Value::String(known)) => *known = format!("{known}, {value}"),
            _ => drop(headers.insert(name, Value::String(value))),
        }
    }
    headers
}

/// The newest requests, up to a number and a size.
#[derive(Default)]
pub struct Records {
    ring: Mutex<Ring>,
    arrived: Condvar,
}

#[derive(Default)]
struct Ring {
    records: VecDeque<Record>,
    bytes: usize,
    total: u64,
    /// The number of waiting threads. Without any, no signal is sent, which saves a system call.
    waiting: usize,
}

impl Records {
    pub fn add(&self, record: Record) {
        let mut ring = self.lock();
        ring.push(record);
        if ring.waiting > 0 {
            self.arrived.notify_all();
        }
    }

    pub fn all(&self) -> Value {
        self.lock().select(|_| true)
    }

    /// The requests of a run, as soon as there are `count`, or at the timeout.
    pub fn of_run(&self, run: &str, count: usize, timeout: Duration) -> Value {
        let deadline = Instant::now() + timeout;
        let mut ring = self.lock();
        ring.waiting += 1;
        while ring.count(run) < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ring = self
                .arrived
                .wait_timeout(ring, left)
                .expect("no holder panics")
                .0;
        }
        ring.waiting -= 1;
        ring.select(|record| record.run == run)
    }

    pub fn clear(&self) {
        let mut ring = self.lock();
        ring.records.clear();
        ring.bytes = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("no holder panics")
    }
}

impl Ring {
    fn push(&mut self, record: Record) {
        self.total += 1;
        self.bytes += record.size();
        self.records.push_back(record);
        while self.records.len() > MAX_RECORDS || (self.bytes > MAX_BYTES && self.records.len() > 1)
        {
            let Some(oldest) = self.records.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }

    fn count(&self, run: &str) -> usize {
        self.records
            .iter()
            .filter(|record| record.run == run)
            .count()
    }

    fn select(&self, wanted: impl Fn(&Record) -> bool) -> Value {
        let first = self.total - self.records.len() as u64 + 1;
        let numbered = (first..).zip(&self.records);
        numbered
            .filter(|(_, record)| wanted(record))
            .map(|(number, record)| record.to_json(number))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str, body: &[u8]) -> Record {
        Record {
            run: run.to_owned(),
            at: SystemTime::now(),
            connection: 1,
            listener: "plain",
            via: None,
            method: "POST".to_owned(),
            path: "/".to_owned(),
            head: b"POST / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n".to_vec(),
            body: Some(body.to_vec()),
            step: "204".to_owned(),
        }
    }

    #[test]
    fn the_oldest_records_are_dropped_and_numbers_continue() {
        let records = Records::default();
        for _ in 0..MAX_RECORDS + 5 {
            records.add(record("a", b"x"));
        }
        let all = records.all();
        assert_eq!(all.as_array().unwrap().len(), MAX_RECORDS);
        assert_eq!(all[0]["number"], 6);
    }

    #[test]
    fn large_bodies_limit_the_number_of_records() {
        let records = Records::default();
        let body = vec![b'x'; MAX_BYTES / 4];
        for _ in 0..6 {
            records.add(record("a", &body));
        }
        assert_eq!(records.lock().records.len(), 3);
    }

    #[test]
    fn a_wait_ends_at_the_arrival_or_at_the_timeout() {
        let records = Records::default();
        records.add(record("a", b"one"));
        let started = Instant::now();
        assert_eq!(
            records
                .of_run("a", 2, Duration::from_millis(50))
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert!(started.elapsed() >= Duration::from_millis(50));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| records.of_run("a", 2, Duration::from_secs(60)));
            records.add(record("b", b"other"));
            records.add(record("a", b"two"));
            let found = waiter.join().unwrap();
            assert_eq!(found[1]["body"], "two");
            assert_eq!(found.as_array().unwrap().len(), 2);
        });
    }

    #[test]
    fn the_values_of_a_repeated_header_are_joined() {
        let records = Records::default();
        records.add(record("a", b""));
        assert_eq!(records.all()[0]["headers"]["x-a"], "1, 2");
        records.clear();
        assert_eq!(records.all(), json!([]));
    }
}
