//! `/health` and `/metrics` (Prometheus' text format) over plain HTTP.

use crate::failure::Failure;
use katalys_core::{Client, EventKind, Stats};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What happened in this process.
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
    /// In seconds; what waits for longer is a sign of trouble.
    pub max_wait: f64,
}

/// Nobody who asks takes longer.
const PATIENCE: Duration = Duration::from_secs(2);
const LARGEST_REQUEST: usize = 8 * 1024;

impl Metrics {
    /// Listens, and answers on a thread of its own; returns the address.
    pub fn serve(self, address: SocketAddr, is_public: bool) -> Result<SocketAddr, Failure> {
        if !address.ip().is_loopback() && !is_public {
            let text = "--metrics listens on loopback, such as 127.0.0.1:9185; --metrics-public \
                        allows another address";
            return Err(Failure::usage(text));
        }
        let failed = |error: io::Error| Failure::usage(format!("--metrics {address}: {error}"));
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let builder = thread::Builder::new().name("katalys-metrics".into());
        let answering = move || {
            for stream in listener.incoming().flatten() {
                let _ = self.answer(stream); // Whoever went away needs no answer.
            }
        };
        builder.spawn(answering).map_err(failed)?;
        Ok(bound)
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
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
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\
             \r\nCache-Control: no-store\r\n\r\n{body}",
            body.len()
        )
    }

    fn health(&self) -> (&'static str, &'static str, String) {
        const ILL: &str = "503 Service Unavailable";
        let json = "application/json";
        match self.client.stats() {
            Err(error) => {
                let code = error.code().as_str();
                (
                    ILL,
                    json,
                    format!("{{\"healthy\":false,\"reason\":\"{code}\"}}\n"),
                )
            }
            Ok(stats) => {
                let age = stats.oldest_pending_seconds;
                let is_well = age <= self.max_wait;
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
                (answer, json, body)
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
                number(counter.load(Ordering::Relaxed)),
            );
        }
        ("200 OK", kind, text)
    }
}

fn of_outbox(text: &mut String, stats: &Stats) {
    for (name, kind, help, count) in [
        (
            "outbox_accepted_total",
            "counter",
            "Updates ever accepted.",
            stats.accepted,
        ),
        (
            "outbox_delivered_total",
            "counter",
            "Updates the endpoint has.",
            stats.delivered,
        ),
        (
            "outbox_discarded_total",
            "counter",
            "Dead letters discarded.",
            stats.discarded,
        ),
        (
            "outbox_pending",
            "gauge",
            "Updates that wait or are on their way.",
            stats.pending,
        ),
        (
            "outbox_in_flight",
            "gauge",
            "Updates on their way.",
            stats.in_flight,
        ),
        (
            "outbox_dead",
            "gauge",
            "Updates refused for good.",
            stats.dead,
        ),
    ] {
        family(text, name, kind, help, number(count));
    }
    let help = "How long the oldest pending update has waited.";
    family(
        text,
        "outbox_oldest_pending_seconds",
        "gauge",
        help,
        stats.oldest_pending_seconds,
    );
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
fn number(count: u64) -> f64 {
    count as f64
}

fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
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
