//! A local stand-in for the endpoint, with a page that shows what it received.
//!
//! `serve` accepts connections and routes requests; `guard` rejects those of other sites. `endpoint`
//! handles order updates: `update` parses them, `faults` injects errors, `store` keeps them. `api`
//! and `live` answer the page and users' tests, `page` serves the page's files.

mod api;
mod endpoint;
mod faults;
mod guard;
mod live;
mod page;
mod response;
mod serve;
mod store;
mod update;

use crate::exit::Exit;
use clap::Args;
use faults::{Faults, Rule};
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;
use tokio::sync::watch;

/// Run a local stand-in for the endpoint, with a web page.
///
/// It accepts updates as the endpoint does, and the page shows every order, every request, and
/// every value that was ignored or is suspicious. Set `KATALYS_ENDPOINT`, or the setting
/// `endpoint` of a client, to the endpoint that it prints.
#[derive(Args)]
#[command(args_override_self = true)]
pub struct Arguments {
    /// Port to listen on; 0 selects a free port.
    #[arg(long, default_value_t = 8321)]
    port: u16,
    /// Address to listen on. Every client that can reach the address can see the orders.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: String,
    /// Additional host name by which clients may reach the sandbox, such as
    /// `host.docker.internal`; can be repeated.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Database file that keeps the received updates; by default they are kept in memory.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Fault to inject, such as `status=503,probability=0.1`, `latency=500`, `hang,next=1`,
    /// `reset=before`, `reset=after,order_id=1001`, `status=200`, `redirect=/elsewhere` or
    /// `rate=10,retry-after=2`; can be repeated, and the first that applies decides.
    #[arg(long, value_name = "FAULT", value_parser = Rule::parse)]
    fault: Vec<Rule>,
    /// Print one line of JSON with the addresses once the sandbox listens, and nothing else.
    #[arg(long)]
    json: bool,
    /// Exit when standard input is closed, so that the sandbox ends with its parent process.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// What all parts of the server share.
struct App {
    store: Store,
    faults: Faults,
    /// The endpoint's URL, for clients.
    endpoint: String,
    /// True as soon as the sandbox shuts down.
    closing: watch::Receiver<bool>,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match serve::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("katalys sandbox: {message}");
            Exit::Usage.into()
        }
    }
}
