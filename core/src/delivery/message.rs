//! HTTP/1.1 messages: writes the head of a request, and reads the head and the length of an answer.

use std::mem::MaybeUninit;
use std::time::Duration;

use httparse::{Header, ParserConfig, Response, Status};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use ureq::http::Uri;

use super::answer::retry_after;

/// The part of a request that is always the same.
pub(crate) struct RequestHead(Vec<u8>);

impl RequestHead {
    pub(crate) fn new(endpoint: &Uri, user_agent: &str) -> Self {
        let path = endpoint.path_and_query().map_or("/", |path| path.as_str());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {user_agent}\r\n\
             Content-Type: application/json\r\nContent-Length: ",
            host_header(endpoint)
        );
        Self(head.into_bytes())
    }

    /// The pieces of a request, in order.
    pub(crate) fn request<'a>(
        &'a self,
        body: &'a [u8],
        digits: &'a mut LengthDigits,
    ) -> [&'a [u8]; 4] {
        [&self.0, digits.write(body.len()), b"\r\n\r\n", body]
    }
}

/// A request without an update, to see whether the endpoint answers.
pub(crate) fn probe(endpoint: &Uri, user_agent: &str) -> Vec<u8> {
    let path = endpoint.path_and_query().map_or("/", |path| path.as_str());
    let host = host_header(endpoint);
    format!(
        "HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {user_agent}\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes()
}

/// The `Host` header: the endpoint's host, and its port unless it is the default of the scheme.
fn host_header(endpoint: &Uri) -> String {
    let host = endpoint.host().unwrap_or_default();
    match (endpoint.port_u16(), endpoint.scheme_str()) {
        (None, _) | (Some(443), Some("https")) | (Some(80), Some("http")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    }
}

/// A buffer for the digits of a length.
#[derive(Default)]
pub(crate) struct LengthDigits([u8; 20]);

impl LengthDigits {
    fn write(&mut self, mut length: usize) -> &[u8] {
        let mut start = self.0.len();
        loop {
            start -= 1;
            self.0[start] = b'0' + u8::try_from(length % 10).unwrap_or_default();
            length /= 10;
            if length == 0 {
                return &self.0[start..];
            }
        }
    }
}

/// Where the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    After(usize),
    AtLastChunk,
    /// When the connection closes, or unclear.
    Unknown,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AnswerHead {
    /// The size of the head in bytes.
    pub(crate) size: usize,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body_end: BodyEnd,
    /// Whether the server keeps the connection open.
    pub(crate) is_kept: bool,
}

impl AnswerHead {
    /// Whether it is an interim answer, which the final one follows.
    pub(crate) fn is_interim(&self) -> bool {
        (100..=199).contains(&self.status) && self.status != 101
    }
}

/// The bytes are not HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHttp;

const MAX_HEADERS: usize = 100;

/// Reads the head of an answer; `None` if it is not complete yet.
pub(crate) fn read_head(input: &[u8]) -> Result<Option<AnswerHead>, NotHttp> {
    let mut headers = [const { MaybeUninit::<Header>::uninit() }; MAX_HEADERS];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        &mut headers,
    );
    let size = match parsed {
        Ok(Status::Complete(size)) => size,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(NotHttp),
    };
    let status = response.code.filter(|code| *code >= 100).ok_or(NotHttp)?;
    let mut head = AnswerHead {
        size,
        status,
        retry_after: None,
        body_end: BodyEnd::Unknown,
        is_kept: response.version == Some(1),
    };
    head.read_headers(response.headers);
    if matches!(status, 100..=199 | 204 | 304) {
        head.body_end = BodyEnd::After(0);
    }
    Ok(Some(head))
}

impl AnswerHead {
    fn read_headers(&mut self, headers: &[Header]) {
        let mut lengths = 0;
        let mut is_encoded = false;
        for header in headers {
            // The length first: most headers are not relevant.
            match header.name.len() {
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    self.is_kept &= !has_token(header.value, "close");
                }
                11 if header.name.eq_ignore_ascii_case("retry-after") => {
                    self.retry_after = std::str::from_utf8(header.value)
                        .ok()
                        .and_then(|value| retry_after(value, Timestamp::now()));
                }
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    lengths += 1;
                    self.body_end = read_length(header.value);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    is_encoded = true;
                    self.body_end = BodyEnd::AtLastChunk;
                    self.is_kept &= header.value.eq_ignore_ascii_case(b"chunked");
                }
                _ => {}
            }
        }
        // Contradicting headers are not interpreted.
        if lengths > 1 || (lengths == 1 && is_encoded) {
            self.body_end = BodyEnd::Unknown;
        }
    }
}

/// The `Date` header of a head, in Unix seconds.
pub(crate) fn date_of(head: &[u8]) -> Option<i64> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    response.parse(head).ok()?;
    let mut named = response.headers.iter();
    let date = named.find(|header| header.name.eq_ignore_ascii_case("date"))?;
    let text = std::str::from_utf8(date.value).ok()?;
    let parser = DateTimeParser::new().relaxed_weekday(true);
    Some(parser.parse_timestamp(text.trim()).ok()?.as_second())
}

fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn read_length(value: &[u8]) -> BodyEnd {
    std::str::from_utf8(value)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map_or(BodyEnd::Unknown, BodyEnd::After)
}

/// The extent of a body in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Complete(usize),
    /// More input is needed.
    Incomplete,
    /// It cannot be determined.
    Unknown,
}

/// Measures the body at the start of `input`.
pub(crate) fn measure_body(input: &[u8], end: BodyEnd) -> Extent {
    match end {
        BodyEnd::After(size) if size <= input.len() => Extent::Complete(size),
        BodyEnd::After(_) => Extent::Incomplete,
        BodyEnd::AtLastChunk => measure_chunks(input),
        BodyEnd::Unknown => Extent::Unknown,
    }
}

fn measure_chunks(input: &[u8]) -> Extent {
    const LINE_END: &[u8] = b"\r\n";
    let mut position = 0;
    loop {
        let rest = &input[position.min(input.len())..];
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete((line, size))) => (line, usize::try_from(size).ok()),
            Ok(Status::Partial) => return Extent::Incomplete,
            Err(_) => return Extent::Unknown,
        };
        let next = size
            .and_then(|size| size.checked_add(position + line))
            .and_then(|data_end| data_end.checked_add(LINE_END.len()));
        let Some(next) = next else {
            return Extent::Unknown;
        };
        if size == Some(0) {
            return match &rest[line..] {
                after if after.starts_with(LINE_END) => Extent::Complete(next),
                after if LINE_END.starts_with(after) => Extent::Incomplete,
                // Trailers are not read.
                _ => Extent::Unknown,
            };
        }
        position = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(answer: &str) -> AnswerHead {
        read_head(answer.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn the_host_header_has_a_port_unless_it_is_the_default() {
        for (endpoint, host) in [
            ("https://db.example.com/v2", "db.example.com"),
            ("https://db.example.com:443/v2", "db.example.com"),
            ("http://localhost:80", "localhost"),
            ("http://localhost:443/", "localhost:443"),
            ("https://[::1]:8443/", "[::1]:8443"),
        ] {
            assert_eq!(host_header(&endpoint.parse().unwrap()), host);
        }
    }

    #[test]
    fn a_request_consists_of_head_length_and_body() {
        let endpoint = "https://user:pass@db.example.com/v2/_tr_offline?a=b"
            .parse()
            .unwrap();
        let head = RequestHead::new(&endpoint, "katalys-c/1.0");
        let request = head.request(b"{}", &mut LengthDigits::default()).concat();
        let expected = "POST /v2/_tr_offline?a=b HTTP/1.1\r\nHost: db.example.com\r\n\
             User-Agent: katalys-c/1.0\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(request).unwrap(), expected);
    }

    #[test]
    fn every_length_is_written_in_full() {
        for length in [0, 1, 9, 10, 99, 100, 12_345, 262_144, usize::MAX] {
            let mut digits = LengthDigits::default();
            assert_eq!(digits.write(length), length.to_string().as_bytes());
        }
    }

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let answer = "HTTP/1.1 429 Too Many\r\nretry-after: 5\r\nContent-Length: 3\r\n\r\nnow";
        let size = answer.len() - "now".len();
        for end in 0..size {
            assert_eq!(read_head(&answer.as_bytes()[..end]), Ok(None), "{end}");
        }
        let head = AnswerHead {
            size,
            status: 429,
            retry_after: Some(Duration::from_secs(5)),
            body_end: BodyEnd::After(3),
            is_kept: true,
        };
        assert_eq!(head_of(answer), head);
    }

    #[test]
    fn the_end_of_a_body_is_known_only_if_the_headers_agree() {
        for (headers, end) in [
            ("", BodyEnd::Unknown),
            ("Content-Length: 12\r\n", BodyEnd::After(12)),
            ("content-length: 0\r\n", BodyEnd::After(0)),
            ("Transfer-Encoding: chunked\r\n", BodyEnd::AtLastChunk),
            (
                "Content-Length: 1\r\nContent-Length: 1\r\n",
                BodyEnd::Unknown,
            ),
            (
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                BodyEnd::Unknown,
            ),
            ("Content-Length: +1\r\n", BodyEnd::Unknown),
            ("Content-Length: -1\r\n", BodyEnd::Unknown),
            ("Content-Length:\r\n", BodyEnd::Unknown),
            ("Content-Length: 99999999999999999999\r\n", BodyEnd::Unknown),
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
            assert_eq!(head_of(&answer).body_end, end, "{headers}");
            let answer = format!("HTTP/1.1 204 No Content\r\n{headers}\r\n");
            assert_eq!(head_of(&answer).body_end, BodyEnd::After(0), "{headers}");
        }
    }

    #[test]
    fn the_server_decides_whether_the_connection_is_kept() {
        for (answer, is_kept) in [
            ("HTTP/1.1 204 X\r\n\r\n", true),
            ("HTTP/1.1 204 X\r\nConnection: keep-alive\r\n\r\n", true),
            ("HTTP/1.1 204 X\r\nconnection: Close\r\n\r\n", false),
            ("HTTP/1.1 204 X\r\nConnection: x, close\r\n\r\n", false),
            ("HTTP/1.1 200 X\r\nTransfer-Encoding: gzip\r\n\r\n", false),
            ("HTTP/1.0 204 X\r\n\r\n", false),
        ] {
            assert_eq!(head_of(answer).is_kept, is_kept, "{answer}");
        }
    }

    #[test]
    fn input_that_is_not_http_is_rejected_at_once() {
        for bytes in [
            "SSH-2.0-x\r\n",
            "<html>",
            "HTTP/1.1 099 X\r\n\r\n",
            "HTTP/1.1 2x4 \r\n",
        ] {
            assert_eq!(read_head(bytes.as_bytes()), Err(NotHttp), "{bytes}");
        }
        let many = format!(
            "HTTP/1.1 204 X\r\n{}\r\n",
            "A: b\r\n".repeat(MAX_HEADERS + 1)
        );
        assert_eq!(read_head(many.as_bytes()), Err(NotHttp));
    }

    #[test]
    fn chunks_are_read_up_to_the_last_one() {
        let body = "4\r\nWiki\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        for end in 0..body.len() {
            let extent = measure_body(&body.as_bytes()[..end], BodyEnd::AtLastChunk);
            assert_eq!(extent, Extent::Incomplete, "{end}");
        }
        let and_more = format!("{body}more");
        let extent = measure_body(and_more.as_bytes(), BodyEnd::AtLastChunk);
        assert_eq!(extent, Extent::Complete(body.len()));
        for odd in [
            "x\r\n",
            "0\r\nTrailer: 1\r\n\r\n",
            "fffffffffffffffff\r\n",
            "ffffffffffffffff\r\n",
        ] {
            let extent = measure_body(odd.as_bytes(), BodyEnd::AtLastChunk);
            assert_eq!(extent, Extent::Unknown, "{odd}");
        }
    }
}
