//! The options for reading a file.

use super::columns::Mapping;
use clap::ValueEnum;

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
