//! Reads the fields of an update from JSON text: numbers with all their digits, keys in the order
//! given, repeated keys kept. C, the command, the sandbox and the editing of dead letters use it.

mod pairs;
#[cfg(test)]
mod tests;

use super::check::MAX_KEYS;
use super::value::{Fields, Value};
use pairs::{Items, Pairs, Text};
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How deep lists and objects may be nested in the value of a field; an update has them two deep.
const MAX_DEPTH: usize = 16;
/// In bytes. A payload has 256 KiB at most, and no more than six times that in escaped text.
const MAX_LENGTH: usize = 16 * 1024 * 1024;

/// The fields of a JSON object. Text is borrowed unless something in it is escaped.
///
/// A whole number of 64 bits becomes [`Value::Int`] and every other one [`Value::Decimal`], with the
/// digits as written. Of an object with more than [`MAX_KEYS`] keys and list entries, the rest is
/// left out: the check refuses it in any case.
///
/// ```
/// use katalys_core::order::fields_from_json;
/// use katalys_core::Value;
/// let fields = fields_from_json(br#"{"sale_amount": 12345678901234567.89}"#).unwrap();
/// let (_, value) = fields.iter().next().unwrap();
/// assert!(*value == Value::Decimal("12345678901234567.89".into()));
/// ```
///
/// # Errors
/// If the text is not one JSON object, or longer or nested deeper than any update.
pub fn fields_from_json(text: &[u8]) -> Result<Fields<'_>, JsonError> {
    if text.len() > MAX_LENGTH {
        return Err(JsonError::at_start(JsonErrorKind::TooLong));
    }
    let mut reader = Reader {
        text,
        entries_left: MAX_KEYS + 1,
    };
    let pairs = read(text, reader.pairs()).map_err(|error| whole_text_error(&error, text))?;
    reader.fields(pairs, MAX_DEPTH)
}

/// Reads one JSON value that is all of the text.
fn read<'t, S: DeserializeSeed<'t>>(text: &'t [u8], seed: S) -> serde_json::Result<S::Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// A text that does not begin with an object may still not be JSON.
fn whole_text_error(error: &serde_json::Error, text: &[u8]) -> JsonError {
    if !error.is_data() {
        return JsonError::syntax(error, (1, 0));
    }
    match serde_json::from_slice::<IgnoredAny>(text) {
        Ok(_) => JsonError::at_start(JsonErrorKind::NotAnObject),
        Err(error) => JsonError::syntax(&error, (1, 0)),
    }
}

struct Reader<'t> {
    text: &'t [u8],
    /// How many keys and list entries are still taken.
    entries_left: usize,
}

impl<'t> Reader<'t> {
    fn pairs(&self) -> Pairs {
        Pairs {
            limit: self.entries_left,
        }
    }

    fn fields(
        &mut self,
        pairs: Vec<(Cow<'t, str>, &'t RawValue)>,
        depth_left: usize,
    ) -> Result<Fields<'t>, JsonError> {
        self.entries_left = self.entries_left.saturating_sub(pairs.len());
        let mut fields = Fields::with_capacity(pairs.len());
        for (key, raw) in pairs {
            fields.push(key, self.value(raw, depth_left)?);
        }
        Ok(fields)
    }

    fn list(
        &mut self,
        items: Vec<&'t RawValue>,
        depth_left: usize,
    ) -> Result<Vec<Value<'t>>, JsonError> {
        self.entries_left = self.entries_left.saturating_sub(items.len());
        let values = items.into_iter().map(|raw| self.value(raw, depth_left));
        values.collect()
    }

    fn value(&mut self, raw: &'t RawValue, depth_left: usize) -> Result<Value<'t>, JsonError> {
        let text = raw.get();
        let place = |error| JsonError::syntax(&error, self.place_of(text));
        Ok(match text.as_bytes().first() {
            Some(b'"') => Value::Text(read(text.as_bytes(), Text).map_err(|error| JsonError {
                // All else was seen when the text around it was read.
                detail: "half of a surrogate pair".to_owned(),
                ..place(error)
            })?),
            Some(b'n') => Value::Null,
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'[' | b'{') if depth_left == 0 => return Err(self.too_deep(text)),
            Some(b'[') => {
                let limit = self.entries_left;
                let items = read(text.as_bytes(), Items { limit }).map_err(place)?;
                Value::List(self.list(items, depth_left - 1)?)
            }
            Some(b'{') => {
                let pairs = read(text.as_bytes(), self.pairs()).map_err(place)?;
                Value::Map(self.fields(pairs, depth_left - 1)?)
            }
            _ => number(text),
        })
    }

    fn too_deep(&self, part: &str) -> JsonError {
        let (line, column) = self.place_of(part);
        JsonError {
            kind: JsonErrorKind::TooDeep,
            line,
            column: column + 1,
            detail: String::new(),
        }
    }

    /// The line at which a part of the text begins, counted from 1, and the number of bytes before it
    /// in that line.
    fn place_of(&self, part: &str) -> (usize, usize) {
        let offset = part.as_ptr().addr() - self.text.as_ptr().addr();
        let mut lines = self.text[..offset].split(|byte| *byte == b'\n');
        let before = lines.next_back().map_or(0, <[u8]>::len);
        (1 + lines.count(), before)
    }
}

fn number(text: &str) -> Value<'_> {
    text.parse()
        .map_or_else(|_| Value::Decimal(Cow::Borrowed(text)), Value::Int)
}

/// Why a text is not the fields of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// It is not JSON.
    Syntax,
    /// It is JSON, but not an object.
    NotAnObject,
    /// Lists and objects are nested deeper than any update has them.
    TooDeep,
    /// It is longer than any update.
    TooLong,
}

/// What is wrong with a JSON text, and where. Holds nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    kind: JsonErrorKind,
    line: usize,
    column: usize,
    detail: String,
}

impl JsonError {
    fn at_start(kind: JsonErrorKind) -> Self {
        Self {
            kind,
            line: 1,
            column: 1,
            detail: String::new(),
        }
    }

    /// An error in a part of the text that begins at `place`, as `Reader::place_of` gives it.
    fn syntax(error: &serde_json::Error, place: (usize, usize)) -> Self {
        let (line, before) = place;
        let is_first_line = error.line() <= 1;
        // The texts of syntax errors are constant; the place is not that in the whole text.
        let text = error.to_string();
        let detail = text.split(" at line ").next().unwrap_or_default();
        Self {
            kind: JsonErrorKind::Syntax,
            line: line + error.line().saturating_sub(1),
            column: error.column() + if is_first_line { before } else { 0 },
            detail: detail.to_owned(),
        }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> JsonErrorKind {
        self.kind
    }

    /// The line at which it was seen, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The byte of that line at which it was seen, counted from 1; 0 at a line's end.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What the text is, for a sentence that begins with what the caller calls it.
    pub fn reason(&self) -> String {
        let (line, column) = (self.line, self.column);
        match self.kind {
            JsonErrorKind::Syntax => {
                let detail = &self.detail;
                format!("is not JSON: {detail} at line {line}, column {column}")
            }
            JsonErrorKind::NotAnObject => "is JSON, but not an object".to_owned(),
            JsonErrorKind::TooDeep => format!(
                "has lists and objects nested more than {MAX_DEPTH} deep at line {line}, column \
                 {column}"
            ),
            JsonErrorKind::TooLong => {
                let megabytes = MAX_LENGTH / (1024 * 1024);
                format!("is longer than {megabytes} MiB, the maximum")
            }
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text {}", self.reason())
    }
}

impl std::error::Error for JsonError {}
