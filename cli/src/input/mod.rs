//! Reads order updates from CSV, JSON and NDJSON files, one row at a time and in constant memory.
//!
//! `source` opens a file by its `options`, and uses `csv` and `json`, which find the rows in what
//! `window` buffers; `csv` uses `columns` to map columns to fields. Both return a `row`, or a `row_error`
//! for a row that cannot be read; reading continues after it.

mod columns;
mod csv;
mod json;
mod options;
mod row;
mod row_error;
mod source;
mod window;

pub use options::{Format, InputOptions};
pub use row::{COMMENT, PROBLEM_KEY, Row};
pub use row_error::RowError;
pub use source::Source;
