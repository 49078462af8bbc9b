//! A row of a file, and the marks of a row that a backfill refused.

use super::row_error::RowError;
use katalys_core::{Fields, Value};

/// A row of a file.
pub struct Row<'r> {
    /// The line at which the row begins, from 1.
    pub line: u64,
    /// The offset at which the row begins, in bytes.
    pub offset: u64,
    /// The bytes of the row, without the line end.
    pub raw: &'r [u8],
    pub content: Result<Update<'r>, RowError>,
}

/// The update of a row.
pub struct Update<'r> {
    pub order_id: Value<'r>,
    pub fields: Fields<'r>,
}

/// The column or key that holds the problem in a file of refused rows; never sent.
pub const PROBLEM_KEY: &str = "katalys_problem";
/// Begins a line that holds the problem of the next row, where that row cannot be parsed.
pub const COMMENT: &[u8] = b"#katalys:";
