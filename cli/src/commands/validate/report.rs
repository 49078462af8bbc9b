//! What every format of a report has in common.

use katalys_core::Severity;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// One problem, with its location.
pub struct Finding<'f> {
    pub file: &'f Path,
    pub line: u64,
    /// The field; empty if the problem concerns the row.
    pub path: &'f str,
    pub code: &'f str,
    pub message: &'f str,
    pub severity: Severity,
}

/// Totals of a report.
#[derive(Default)]
pub struct Summary {
    pub files: u64,
    pub rows: u64,
    pub refused: u64,
    pub errors: u64,
    pub warnings: u64,
}

/// Writes findings as they are found.
pub trait Report {
    fn begin(&mut self) -> io::Result<()>;
    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()>;
    fn end(&mut self, summary: &Summary) -> io::Result<()>;
}

/// Where a report is written.
pub type Out<'o> = BufWriter<io::StdoutLock<'o>>;

/// Writes one item of a JSON list.
pub fn write_item(
    out: &mut impl Write,
    is_first: &mut bool,
    item: &serde_json::Value,
) -> io::Result<()> {
    out.write_all(if std::mem::take(is_first) {
        b"\n    "
    } else {
        b",\n    "
    })?;
    serde_json::to_writer(out, item).map_err(io::Error::other)
}
