//! Reads order updates from CSV, JSON and NDJSON files, one row at a time and in constant memory.
//!
//! `window` buffers a part of the file, `csv` and `json` find the rows in it, `columns` maps a CSV
//! file's columns to fields, `row_error` describes a row that cannot be read. Such a row is returned
//! with its error, and reading continues after it.

mod columns;
mod csv;
mod json;
mod row_error;
mod window;

pub use columns::Mapping;
pub use row_error::RowError;

use crate::failure::Failure;
use clap::ValueEnum;
use csv::CsvReader;
use json::JsonReader;
use katalys_core::{Fields, Value};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use window::Window;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header (RFC 4180); also with semicolons or tabs.
    Csv,
    /// One object, or an array of objects.
    Json,
    /// One object per line.
    Ndjson,
}

/// How to read a file.
#[derive(Clone, Debug, clap::Args)]
pub struct InputOptions {
    /// Format of the input; by default detected from its name and content.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub input: Option<Format>,
    /// Field of a CSV column, such as `--map "Order no=order_id"`; `--map Notes=` omits a column.
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    pub maps: Vec<Mapping>,
    /// Separator of CSV columns; by default `,`, `;` or tab, detected from the header.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if !matches!(byte, b'"' | b'\r' | b'\n') && byte.is_ascii() => Ok(*byte),
        _ => Err("must be one ASCII character, or \\t for a tab".to_owned()),
    }
}

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

/// An open file.
pub struct Source {
    reader: Reader,
}

enum Reader {
    Csv(CsvReader<Input>),
    Json(JsonReader<Input>),
}

enum Input {
    File(File),
    Stdin(io::Stdin),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stdin(stdin) => stdin.read(buffer),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Stdin(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Source {
    /// Opens a file; `-` is stdin.
    pub fn open(path: &Path, options: &InputOptions) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file(path, &error);
        let input = if path == Path::new("-") {
            Input::Stdin(io::stdin())
        } else {
            Input::File(File::open(path).map_err(failed)?)
        };
        let mut window = Window::new(input);
        window.skip_byte_order_mark().map_err(failed)?;
        window.detect_line_ends().map_err(failed)?;
        let format = match options.input.or_else(|| by_name(path)) {
            Some(format) => format,
            None => by_content(&mut window).map_err(failed)?,
        };
        let reader = match format {
            Format::Csv => CsvReader::new(window, options)
                .map(Reader::Csv)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?,
            Format::Json | Format::Ndjson => {
                let is_by_line = format == Format::Ndjson;
                Reader::Json(JsonReader::new(window, is_by_line).map_err(failed)?)
            }
        };
        Ok(Self { reader })
    }

    /// Reads the next row, if there is one.
    pub fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        match &mut self.reader {
            Reader::Csv(csv) => csv.next_row(),
            Reader::Json(json) => json.next_row(),
        }
    }

    /// Seeks to the beginning of a row.
    pub fn go_to(&mut self, offset: u64, line: u64) -> io::Result<()> {
        match &mut self.reader {
            Reader::Csv(csv) => csv.window.go_to(offset, line),
            Reader::Json(json) => json.go_to(offset, line),
        }
    }

    /// The offset of the next row, in bytes.
    pub fn position(&self) -> u64 {
        match &self.reader {
            Reader::Csv(csv) => csv.window.position(),
            Reader::Json(json) => json.window.position(),
        }
    }

    /// The line of the next row.
    pub fn line(&self) -> u64 {
        match &self.reader {
            Reader::Csv(csv) => csv.window.line(),
            Reader::Json(json) => json.window.line(),
        }
    }

    /// Whether rows can have a field; the rows of a CSV file have the fields of its header only.
    pub fn may_have(&self, field: &str) -> bool {
        match &self.reader {
            Reader::Csv(csv) => csv.has_column(field),
            Reader::Json(_) => true,
        }
    }

    /// The header of a CSV file, unchanged, and its delimiter.
    pub fn header(&self) -> Option<(&[u8], u8)> {
        match &self.reader {
            Reader::Csv(csv) => Some((&csv.header, csv.delimiter)),
            Reader::Json(_) => None,
        }
    }
}

fn by_name(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "csv" | "tsv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}

/// Detects the format from the content: JSON begins with a bracket, and an object that ends with its
/// line is NDJSON.
fn by_content(window: &mut Window<Input>) -> io::Result<Format> {
    const SAMPLE: usize = 64 * 1024;
    while window.bytes().len() < SAMPLE && window.fill()? {}
    let mut text = window.bytes().trim_ascii_start();
    while text.starts_with(COMMENT) {
        let end = text.iter().position(|byte| *byte == b'\n');
        text = text[end.unwrap_or(text.len())..].trim_ascii_start();
    }
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = || serde_json::from_slice::<serde::de::IgnoredAny>(first_line).is_ok();
    Ok(match text.first() {
        Some(b'{') if is_whole() => Format::Ndjson,
        Some(b'[' | b'{') => Format::Json,
        _ => Format::Csv,
    })
}

/// The path of a related file in the same folder: `orders.csv` and `refused` give
/// `orders.refused.csv`.
pub fn sibling(path: &Path, what: &str, extension: Option<&str>) -> PathBuf {
    let own = path.extension().and_then(|extension| extension.to_str());
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    if let Some(extension) = extension.or(own) {
        name.push(format!(".{extension}"));
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    type Seen = (u64, u64, Vec<u8>, bool);

    fn seen(row: &Row<'_>) -> Seen {
        (row.line, row.offset, row.raw.to_vec(), row.content.is_ok())
    }

    /// Reads every row of a text, and reads each again after seeking to it.
    fn rows<R>(
        open: impl Fn() -> R,
        next: impl Fn(&mut R) -> Option<Seen>,
        go_to: impl Fn(&mut R, u64, u64),
        max_rows: usize,
    ) {
        let (mut reader, mut again) = (open(), open());
        let mut last = None;
        let mut count = 0;
        while let Some(row) = next(&mut reader) {
            count += 1;
            assert!(count <= max_rows && Some(row.1) > last, "it makes progress");
            last = Some(row.1);
            go_to(&mut again, row.1, row.0);
            assert_eq!(next(&mut again), Some(row));
        }
    }

    #[test]
    fn any_content_is_read_to_its_end_and_every_row_is_found_again() {
        const PARTS: &[&str] = &[
            "{",
            "}",
            "[",
            "]",
            "\"",
            "\"",
            ",",
            ":",
            "\n",
            "\n",
            "\r",
            " ",
            "a",
            "1",
            "\\",
            "é",
            "{\"order_id\":\"1\"}",
            "#katalys: x\n",
            "\n  {\"a\": 1}",
            "x,y,z\n",
            "\"p,\nq\"",
        ];
        let options = InputOptions {
            input: None,
            maps: Vec::new(),
            delimiter: None,
        };
        for seed in 0..3_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let parts = (0..random.usize(0..40)).map(|_| PARTS[random.usize(0..PARTS.len())]);
            let mut text: Vec<u8> = parts.flat_map(str::bytes).collect();
            if let Some(byte) = text.first_mut().filter(|_| random.u8(0..9) == 0) {
                *byte = 0xff;
            }
            for is_by_line in [false, true] {
                rows(
                    || JsonReader::new(Window::new(Cursor::new(&text)), is_by_line).unwrap(),
                    |reader| reader.next_row().unwrap().as_ref().map(seen),
                    |reader, offset, line| reader.go_to(offset, line).unwrap(),
                    text.len(),
                );
            }
            let csv = [b"order_id,b,c\n", &text[..]].concat();
            rows(
                || CsvReader::new(Window::new(Cursor::new(&csv)), &options).unwrap(),
                |reader| reader.next_row().unwrap().as_ref().map(seen),
                |reader, offset, line| reader.window.go_to(offset, line).unwrap(),
                csv.len(),
            );
        }
    }
}
