//! Checks the rows of files and reports their problems.

use super::report::{Finding, Report, Summary};
use crate::failure::Failure;
use crate::input::{InputOptions, Row, RowError, Source};
use crate::settings::Settings;
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Problem, Severity};
use std::io;
use std::path::{Path, PathBuf};

/// Checks rows, counts their problems and reports them.
pub struct Checker<'c> {
    pub client: Client,
    pub settings: &'c Settings,
    pub call: Call,
    pub errors_only: bool,
    pub report: Box<dyn Report + 'c>,
    pub summary: Summary,
}

impl Checker<'_> {
    pub fn check_all(&mut self, files: &[PathBuf], input: &InputOptions) -> Result<(), Failure> {
        // An unreadable file is an error before the report begins, not minutes later.
        let mut stdin = None;
        for path in files {
            let source = Source::open(path, input)?;
            self.settings.require_site(&source)?;
            if path == Path::new("-") {
                stdin = Some(source);
            }
        }
        handle(self.report.begin())?;
        for path in files {
            let source = match stdin.take_if(|_| path == Path::new("-")) {
                Some(stdin) => stdin,
                None => Source::open(path, input)?,
            };
            self.check_file(path, source)?;
        }
        handle(self.report.end(&self.summary))
    }

    fn check_file(&mut self, path: &Path, mut source: Source) -> Result<(), Failure> {
        self.summary.files += 1;
        while let Some(row) = source
            .next_row()
            .map_err(|error| Failure::file(path, &error))?
        {
            self.summary.rows += 1;
            self.check_row(path, &row)?;
        }
        Ok(())
    }

    fn check_row(&mut self, path: &Path, row: &Row<'_>) -> Result<(), Failure> {
        let update = match &row.content {
            Ok(update) => update,
            Err(error) => return self.row_error(path, row.line, *error),
        };
        match self
            .client
            .prepare(self.call, &update.order_id, &update.fields)
        {
            Ok(checked) if checked.warnings.is_empty() => Ok(()),
            Ok(checked) => self.problems(path, row.line, &checked.warnings),
            Err(error) => {
                self.summary.refused += 1;
                self.problems(path, row.line, error.problems())
            }
        }
    }

    fn row_error(&mut self, file: &Path, line: u64, error: RowError) -> Result<(), Failure> {
        self.summary.refused += 1;
        let finding = Finding {
            file,
            line: line + error.line_offset(),
            path: "",
            code: error.code(),
            message: &error.to_string(),
            severity: Severity::Error,
        };
        self.finding(&finding)
    }

    fn problems(&mut self, file: &Path, line: u64, problems: &[Problem]) -> Result<(), Failure> {
        for problem in problems {
            self.finding(&Finding {
                file,
                line,
                path: &problem.path,
                code: problem.code.as_str(),
                message: &problem.message,
                severity: problem.severity,
            })?;
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> Result<(), Failure> {
        match finding.severity {
            Severity::Error => self.summary.errors += 1,
            Severity::Warning => self.summary.warnings += 1,
        }
        if self.errors_only && finding.severity == Severity::Warning {
            return Ok(());
        }
        handle(self.report.finding(finding))
    }
}

/// Turns a write error into a failure; a closed pipe ends the program.
fn handle(result: io::Result<()>) -> Result<(), Failure> {
    if let Err(error) = &result
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(Failure::usage(format!(
            "the report cannot be written: {error}"
        )));
    }
    crate::output::exit_on_broken_pipe(result);
    Ok(())
}
