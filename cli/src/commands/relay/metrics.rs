//! `/health` and `/metrics` (Prometheus' text format) over plain HTTP.

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

/// What happened to updates in this process.
#[derive(Default)]
pub struct Counters {
    retried: AtomicU64,
    dead_lettered: AtomicU64,
    delivered: AtomicU64,
}

impl Counters {
    pub fn count(&self, kind: EventKind) {
        let counter = match kind {
            EventKind::Retried => &self.retried,
            EventKind::DeadLettered => &self.dead_lettered,
            EventKind::Delivered => &self.delivered,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

pub struct Metrics {
    pub client: Arc<Client>,
    pub counters: Arc<Counters>,
    /// `/health` fails when the oldest pending update is older.
    pub max_wait: Duration,
}

/// How long one connection may take in all, however its bytes arrive.
const CONNECTION_TIME: Duration = Duration::from_secs(3);
/// Connections that are served at the same time; further ones wait for the first to end.
const MOST_CONNECTIONS: usize = 16;
const LARGEST_REQUEST: usize = 8 * 1024;
const STACK_SIZE: usize = 256 * 1024;

impl Metrics {
    /// Listens, and answers on threads of its own; returns the address.
    pub fn serve(self, address: SocketAddr, is_public: bool) -> Result<SocketAddr, Failure> {
        if !address.ip().is_loopback() && !is_public {
            let text = "--metrics listens on loopback, such as 127.0.0.1:9185; --metrics-public \
                        allows another address";
            return Err(Failure::usage(text));
        }
        let failed = |error: io::Error| Failure::usage(format!("--metrics {address}: {error}"));
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let listener = Arc::new(listener);
        let metrics = Arc::new(self);
        for _ in 0..MOST_CONNECTIONS {
            let (listener, metrics) = (Arc::clone(&listener), Arc::clone(&metrics));
            let builder = thread::Builder::new().name("katalys-metrics".into());
            let serving = move || {
                for stream in listener.incoming() {
                    match stream {
                        Ok(stream) => drop(metrics.answer(stream)), // A client that left needs none.
                        // Out of file descriptors, as a rule: it passes.
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

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = Timed {
            stream,
            deadline: Instant::now() + CONNECTION_TIME,
        };
        let (status, kind, body) = match path(&read_head(&mut stream)?) {
            Some("/health") => self.health(),
            Some("/metrics") => self.metrics(),
            Some(_) => (
                "404 Not Found",
                "text/plain",
                "there are /health and /metrics\n".into(),
            ),
            None => ("405 Method Not Allowed", "text/plain", "GET only\n".into()),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\
             \r\nCache-Control: no-store\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes())
    }

    fn health(&self) -> (&'static str, &'static str, String) {
        const ILL: &str = "503 Service Unavailable";
        let json_type = "application/json";
        match self.client.stats() {
            Err(error) => {
                let (reason, message) = (error.code().as_str(), error.message());
                let body = json!({ "healthy": false, "reason": reason, "message": message });
                (ILL, json_type, format!("{body}\n"))
            }
            Ok(stats) => {
                let age = stats.oldest_pending_seconds;
                let is_well = age <= self.max_wait.as_secs_f64();
                let answer = if is_well { "200 OK" } else { ILL };
                let reason = if is_well {
                    ""
                } else {
                    ",\"reason\":\"oldest_pending\""
                };
                let body = format!(
                    "{{\"healthy\":{is_well}{reason},\"oldest_pending_seconds\":{age:.1},\
                     \"pending\":{},\"dead\":{}}}\n",
                    stats.pending, stats.dead
                );
                (answer, json_type, body)
            }
        }
    }

    fn metrics(&self) -> (&'static str, &'static str, String) {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        let stats = self.client.stats();
        let up = u8::from(stats.is_ok());
        let mut text = String::new();
        family(
            &mut text,
            "outbox_up",
            "gauge",
            "Whether the outbox can be used.",
            f64::from(up),
        );
        if let Ok(stats) = stats {
            of_outbox(&mut text, &stats);
        }
        let counters = &self.counters;
        for (name, help, counter) in [
            (
                "relay_delivered_total",
                "Updates this process delivered.",
                &counters.delivered,
            ),
            (
                "relay_retries_total",
                "Attempts of this process that are made again.",
                &counters.retried,
            ),
            (
                "relay_dead_letters_total",
                "Updates this process saw refused.",
                &counters.dead_lettered,
            ),
        ] {
            family(
                &mut text,
                name,
                "counter",
                help,
                number(&ResultValue::Whole(counter.load(Ordering::Relaxed))),
            );
        }
        ("200 OK", kind, text)
    }
}

/// The statistics that are metrics: counters first, then gauges.
fn of_outbox(text: &mut String, stats: &Stats) {
    for is_counter in [true, false] {
        for (place, field) in Stats::TABLE.fields.iter().enumerate() {
            let Some(metric) = field.metric else { continue };
            if matches!(metric, Metric::Counter(_)) == is_counter {
                let name = format!("outbox_{}", metric.name(field.name));
                let value = number(&stats.value(place));
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

#[allow(
    clippy::cast_precision_loss,
    reason = "Prometheus has nothing but doubles"
)]
fn number(value: &ResultValue<'_>) -> f64 {
    match value {
        ResultValue::Whole(count) => *count as f64,
        ResultValue::Seconds(seconds) => *seconds,
        _ => f64::NAN,
    }
}

/// A connection that ends at a fixed time, whatever its client does.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
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
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LARGEST_REQUEST {
        match stream.read(&mut piece)? {
            0 => break,
            size => head.extend_from_slice(&piece[..size]),
        }
    }
    Ok(head)
}

/// The path of a GET.
fn path(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let is_get = words.next() == Some("GET");
    let target = words.next().filter(|_| is_get)?;
    target.split('?').next()
}
