//! The `katalys` command: everything that is done at a terminal with order updates.

mod commands;
mod sandbox;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Reports to Katalys what became of an order, and proves an integration without an account.
#[derive(Parser)]
#[command(name = "katalys", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Sandbox(sandbox::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Sandbox(arguments) => sandbox::run(&arguments),
    }
}
