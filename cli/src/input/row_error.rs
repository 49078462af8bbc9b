//! Why a row cannot be read.

use std::fmt;

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowError {
    /// Not JSON: the error is at this column of this line, counted from the row's first.
    Json { line: u64, column: u64 },
    /// JSON, but not an object.
    NotAnObject,
    /// The number of columns differs from the header's.
    Columns { found: usize, header: usize },
    /// A quote is not closed, or text follows the closing quote.
    Quote,
    /// The row is longer than any update.
    TooLong,
    /// Lists and objects are nested deeper than in any update.
    TooDeep,
}

impl RowError {
    /// Every code with its meaning, for the rules of a report.
    pub const CODES: &[(&str, &str)] = &[
        ("json_syntax", "is not valid JSON"),
        (
            "not_an_object",
            "is JSON, but not an object; write one object per update",
        ),
        (
            "column_count",
            "has a different number of columns than the header",
        ),
        (
            "quote_unclosed",
            "has an unclosed quote, or text after the closing quote",
        ),
        ("row_too_long", "is longer than 1 MiB, the maximum"),
        (
            "nested_too_deep",
            "has lists and objects nested more than 16 levels deep, the maximum",
        ),
    ];

    /// The code, in the style of the core's codes.
    pub const fn code(self) -> &'static str {
        Self::CODES[self.index()].0
    }

    const fn index(self) -> usize {
        match self {
            Self::Json { .. } => 0,
            Self::NotAnObject => 1,
            Self::Columns { .. } => 2,
            Self::Quote => 3,
            Self::TooLong => 4,
            Self::TooDeep => 5,
        }
    }

    /// The line of the error, counted from the row's first.
    pub const fn line_offset(self) -> u64 {
        match self {
            Self::Json { line, .. } => line,
            _ => 0,
        }
    }
}

/// A sentence without any content of the row.
impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { column, .. } => {
                write!(f, "the line is not valid JSON, as seen at column {column}")
            }
            Self::Columns { found, header } => {
                write!(
                    f,
                    "the row has {found} columns where the header has {header}"
                )
            }
            other => write!(f, "the row {}", Self::CODES[other.index()].1),
        }
    }
}
