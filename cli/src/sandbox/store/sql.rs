//! Conversions between `SQLite`'s values and Rust's.

use serde_json::value::RawValue;

/// A JSON text unchanged; any other text as a JSON string.
pub fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned())
        .or_else(|_| serde_json::value::to_raw_value(&text))
        .unwrap_or_default()
}

/// A column with a JSON list; null is an empty one.
pub fn list(text: Option<&str>) -> Box<RawValue> {
    json(text.unwrap_or("[]"))
}

pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
