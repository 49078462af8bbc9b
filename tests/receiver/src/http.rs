//! Reads HTTP/1.1 requests from a connection: the head, then the body, each on demand.

use std::io::{self, ErrorKind, Read};

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 8 * 1024 * 1024;
const MAX_HEADERS: usize = 100;
const READ_SIZE: usize = 16 * 1024;

/// Why a request could not be read.
pub enum ReadError {
    /// The client left, or the connection broke.
    Gone,
    /// The bytes are not an HTTP request.
    Malformed,
    /// The request exceeds the limits of this server.
    TooLarge,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// How the end of a body is determined.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// The head of one request.
pub struct Head {
    pub raw: Vec<u8>,
    pub method: String,
    pub target: String,
    pub keep_alive: bool,
    pub expects_continue: bool,
    pub proxy_authorization: Option<String>,
    framing: Framing,
}

/// The bytes of a connection that are received and not consumed yet.
#[derive(Default)]
pub struct Incoming {
    /// Grows as needed and is reused, so that a busy connection does not allocate.
    buffer: Vec<u8>,
    filled: usize,
}

impl Incoming {
    /// Reads the next head; the body stays unread. `None` if the client closed between requests.
    pub fn read_head(&mut self, source: &mut impl Read) -> Result<Option<Head>, ReadError> {
        loop {
            if self.filled > 0
                && let Some((mut head, length)) = parse_head(self.pending())?
            {
                head.raw = self.take(length);
                return Ok(Some(head));
            }
            if self.filled > MAX_HEAD {
                return Err(ReadError::TooLarge);
            }
            if self.fill(source)? == 0 {
                let between_requests = self.filled == 0;
                return if between_requests {
                    Ok(None)
                } else {
                    Err(ReadError::Gone)
                };
            }
        }
    }

    /// Reads the body of `head`.
    pub fn read_body(&mut self, head: &Head, source: &mut impl Read) -> Result<Vec<u8>, ReadError> {
        match head.framing {
            Framing::Length(length) if length > MAX_BODY => Err(ReadError::TooLarge),
            Framing::Length(length) => {
                self.need(length, source)?;
                Ok(self.take(length))
            }
            Framing::Chunked => self.read_chunks(source),
        }
    }

    /// The bytes after the last request; a proxy forwards them.
    pub fn pending(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    fn read_chunks(&mut self, source: &mut impl Read) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line(source)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| ReadError::Malformed)?;
            if size > MAX_BODY || body.len() + size > MAX_BODY {
                return Err(ReadError::TooLarge);
            }
            if size == 0 {
                while !self.take_line(source)?.is_empty() {}
                return Ok(body);
            }
            self.need(size, source)?;
            body.append(&mut self.take(size));
            if !self.take_line(source)?.is_empty() {
                return Err(ReadError::Malformed);
            }
        }
    }

    fn take_line(&mut self, source: &mut impl Read) -> Result<String, ReadError> {
        loop {
            if let Some(end) = self.pending().windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end + 2);
                let text = std::str::from_utf8(&line[..end]).map_err(|_| ReadError::Malformed)?;
                return Ok(text.to_owned());
            }
            if self.filled > MAX_HEAD {
                return Err(ReadError::TooLarge);
            }
            self.need(self.filled + 1, source)?;
        }
    }

    fn need(&mut self, length: usize, source: &mut impl Read) -> Result<(), ReadError> {
        while self.filled < length {
            if self.fill(source)? == 0 {
                return Err(ReadError::Gone);
            }
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let taken = self.buffer[..length].to_vec();
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
        taken
    }

    fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        if self.buffer.len() < self.filled + READ_SIZE {
            self.buffer.resize(self.filled + READ_SIZE, 0);
        }
        let length = read_once(source, &mut self.buffer[self.filled..])?;
        self.filled += length;
        Ok(length)
    }
}

fn read_once(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The head at the start of `bytes` (with an empty `raw`) and its length; `None` if it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Malformed),
    };
    let mut head = Head {
        raw: Vec::new(),
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        keep_alive: request.version == Some(1),
        expects_continue: false,
        proxy_authorization: None,
        framing: Framing::Length(0),
    };
    for header in request.headers.iter() {
        head.note(header)?;
    }
    Ok(Some((head, length)))
}

impl Head {
    fn note(&mut self, header: &httparse::Header<'_>) -> Result<(), ReadError> {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            self.framing = Framing::Length(value.parse().map_err(|_| ReadError::Malformed)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            self.framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            self.keep_alive &= !value.eq_ignore_ascii_case("close");
        } else if header.name.eq_ignore_ascii_case("expect") {
            self.expects_continue = value.eq_ignore_ascii_case("100-continue");
        } else if header.name.eq_ignore_ascii_case("proxy-authorization") {
            self.proxy_authorization = Some(value.to_owned());
        }
        Ok(())
    }
}

/// Name (in lower case) and value of each header of a raw head, in order.
pub fn headers_of(raw: &[u8]) -> Vec<(String, String)> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(raw).is_err() {
        return Vec::new();
    }
    let named = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    request.headers.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one byte per read.
    struct ByteByByte<'a>(&'a [u8]);

    impl Read for ByteByByte<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let (now, later) = self.0.split_at(self.0.len().min(1));
            into[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    fn read_all(bytes: &[u8]) -> Vec<(String, String)> {
        let mut source = ByteByByte(bytes);
        let mut incoming = Incoming::default();
        let mut requests = Vec::new();
        while let Ok(Some(head)) = incoming.read_head(&mut source) {
            let Ok(body) = incoming.read_body(&head, &mut source) else {
                break;
            };
            requests.push((head.target, String::from_utf8(body).unwrap()));
        }
        requests
    }

    #[test]
    fn requests_are_read_byte_by_byte() {
        let bytes = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nonePOST /b HTTP/1.1\r\ncontent-length:3\r\n\r\ntwo";
        let expected = [("/a", "one"), ("/b", "two")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(read_all(bytes), expected);
    }

    #[test]
    fn chunks_are_joined() {
        let bytes = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(
            read_all(bytes),
            [("/c".to_owned(), "one0123456789".to_owned())]
        );
    }

    #[test]
    fn other_bytes_are_malformed() {
        let mut incoming = Incoming::default();
        let result = incoming.read_head(&mut &b"\x16\x03\x01\x02\x00\x01"[..]);
        assert!(matches!(result, Err(ReadError::Malformed)));
    }

    #[test]
    fn an_incomplete_body_is_not_a_request() {
        assert_eq!(
            read_all(b"POST /d HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"),
            []
        );
    }

    #[test]
    fn close_and_expect_are_parsed() {
        let raw = b"POST / HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n";
        let head = Incoming::default()
            .read_head(&mut &raw[..])
            .ok()
            .flatten()
            .unwrap();
        assert!(!head.keep_alive && head.expects_continue);
        assert_eq!(
            headers_of(&head.raw)[0],
            ("connection".to_owned(), "close".to_owned())
        );
    }
}
