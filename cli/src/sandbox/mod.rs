//! A local stand-in for the endpoint, with a page that shows what it received.

mod answer;
mod api;
mod faults;
mod guard;
mod intake;
mod live;
mod page;
mod serve;
mod store;
mod update;

use clap::Args;
use faults::{Faults, Rule};
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;
use tokio::sync::watch;

/// Runs a local stand-in for the endpoint, with a page that shows what it received.
///
/// It treats updates as the endpoint does, and unlike it shows everything that was ignored or is
/// suspicious. Point a client at it with `KATALYS_ENDPOINT`, or with its `endpoint` option.
#[derive(Args)]
#[command(args_override_self = true)]
pub struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8321)]
    port: u16,
    /// The address to listen on. Anything but this machine's own lets others see the orders.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: String,
    /// Another name that clients may reach this sandbox by, such as `host.docker.internal`.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Keep what is received in this file; otherwise it is gone when the sandbox ends.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// A fault to begin with, such as `status=503,probability=0.1`, `latency=500`, `hang,next=1`,
    /// `reset=before`, `reset=after,order_id=1001`, `status=200`, `redirect=/elsewhere` or
    /// `rate=10,retry-after=2`. Can be given several times; the first that applies decides.
    #[arg(long, value_name = "FAULT", value_parser = Rule::parse)]
    fault: Vec<Rule>,
    /// Print one line of JSON with the addresses when it listens, and nothing else.
    #[arg(long)]
    json: bool,
    /// End when standard input is closed, so that it never outlives the program that started it.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// What the parts of the server share.
struct App {
    store: Store,
    faults: Faults,
    /// Where the endpoint is, as a client is told.
    endpoint: String,
    /// True as soon as the sandbox is ending.
    closing: watch::Receiver<bool>,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match serve::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("katalys sandbox: {message}");
            ExitCode::from(2)
        }
    }
}
