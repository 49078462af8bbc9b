//! A sliding buffer over a file: grows to the length of one row, and advances.

use memchr::{memchr, memchr_iter};
use std::io::{self, Read, Seek, SeekFrom};

/// Maximum length of a row; the core accepts updates up to 256 KiB.
pub const MAX_ROW: usize = 1 << 20;
const STEP: usize = 256 * 1024;
const FIRST_READ: usize = 4096;

/// A sliding window over a file.
pub struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// The part of the buffer that is not consumed yet.
    start: usize,
    end: usize,
    /// The offset of the buffer in the file.
    base: u64,
    /// The line at `start`, from 1.
    line: u64,
    /// The size of the next read: small after a seek, since another seek may follow.
    next_read: usize,
    is_at_end: bool,
    /// Whether lines end with a carriage return only, as some exports write them; they are translated
    /// to newlines.
    has_return_lines: bool,
}

impl<R: Read> Window<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; STEP],
            start: 0,
            end: 0,
            base: 0,
            line: 1,
            next_read: STEP,
            is_at_end: false,
            has_return_lines: false,
        }
    }

    /// The bytes that are read and not consumed.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// A part of the buffer.
    pub fn slice(&self, (start, end): (usize, usize)) -> &[u8] {
        &self.buffer[start..end]
    }

    /// The index of `bytes` in the buffer.
    pub fn start(&self) -> usize {
        self.start
    }

    pub fn line(&self) -> u64 {
        self.line
    }

    /// The offset of `bytes` in the file.
    pub fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Reads more bytes; false at the end of the file.
    pub fn fill(&mut self) -> io::Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        // Moving the buffer costs more than reading, so every read is large.
        if self.buffer.len() - self.end < STEP / 2 {
            self.buffer.resize(self.end + STEP, 0);
        }
        let limit = self.buffer.len().min(self.end + self.next_read);
        self.next_read = STEP.min(self.next_read * 4);
        loop {
            match self.input.read(&mut self.buffer[self.end..limit]) {
                Ok(0) => {
                    self.is_at_end = true;
                    return Ok(false);
                }
                Ok(size) => {
                    self.translate(self.end, self.end + size);
                    self.end += size;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Detects the line ends from the beginning of the file.
    pub fn detect_line_ends(&mut self) -> io::Result<()> {
        const SAMPLE: usize = 64 * 1024;
        while self.bytes().len() < SAMPLE && self.fill()? {}
        let has = |byte| memchr(byte, self.bytes()).is_some();
        self.has_return_lines = has(b'\r') && !has(b'\n');
        self.translate(self.start, self.end);
        Ok(())
    }

    fn translate(&mut self, from: usize, to: usize) {
        if self.has_return_lines {
            for byte in &mut self.buffer[from..to] {
                if *byte == b'\r' {
                    *byte = b'\n';
                }
            }
        }
    }

    /// Reads the current line in full; returns its length without the newline, or `None` if it is too
    /// long.
    pub fn line_length(&mut self) -> io::Result<Option<usize>> {
        let mut seen = 0;
        loop {
            if let Some(at) = memchr(b'\n', &self.bytes()[seen..]) {
                return Ok(Some(seen + at));
            }
            seen = self.bytes().len();
            if seen > MAX_ROW {
                return Ok(None);
            }
            if !self.fill()? {
                return Ok(Some(seen));
            }
        }
    }

    /// Consumes `size` bytes, which hold `lines` newlines.
    pub fn consume(&mut self, size: usize, lines: u64) {
        self.start = (self.start + size).min(self.end);
        self.line += lines;
    }

    /// Consumes `size` bytes, and counts their lines.
    pub fn consume_counting(&mut self, size: usize) {
        let lines = memchr_iter(b'\n', &self.bytes()[..size]).count();
        self.consume(size, lines as u64);
    }

    /// Consumes the rest of the line, however long it is.
    pub fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(at) = memchr(b'\n', self.bytes()) {
                self.consume(at + 1, 1);
                return Ok(());
            }
            self.consume(self.bytes().len(), 0);
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    pub fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        while self.bytes().len() < MARK.len() && self.fill()? {}
        if self.bytes().starts_with(MARK) {
            self.consume(MARK.len(), 0);
        }
        Ok(())
    }
}

impl<R: Seek> Window<R> {
    /// Seeks to an offset.
    pub fn go_to(&mut self, offset: u64, line: u64) -> io::Result<()> {
        let behind = self.base + self.end as u64;
        if offset >= self.base && offset <= behind {
            self.start = usize::try_from(offset - self.base).unwrap_or(self.end);
        } else {
            self.input.seek(SeekFrom::Start(offset))?;
            (self.start, self.end, self.base) = (0, 0, offset);
            self.next_read = FIRST_READ;
            self.is_at_end = false;
        }
        self.line = line;
        Ok(())
    }
}
