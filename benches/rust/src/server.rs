//! A server within the process, so that one clock measures the time of the call and of the arrival.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Answers each body with the status that `judge` gives it; returns its URL.
pub fn start(judge: impl Fn(&[u8]) -> u16 + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let judge = Arc::new(judge);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let judge = Arc::clone(&judge);
            thread::spawn(move || serve(&stream.expect("a connection"), &*judge));
        }
    });
    url
}

/// One connection, until the client closes it.
fn serve(mut stream: &TcpStream, judge: &dyn Fn(&[u8]) -> u16) {
    let _ = stream.set_nodelay(true);
    let mut read = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        while let Some((body, end)) = request(&read) {
            let status = judge(&read[body..end]);
            read.drain(..end);
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        match stream.read(&mut part) {
            Ok(length) if length > 0 => read.extend_from_slice(&part[..length]),
            _ => return,
        }
    }
}

/// The range of the body of a request that has arrived completely.
fn request(read: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &[u8] = b"content-length:";
    let body = read.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let mut lines = read[..body].split(|byte| *byte == b'\n');
    let line = lines.find(|line| {
        let name = line.get(..LENGTH.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(LENGTH))
    })?;
    let length: usize = str::from_utf8(&line[LENGTH.len()..])
        .ok()?
        .trim()
        .parse()
        .ok()?;
    (read.len() >= body + length).then_some((body, body + length))
}
