//! An update over an open connection needs at most four system calls. strace counts them in two runs of
//! different length, so that the start and the connection cancel out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use katalys_core::{Client, Language};

const MAX_PER_UPDATE: f64 = 4.0;
const FEW: u32 = 200;
const MANY: u32 = 1200;

#[test]
fn an_update_needs_at_most_four_system_calls() {
    if !has_strace() {
        eprintln!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let endpoint = start_receiver();
    let extra = calls_of_run(&endpoint, MANY) - calls_of_run(&endpoint, FEW);
    let per_update = f64::from(extra) / f64::from(MANY - FEW);
    println!("{per_update} system calls per update");
    // Fewer than two (a write and a read) would show that nothing was counted.
    assert!(per_update >= 2.0, "{per_update}");
    assert!(per_update <= MAX_PER_UPDATE + 0.1, "{per_update}");
}

/// The traced process of the test above.
#[test]
#[ignore = "run by the test above, under strace"]
fn traced_run() {
    let endpoint = std::env::var("SYSCALLS_ENDPOINT").unwrap();
    let count: u32 = std::env::var("SYSCALLS_UPDATES").unwrap().parse().unwrap();
    let options = [("site_id", "abcd.com"), ("endpoint", endpoint.as_str())];
    let client = Client::with_options(Language::Rust, &options.into()).unwrap();
    for _ in 0..count {
        client
            .update_order("1001", [("order_status", "paid")])
            .unwrap();
    }
}

fn has_strace() -> bool {
    Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The number of system calls of a process that sends `updates` updates.
fn calls_of_run(endpoint: &str, updates: u32) -> u32 {
    let summary = std::env::temp_dir().join(format!("katalys-syscalls-{}", std::process::id()));
    let status = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&summary)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "traced_run"])
        .env("SYSCALLS_ENDPOINT", endpoint)
        .env("SYSCALLS_UPDATES", updates.to_string())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let text = fs::read_to_string(&summary).unwrap();
    let _ = fs::remove_file(&summary);
    total_calls(&text)
}

/// The "calls" column in the last line of strace.
fn total_calls(summary: &str) -> u32 {
    let total = summary
        .lines()
        .rfind(|line| line.ends_with("total"))
        .unwrap();
    total.split_whitespace().nth(3).unwrap().parse().unwrap()
}

fn start_receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || receive(&stream));
        }
    });
    format!("http://127.0.0.1:{port}/v2/_tr_offline")
}

fn receive(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(length) = body_length(&mut reader) {
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut writer = stream;
        if writer
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

/// Reads a head; `None` when the client has closed the connection.
fn body_length(reader: &mut impl BufRead) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(digits) = line.strip_prefix("content-length: ") {
            length = digits.parse().ok()?;
        }
        if line.is_empty() {
            return Some(length);
        }
    }
}
