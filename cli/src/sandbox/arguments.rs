//! The command line of the sandbox.

use super::faults::Rule;
use clap::Args;
use std::path::PathBuf;

/// Run a local replacement for the endpoint, with a web page.
///
/// It accepts updates as the endpoint does, and the page shows every order, every request, and
/// every value that was ignored or is suspicious. Set `KATALYS_ENDPOINT`, or the setting
/// `endpoint` of a client, to the endpoint that it prints.
#[derive(Args)]
#[command(args_override_self = true)]
pub struct Arguments {
    /// Port to listen on; 0 selects a free port.
    #[arg(long, default_value_t = 8321)]
    pub port: u16,
    /// Address to listen on. Every client that can reach the address can see the orders.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: String,
    /// Additional host name by which clients may reach the sandbox, such as
    /// `host.docker.internal`; can be repeated.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Database file that keeps the received updates; by default they are kept in memory.
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Fault to inject, such as `status=503,probability=0.1`, `latency=500`, `hang,next=1`,
    /// `reset=before`, `reset=after,order_id=1001`, `status=200`, `redirect=/elsewhere` or
    /// `rate=10,retry-after=2`; can be repeated, and the first that applies decides.
    #[arg(long, value_name = "FAULT", value_parser = Rule::parse)]
    pub fault: Vec<Rule>,
    /// Print one line of JSON with the addresses once the sandbox listens, and nothing else.
    #[arg(long)]
    pub json: bool,
    /// Exit when standard input is closed, so that the sandbox ends with its parent process.
    #[arg(long)]
    pub until_stdin_closes: bool,
}
