//! Sends past orders from a file, oldest first. It can be stopped at any moment, and resumes at the
//! next run.
//!
//! `dry_run` and `send` use `survey`, which reads the file once, checks each row with `check`, and
//! orders the rows with `sort`. `send` uses `dispatcher`, which sends the rows at the pace of `rate` and
//! gets the results through `completions`. Both use `refused`, the file of refused rows, and `progress`,
//! the bar. `lock`, `state` and `mark` let a run resume; `sibling` names the files beside the input.

mod arguments;
mod check;
mod completions;
mod dispatcher;
mod dry_run;
mod lock;
mod mark;
mod progress;
mod rate;
mod refused;
mod send;
mod sibling;
mod sort;
mod state;
mod survey;

pub use arguments::Arguments;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Interrupt;
use state::{State, StateFile};
use std::path::Path;

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    if arguments.file == Path::new("-") {
        return Err(Failure::usage(
            "a backfill needs a file, since it must be able to resume; stdin is not supported",
        ));
    }
    let interrupt = Interrupt::install()?;
    let _lock = lock::lock(&arguments.file)?;
    if arguments.dry_run {
        let client = arguments.settings.client_without_outbox()?;
        return dry_run::run(arguments, &client, &interrupt, output);
    }
    let client = arguments.settings.client(&[])?;
    let mut states = StateFile::of(&arguments.file);
    let mark = mark::mark(arguments)?;
    let state = match states.read()? {
        Some(state) if !arguments.restart => mark::matching(state, &mark, &states)?,
        _ => State::new(mark),
    };
    if state.finished {
        let path = states.path().display().to_string();
        let text =
            format!("according to {path}, this file was sent; use --restart to send it again");
        return Err(Failure::usage(text));
    }
    let Some((order, state)) = send::plan(arguments, &client, state, &interrupt, output)? else {
        return Ok(Exit::Interrupted);
    };
    send::run(
        arguments,
        &client,
        (order, state),
        &mut states,
        &interrupt,
        output,
    )
}
