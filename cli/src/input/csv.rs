//! CSV (RFC 4180). Not by a library: a quote that is never closed has to be one broken row with
//! its line, and not the rest of the file, and that asks for the lines themselves. Nearly all rows
//! have no quote at all, and are cut at their delimiters.

use super::columns::{Column, columns};
use super::fault::Fault;
use super::window::{LONGEST_ROW, Window};
use super::{COMMENT, Reading, Row, Update};
use katalys_core::{Fields, Value};
use memchr::{memchr, memchr_iter};
use std::borrow::Cow;
use std::io::{self, Read};

/// Reads CSV row by row.
pub struct CsvReader<R> {
    pub(super) window: Window<R>,
    /// The header line, as it stands in the file.
    pub header: Vec<u8>,
    pub delimiter: u8,
    columns: Vec<Column>,
    cells: Vec<Cell>,
}

/// A cell's place in the window's buffer, without its quotes.
#[derive(Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    /// Whether it holds doubled quotes, which stand for single ones, or line ends of two bytes.
    is_coded: bool,
}

/// How a row ends that has been cut into cells.
struct Cut {
    /// The length of its content, and with the line's end.
    length: usize,
    taken: usize,
    lines: u64,
}

/// Why a row cannot be cut into cells yet, or at all.
enum Uncut {
    Incomplete,
    Malformed,
}

impl<R: Read> CsvReader<R> {
    pub(super) fn new(mut window: Window<R>, reading: &Reading) -> Result<Self, String> {
        let trouble = |error: io::Error| error.to_string();
        skip_comments(&mut window).map_err(trouble)?;
        window.line_length().map_err(trouble)?;
        let delimiter = reading.delimiter.unwrap_or_else(|| guess(window.bytes()));
        let mut reader = Self {
            window,
            header: Vec::new(),
            delimiter,
            columns: Vec::new(),
            cells: Vec::new(),
        };
        let Ok(cut) = reader.cut().map_err(trouble)? else {
            return Err("the header, its first line, has an unclosed quote".to_owned());
        };
        reader.header = reader.window.bytes()[..cut.length].to_vec();
        let cells = reader.cells.iter();
        let names = cells.map(|cell| text(reader.window.slice((cell.start, cell.end)), *cell));
        let names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
        reader.columns = columns(&names, &reading.maps)?;
        reader.window.take(cut.taken, cut.lines);
        Ok(reader)
    }

    pub(super) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        skip_comments(&mut self.window)?;
        let (line, offset) = (self.window.line(), self.window.position());
        if self.window.bytes().is_empty() {
            return Ok(None);
        }
        let (place, fault) = match self.cut()? {
            Ok(cut) => {
                let start = self.window.start();
                self.window.take(cut.taken, cut.lines);
                ((start, start + cut.length), self.miscount())
            }
            Err(fault) => (self.take_broken_line()?, Some(fault)),
        };
        let raw = self.window.slice(place);
        let content = match fault {
            Some(fault) => Err(fault),
            None => Ok(self.update(raw, place.0)),
        };
        Ok(Some(Row {
            line,
            offset,
            raw,
            content,
        }))
    }

    /// Takes the line at which a row is broken, and says where it was; nowhere if it is too long
    /// to be kept.
    fn take_broken_line(&mut self) -> io::Result<(usize, usize)> {
        let Some(length) = self.window.line_length()? else {
            self.window.skip_line()?;
            return Ok((0, 0));
        };
        let start = self.window.start();
        let line = &self.window.bytes()[..length];
        let content = line.strip_suffix(b"\r").unwrap_or(line).len();
        self.window.take(length + 1, 1);
        Ok((start, start + content))
    }

    pub(super) fn has_column(&self, field: &str) -> bool {
        let is_it = |column: &Column| matches!(column, Column::Field(name) if name == field);
        self.columns.iter().any(is_it)
    }

    fn miscount(&self) -> Option<Fault> {
        let (found, header) = (self.cells.len(), self.columns.len());
        (found != header).then_some(Fault::Columns { found, header })
    }

    /// Cuts the row at the window's start into cells.
    fn cut(&mut self) -> io::Result<Result<Cut, Fault>> {
        let Some(length) = self.window.line_length()? else {
            return Ok(Err(Fault::TooLong));
        };
        let start = self.window.start();
        let line = &self.window.bytes()[..length];
        if memchr(b'"', line).is_none() {
            let content = line.strip_suffix(b"\r").unwrap_or(line).len();
            cut_plain(&line[..content], start, self.delimiter, &mut self.cells);
            let (taken, lines) = (length + 1, 1);
            return Ok(Ok(Cut {
                length: content,
                taken,
                lines,
            }));
        }
        self.cut_quoted(length)
    }

    fn cut_quoted(&mut self, first_line: usize) -> io::Result<Result<Cut, Fault>> {
        loop {
            let start = self.window.start();
            let bytes = self.window.bytes();
            let is_at_end = self.window.is_at_end();
            match cut_quoted(bytes, start, self.delimiter, is_at_end, &mut self.cells) {
                Ok(cut) if cut.lines > 1 && self.is_run_together(first_line) => {
                    return Ok(Err(Fault::Quote));
                }
                Ok(cut) => return Ok(Ok(cut)),
                Err(Uncut::Malformed) => return Ok(Err(Fault::Quote)),
                Err(Uncut::Incomplete) if bytes.len() > LONGEST_ROW => {
                    return Ok(Err(Fault::Quote));
                }
                Err(Uncut::Incomplete) => {
                    if !self.window.fill()? && is_at_end {
                        return Ok(Err(Fault::Quote));
                    }
                }
            }
        }
    }

    /// Whether a row over several lines is really one with an unclosed quote and others behind it:
    /// it has not the header's number of columns, but its second line alone has.
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
        cut_quoted(line, 0, self.delimiter, true, &mut cells).is_ok()
            && cells.len() == self.columns.len()
    }

    /// The update that the cells say; `raw` is the row, and begins at `start` in the buffer.
    fn update<'r>(&'r self, raw: &'r [u8], start: usize) -> Update<'r> {
        let mut update = Update {
            order_id: Value::Null,
            fields: Fields::with_capacity(self.columns.len()),
        };
        // One look at the whole row is faster than one at each cell.
        let whole = str::from_utf8(raw).ok();
        for (column, cell) in self.columns.iter().zip(&self.cells) {
            if cell.start == cell.end {
                continue;
            }
            let range = cell.start - start..cell.end - start;
            let value = match whole.and_then(|text| text.get(range.clone())) {
                Some(text) if !cell.is_coded => Value::Text(Cow::Borrowed(text)),
                Some(text) => Value::Text(Cow::Owned(decoded(text))),
                None => value_of_bytes(&raw[range], *cell),
            };
            match column {
                Column::OrderId => update.order_id = value,
                Column::Field(name) => update.fields.push(name.as_str(), value),
                Column::LeftOut => {}
            }
        }
        update
    }
}

/// A row's cell where some cell of the row is not UTF-8.
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
    if cell.is_coded {
        decoded(&text)
    } else {
        text.into_owned()
    }
}

/// Empty lines, and what a file of refused rows says of its rows.
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
            window.take(size, 1);
        }
    }
}

/// The most frequent of the usual delimiters in the header.
fn guess(bytes: &[u8]) -> u8 {
    let line = &bytes[..memchr(b'\n', bytes).unwrap_or(bytes.len())];
    let count = |delimiter: &u8| memchr_iter(*delimiter, line).count();
    // Of equals the last counts, so the comma is the last.
    *[b'\t', b';', b',']
        .iter()
        .max_by_key(|delimiter| count(delimiter))
        .unwrap_or(&b',')
}

/// A line without quotes.
fn cut_plain(line: &[u8], start: usize, delimiter: u8, cells: &mut Vec<Cell>) {
    cells.clear();
    let mut begin = start;
    for at in memchr_iter(delimiter, line) {
        cells.push(Cell {
            start: begin,
            end: start + at,
            is_coded: false,
        });
        begin = start + at + 1;
    }
    cells.push(Cell {
        start: begin,
        end: start + line.len(),
        is_coded: false,
    });
}

/// A row with quotes. A quote within a cell that does not begin with one is a quote and nothing
/// more.
fn cut_quoted(
    bytes: &[u8],
    start: usize,
    delimiter: u8,
    is_at_end: bool,
    cells: &mut Vec<Cell>,
) -> Result<Cut, Uncut> {
    cells.clear();
    let mut at = 0;
    let mut lines = 1;
    loop {
        let (mut cell, behind) = if bytes.get(at) == Some(&b'"') {
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
                    is_coded: false,
                },
                end,
            )
        };
        lines += memchr_iter(b'\n', &bytes[cell.start..cell.end]).count() as u64;
        let rest = &bytes[behind..];
        let ends_with_return = behind > 0 && bytes[behind - 1] == b'\r' && behind == cell.end;
        let (is_last, taken) = match rest {
            [b'\n', ..] => (true, 1),
            [b'\r', b'\n', ..] => (true, 2),
            [byte, ..] if *byte == delimiter => (false, 1),
            [] | [b'\r'] if is_at_end => (true, rest.len() + 1),
            [] | [b'\r'] => return Err(Uncut::Incomplete),
            _ => return Err(Uncut::Malformed),
        };
        let mut length = behind;
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
            let taken = behind + taken;
            return Ok(Cut {
                length,
                taken,
                lines,
            });
        }
        at = behind + taken;
    }
}

/// A cell that begins with a quote at `at`; and what comes behind the one that closes it.
fn quoted_cell(bytes: &[u8], at: usize) -> Result<(Cell, usize), Uncut> {
    let (start, mut from, mut is_coded) = (at + 1, at + 1, false);
    loop {
        let Some(quote) = memchr(b'"', &bytes[from..]) else {
            return Err(Uncut::Incomplete);
        };
        let end = from + quote;
        if bytes.get(end + 1) == Some(&b'"') {
            is_coded = true;
            from = end + 2;
            continue;
        }
        is_coded |= memchr(b'\r', &bytes[start..end]).is_some();
        return Ok((
            Cell {
                start,
                end,
                is_coded,
            },
            end + 1,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::window::Window;

    /// What a well-known library writes is read back, whatever is in the cells and wherever the
    /// pieces end in which the file comes.
    #[test]
    fn what_is_written_is_read() {
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
                row[0].insert(0, 'x'); // No row is empty, or looks like a comment.
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

    /// An empty cell is not given.
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
        let reading = Reading {
            input: None,
            maps: Vec::new(),
            delimiter: None,
        };
        let window = Window::new(Pieces(text, piece));
        let mut reader = CsvReader::new(window, &reading).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            let update = row.content.map_err(|fault| fault.to_string()).unwrap();
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

    /// A file that comes in small pieces.
    struct Pieces<'p>(&'p [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(room.len());
            self.0.read(&mut room[..size])
        }
    }
}
