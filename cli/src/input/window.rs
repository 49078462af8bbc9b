//! The piece of a file that is being looked at: grows as far as one row needs, and moves on.

use memchr::{memchr, memchr_iter};
use std::io::{self, Read, Seek, SeekFrom};

/// No row is longer; the core takes no update beyond 256 KiB.
pub const LONGEST_ROW: usize = 1 << 20;
const STEP: usize = 256 * 1024;
const FIRST_READ: usize = 4096;

/// A sliding window over a file.
pub struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// What has not been taken yet.
    start: usize,
    end: usize,
    /// Where in the file the buffer begins.
    base: u64,
    /// The line at `start`, counted from 1.
    line: u64,
    /// How much is read next: little where the next row may be elsewhere again.
    next_read: usize,
    is_at_end: bool,
    /// Whether lines end with a carriage return alone, as old Macs and some exports write them;
    /// each is read as a newline.
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

    /// What has been read and not taken.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// A part of what has been read, by its place in the buffer.
    pub fn slice(&self, place: (usize, usize)) -> &[u8] {
        &self.buffer[place.0..place.1]
    }

    /// Where `bytes` begins in the buffer.
    pub fn start(&self) -> usize {
        self.start
    }

    pub fn line(&self) -> u64 {
        self.line
    }

    /// Where `bytes` begins in the file.
    pub fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Reads more; false at the end of the file.
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
        // Moving what is there costs more than reading, so little more is never read at a time.
        if self.buffer.len() - self.end < STEP / 2 {
            self.buffer.resize(self.end + STEP, 0);
        }
        let room = self.buffer.len().min(self.end + self.next_read);
        self.next_read = STEP.min(self.next_read * 4);
        loop {
            match self.input.read(&mut self.buffer[self.end..room]) {
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

    /// Looks at the file's beginning for how its lines end.
    pub fn detect_line_ends(&mut self) -> io::Result<()> {
        const ENOUGH: usize = 64 * 1024;
        while self.bytes().len() < ENOUGH && self.fill()? {}
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

    /// The length of the current line without its newline, once it is there in full; `None` if
    /// it is too long.
    pub fn line_length(&mut self) -> io::Result<Option<usize>> {
        let mut seen = 0;
        loop {
            if let Some(at) = memchr(b'\n', &self.bytes()[seen..]) {
                return Ok(Some(seen + at));
            }
            seen = self.bytes().len();
            if seen > LONGEST_ROW {
                return Ok(None);
            }
            if !self.fill()? {
                return Ok(Some(seen));
            }
        }
    }

    /// Takes `size` bytes, which hold `lines` newlines.
    pub fn take(&mut self, size: usize, lines: u64) {
        self.start = (self.start + size).min(self.end);
        self.line += lines;
    }

    /// Takes `size` bytes, and counts their lines.
    pub fn take_counting(&mut self, size: usize) {
        let lines = memchr_iter(b'\n', &self.bytes()[..size]).count();
        self.take(size, lines as u64);
    }

    /// Takes everything up to the next line, however long that is.
    pub fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(at) = memchr(b'\n', self.bytes()) {
                self.take(at + 1, 1);
                return Ok(());
            }
            self.take(self.bytes().len(), 0);
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    pub fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        while self.bytes().len() < MARK.len() && self.fill()? {}
        if self.bytes().starts_with(MARK) {
            self.take(MARK.len(), 0);
        }
        Ok(())
    }
}

impl<R: Seek> Window<R> {
    /// Continues at another offset.
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
