//! Serves `/health` and `/metrics` (Prometheus' text format) over plain HTTP.

use crate::failure::Failure;
use katalys_core::results::{Metric, Record, ResultValue};
use katalys_core::{Client, EventKind, Stats};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The events of this process, by kind.
pub struct Counters(Vec<AtomicU64>);

impl Default for Counters {
    fn default() -> Self {
        Self(EventKind::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Counters {
    pub fn count(&self, kind: EventKind) {
        if let Some(counter) = self.counter(kind) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn get(&self, kind: EventKind) -> u64 {
        self.counter(kind)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    fn counter(&self, kind: EventKind) -> Option<&AtomicU64> {
        let index = EventKind::ALL.iter().position(|one| *one == kind)?;
        self.0.get(index)
    }
}

/// The kinds of events that have a metric, with its name and help text.
const EVENT_METRICS: &[(EventKind, &str, &str)] = &[
    (
        EventKind::Delivered,
        "relay_delivered_total",
        "Updates that this process delivered.",
    ),
    (
        EventKind::Retried,
        "relay_retries_total",
        "Failed attempts of this process that are retried.",
    ),
    (
        EventKind::DeadLettered,
        "relay_dead_letters_total",
        "Updates of this process that became dead letters.",
    ),
];

pub struct Metrics {
    pub client: Arc<Client>,
    pub counters: Arc<Counters>,
    /// `/health` fails when the oldest pending update is older.
    pub max_wait: Duration,
}

/// Maximum total time of one connection, however its bytes arrive.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of concurrent connections; further ones wait.
const MAX_CONNECTIONS: usize = 16;
const MAX_REQUEST: usize = 8 * 1024;
const STACK_SIZE: usize = 256 * 1024;

impl Metrics {
    /// Listens, and serves requests on separate threads; returns the address.
    pub fn serve(self, address: SocketAddr, is_public: bool) -> Result<SocketAddr, Failure> {
        if !address.ip().is_loopback() && !is_public {
            let text = "--metrics needs a loopback address, such as 127.0.0.1:9185; --metrics-public \
                        allows any address";
            return Err(Failure::usage(text));
        }
        let failed = |error: io::Error| Failure::usage(format!("--metrics {address}: {error}"));
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let listener = Arc::new(listener);
        let metrics = Arc::new(self);
        for _ in 0..MAX_CONNECTIONS {
            let (listener, metrics) = (Arc::clone(&listener), Arc::clone(&metrics));
            let builder = thread::Builder::new().name("katalys-metrics".into());
            let serving = move || {
                for stream in listener.incoming() {
                    match stream {
                        Ok(stream) => drop(metrics.respond(stream)), // The client may have left.
                        // Usually out of file descriptors, which is temporary.
                        Err(_) => thread::sleep(Duration::from_millis(20)),
                    }
                }
            };
            builder
                .stack_size(STACK_SIZE)
                .spawn(serving)
                .map_err(failed)?;
        }
        Ok(bound)
    }

    fn respond(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = TimedStream {
            stream,
            deadline: Instant::now() + CONNECTION_TIMEOUT,
        };
        let (status, kind, body) = match path(&read_head(&mut stream)?) {
            Some("/health") => self.health(),
            Some("/metrics") => self.metrics(),
            Some(_) => (
                "404 Not Found",
                "text/plain",
                "not found; the paths are /health and /metrics\n".into(),
            ),
            None => ("405 Method Not Allowed", "text/plain", "GET only\n".into()),
        };
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\
             \r\nCache-Control: no-store\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(response.as_bytes())
    }

    fn health(&self) -> (&'static str, &'static str, String) {
        const UNHEALTHY: &str = "503 Service Unavailable";
        let json_type = "application/json";
        match self.client.stats() {
            Err(error) => {
                let (reason, message) = (error.code().as_str(), error.message());
                let body = json!({ "healthy": false, "reason": reason, "message": message });
                (UNHEALTHY, json_type, format!("{body}\n"))
            }
            Ok(stats) => {
                let age = stats.oldest_pending_seconds;
                let is_healthy = age <= self.max_wait.as_secs_f64();
                let code = if is_healthy { "200 OK" } else { UNHEALTHY };
                let reason = if is_healthy {
                    ""
                } else {
                    ",\"reason\":\"oldest_pending\""
                };
                let body = format!(
                    "{{\"healthy\":{is_healthy}{reason},\"oldest_pending_seconds\":{age:.1},\
                     \"pending\":{},\"dead\":{}}}\n",
                    stats.pending, stats.dead
                );
                (code, json_type, body)
            }
        }
    }

    fn metrics(&self) -> (&'static str, &'static str, String) {
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        let stats = self.client.stats();
        let up = u8::from(stats.is_ok());
        let mut text = String::new();
        family(
            &mut text,
            "outbox_up",
            "gauge",
            "Whether the outbox is available.",
            f64::from(up),
        );
        if let Ok(stats) = stats {
            outbox_metrics(&mut text, &stats);
        }
        for (kind, name, help) in EVENT_METRICS {
            let count = self.counters.get(*kind);
            family(
                &mut text,
                name,
                "counter",
                help,
                number(&ResultValue::Whole(count)),
            );
        }
        ("200 OK", content_type, text)
    }
}

/// The statistics that are metrics: counters first, then gauges.
fn outbox_metrics(text: &mut String, stats: &Stats) {
    for is_counter in [true, false] {
        for (index, field) in Stats::TABLE.fields.iter().enumerate() {
            let Some(metric) = field.metric else { continue };
            if matches!(metric, Metric::Counter(_)) == is_counter {
                let name = format!("outbox_{}", metric.name(field.name));
                let value = number(&stats.value(index));
                family(text, &name, metric.kind(), metric.help(), value);
            }
        }
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    let _ = write!(
        text,
        "# HELP katalys_{name} {help}\n# TYPE katalys_{name} {kind}\nkatalys_{name} {value}\n"
    );
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus values are doubles")]
fn number(value: &ResultValue<'_>) -> f64 {
    match value {
        ResultValue::Whole(count) => *count as f64,
        ResultValue::Seconds(seconds) => *seconds,
        _ => f64::NAN,
    }
}

/// A connection with a deadline for all reads and writes.
struct TimedStream {
    stream: TcpStream,
    deadline: Instant,
}

impl TimedStream {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_REQUEST {
        match stream.read(&mut piece)? {
            0 => break,
            size => head.extend_from_slice(&piece[..size]),
        }
    }
    Ok(head)
}

/// The path of a GET request.
fn path(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let is_get = words.next() == Some("GET");
    let target = words.next().filter(|_| is_get)?;
    target.split('?').next()
}
