//! Delivers an outbox as a service until a stop signal; updates in flight are finished first.
//!
//! It uses `metrics`, which counts events and serves them, and `notify`, which reports the state to
//! the service manager.

mod metrics;
mod notify;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, escaped_json};
use crate::settings::{self, Settings};
use crate::signals::Interrupt;
use clap::Args;
use katalys_core::order::visible;
use katalys_core::results::Level;
use katalys_core::{Client, Event};
use metrics::{Counters, Metrics};
use notify::ServiceManager;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Deliver an outbox as a service, until SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys relay --outbox /var/lib/shop/katalys.db --metrics 127.0.0.1:9185\n\n\
    docs/relay.md has a systemd unit and a container."
)]
pub struct Arguments {
    /// Outbox file; alternative to --outbox.
    file: Option<PathBuf>,
    /// Serve /health and Prometheus metrics (/metrics) at this loopback address.
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Allow --metrics at an address that other machines can reach.
    #[arg(long)]
    metrics_public: bool,
    /// Maximum age of the oldest pending update before /health fails.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "300",
        value_parser = settings::duration,
        allow_negative_numbers = true
    )]
    max_wait: Duration,
    /// How long to wait for updates in flight on shutdown.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "20",
        value_parser = settings::duration,
        allow_negative_numbers = true
    )]
    grace: Duration,
    #[command(flatten)]
    settings: Settings,
}

/// How often to check for a stop signal.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How often to check the outbox.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let client = Arc::new(client(arguments)?);
    // Fails without an outbox; otherwise all pending updates become due and delivery starts.
    client.flush(Duration::ZERO)?;
    let interrupt = Interrupt::install()?;
    let counters = Arc::new(Counters::default());
    observe(&client, &counters, output.json);
    let metrics = match arguments.metrics {
        None => None,
        Some(address) => {
            let (client, counters) = (Arc::clone(&client), Arc::clone(&counters));
            let metrics = Metrics {
                client,
                counters,
                max_wait: arguments.max_wait,
            };
            Some(metrics.serve(address, arguments.metrics_public)?)
        }
    };
    let manager = ServiceManager::from_environment();
    log_started(metrics, output);
    manager.notify("READY=1");
    watch(&client, &interrupt, &manager, output.json);
    manager.notify("STOPPING=1");
    let left = client.close(arguments.grace)?;
    log(output.json, &json!({ "event": "stopped", "left": left }));
    Ok(Exit::Done)
}

/// Checks the outbox until a stop signal. Notifies the service manager while the outbox is available,
/// and logs when that changes.
fn watch(client: &Client, interrupt: &Interrupt, manager: &ServiceManager, json: bool) {
    let mut checked: Option<Instant> = None;
    let mut failing = None;
    while !interrupt.is_set() {
        if checked.is_none_or(|at| at.elapsed() >= CHECK_INTERVAL) {
            checked = Some(Instant::now());
            let code = client.stats().err().map(|error| error.code().as_str());
            if code.is_none() {
                manager.notify("WATCHDOG=1");
            }
            match code {
                _ if code == failing => {}
                Some(code) => log(json, &json!({ "event": "outbox_failing", "code": code })),
                None => log(json, &json!({ "event": "outbox_recovered" })),
            }
            failing = code;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn client(arguments: &Arguments) -> Result<Client, Failure> {
    let mut fixed = vec![("deliver", true.into())];
    if let Some(file) = &arguments.file {
        fixed.push(("outbox", settings::path_value(file)?));
    }
    arguments.settings.client(&fixed)
}

/// Counts events, and logs those above the level `debug`. An event holds no customer data unless
/// `event_order_ids` is `plain`.
fn observe(client: &Client, counters: &Arc<Counters>, json: bool) {
    let counters = Arc::clone(counters);
    client.observe(move |events| {
        for event in events {
            counters.count(event.kind);
            if event.kind.level() > Level::Debug {
                log(json, &as_json(event));
            }
        }
    });
}

fn as_json(event: &Event) -> serde_json::Value {
    json!({
        "event": event.kind.as_str(), "id": event.id, "order": event.order,
        "attempts": event.attempts, "status": event.status, "code": event.code,
    })
}

fn log_started(metrics: Option<SocketAddr>, output: &Output) {
    let metrics = metrics.map(|address| format!("http://{address}"));
    log(
        output.json,
        &json!({ "event": "started", "metrics": metrics }),
    );
}

/// Writes one line to stderr, as JSON or as `key=value` pairs.
fn log(json: bool, entry: &serde_json::Value) {
    if json {
        eprintln!("{}", escaped_json(&entry.to_string()));
        return;
    }
    let pairs = entry.as_object().into_iter().flatten();
    let words = pairs
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => format!("{key}={}", visible(text)),
            other => format!("{key}={other}"),
        });
    eprintln!("{}", words.collect::<Vec<_>>().join(" "));
}
