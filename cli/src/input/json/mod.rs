//! Reads JSON: one object per line, or one object or an array of objects, over any number of lines.

use super::row_error::RowError;
use super::window::{MAX_ROW, Window};
use super::{COMMENT, PROBLEM_KEY, Row, Update};
use brackets::{Brackets, Extent};
use katalys_core::order::{JsonError, JsonErrorKind, fields_from_json};
use katalys_core::{Fields, Value};
use memchr::memchr;
use serde::de::IgnoredAny;
use std::io::{self, Read, Seek};

mod brackets;

/// Reads JSON object by object.
pub struct JsonReader<R> {
    pub(super) window: Window<R>,
    is_by_line: bool,
    /// The known extents of brackets, after an unreadable row.
    brackets: Option<Brackets>,
    /// The brackets before the syntax error of a row over several lines.
    syntax_error: Option<Brackets>,
    /// The column at which the array's first object begins; after an unreadable object, the next one is
    /// expected there.
    indentation: Option<usize>,
}

impl<R: Read> JsonReader<R> {
    pub(super) fn new(window: Window<R>, is_by_line: bool) -> io::Result<Self> {
        let mut reader = Self {
            window,
            is_by_line,
            brackets: None,
            syntax_error: None,
            indentation: None,
        };
        if !is_by_line {
            // Finds the indentation, which is needed after seeking too.
            reader.skip_between()?;
        }
        Ok(reader)
    }

    pub(super) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        if self.is_by_line {
            self.next_line()
        } else {
            self.next_object()
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Row<'_>>> {
        loop {
            let (line, offset) = (self.window.line(), self.window.position());
            let Some(length) = self.window.line_length()? else {
                self.window.skip_line()?;
                let content = Err(RowError::TooLong);
                return Ok(Some(Row {
                    line,
                    offset,
                    raw: &[],
                    content,
                }));
            };
            if self.window.bytes().is_empty() {
                return Ok(None);
            }
            let start = self.window.start();
            self.window.consume(length + 1, 1);
            let text = self.window.slice((start, start + length)).trim_ascii();
            if !text.is_empty() && !text.starts_with(COMMENT) {
                let raw = self.window.slice((start, start + length)).trim_ascii();
                let content = update(raw);
                return Ok(Some(Row {
                    line,
                    offset,
                    raw,
                    content,
                }));
            }
        }
    }

    fn next_object(&mut self) -> io::Result<Option<Row<'_>>> {
        if !self.skip_between()? {
            return Ok(None);
        }
        let (line, offset) = (self.window.line(), self.window.position());
        let (size, has_end) = self.measure()?;
        let start = self.window.start();
        if !has_end || self.is_run_together(size) {
            self.look_ahead();
            let content = Err(self.recover()?);
            return Ok(Some(Row {
                line,
                offset,
                raw: &[],
                content,
            }));
        }
        // A stray bracket is a row, so that reading makes progress.
        let size = size.max(1);
        self.window.consume_counting(size);
        let raw = self.window.slice((start, start + size)).trim_ascii_end();
        let content = update(raw);
        Ok(Some(Row {
            line,
            offset,
            raw,
            content,
        }))
    }

    /// Skips whitespace and separators between objects; false at the end.
    fn skip_between(&mut self) -> io::Result<bool> {
        let mut column = 0;
        loop {
            while self.window.bytes().len() < COMMENT.len() && self.window.fill()? {}
            match self.window.bytes() {
                [] => return Ok(false),
                [b'\n', ..] => {
                    self.window.consume(1, 1);
                    column = 0;
                }
                [b' ' | b'\t' | b'\r' | b',' | b'[' | b']', ..] => {
                    self.window.consume(1, 0);
                    column += 1;
                }
                bytes if bytes.starts_with(COMMENT) => self.window.skip_line()?,
                _ => {
                    self.indentation.get_or_insert(column);
                    return Ok(true);
                }
            }
        }
    }

    /// Seeks to an offset.
    pub(super) fn go_to(&mut self, offset: u64, line: u64) -> io::Result<()>
    where
        R: Seek,
    {
        (self.brackets, self.syntax_error) = (None, None);
        self.window.go_to(offset, line)
    }

    /// The size of the value that begins here, and whether it is complete.
    fn measure(&mut self) -> io::Result<(usize, bool)> {
        let position = self.window.position();
        self.brackets = self.brackets.take().filter(|known| known.at() > position);
        let mut scan = Scan {
            stops_at_bracket: self.brackets.is_some(),
            ..Scan::default()
        };
        let (size, has_end) = loop {
            if let Some(result) = scan.resume(self.window.bytes()) {
                break result;
            }
            if scan.at < self.window.bytes().len() {
                match self.bracket_end(position + scan.at as u64)? {
                    Extent::Ends(end) => break (to_size(end - position), true),
                    Extent::Broken | Extent::Open => break (0, false),
                    Extent::Unknown => scan.stops_at_bracket = false,
                }
            } else if scan.at > MAX_ROW || !self.window.fill()? {
                break (scan.at.min(self.window.bytes().len()), scan.is_bare());
            }
        };
        Ok((size, has_end && size <= MAX_ROW))
    }

    /// Where a bracket ends, from the known extents or by scanning further.
    fn bracket_end(&mut self, bracket: u64) -> io::Result<Extent> {
        let position = self.window.position();
        let Some(known) = &mut self.brackets else {
            return Ok(Extent::Unknown);
        };
        known.forget_before(position);
        loop {
            let extent = known.extent(bracket);
            if extent != Extent::Open {
                return Ok(extent);
            }
            let seen = to_size(known.at() - position);
            if seen >= self.window.bytes().len() && !self.window.fill()? {
                return Ok(Extent::Broken);
            }
            known.resume(&self.window.bytes()[seen..]);
        }
    }

    /// Scans the brackets after an unreadable row, once for all rows there.
    fn look_ahead(&mut self) {
        if self.brackets.is_none() {
            let (position, bytes) = (self.window.position(), self.window.bytes());
            self.brackets = Some(Brackets::of(position, bytes));
        }
    }

    /// Whether matching brackets over several lines are not JSON: then a bracket is missing, and the
    /// apparent object may be several objects.
    fn is_run_together(&mut self, size: usize) -> bool {
        let (position, bytes) = (self.window.position(), &self.window.bytes()[..size]);
        if memchr(b'\n', bytes).is_none() {
            return false;
        }
        let earlier = self.syntax_error.as_ref();
        let earlier = earlier.filter(|open| open.at() > position);
        if earlier.is_some_and(|open| open.is_open(position)) {
            return true;
        }
        let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) else {
            return false;
        };
        if earlier.is_none() {
            // Brackets that are open at the error contain it as well.
            let valid = &bytes[..offset_of(&error, bytes)];
            self.syntax_error = Some(Brackets::of(position, valid));
        }
        true
    }

    /// Seeks to where the next object probably begins after an unreadable one.
    fn recover(&mut self) -> io::Result<RowError> {
        let indentation = self.indentation.unwrap_or(0);
        let column = self.window.line_length()?.unwrap_or(MAX_ROW) as u64;
        loop {
            self.window.skip_line()?;
            while self.window.bytes().len() <= indentation && self.window.fill()? {}
            let bytes = self.window.bytes();
            let is_next = bytes.get(indentation) == Some(&b'{')
                && bytes[..indentation]
                    .iter()
                    .all(|byte| matches!(byte, b' ' | b'\t' | b','));
            if is_next || bytes.is_empty() {
                return Ok(RowError::Json { line: 0, column });
            }
        }
    }
}

/// The offset of an error in a text.
fn offset_of(error: &serde_json::Error, text: &[u8]) -> usize {
    let mut line_start = 0;
    for _ in 1..error.line() {
        let rest = &text[line_start..];
        line_start += memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    }
    (line_start + error.column().saturating_sub(1)).min(text.len())
}

fn to_size(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Finds the end of an object, byte by byte.
#[derive(Default)]
struct Scan {
    at: usize,
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// Whether to stop before the outermost bracket, whose end may be known already.
    stops_at_bracket: bool,
}

impl Scan {
    /// The end, and whether the object is complete; `None` if more bytes are needed, or at a bracket.
    fn resume(&mut self, bytes: &[u8]) -> Option<(usize, bool)> {
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_text => self.is_escaped = true,
                b'"' => self.is_in_text = !self.is_in_text,
                // A JSON string cannot contain a line end.
                b'\n' if self.is_in_text => return Some((self.at - 1, false)),
                _ if self.is_in_text => {}
                b'{' | b'[' if self.depth == 0 && self.stops_at_bracket => {
                    self.at -= 1;
                    return None;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => return Some((self.at, true)),
                b',' | b'\n' | b'}' | b']' if self.depth == 0 => return Some((self.at - 1, true)),
                _ => {}
            }
        }
        None
    }

    /// Whether the end of the file may end it.
    fn is_bare(&self) -> bool {
        self.depth == 0 && !self.is_in_text
    }
}

/// Reads one object.
fn update(raw: &[u8]) -> Result<Update<'_>, RowError> {
    let fields = fields_from_json(raw).map_err(|error| row_error(&error))?;
    let mut update = Update {
        order_id: Value::Null,
        fields: Fields::with_capacity(fields.len()),
    };
    for (key, value) in fields {
        if key == PROBLEM_KEY {
            continue;
        }
        if key == "order_id" && update.order_id == Value::Null {
            update.order_id = value;
        } else {
            update.fields.push(key, value);
        }
    }
    Ok(update)
}

fn row_error(error: &JsonError) -> RowError {
    match error.kind() {
        JsonErrorKind::Syntax => RowError::Json {
            line: error.line() as u64 - 1,
            column: error.column() as u64,
        },
        JsonErrorKind::NotAnObject => RowError::NotAnObject,
        JsonErrorKind::TooDeep => RowError::TooDeep,
        JsonErrorKind::TooLong => RowError::TooLong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the rows, each with whether it can be read.
    fn rows(text: &str) -> Vec<(u64, bool)> {
        let mut reader = JsonReader::new(Window::new(text.as_bytes()), false).expect("it reads");
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row().expect("it reads") {
            rows.push((row.line, row.content.is_ok()));
            assert!(rows.len() < 20, "{rows:?}");
        }
        rows
    }

    #[test]
    fn a_missing_or_stray_bracket_makes_one_unreadable_row() {
        assert_eq!(
            rows("[{\"a\": 1}}, {\"a\": 2}]"),
            [(1, true), (1, false), (1, true)]
        );
        let missing = "[\n  {\"a\": 1,\n  {\"a\": [2,\n 3]},\n  {\"a\": 3\n]\n";
        assert_eq!(rows(missing), [(2, false), (3, true), (5, false)]);
        assert_eq!(
            rows("{\n \"a\": {\"b\": [\"}\"]}\n}\n{\"a\": 1}"),
            [(1, true), (4, true)]
        );
        assert_eq!(rows("[{\"a\": \"x}]"), [(1, false)]);
        assert_eq!(
            rows("[1, \"two\", null]"),
            [(1, false), (1, false), (1, false)]
        );
        assert_eq!(rows("[]"), []);
    }
}
