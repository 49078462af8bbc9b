//! Checks files of updates without sending any, and reports every problem.
//!
//! `checker` checks the files, and hands each problem to one of the formats `human`, `json` and `sarif`;
//! all of them use `report`, which defines what a format writes.

mod arguments;
mod checker;
mod human;
mod json;
mod report;
mod sarif;

pub use arguments::Arguments;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use arguments::Format;
use checker::Checker;
use katalys_core::Call;
use report::{Report, Summary};
use std::io::{self, BufWriter};

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let client = arguments.settings.client_without_outbox()?;
    let default = if output.json {
        Format::Json
    } else {
        Format::Human
    };
    let out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let report: Box<dyn Report + '_> = match arguments.format.unwrap_or(default) {
        Format::Human => Box::new(human::Human::new(out, output)),
        Format::Json => Box::new(json::Json::new(out)),
        Format::Sarif => Box::new(sarif::Sarif::new(out)),
    };
    let call = if arguments.report {
        Call::Report
    } else {
        Call::Update
    };
    let mut checker = Checker {
        client,
        settings: &arguments.settings,
        call,
        errors_only: arguments.errors_only,
        report,
        summary: Summary::default(),
    };
    checker.check_all(&arguments.files, &arguments.input)?;
    let Summary {
        errors, warnings, ..
    } = checker.summary;
    if errors > 0 || (arguments.deny_warnings && warnings > 0) {
        Ok(Exit::Problems)
    } else {
        Ok(Exit::Done)
    }
}
