//! Reads CSV (RFC 4180). No library is used, because an unclosed quote must be one unreadable row
//! with its line, and not the rest of the file. Nearly all rows have no quotes and are split at their
//! delimiters.

use super::columns::{Column, columns};
use super::row_error::RowError;
use super::window::{MAX_ROW, Window};
use super::{COMMENT, InputOptions, Row, Update};
use katalys_core::{Fields, Value};
use memchr::{memchr, memchr_iter};
use std::borrow::Cow;
use std::io::{self, Read};

/// Reads CSV row by row.
pub struct CsvReader<R> {
    pub(super) window: Window<R>,
    /// The header line, unchanged.
    pub header: Vec<u8>,
    pub delimiter: u8,
    columns: Vec<Column>,
    cells: Vec<Cell>,
}

/// A cell's position in the window's buffer, without its quotes.
#[derive(Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    /// Whether it has doubled quotes or line ends of two bytes, which must be decoded.
    is_encoded: bool,
}

/// The size of a row that was split into cells.
struct Split {
    /// Without the line end.
    length: usize,
    /// With the line end.
    total: usize,
    lines: u64,
}

/// Why a row cannot be split into cells.
enum SplitError {
    Incomplete,
    Malformed,
}

impl<R: Read> CsvReader<R> {
    pub(super) fn new(mut window: Window<R>, options: &InputOptions) -> Result<Self, String> {
        let failed = |error: io::Error| error.to_string();
        skip_comments(&mut window).map_err(failed)?;
        window.line_length().map_err(failed)?;
        let delimiter = options
            .delimiter
            .unwrap_or_else(|| detect_delimiter(window.bytes()));
        let mut reader = Self {
            window,
            header: Vec::new(),
            delimiter,
            columns: Vec::new(),
            cells: Vec::new(),
        };
        let Ok(split) = reader.split().map_err(failed)? else {
            return Err("the header, its first line, has an unclosed quote".to_owned());
        };
        reader.header = reader.window.bytes()[..split.length].to_vec();
        let cells = reader.cells.iter();
        let names = cells.map(|cell| text(reader.window.slice((cell.start, cell.end)), *cell));
        let names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
        reader.columns = columns(&names, &options.maps)?;
        reader.window.consume(split.total, split.lines);
        Ok(reader)
    }

    pub(super) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        skip_comments(&mut self.window)?;
        let (line, offset) = (self.window.line(), self.window.position());
        if self.window.bytes().is_empty() {
            return Ok(None);
        }
        let (position, error) = match self.split()? {
            Ok(split) => {
                let start = self.window.start();
                self.window.consume(split.total, split.lines);
                ((start, start + split.length), self.miscount())
            }
            Err(error) => (self.consume_line()?, Some(error)),
        };
        let raw = self.window.slice(position);
        let content = match error {
            Some(error) => Err(error),
            None => Ok(self.update(raw, position.0)),
        };
        Ok(Some(Row {
            line,
            offset,
            raw,
            content,
        }))
    }

    /// Consumes the line of an unreadable row; returns its position in the buffer, which is empty if the
    /// line is too long.
    fn consume_line(&mut self) -> io::Result<(usize, usize)> {
        let Some(length) = self.window.line_length()? else {
            self.window.skip_line()?;
            return Ok((0, 0));
        };
        let start = self.window.start();
        let line = &self.window.bytes()[..length];
        let content = line.strip_suffix(b"\r").unwrap_or(line).len();
        self.window.consume(length + 1, 1);
        Ok((start, start + content))
    }

    pub(super) fn has_column(&self, field: &str) -> bool {
        let is_it = |column: &Column| matches!(column, Column::Field(name) if name == field);
        self.columns.iter().any(is_it)
    }

    fn miscount(&self) -> Option<RowError> {
        let (found, header) = (self.cells.len(), self.columns.len());
        (found != header).then_some(RowError::Columns { found, header })
    }

    /// Splits the row at the window's start into cells.
    fn split(&mut self) -> io::Result<Result<Split, RowError>> {
        let Some(length) = self.window.line_length()? else {
            return Ok(Err(RowError::TooLong));
        };
        let start = self.window.start();
        let line = &self.window.bytes()[..length];
        if memchr(b'"', line).is_none() {
            let content = line.strip_suffix(b"\r").unwrap_or(line).len();
            split_plain(&line[..content], start, self.delimiter, &mut self.cells);
            let (total, lines) = (length + 1, 1);
            return Ok(Ok(Split {
                length: content,
                total,
                lines,
            }));
        }
        self.split_quoted(length)
    }

    fn split_quoted(&mut self, first_line: usize) -> io::Result<Result<Split, RowError>> {
        loop {
            let start = self.window.start();
            let bytes = self.window.bytes();
            let is_at_end = self.window.is_at_end();
            match split_quoted(bytes, start, self.delimiter, is_at_end, &mut self.cells) {
                Ok(split) if split.lines > 1 && self.is_run_together(first_line) => {
                    return Ok(Err(RowError::Quote));
                }
                Ok(split) => return Ok(Ok(split)),
                Err(SplitError::Malformed) => return Ok(Err(RowError::Quote)),
                Err(SplitError::Incomplete) if bytes.len() > MAX_ROW => {
                    return Ok(Err(RowError::Quote));
                }
                Err(SplitError::Incomplete) => {
                    if !self.window.fill()? && is_at_end {
                        return Ok(Err(RowError::Quote));
                    }
                }
            }
        }
    }

    /// Whether a row over several lines is probably a row with an unclosed quote and further rows: its
    /// number of columns differs from the header's, but that of its second line does not.
    fn is_run_together(&self, first_line: usize) -> bool {
        if self.cells.len() == self.columns.len() || self.columns.is_empty() {
            return false;
        }
        let rest = self
            .window
            .bytes()
            .get(first_line + 1..)
            .unwrap_or_default();
        let line = &rest[..memchr(b'\n', rest).unwrap_or(rest.len())];
        let mut cells = Vec::new();
        split_quoted(line, 0, self.delimiter, true, &mut cells).is_ok()
            && cells.len() == self.columns.len()
    }

    /// The update of the cells; `raw` is the row, which begins at `start` in the buffer.
    fn update<'r>(&'r self, raw: &'r [u8], start: usize) -> Update<'r> {
        let mut update = Update {
            order_id: Value::Null,
            fields: Fields::with_capacity(self.columns.len()),
        };
        // Checking the whole row for UTF-8 once is faster than checking each cell.
        let whole = str::from_utf8(raw).ok();
        for (column, cell) in self.columns.iter().zip(&self.cells) {
            if cell.start == cell.end {
                continue;
            }
            let range = cell.start - start..cell.end - start;
            let value = match whole.and_then(|text| text.get(range.clone())) {
                Some(text) if !cell.is_encoded => Value::Text(Cow::Borrowed(text)),
                Some(text) => Value::Text(Cow::Owned(decoded(text))),
                None => value_of_bytes(&raw[range], *cell),
            };
            match column {
                Column::OrderId => update.order_id = value,
                Column::Field(name) => update.fields.push(name.as_str(), value),
                Column::Omitted => {}
            }
        }
        update
    }
}

/// The value of a cell, where some cell of the row is not UTF-8.
fn value_of_bytes(bytes: &[u8], cell: Cell) -> Value<'static> {
    match str::from_utf8(bytes) {
        Ok(_) => Value::from(text(bytes, cell)),
        Err(_) => Value::InvalidText,
    }
}

fn decoded(text: &str) -> String {
    text.replace("\"\"", "\"").replace("\r\n", "\n")
}

fn text(bytes: &[u8], cell: Cell) -> String {
    let text = String::from_utf8_lossy(bytes);
    if cell.is_encoded {
        decoded(&text)
    } else {
        text.into_owned()
    }
}

/// Skips empty lines, and the comments of a file of refused rows.
fn skip_comments<R: Read>(window: &mut Window<R>) -> io::Result<()> {
    loop {
        while window.bytes().len() < COMMENT.len() + 1 && window.fill()? {}
        let bytes = window.bytes();
        let size = match bytes {
            [b'\n', ..] | [b'\r'] => 1,
            [b'\r', b'\n', ..] => 2,
            [b'"', rest @ ..] if rest.starts_with(COMMENT) => 0,
            _ if bytes.starts_with(COMMENT) => 0,
            _ => return Ok(()),
        };
        if size == 0 {
            window.skip_line()?;
        } else {
            window.consume(size, 1);
        }
    }
}

/// The most frequent of the common delimiters in the header.
fn detect_delimiter(bytes: &[u8]) -> u8 {
    let line = &bytes[..memchr(b'\n', bytes).unwrap_or(bytes.len())];
    let count = |delimiter: &u8| memchr_iter(*delimiter, line).count();
    // `max_by_key` returns the last of equal ones, so the comma comes last.
    *[b'\t', b';', b',']
        .iter()
        .max_by_key(|delimiter| count(delimiter))
        .unwrap_or(&b',')
}

/// Splits a line without quotes.
fn split_plain(line: &[u8], start: usize, delimiter: u8, cells: &mut Vec<Cell>) {
    cells.clear();
    let mut begin = start;
    for at in memchr_iter(delimiter, line) {
        cells.push(Cell {
            start: begin,
            end: start + at,
            is_encoded: false,
        });
        begin = start + at + 1;
    }
    cells.push(Cell {
        start: begin,
        end: start + line.len(),
        is_encoded: false,
    });
}

/// Splits a row with quotes. In a cell that does not begin with a quote, quotes are plain text.
fn split_quoted(
    bytes: &[u8],
    start: usize,
    delimiter: u8,
    is_at_end: bool,
    cells: &mut Vec<Cell>,
) -> Result<Split, SplitError> {
    cells.clear();
    let mut at = 0;
    let mut lines = 1;
    loop {
        let (mut cell, after) = if bytes.get(at) == Some(&b'"') {
            quoted_cell(bytes, at)?
        } else {
            let length = bytes[at..]
                .iter()
                .position(|byte| *byte == delimiter || *byte == b'\n');
            let end = length.map_or(bytes.len(), |length| at + length);
            (
                Cell {
                    start: at,
                    end,
                    is_encoded: false,
                },
                end,
            )
        };
        lines += memchr_iter(b'\n', &bytes[cell.start..cell.end]).count() as u64;
        let rest = &bytes[after..];
        let ends_with_return = after > 0 && bytes[after - 1] == b'\r' && after == cell.end;
        let (is_last, total) = match rest {
            [b'\n', ..] => (true, 1),
            [b'\r', b'\n', ..] => (true, 2),
            [byte, ..] if *byte == delimiter => (false, 1),
            [] | [b'\r'] if is_at_end => (true, rest.len() + 1),
            [] | [b'\r'] => return Err(SplitError::Incomplete),
            _ => return Err(SplitError::Malformed),
        };
        let mut length = after;
        if is_last && ends_with_return && cell.end > cell.start {
            cell.end -= 1;
            length -= 1;
        }
        cells.push(Cell {
            start: cell.start + start,
            end: cell.end + start,
            ..cell
        });
        if is_last {
            let total = after + total;
            return Ok(Split {
                length,
                total,
                lines,
            });
        }
        at = after + total;
    }
}

/// The cell that begins with a quote at `at`, and the index after its closing quote.
fn quoted_cell(bytes: &[u8], at: usize) -> Result<(Cell, usize), SplitError> {
    let (start, mut from, mut is_encoded) = (at + 1, at + 1, false);
    loop {
        let Some(quote) = memchr(b'"', &bytes[from..]) else {
            return Err(SplitError::Incomplete);
        };
        let end = from + quote;
        if bytes.get(end + 1) == Some(&b'"') {
            is_encoded = true;
            from = end + 2;
            continue;
        }
        is_encoded |= memchr(b'\r', &bytes[start..end]).is_some();
        return Ok((
            Cell {
                start,
                end,
                is_encoded,
            },
            end + 1,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::window::Window;

    /// Reads what the `csv` library writes, with any content and any read size.
    #[test]
    fn the_output_of_another_writer_is_read() {
        const LETTERS: &[char] = &['a', 'é', ',', '"', '"', '\n', '\r', ' ', ';', '#'];
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let width = random.usize(2..6);
            let mut rows = vec![Vec::new(); random.usize(0..8)];
            for row in &mut rows {
                for _ in 0..width {
                    let length = random.usize(0..6);
                    let letters = (0..length).map(|_| LETTERS[random.usize(0..LETTERS.len())]);
                    row.push(letters.collect::<String>());
                }
                row[0].insert(0, 'x'); // No row is empty or a comment.
            }
            let terminator = if random.bool() {
                csv::Terminator::CRLF
            } else {
                csv::Terminator::Any(b'\n')
            };
            let mut writer = csv::WriterBuilder::new()
                .terminator(terminator)
                .from_writer(Vec::new());
            let header = (1..width).map(|number| format!("c{number}"));
            writer
                .write_record(std::iter::once("order_id".to_owned()).chain(header))
                .unwrap();
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            assert_eq!(
                read(&text, random.usize(1..9)),
                expected(&rows),
                "seed {seed}"
            );
        }
    }

    /// Empty cells are not given.
    fn expected(rows: &[Vec<String>]) -> Vec<Vec<String>> {
        let decoded = |cell: &String| cell.replace("\r\n", "\n");
        let given = |row: &Vec<String>| {
            row.iter()
                .filter(|cell| !cell.is_empty())
                .map(decoded)
                .collect()
        };
        rows.iter().map(given).collect()
    }

    fn read(text: &[u8], piece: usize) -> Vec<Vec<String>> {
        let options = InputOptions {
            input: None,
            maps: Vec::new(),
            delimiter: None,
        };
        let window = Window::new(Pieces(text, piece));
        let mut reader = CsvReader::new(window, &options).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            let update = row.content.map_err(|error| error.to_string()).unwrap();
            let id = std::iter::once(&update.order_id);
            let cells = id
                .chain(update.fields.iter().map(|(_, value)| value))
                .map(|value| match value {
                    Value::Text(text) => text.to_string(),
                    other => panic!("{other:?}"),
                });
            rows.push(cells.collect());
        }
        rows
    }

    /// A reader that returns a few bytes at a time.
    struct Pieces<'p>(&'p [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len());
            self.0.read(&mut buffer[..size])
        }
    }
}
