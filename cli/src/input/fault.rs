//! What is wrong with a row that cannot be read at all.

use std::fmt;

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON, as was seen at this column of this line behind the row's first.
    Json { line: u64, column: u64 },
    /// JSON, but not an object.
    NotAnObject,
    /// A row with another number of columns than the header.
    Columns { found: usize, header: usize },
    /// A quote that no quote closes, or text behind the one that does.
    Quote,
    /// A row longer than any update.
    TooLong,
    /// Lists and objects in each other, deeper than any update has them.
    TooDeep,
}

impl Fault {
    /// Every code with what it means, for rules of reports.
    pub const CODES: &[(&str, &str)] = &[
        ("json_syntax", "is not valid JSON"),
        (
            "not_an_object",
            "is JSON, but not an object; write one object per update",
        ),
        (
            "column_count",
            "has another number of columns than the header",
        ),
        (
            "quote_unclosed",
            "has a quote that is not closed, or text behind the closing one",
        ),
        ("row_too_long", "is longer than 1 MiB, which no update is"),
        (
            "nested_too_deep",
            "has lists and objects nested more than 16 deep, which no update has",
        ),
    ];

    /// The code, in the manner of the core's.
    pub const fn code(self) -> &'static str {
        Self::CODES[self.place()].0
    }

    const fn place(self) -> usize {
        match self {
            Self::Json { .. } => 0,
            Self::NotAnObject => 1,
            Self::Columns { .. } => 2,
            Self::Quote => 3,
            Self::TooLong => 4,
            Self::TooDeep => 5,
        }
    }

    /// How many lines behind the row's first it was seen.
    pub const fn lines_behind(self) -> u64 {
        match self {
            Self::Json { line, .. } => line,
            _ => 0,
        }
    }
}

/// A sentence; holds nothing of the row's content.
impl fmt::Display for Fault {
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
            other => write!(f, "the row {}", Self::CODES[other.place()].1),
        }
    }
}
