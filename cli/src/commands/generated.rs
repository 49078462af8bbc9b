//! Shell completions and man pages, generated from the command line.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::exit_on_broken_pipe;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::{self, Write};

/// Print shell completions.
#[derive(Args)]
#[command(after_help = "Example:\n  katalys completions bash > /etc/bash_completion.d/katalys")]
pub struct Completions {
    /// Shell.
    shell: Shell,
}

/// Print the man page.
#[derive(Args)]
#[command(after_help = "Examples:\n  katalys man > katalys.1\n  katalys man send | man -l -")]
pub struct Man {
    /// Command whose page to print; by default the page of `katalys` itself.
    command: Option<String>,
}

pub fn completions(arguments: &Completions, mut command: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "katalys", &mut script);
    write(&script);
    Exit::Done
}

pub fn man(arguments: &Man, mut command: Command) -> Result<Exit, Failure> {
    command.build();
    let command = match &arguments.command {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .ok_or_else(|| Failure::usage(format!("there is no command {name:?}")))?
            .clone()
            .name(format!("katalys-{name}")),
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    write(&page);
    Ok(Exit::Done)
}

fn write(bytes: &[u8]) {
    exit_on_broken_pipe(io::stdout().write_all(bytes));
}
