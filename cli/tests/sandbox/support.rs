//! Starts a sandbox for a test, and a minimal HTTP client for it.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// A running sandbox; it ends with the test.
pub struct Sandbox {
    child: Child,
    stdin: Option<ChildStdin>,
    pub ready: String,
    pub address: SocketAddr,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Sandbox {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_katalys"))
            .args(["sandbox", "--port", "0", "--json", "--until-stdin-closes"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut ready)
            .expect("a line");
        let line: Value = serde_json::from_str(&ready).expect("one line of JSON");
        let url = line["url"].as_str().expect("a URL");
        let address = url
            .strip_prefix("http://")
            .expect("http")
            .parse()
            .expect("an address");
        Self {
            stdin: child.stdin.take(),
            child,
            ready,
            address,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes its standard input and waits for it to end; returns its exit status.
    pub fn end(mut self) -> Option<i32> {
        self.stdin.take();
        self.child.wait().expect("it ends").code()
    }

    /// Waits for it to end by itself; returns its exit status.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    pub fn connect(&self) -> Client {
        Client::new(self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.connect()
            .request("GET", path, &[], b"")
            .expect("an answer")
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.connect()
            .request("DELETE", path, &[], b"")
            .expect("an answer")
    }

    /// Sends an update; returns the status of the response.
    pub fn send(&self, update: &Value) -> u16 {
        self.post(update.to_string().as_bytes())
            .expect("an answer")
            .status
    }

    pub fn post(&self, body: &[u8]) -> io::Result<Answer> {
        self.connect()
            .request("POST", "/v2/_tr_offline", &[JSON], body)
    }

    pub fn fault(&self, rule: &Value) -> Answer {
        let body = rule.to_string();
        let path = "/_sandbox/faults";
        self.connect()
            .request("POST", path, &[JSON], body.as_bytes())
            .expect("an answer")
    }

    pub fn order(&self, order_id: &str) -> Value {
        self.get(&format!("/_sandbox/orders/{order_id}")).json()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stdin.take();
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub const JSON: (&str, &str) = ("Content-Type", "application/json");

pub fn update(order_id: &str, fields: &Value) -> Value {
    let mut update = json!({ "site_id": "abcd.com", "order_id": order_id });
    let (Value::Object(all), Value::Object(more)) = (&mut update, fields) else {
        panic!("fields are an object");
    };
    all.extend(more.clone());
    update
}

/// A complete request, for a connection that is written to directly.
pub fn raw_post(sandbox: &Sandbox, order_id: &str) -> Vec<u8> {
    let body = update(order_id, &json!({})).to_string();
    let length = body.len();
    let address = sandbox.address;
    format!(
        "POST /v2/_tr_offline HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into()
}

/// A connection that is kept alive.
pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("an option");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("an option");
        Self {
            address,
            stream: BufReader::new(stream),
        }
    }

    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Host") {
            let _ = write!(head, "Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let request = [head.as_bytes(), b"\r\n", body].concat();
        self.stream.get_mut().write_all(&request)?;
        self.answer()
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn set_timeout(&mut self, timeout: Duration) {
        self.stream
            .get_mut()
            .set_read_timeout(Some(timeout))
            .expect("an option");
    }

    pub fn answer(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head[9..12].parse().expect("a status");
        let mut answer = Answer {
            status,
            head,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        answer.body = String::from_utf8(body).expect("UTF-8");
        Ok(answer)
    }

    /// The next line of a response without an end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line
    }
}
