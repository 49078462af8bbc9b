//! `--dry-run`: checks all rows without sending any, and prints what it found.

use super::arguments::Arguments;
use super::progress::Progress;
use super::refused::RefusedFile;
use super::survey::Survey;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::Source;
use crate::output::Output;
use crate::signals::Interrupt;
use katalys_core::Client;
use serde_json::json;

pub fn run(
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
