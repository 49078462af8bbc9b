//! Sends past orders from a file, oldest first. It can be stopped at any moment, and resumes at the
//! next run.
//!
//! `survey` reads the file once and checks it; `sort` orders its rows; `dispatcher` sends them, at the
//! pace of `rate`, and gets the results through `completions`; `state` records the progress;
//! `refused` writes the refused rows to a file; `progress` shows a bar.

mod completions;
mod dispatcher;
mod progress;
mod rate;
mod refused;
mod sort;
mod state;
mod survey;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{InputOptions, Row, Source, sibling};
use crate::output::{Output, Style};
use crate::settings::{self, Settings};
use crate::signals::Interrupt;
use clap::Args;
use dispatcher::{Dispatcher, RunEnd, RunResult};
use katalys_core::bridge::Bridge as _;
use katalys_core::order::visible;
use katalys_core::{Call, Checked, Client, Code, Problem, Severity, Value};
use progress::Progress;
use refused::RefusedFile;
use serde_json::json;
use sort::Order;
use state::{State, StateFile};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use survey::Survey;

/// Send past orders from a file, oldest first; resumable.
#[derive(Args)]
#[command(after_help = "Examples:\n  katalys backfill orders.csv --dry-run\n  \
    katalys backfill orders.csv --sort --rate 200\n  \
    katalys backfill orders.refused.csv        # after correcting it")]
#[allow(clippy::struct_excessive_bools, reason = "each is a separate option")]
pub struct Arguments {
    /// CSV, JSON or NDJSON file; every row needs an `order_time`.
    file: PathBuf,
    /// Check all rows without sending any.
    #[arg(long)]
    dry_run: bool,
    /// Send each row as a whole order, with the fields that `report` requires.
    #[arg(long)]
    report: bool,
    /// Sort the rows by `order_time` before sending; the file is not changed.
    #[arg(long)]
    sort: bool,
    /// Maximum number of updates per second.
    #[arg(long, value_name = "NUMBER", value_parser = rate::parse, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// How long to retry while the endpoint accepts no update.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "300",
        value_parser = settings::duration,
        allow_negative_numbers = true
    )]
    patience: Duration,
    /// File for refused rows, to be corrected and backfilled; by default beside the input.
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Discard the progress of an earlier run and start over.
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    input: InputOptions,
    #[command(flatten)]
    settings: Settings,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    if arguments.file == Path::new("-") {
        return Err(Failure::usage(
            "a backfill needs a file, since it must be able to resume; stdin is not supported",
        ));
    }
    let interrupt = Interrupt::install()?;
    let _lock = lock(&arguments.file)?;
    if arguments.dry_run {
        let client = arguments.settings.client_without_outbox()?;
        return dry_run(arguments, &client, &interrupt, output);
    }
    let client = arguments.settings.client(&[])?;
    let mut states = StateFile::of(&arguments.file);
    let mark = mark(arguments)?;
    let state = match states.read()? {
        Some(state) if !arguments.restart => matching(state, &mark, &states)?,
        _ => State::new(mark),
    };
    if state.finished {
        let path = states.path().display().to_string();
        let text =
            format!("according to {path}, this file was sent; use --restart to send it again");
        return Err(Failure::usage(text));
    }
    let Some((order, state)) = plan(arguments, &client, state, &interrupt, output)? else {
        return Ok(Exit::Interrupted);
    };
    send(
        arguments,
        &client,
        (order, state),
        &mut states,
        &interrupt,
        output,
    )
}

/// The order of the rows and the state to start from: those of an earlier run, or found by reading
/// the file once. `None` if that was interrupted.
fn plan(
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

fn dry_run(
    arguments: &Arguments,
    client: &Client,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Exit, Failure> {
    const MAX_PRINTED: u64 = 20;
    let mut refused = arguments
        .refused
        .as_deref()
        .map(|path| RefusedFile::open(path, 0));
    if let Some(refused) = &mut refused {
        refused.set_header(Source::open(&arguments.file, &arguments.input)?.header());
    }
    let progress = Progress::checking(&arguments.file, output);
    let mut count = 0;
    let survey = Survey::of(arguments, client, interrupt, &progress, |row, refusal| {
        count += 1;
        if count <= MAX_PRINTED {
            let text = format!("{}:{}: {refusal}", arguments.file.display(), row.line);
            progress.print(&text);
        }
        match &mut refused {
            Some(refused) => refused.add(row, refusal),
            None => Ok(()),
        }
    })?;
    progress.end();
    let Some(survey) = survey else {
        return Ok(Exit::Interrupted);
    };
    if let Some(refused) = &mut refused {
        refused.flush()?;
    }
    print_survey(&survey, output);
    survey.require_order(&arguments.file)?;
    Ok(if survey.refused > 0 {
        Exit::Problems
    } else {
        Exit::Done
    })
}

fn print_survey(survey: &Survey, output: &Output) {
    let Survey {
        rows,
        refused,
        warnings,
        ..
    } = survey;
    let good = rows - refused;
    if output.json {
        let text = json!({
            "dry_run": true, "rows": rows, "good": good, "refused": refused,
            "warnings": warnings, "out_of_order": survey.out_of_order,
        });
        return output.json(&text);
    }
    output.line(&format!(
        "{rows} rows: {good} would be sent, {refused} refused, {warnings} warnings"
    ));
}

fn send(
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

/// Locks the file, so that no second backfill of it can run.
fn lock(path: &Path) -> Result<File, Failure> {
    use rustix::fs::{FlockOperation, flock};
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let text = format!("{}: another backfill is sending this file", path.display());
            Err(Failure::usage(text))
        }
        _ => Ok(file), // Some file systems have no locks.
    }
}

/// Identifies the file's content and every option that changes what is sent.
fn mark(arguments: &Arguments) -> Result<String, Failure> {
    let Arguments {
        file,
        report,
        sort,
        input,
        settings,
        ..
    } = arguments;
    let content = state::fingerprint(file).map_err(|error| Failure::file(file, &error))?;
    let values = ["site_id", "endpoint", "outbox", "timezone", "invalid"];
    let values = values.map(|name| settings.text(name).unwrap_or_default());
    let options = format!("{report} {sort} {input:?} {values:?}");
    Ok(format!(
        "{content:016x}-{:016x}",
        state::hash(options.as_bytes())
    ))
}

/// Returns the state of an earlier run if it belongs to this file and these options.
fn matching(state: State, mark: &str, states: &StateFile) -> Result<State, Failure> {
    if state.mark == mark {
        return Ok(state);
    }
    let path = states.path().display();
    let text = if state.mark.split('-').next() == mark.split('-').next() {
        format!("according to {path}, an earlier run had other options; use those, or --restart")
    } else {
        format!(
            "according to {path}, the file has changed since an earlier run; use --restart to start over"
        )
    };
    Err(Failure::usage(text))
}

/// Why a row is not sent: message and code.
pub type Refusal = String;

/// Checks a row. It must have a valid time: the endpoint dates an order without a time at its
/// arrival, and `report` at the time of the call.
fn check(client: &Client, call: Call, row: &Row<'_>) -> Result<Checked, Refusal> {
    let update = match &row.content {
        Ok(update) => update,
        Err(error) => return Err(format!("{error} [{}]", error.code())),
    };
    let checked = client.prepare(call, &update.order_id, &update.fields);
    let checked = checked.map_err(|error| {
        let problems = error.problems().iter();
        let errors = problems.filter(|problem| problem.severity == Severity::Error);
        let texts: Vec<String> = errors.map(ToString::to_string).collect();
        texts.join("; ")
    })?;
    let mut given = update.fields.iter();
    let is_given = given.any(|(key, value)| key == TIME && *value != Value::Null);
    let mut warnings = checked.warnings.iter();
    let dropped = warnings.find(|warning| warning.path == TIME && !is_sent(warning));
    match dropped {
        None if is_given => Ok(checked),
        Some(warning) if is_given => Err(warning.to_string()),
        _ => {
            let code = Code::Required;
            Err(format!("{TIME} {} [{}]", code.explanation(), code.as_str()))
        }
    }
}

const TIME: &str = "order_time";

/// Whether a time is sent in spite of the warning.
fn is_sent(warning: &Problem) -> bool {
    matches!(warning.code, Code::TimeFuture | Code::TimeBefore2000)
}

impl Arguments {
    fn call(&self) -> Call {
        if self.report {
            Call::Report
        } else {
            Call::Update
        }
    }
}
