//! The `katalys` command: sends, checks and manages order updates from a terminal.

mod commands;
mod exit;
mod failure;
mod input;
mod output;
mod sandbox;
mod settings;
mod signals;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use commands::{backfill, doctor, generated, outbox, relay, send, validate};
use failure::Failure;
use output::{Colors, Output};
use std::process::ExitCode;

/// Report order updates to Katalys, and test an integration without an account.
#[derive(Parser)]
#[command(name = "katalys", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
struct Global {
    /// Write results and errors as JSON.
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// When to use colors.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    color: Colors,
}

#[derive(Subcommand)]
enum Command {
    Send(send::Arguments),
    Report(send::Arguments),
    Validate(validate::Arguments),
    Backfill(backfill::Arguments),
    Outbox(outbox::Arguments),
    Relay(relay::Arguments),
    Doctor(doctor::Arguments),
    Sandbox(sandbox::Arguments),
    Completions(generated::Completions),
    Man(generated::Man),
}

fn main() -> ExitCode {
    let matches = command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let output = Output::new(arguments.global.json, arguments.global.color);
    let logs_json = matches!(arguments.command, Command::Relay(_)) && arguments.global.json;
    output::log_to_stderr(logs_json);
    let result = match arguments.command {
        Command::Send(arguments) => send::run(&arguments, send::UPDATE, &output),
        Command::Report(arguments) => send::run(&arguments, send::REPORT, &output),
        Command::Validate(arguments) => validate::run(&arguments, &output),
        Command::Backfill(arguments) => backfill::run(&arguments, &output),
        Command::Outbox(arguments) => outbox::run(&arguments, &output),
        Command::Relay(arguments) => relay::run(&arguments, &output),
        Command::Doctor(arguments) => doctor::run(&arguments, &output),
        Command::Sandbox(arguments) => return sandbox::run(&arguments),
        Command::Completions(arguments) => Ok(generated::completions(&arguments, command())),
        Command::Man(arguments) => generated::man(&arguments, command()),
    };
    let exit = result.unwrap_or_else(|failure: Failure| failure.report(&output));
    exit.into()
}

/// The command line, with the help texts that are composed at run time.
fn command() -> clap::Command {
    Arguments::command()
        .after_help(exit::table())
        .mut_subcommand("report", |report| report.about(send::REPORT.about))
}
