//! A raw HTTP client, and a receiver that ends with its test.

// Each test file uses a part of this module.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Only a failing test waits this long.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

pub struct Receiver {
    pub child: Child,
    pub stdout: BufReader<ChildStdout>,
    pub ready: Value,
}

impl Receiver {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_katalys-receiver"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self {
            child,
            stdout,
            ready: serde_json::from_str(&line).unwrap(),
        }
    }

    /// Host and port of an address in the ready line, such as `/tls/good`.
    pub fn address(&self, pointer: &str) -> String {
        let url = self.ready.pointer(pointer).and_then(Value::as_str).unwrap();
        let host = url.split("://").nth(1).unwrap();
        host.rsplit('@')
            .next()
            .unwrap()
            .replace("localhost", "127.0.0.1")
    }

    pub fn get(&self, path: &str) -> Value {
        let mut raw = Raw::connect_to(&self.address("/control"));
        let answer = raw.exchange(&format!("GET {path} HTTP/1.1\r\n\r\n"));
        assert_eq!(status(&answer), 200, "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub struct Raw {
    pub socket: TcpStream,
}

impl Raw {
    pub fn connect(receiver: &Receiver) -> Self {
        Self::connect_to(&receiver.address("/url"))
    }

    pub fn connect_to(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        Self { socket }
    }

    pub fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// Sends a request and reads the response with its body.
    pub fn exchange(&mut self, request: &str) -> String {
        self.send(request);
        let mut answer = self.head();
        let length = answer.split("Content-Length: ").nth(1).map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse().unwrap()
        });
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).unwrap();
        answer.push_str(std::str::from_utf8(&body).unwrap());
        answer
    }

    /// Reads one head, and not a byte more.
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads everything up to FIN; or returns the error.
    pub fn end(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let mut bytes = Vec::new();
        self.socket
            .read_to_end(&mut bytes)
            .map_err(|error| error.kind())?;
        Ok(bytes)
    }
}

pub fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nX-Test: yes\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

pub fn is_204(answer: &str) -> bool {
    answer == "HTTP/1.1 204 No Content\r\n\r\n"
}
