//! Delivers an outbox as a service until it is told to stop; updates in flight are finished first.

mod metrics;
mod notify;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, escaped_json};
use crate::settings::{Settings, timeout};
use crate::signals::Interrupt;
use clap::Args;
use katalys_core::order::visible;
use katalys_core::{Client, Event, EventKind};
use metrics::{Counters, Metrics};
use notify::Manager;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Delivers an outbox as a service, until SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys relay --outbox /var/lib/shop/katalys.db --metrics 127.0.0.1:9185\n\n\
    docs/relay.md has a systemd unit and a container."
)]
pub struct Arguments {
    /// The outbox's file, if not given as --outbox.
    file: Option<PathBuf>,
    /// Answer /health and Prometheus' /metrics at this address, which has to be on loopback.
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Allow --metrics to listen on an address that other machines can reach.
    #[arg(long)]
    metrics_public: bool,
    /// /health fails when the oldest pending update is older than this, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = timeout)]
    max_wait: Duration,
    /// How long to wait for updates in flight when it stops, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = timeout)]
    grace: Duration,
    #[command(flatten)]
    settings: Settings,
}

/// How often to look for a signal to stop, and whether the outbox can be used.
const TICK: Duration = Duration::from_millis(100);
const CHECK_EVERY: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let client = Arc::new(client(arguments)?);
    // Fails without an outbox. What is pending is due at once, and delivery starts.
    client.flush(Duration::ZERO)?;
    let interrupt = Interrupt::listen()?;
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
    let manager = Manager::from_environment();
    say_started(metrics, output);
    manager.tell("READY=1");
    watch(&client, &interrupt, &manager, output.json);
    manager.tell("STOPPING=1");
    let left = client.close(arguments.grace)?;
    log(output.json, &json!({ "event": "stopped", "left": left }));
    Ok(Exit::Done)
}

/// Checks the outbox until there is a signal to stop. Tells the service manager while it can be
/// used, and the log when that changes.
fn watch(client: &Client, interrupt: &Interrupt, manager: &Manager, json: bool) {
    let mut checked: Option<Instant> = None;
    let mut failing = None;
    while !interrupt.came() {
        if checked.is_none_or(|at| at.elapsed() >= CHECK_EVERY) {
            checked = Some(Instant::now());
            let code = client.stats().err().map(|error| error.code().as_str());
            if code.is_none() {
                manager.tell("WATCHDOG=1");
            }
            match code {
                _ if code == failing => {}
                Some(code) => log(json, &json!({ "event": "outbox_failing", "code": code })),
                None => log(json, &json!({ "event": "outbox_recovered" })),
            }
            failing = code;
        }
        std::thread::sleep(TICK);
    }
}

fn client(arguments: &Arguments) -> Result<Client, Failure> {
    let mut decided = vec![("deliver", true.into())];
    if let Some(file) = &arguments.file {
        let path = file
            .to_str()
            .ok_or_else(|| Failure::usage("the file's name is not Unicode"))?;
        decided.push(("outbox", path.to_owned().into()));
    }
    arguments.settings.client(&decided)
}

/// Counts events and logs those that an operator needs. No event holds customer data unless
/// `event_order_ids` is `plain`.
fn observe(client: &Client, counters: &Arc<Counters>, json: bool) {
    let counters = Arc::clone(counters);
    client.observe(move |events| {
        for event in events {
            counters.count(event.kind);
            if matches!(
                event.kind,
                EventKind::Retried | EventKind::DeadLettered | EventKind::Failed
            ) {
                log(json, &described(event));
            }
        }
    });
}

fn described(event: &Event) -> serde_json::Value {
    json!({
        "event": event.kind.as_str(), "id": event.id, "order": event.order,
        "attempts": event.attempts, "status": event.status, "code": event.code,
    })
}

fn say_started(metrics: Option<SocketAddr>, output: &Output) {
    let metrics = metrics.map(|address| format!("http://{address}"));
    log(
        output.json,
        &json!({ "event": "started", "metrics": metrics }),
    );
}

/// One line on stderr, where services write their logs; as JSON, or as `key=value`.
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
