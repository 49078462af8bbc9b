//! What is made from the command line itself: completions for shells, and the man page.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::unless_gone;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::{self, Write};

/// Prints completions for a shell: `katalys completions bash > /etc/bash_completion.d/katalys`.
#[derive(Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Prints the man page: `katalys man > katalys.1`, or of one command: `katalys man send`.
#[derive(Args)]
pub struct Man {
    /// The command; without it, the page of all.
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
    unless_gone(io::stdout().write_all(bytes));
}
