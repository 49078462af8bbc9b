//! Plans a run, sends the rows, and prints the result.

use super::arguments::Arguments;
use super::dispatcher::{Dispatcher, RunEnd, RunResult};
use super::progress::Progress;
use super::refused::RefusedFile;
use super::sibling::sibling;
use super::sort::Order;
use super::state::{State, StateFile};
use super::survey::Survey;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::Source;
use crate::output::{Output, Style};
use crate::signals::Interrupt;
use katalys_core::Client;
use katalys_core::order::visible;
use serde_json::json;
use std::path::Path;

/// The order of the rows and the state to start from: those of an earlier run, or found by reading
/// the file once. `None` if that was interrupted.
pub fn plan(
    arguments: &Arguments,
    client: &Client,
    mut state: State,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Option<(Order, State)>, Failure> {
    if state.rows > 0 && !arguments.sort {
        return Ok(Some((Order::AsInFile, state)));
    }
    let progress = Progress::checking(&arguments.file, output);
    let survey = Survey::of(arguments, client, interrupt, &progress, |_, _| Ok(()))?;
    progress.end();
    let Some(survey) = survey else {
        return Ok(None);
    };
    survey.require_order(&arguments.file)?;
    state.rows = survey.rows;
    Ok(Some((survey.order, state)))
}

/// Sends the rows from the first unsettled one on.
pub fn run(
    arguments: &Arguments,
    client: &Client,
    (order, state): (Order, State),
    states: &mut StateFile,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Exit, Failure> {
    let path = arguments.refused.clone();
    let path = path.unwrap_or_else(|| sibling(&arguments.file, "refused", None));
    let refused = RefusedFile::open(&path, state.refused_bytes);
    let source = Source::open(&arguments.file, &arguments.input)?;
    let progress = Progress::sending(state.rows, state.sent + state.refused, output);
    let dispatcher = Dispatcher::new(
        arguments, client, source, refused, state, interrupt, &progress,
    );
    let result = dispatcher.run(order, states)?;
    progress.end();
    print(&result, &path, output);
    Ok(match result.end {
        RunEnd::Complete if result.state.refused > 0 => Exit::Problems,
        RunEnd::Complete => Exit::Done,
        RunEnd::Interrupted => Exit::Interrupted,
        RunEnd::Failed(error) => return Err(error.into()),
    })
}

fn print(result: &RunResult, refused: &Path, output: &Output) {
    let State {
        rows,
        sent,
        refused: refusals,
        finished,
        ..
    } = &result.state;
    if output.json {
        let text = json!({
            "rows": rows, "sent": sent, "refused": refusals, "finished": finished,
            "refused_file": (*refusals > 0).then(|| refused.display().to_string()),
            "in_outbox": result.in_outbox,
        });
        return output.json(&text);
    }
    let label = if *finished {
        output.paint(Style::Good, "done")
    } else {
        output.paint(Style::Warning, "stopped")
    };
    output.line(&format!(
        "{label}: {sent} of {rows} rows sent, {refusals} refused"
    ));
    if *refusals > 0 {
        let path = refused.display().to_string();
        let path = visible(&path);
        output.line(&format!(
            "the refused rows are in {path}: correct them, then backfill that file"
        ));
    }
    if let Some(left) = result.in_outbox.filter(|left| *left > 0) {
        output.line(&format!(
            "{left} updates are pending in the outbox; `katalys relay` delivers them"
        ));
    }
    if !finished {
        output.line("run the same command again to resume");
    }
}
