//! Reads order updates from files, one row at a time and in constant memory: CSV, JSON, NDJSON.
//!
//! `window` holds the piece of the file that is looked at, `csv` and `json` find the rows in it,
//! `columns` says what a CSV file's columns mean, `fault` what a broken row is called. A broken
//! row is a row of its own, and reading continues after it.

mod columns;
mod csv;
mod fault;
mod json;
mod window;

pub use columns::Mapping;
pub use fault::Fault;

use crate::failure::Failure;
use clap::ValueEnum;
use csv::CsvReader;
use json::JsonReader;
use katalys_core::{Fields, Value};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use window::Window;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Comma-separated values with a header (RFC 4180); also semicolons or tabs.
    Csv,
    /// One object, or an array of them.
    Json,
    /// One object per line.
    Ndjson,
}

/// What a file is and how it is to be read.
#[derive(Clone, Debug, clap::Args)]
pub struct Reading {
    /// How the files are written; otherwise their names and first bytes decide.
    #[arg(long, value_enum, value_name = "FORM")]
    pub input: Option<Form>,
    /// What a CSV column is: `--map "Order no=order_id"`; `--map Notes=` leaves one out.
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    pub maps: Vec<Mapping>,
    /// What separates CSV columns; otherwise the header decides between `,`, `;` and tab.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if !matches!(byte, b'"' | b'\r' | b'\n') && byte.is_ascii() => Ok(*byte),
        _ => Err("give one character, or \\t for a tab".to_owned()),
    }
}

/// A row of a file.
pub struct Row<'r> {
    /// Where it begins, counted from 1.
    pub line: u64,
    /// Where it begins, in bytes from the file's beginning.
    pub offset: u64,
    /// Its bytes, without the line's end.
    pub raw: &'r [u8],
    pub content: Result<Update<'r>, Fault>,
}

/// An update as a row says it.
pub struct Update<'r> {
    pub order_id: Value<'r>,
    pub fields: Fields<'r>,
}

/// The column or key that says in a file of refused rows what was wrong with each; never sent.
pub const PROBLEM_KEY: &str = "katalys_problem";
/// A line that says the same of the row behind it, where that is too broken for a column.
pub const COMMENT: &[u8] = b"#katalys:";

/// A file that is being read.
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
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(room),
            Self::Stdin(stdin) => stdin.read(room),
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
    pub fn open(path: &Path, reading: &Reading) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file(path, &error);
        let input = if path == Path::new("-") {
            Input::Stdin(io::stdin())
        } else {
            Input::File(File::open(path).map_err(failed)?)
        };
        let mut window = Window::new(input);
        window.skip_byte_order_mark().map_err(failed)?;
        window.detect_line_ends().map_err(failed)?;
        let form = match reading.input.or_else(|| by_name(path)) {
            Some(form) => form,
            None => by_content(&mut window).map_err(failed)?,
        };
        let reader = match form {
            Form::Csv => CsvReader::new(window, reading)
                .map(Reader::Csv)
                .map_err(|trouble| Failure::usage(format!("{}: {trouble}", path.display())))?,
            Form::Json | Form::Ndjson => {
                let is_by_line = form == Form::Ndjson;
                Reader::Json(JsonReader::new(window, is_by_line).map_err(failed)?)
            }
        };
        Ok(Self { reader })
    }

    /// The next row, if there is one.
    pub fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        match &mut self.reader {
            Reader::Csv(csv) => csv.next_row(),
            Reader::Json(json) => json.next_row(),
        }
    }

    /// Goes to where a row begins.
    pub fn go_to(&mut self, offset: u64, line: u64) -> io::Result<()> {
        match &mut self.reader {
            Reader::Csv(csv) => csv.window.go_to(offset, line),
            Reader::Json(json) => json.go_to(offset, line),
        }
    }

    /// How many bytes of the file have been taken.
    pub fn position(&self) -> u64 {
        match &self.reader {
            Reader::Csv(csv) => csv.window.position(),
            Reader::Json(json) => json.window.position(),
        }
    }

    /// The line at which the next row is looked for.
    pub fn line(&self) -> u64 {
        match &self.reader {
            Reader::Csv(csv) => csv.window.line(),
            Reader::Json(json) => json.window.line(),
        }
    }

    /// Whether each row can name a field: what a header lacks, no row has.
    pub fn may_have(&self, field: &str) -> bool {
        match &self.reader {
            Reader::Csv(csv) => csv.has_column(field),
            Reader::Json(_) => true,
        }
    }

    /// The header of a CSV file, as written there, and what separates its columns.
    pub fn header(&self) -> Option<(&[u8], u8)> {
        match &self.reader {
            Reader::Csv(csv) => Some((&csv.header, csv.delimiter)),
            Reader::Json(_) => None,
        }
    }
}

fn by_name(path: &Path) -> Option<Form> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "csv" | "tsv" => Some(Form::Csv),
        "ndjson" | "jsonl" => Some(Form::Ndjson),
        _ => None,
    }
}

/// JSON begins with a bracket; an object that ends with its line is followed by others.
fn by_content(window: &mut Window<Input>) -> io::Result<Form> {
    const ENOUGH: usize = 64 * 1024;
    while window.bytes().len() < ENOUGH && window.fill()? {}
    let mut text = window.bytes().trim_ascii_start();
    while text.starts_with(COMMENT) {
        let end = text.iter().position(|byte| *byte == b'\n');
        text = text[end.unwrap_or(text.len())..].trim_ascii_start();
    }
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = || serde_json::from_slice::<serde::de::IgnoredAny>(first_line).is_ok();
    Ok(match text.first() {
        Some(b'{') if is_whole() => Form::Ndjson,
        Some(b'[' | b'{') => Form::Json,
        _ => Form::Csv,
    })
}

/// The name of a file beside another: `orders.csv` and `refused` make `orders.refused.csv`.
pub fn beside(path: &Path, what: &str, extension: Option<&str>) -> PathBuf {
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

    /// Every row of a text; each is also found by a jump to it.
    fn rows<R>(
        open: impl Fn() -> R,
        next: impl Fn(&mut R) -> Option<Seen>,
        go_to: impl Fn(&mut R, u64, u64),
        most: usize,
    ) {
        let (mut reader, mut again) = (open(), open());
        let mut last = None;
        let mut count = 0;
        while let Some(row) = next(&mut reader) {
            count += 1;
            assert!(count <= most && Some(row.1) > last, "it makes progress");
            last = Some(row.1);
            go_to(&mut again, row.1, row.0);
            assert_eq!(next(&mut again), Some(row));
        }
    }

    #[test]
    fn whatever_is_in_a_file_comes_to_an_end_and_is_found_again() {
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
        let reading = Reading {
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
                || CsvReader::new(Window::new(Cursor::new(&csv)), &reading).unwrap(),
                |reader| reader.next_row().unwrap().as_ref().map(seen),
                |reader, offset, line| reader.window.go_to(offset, line).unwrap(),
                csv.len(),
            );
        }
    }
}
