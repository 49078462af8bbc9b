//! Runs the command against the receiver.
#![allow(dead_code, reason = "each test uses a part of this module")]

use katalys_core::{Client, Fields, Language};
use katalys_receiver::{Options, Receiver};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A generous timeout for busy machines; only a failing test waits this long.
pub const LONG: Duration = Duration::from_secs(60);

/// A temporary folder, removed after the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("katalys-cli-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command, with a site id as its only environment variable.
pub fn katalys(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_katalys"));
    command
        .args(arguments)
        .env_clear()
        .env("KATALYS_SITE_ID", "abcd.com");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(arguments: &[&str]) -> Ran {
    Ran::of(&katalys(arguments).output().expect("it runs"))
}

pub fn run_with_input(arguments: &[&str], input: &str) -> Ran {
    let mut child = katalys(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    Ran::of(&child.wait_with_output().expect("it ends"))
}

/// The output and the exit code of a command.
#[derive(Debug)]
pub struct Ran {
    pub exit: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            exit: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).expect("UTF-8"),
            err: String::from_utf8(output.stderr.clone()).expect("UTF-8"),
        }
    }

    #[track_caller]
    pub fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, Some(exit), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

pub fn receiver() -> Receiver {
    Receiver::start(&Options::default()).expect("a receiver")
}

pub fn ready<'r>(receiver: &'r Receiver, name: &str) -> &'r str {
    let path = format!("/{}", name.replace('.', "/"));
    receiver
        .ready()
        .pointer(&path)
        .and_then(Value::as_str)
        .expect("a text")
}

/// An endpoint that follows the steps in its path.
pub fn endpoint(receiver: &Receiver, steps: &str) -> String {
    format!("{}/run/{steps}", ready(receiver, "url"))
}

/// Sends a GET request over plain HTTP; returns status and body.
pub fn get(address: &str, path: &str) -> (u16, String) {
    let address = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

/// The requests of a run, once there are `wait` of them.
pub fn requests(receiver: &Receiver, run: &str, wait: usize) -> Vec<Value> {
    let path = format!("/_recorded/{run}?wait={wait}&timeout=60");
    let (_, body) = get(ready(receiver, "control"), &path);
    serde_json::from_str(&body).expect("JSON")
}

/// The bodies of the requests of a run that were answered with 204.
pub fn received(receiver: &Receiver, run: &str) -> Vec<Value> {
    let records = requests(receiver, run, 0).into_iter();
    let answered = records.filter(|record| {
        record["step"]
            .as_str()
            .is_some_and(|step| step == "204" || step.starts_with("slow="))
    });
    answered
        .map(|record| serde_json::from_str(record["body"].as_str().expect("a body")).expect("JSON"))
        .collect()
}

/// Waits until a condition holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a child process.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let status = Command::new("kill")
        .args([&format!("-{name}"), &id])
        .status();
    assert!(status.expect("kill runs").success());
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A client whose outbox has `count` pending updates.
pub fn filled_outbox(path: &Path, count: u32) -> Client {
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("outbox", text(path).to_owned())
        .set("deliver", false);
    let client = Client::with_options(Language::Rust, &options).expect("a client");
    for number in 1..=count {
        let fields = Fields::new()
            .set("order_count", number)
            .set("email_address", "a@example.com");
        client
            .enqueue_update(format!("order-{number}"), fields)
            .expect("accepted");
    }
    client
}
