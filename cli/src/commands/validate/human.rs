//! Reports problems in the format of compilers, one line each.

use super::{Finding, Out, Report, Summary};
use crate::output::{Output, Style};
use katalys_core::Severity;
use katalys_core::order::visible;
use std::io::{self, Write};

pub struct Human<'o> {
    out: Out<'o>,
    error: String,
    warning: String,
    output: &'o Output,
}

impl<'o> Human<'o> {
    pub fn new(out: Out<'o>, output: &'o Output) -> Self {
        Self {
            out,
            error: output.paint(Style::Bad, "error:"),
            warning: output.paint(Style::Warning, "warning:"),
            output,
        }
    }
}

impl Report for Human<'_> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let label = match finding.severity {
            Severity::Error => &self.error,
            Severity::Warning => &self.warning,
        };
        let (file, line) = (finding.file.display().to_string(), finding.line);
        writeln!(
            self.out,
            "{}:{line}: {label} {} [{}]",
            visible(&file),
            visible(finding.message),
            finding.code
        )
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let Summary {
            rows,
            refused,
            errors,
            warnings,
            ..
        } = summary;
        let verdict = if *errors > 0 {
            self.output.paint(Style::Bad, "failed")
        } else {
            self.output.paint(Style::Good, "passed")
        };
        writeln!(
            self.out,
            "{verdict}: {rows} rows, {refused} refused, {errors} errors, {warnings} warnings"
        )?;
        self.out.flush()
    }
}
