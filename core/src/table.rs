//! What the tables of results and errors have in common: what a field can hold, and its value.

use crate::order::Problem;
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;

/// What a field of a result holds; each language has a type for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The number of an update, as on its ticket.
    Id,
    /// A number of updates.
    Count,
    /// A small number, such as attempts.
    Number,
    /// Seconds, with decimals.
    Seconds,
    /// Unix seconds, with decimals; a point in time.
    Time,
    /// An HTTP status.
    Status,
    /// Text.
    Text,
    /// One of a table's words, such as a code.
    Word(Words),
    /// JSON text as it is sent.
    Payload,
    /// A list of problems.
    Problems,
    /// Yes or no.
    Flag,
}

/// The table that a field's word is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// [`EventKind`](crate::EventKind).
    EventKind,
    /// [`Code`](crate::Code) of a problem.
    ProblemCode,
    /// [`Severity`](crate::Severity).
    Severity,
    /// [`ErrorCode`](crate::ErrorCode).
    ErrorCode,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultValue<'r> {
    /// There is none.
    Missing,
    /// An id.
    Id(i64),
    /// A number without decimals.
    Whole(u64),
    /// Seconds, or Unix seconds.
    Seconds(f64),
    /// Text, or a word.
    Text(Cow<'r, str>),
    /// A payload.
    Payload(&'r [u8]),
    /// Problems.
    Problems(&'r [Problem]),
    /// Yes or no.
    Flag(bool),
}

impl Serialize for ResultValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_none(),
            Self::Id(id) => serializer.serialize_i64(*id),
            Self::Whole(number) => serializer.serialize_u64(*number),
            Self::Seconds(seconds) => serializer.serialize_f64(*seconds),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Payload(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Self::Problems(problems) => serializer.collect_seq(*problems),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}
