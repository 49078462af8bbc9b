//! Repairs a damaged outbox, and reports what was recovered.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style, plain};
use katalys_core::{RepairReport, repair_outbox};
use serde_json::{Value, json};
use std::path::Path;

pub fn run(file: &Path, output: &Output) -> Result<Exit, Failure> {
    let report = repair_outbox(file)?;
    let exit = if report.is_complete() {
        Exit::Done
    } else {
        Exit::Incomplete
    };
    if output.json {
        output.json(&as_json(&report));
    } else {
        for line in plain(&report.to_string()).lines() {
            let is_bad = exit != Exit::Done && line.starts_with("lost:");
            output.line(&if is_bad {
                output.paint(Style::Bad, line)
            } else {
                line.to_owned()
            });
        }
    }
    Ok(exit)
}

fn as_json(report: &RepairReport) -> Value {
    json!({
        "sound": report.was_sound,
        "pending": report.pending,
        "dead": report.dead,
        "lost": report.lost,
        "numbers_continue_at": report.numbers_continue_at,
        "unreadable_pages": report.unreadable_pages,
        "damaged_copy": report.damaged_copy.as_ref().map(|path| path.display().to_string()),
    })
}
