//! Executes one step on a connection whose request was read.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::script::{RetryAfter, Step};
use crate::stream::Stream;

pub const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const NO_CONTENT_CLOSE: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
const GARBAGE: &[u8] = b"\x00\x01\xFFthis is not HTTP\r\n\r\n\xC3\x28 at all\r\n\r\n";
const TRICKLE_START: &[u8] = b"HTTP/1.1 204 No Content\r\nX-Trickle: ";
const TRICKLE_PAUSE: Duration = Duration::from_millis(100);

/// What happens to the connection after a step.
#[derive(Debug, PartialEq)]
pub enum After {
    KeepAlive,
    /// Closed properly, after the client has read the response.
    Finish,
    /// Closed immediately, with FIN.
    Close,
    Reset,
}

/// Writes the response of a step. A client that leaves is not an error.
pub fn execute(step: &Step, run: &str, stream: &mut Stream) -> After {
    write_step(step, run, stream).unwrap_or(After::Close)
}

fn write_step(step: &Step, run: &str, stream: &mut Stream) -> io::Result<After> {
    match step {
        Step::Status {
            code: 204,
            retry_after: None,
        }
        | Step::Continue => {
            stream.write_all(NO_CONTENT)?;
        }
        Step::Status { code, retry_after } => {
            stream.write_all(&status_response(*code, retry_after.as_ref(), run))?;
        }
        Step::Slow(pause) => {
            thread::sleep(*pause);
            stream.write_all(NO_CONTENT)?;
        }
        Step::Hang => stream.discard_until_end(),
        Step::Trickle => trickle(stream)?,
        Step::ResetBefore | Step::ResetAfter => return Ok(After::Reset),
        Step::Close => return Ok(After::Close),
        Step::Garbage => return write_and(stream, GARBAGE, After::Close),
        Step::Truncated => return write_and(stream, b"HTTP/1.1 2", After::Close),
        Step::Huge => endless_body(stream)?,
        Step::HugeHead => endless_head(stream)?,
        Step::NoContentClose => return write_and(stream, NO_CONTENT_CLOSE, After::Finish),
        Step::NoContentThenClose => return write_and(stream, NO_CONTENT, After::Finish),
        Step::Unknown(text) => {
            let body = format!("unknown step: {text}\n");
            stream.write_all(&with_body("400 Bad Request", "text/plain", body.as_bytes()))?;
        }
    }
    Ok(After::KeepAlive)
}

fn write_and(stream: &mut Stream, bytes: &[u8], after: After) -> io::Result<After> {
    stream.write_all(bytes)?;
    Ok(after)
}

fn status_response(code: u16, retry_after: Option<&RetryAfter>, run: &str) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {code} {}", reason(code))];
    if let Some(retry_after) = retry_after {
        lines.push(format!(
            "Retry-After: {}",
            retry_after.value(SystemTime::now())
        ));
    }
    if let 301 | 302 | 303 | 307 | 308 = code {
        // A URL that accepts the update, so that a client that follows the redirect would succeed.
        lines.push(format!("Location: /elsewhere/{run}"));
    }
    let body = match code {
        204 | 304 => String::new(),
        _ => format!("{{\"status\":{code}}}\n"),
    };
    if !body.is_empty() {
        lines.push("Content-Type: application/json".to_owned());
        lines.push(format!("Content-Length: {}", body.len()));
    }
    let head = lines.join("\r\n");
    format!("{head}\r\n\r\n{body}").into_bytes()
}

/// A complete response with a body.
pub fn with_body(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Sends a head one byte at a time, until the client gives up.
fn trickle(stream: &mut Stream) -> io::Result<()> {
    for byte in TRICKLE_START.iter().copied().chain(std::iter::repeat(b'.')) {
        stream.write_all(&[byte])?;
        thread::sleep(TRICKLE_PAUSE);
    }
    Ok(())
}

fn endless_body(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut chunk = b"1000\r\n".to_vec();
    chunk.resize(chunk.len() + 0x1000, b'x');
    chunk.extend_from_slice(b"\r\n");
    loop {
        stream.write_all(&chunk)?;
    }
}

fn endless_head(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n")?;
    let mut number = 0_u64;
    loop {
        stream.write_all(format!("X-Endless-{number}: {}\r\n", ".".repeat(1000)).as_bytes())?;
        number += 1;
    }
}

/// The reason phrase; clients must use the number only.
fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "As Told",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_has_a_location_and_a_304_has_no_body() {
        let text = |code| String::from_utf8(status_response(code, None, "id")).unwrap();
        assert!(text(302).contains("\r\nLocation: /elsewhere/id\r\n"));
        assert!(text(304).ends_with("304 As Told\r\n\r\n"));
        assert!(text(503).ends_with("\r\nContent-Length: 15\r\n\r\n{\"status\":503}\n"));
    }
}
