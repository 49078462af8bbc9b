//! A local stand-in for the endpoint, with a page that shows what it received.

use clap::Args;
use std::process::ExitCode;

/// Runs a local stand-in for the endpoint, with a page that shows what it received.
#[derive(Args)]
pub struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8321)]
    port: u16,
}

pub fn run(_arguments: &Arguments) -> ExitCode {
    ExitCode::SUCCESS
}
