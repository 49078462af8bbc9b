//! Sends past orders from a file, oldest first, so that it can be stopped at any moment and goes
//! on where it stopped.
//!
//! `survey` reads the file once and says what is in it; `sort` puts its rows in order; `feed` sends
//! them, and `mailbox` has what came of each; `state` remembers how far that got; `refused` keeps
//! the rows that were not taken; `progress` shows it all.

mod feed;
mod mailbox;
mod progress;
mod refused;
mod sort;
mod state;
mod survey;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Reading, Row, Source, beside};
use crate::output::{Output, Style};
use crate::settings::Settings;
use crate::signals::Interrupt;
use clap::Args;
use feed::{Feed, Outcome};
use katalys_core::bridge::Bridge as _;
use katalys_core::order::visible;
use katalys_core::{Call, Checked, Client, Code, Problem, Severity, Value};
use progress::Progress;
use refused::Refused;
use serde_json::json;
use sort::Order;
use state::{State, StateFile};
use std::fs::File;
use std::path::{Path, PathBuf};
use survey::Survey;

/// Sends past orders from a file, oldest first; resumes where it stopped when it is run again.
#[derive(Args)]
#[command(after_help = "Examples:\n  katalys backfill orders.csv --dry-run\n  \
    katalys backfill orders.csv --sort --rate 200\n  \
    katalys backfill orders.refused.csv        # once corrected")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct Arguments {
    /// A CSV, JSON or NDJSON file; every row needs an `order_time`.
    file: PathBuf,
    /// Check everything, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Send each row as an order as a whole, with the fields required of one.
    #[arg(long)]
    report: bool,
    /// Bring the rows into the order of their `order_time` first; the file stays as it is.
    #[arg(long)]
    sort: bool,
    /// The most updates per second.
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<f64>,
    /// How long to keep trying while the endpoint takes nothing, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
    /// Where refused rows are written, to be corrected and backfilled.
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Forget the progress of an earlier run, and start over.
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    settings: Settings,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e6 => Ok(rate),
        _ => Err("give a number above 0".to_owned()),
    }
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    if arguments.file == Path::new("-") {
        return Err(Failure::usage(
            "a backfill needs a file, so that it can resume after a stop",
        ));
    }
    let interrupt = Interrupt::listen()?;
    let _alone = lock(&arguments.file)?;
    if arguments.dry_run {
        let client = arguments.settings.client_without_outbox()?;
        return dry_run(arguments, &client, &interrupt, output);
    }
    let client = arguments.settings.client(&[])?;
    let mut states = StateFile::of(&arguments.file);
    let mark = mark(arguments)?;
    let state = match states.read()? {
        Some(state) if !arguments.restart => fitting(state, &mark, &states)?,
        _ => State::new(mark),
    };
    if state.finished {
        let path = states.path().display().to_string();
        let text = format!("this file was sent already, says {path}; --restart sends it again");
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

/// In which order the rows are to be sent, and from where: known from an earlier run, or found by
/// reading the file once. None if that was interrupted.
fn plan(
    arguments: &Arguments,
    client: &Client,
    mut state: State,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Option<(Order, State)>, Failure> {
    if state.rows > 0 && !arguments.sort {
        return Ok(Some((Order::OfFile, state)));
    }
    let progress = Progress::checking(&arguments.file, output);
    let survey = Survey::of(arguments, client, interrupt, &progress, |_, _| Ok(()))?;
    progress.end();
    let Some(survey) = survey else {
        return Ok(None);
    };
    survey.demand_order(&arguments.file)?;
    state.rows = survey.rows;
    Ok(Some((survey.order, state)))
}

fn dry_run(
    arguments: &Arguments,
    client: &Client,
    interrupt: &Interrupt,
    output: &Output,
) -> Result<Exit, Failure> {
    const MOST_SHOWN: u64 = 20;
    let mut refused = arguments
        .refused
        .as_deref()
        .map(|path| Refused::open(path, 0));
    if let Some(refused) = &mut refused {
        refused.set_header(Source::open(&arguments.file, &arguments.reading)?.header());
    }
    let progress = Progress::checking(&arguments.file, output);
    let mut count = 0;
    let survey = Survey::of(arguments, client, interrupt, &progress, |row, refusal| {
        count += 1;
        if count <= MOST_SHOWN {
            let text = format!("{}:{}: {refusal}", arguments.file.display(), row.line);
            progress.say(&text);
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
        refused.settle()?;
    }
    tell_survey(&survey, output);
    survey.demand_order(&arguments.file)?;
    Ok(if survey.refused > 0 {
        Exit::Problems
    } else {
        Exit::Done
    })
}

fn tell_survey(survey: &Survey, output: &Output) {
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
            "warnings": warnings, "out_of_order": survey.disorder,
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
    let path = path.unwrap_or_else(|| beside(&arguments.file, "refused", None));
    let refused = Refused::open(&path, state.refused_bytes);
    let source = Source::open(&arguments.file, &arguments.reading)?;
    let progress = Progress::sending(state.rows, state.sent + state.refused, output);
    let feed = Feed::new(
        arguments, client, source, refused, state, interrupt, &progress,
    );
    let ended = feed.run(order, states)?;
    progress.end();
    tell(&ended, &path, output);
    Ok(match ended.outcome {
        Outcome::Complete if ended.state.refused > 0 => Exit::Problems,
        Outcome::Complete => Exit::Done,
        Outcome::Interrupted => Exit::Interrupted,
        Outcome::Failed(error) => return Err(error.into()),
    })
}

fn tell(ended: &feed::Ended, refused: &Path, output: &Output) {
    let State {
        rows,
        sent,
        refused: refusals,
        finished,
        ..
    } = &ended.state;
    if output.json {
        let text = json!({
            "rows": rows, "sent": sent, "refused": refusals, "finished": finished,
            "refused_file": (*refusals > 0).then(|| refused.display().to_string()),
            "in_outbox": ended.in_outbox,
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
    if let Some(left) = ended.in_outbox.filter(|left| *left > 0) {
        output.line(&format!(
            "{left} updates wait in the outbox; `katalys relay` delivers them"
        ));
    }
    if !finished {
        output.line("run the same command again to resume");
    }
}

/// What keeps two backfills of one file apart.
fn lock(path: &Path) -> Result<File, Failure> {
    use rustix::fs::{FlockOperation, flock};
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let text = format!("{}: another backfill is sending this file", path.display());
            Err(Failure::usage(text))
        }
        _ => Ok(file), // A file system without locks is no reason to refuse.
    }
}

/// What a state belongs to: the file's content and every option that changes what is sent.
fn mark(arguments: &Arguments) -> Result<String, Failure> {
    let Arguments {
        file,
        report,
        sort,
        reading,
        settings,
        ..
    } = arguments;
    let content = state::fingerprint(file).map_err(|error| Failure::file(file, &error))?;
    let said = ["site_id", "endpoint", "outbox", "timezone", "invalid"];
    let said = said.map(|name| settings.text(name).unwrap_or_default());
    let options = format!("{report} {sort} {reading:?} {said:?}");
    Ok(format!(
        "{content:016x}-{:016x}",
        state::hash(options.as_bytes())
    ))
}

/// The state of an earlier run, if it is one of this file with these options.
fn fitting(state: State, mark: &str, states: &StateFile) -> Result<State, Failure> {
    if state.mark == mark {
        return Ok(state);
    }
    let path = states.path().display();
    let text = if state.mark.split('-').next() == mark.split('-').next() {
        format!("an earlier run, says {path}, had other options; use those, or --restart")
    } else {
        format!("the file has changed since an earlier run, says {path}; --restart starts over")
    };
    Err(Failure::usage(text))
}

/// A row that is not sent, and why: code and sentence.
pub type Refusal = String;

/// Checks a row, and that its time was given and is sent: the endpoint takes an order without one
/// for an order of now, and so would a report stamp it.
fn check(client: &Client, call: Call, row: &Row<'_>) -> Result<Checked, Refusal> {
    let update = match &row.content {
        Ok(update) => update,
        Err(fault) => return Err(format!("{fault} [{}]", fault.code())),
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
    let left_out = warnings.find(|warning| warning.path == TIME && !is_sent_all_the_same(warning));
    match left_out {
        None if is_given => Ok(checked),
        Some(warning) if is_given => Err(warning.to_string()),
        _ => {
            let code = Code::Required;
            Err(format!("{TIME} {} [{}]", code.explanation(), code.as_str()))
        }
    }
}

const TIME: &str = "order_time";

fn is_sent_all_the_same(warning: &Problem) -> bool {
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
