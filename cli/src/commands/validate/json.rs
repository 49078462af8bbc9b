//! Reports problems as one JSON document, written as they are found.

use super::{Finding, Out, Report, Summary, write_item};
use serde_json::json;
use std::io::{self, Write};

pub struct Json<'o> {
    out: Out<'o>,
    is_first: bool,
}

impl<'o> Json<'o> {
    pub fn new(out: Out<'o>) -> Self {
        Self {
            out,
            is_first: true,
        }
    }
}

impl Report for Json<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.out.write_all(b"{\n  \"problems\": [")
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let item = json!({
            "file": finding.file.to_string_lossy(),
            "line": finding.line,
            "path": finding.path,
            "code": finding.code,
            "message": finding.message,
            "severity": finding.severity.as_str(),
        });
        write_item(&mut self.out, &mut self.is_first, &item)
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let summary = json!({
            "files": summary.files,
            "rows": summary.rows,
            "refused": summary.refused,
            "errors": summary.errors,
            "warnings": summary.warnings,
        });
        writeln!(self.out, "\n  ],\n  \"summary\": {summary}\n}}")?;
        self.out.flush()
    }
}
