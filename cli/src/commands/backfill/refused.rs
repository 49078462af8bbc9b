//! The file of refused rows: in the format of the input, each row with its problem, so that the file
//! can be corrected and backfilled.

use super::Refusal;
use crate::failure::Failure;
use crate::input::{COMMENT, PROBLEM_KEY, Row};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file of refused rows; created with the first one.
pub struct RefusedFile {
    path: PathBuf,
    out: Option<BufWriter<File>>,
    bytes: u64,
    /// The header and the delimiter of a CSV file.
    header: Option<(Vec<u8>, u8)>,
}

impl RefusedFile {
    /// Continues after this many bytes; what an earlier run wrote after them was not settled. Starts a
    /// new file if the old one was removed.
    pub fn open(path: &Path, bytes: u64) -> Self {
        let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Self {
            path: path.to_owned(),
            out: None,
            bytes: if length < bytes { 0 } else { bytes },
            header: None,
        }
    }

    /// Sets the header, if the rows are CSV.
    pub fn set_header(&mut self, header: Option<(&[u8], u8)>) {
        self.header = header.map(|(header, delimiter)| (header.to_owned(), delimiter));
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn add(&mut self, row: &Row<'_>, refusal: &Refusal) -> Result<(), Failure> {
        let is_readable = row.content.is_ok();
        self.add_raw(row.raw, is_readable, row.line, refusal)
    }

    /// Adds a row by its bytes.
    pub fn add_raw(
        &mut self,
        raw: &[u8],
        is_readable: bool,
        line: u64,
        refusal: &Refusal,
    ) -> Result<(), Failure> {
        let text = self.entry(raw, is_readable, line, refusal);
        let written = self.write(&text);
        written.map_err(|error| Failure::file(&self.path, &error))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.file()?.write_all(text)?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn entry(&self, raw: &[u8], is_readable: bool, line: u64, refusal: &Refusal) -> Vec<u8> {
        let mut text = Vec::with_capacity(raw.len() + refusal.len() + 64);
        match &self.header {
            _ if !is_readable => {
                text.extend_from_slice(COMMENT);
                let _ = writeln!(text, " line {line}: {}", refusal.replace('\n', " "));
                text.extend_from_slice(raw);
            }
            Some((_, delimiter)) => {
                text.extend_from_slice(raw);
                text.push(*delimiter);
                let _ = write!(text, "\"{}\"", refusal.replace('"', "\"\""));
            }
            None => {
                let end = raw
                    .iter()
                    .rposition(|byte| *byte == b'}')
                    .unwrap_or(raw.len());
                // An object over several lines becomes one line.
                let body = raw[..end]
                    .iter()
                    .map(|byte| if *byte == b'\n' { b' ' } else { *byte });
                text.extend(body);
                let problem = serde_json::Value::from(refusal.as_str());
                let _ = write!(text, ",\"{PROBLEM_KEY}\":{problem}}}");
            }
        }
        text.push(b'\n');
        text
    }

    fn file(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.out.is_none() {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&self.path)?;
            file.set_len(self.bytes)?;
            file.seek(SeekFrom::Start(self.bytes))?;
            let mut out = BufWriter::new(file);
            if self.bytes == 0
                && let Some((header, delimiter)) = &self.header
            {
                let mut line = header.clone();
                if !contains(header, PROBLEM_KEY.as_bytes()) {
                    line.push(*delimiter);
                    line.extend_from_slice(PROBLEM_KEY.as_bytes());
                }
                line.push(b'\n');
                out.write_all(&line)?;
                self.bytes = line.len() as u64;
            }
            self.out = Some(out);
        }
        self.out
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Flushes the buffer; returns the file, to be synced.
    pub fn flush(&mut self) -> Result<Option<File>, Failure> {
        let Some(out) = &mut self.out else {
            return Ok(None);
        };
        let settled = out.flush().and_then(|()| out.get_ref().try_clone());
        settled
            .map(Some)
            .map_err(|error| Failure::file(&self.path, &error))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
