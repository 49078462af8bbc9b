//! The outbox through the public API: accepted updates arrive, in order, whatever happens.

mod dead_letters;
mod delivery;
mod files;
mod processes;
mod state;

use katalys_core::{Client, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("katalys-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn file(&self) -> String {
        self.0.join("outbox.db").to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LONG: Duration = Duration::from_secs(60);

fn receiver() -> Receiver {
    Receiver::start(&Options::default()).expect("a receiver")
}

fn options(file: &str, endpoint: &str) -> Fields<'static> {
    Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", endpoint.to_owned())
        .set("outbox", file.to_owned())
        .set("workers", 4)
}

fn client(options: &Fields<'_>) -> Client {
    Client::with_options(Language::Rust, options).expect("a client")
}

fn endpoint(receiver: &Receiver, steps: &str) -> String {
    format!(
        "{}/run/{steps}",
        receiver.ready()["url"].as_str().expect("a URL")
    )
}

/// All requests of this run.
fn requests(receiver: &Receiver, run: &str) -> Vec<serde_json::Value> {
    let address = receiver.ready()["control"].as_str().expect("control");
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).expect("connected");
    write!(
        stream,
        "GET /_recorded/{run} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

/// Order id and count of each update that was answered with 204, or was read at least.
fn received(receiver: &Receiver, run: &str) -> Vec<(String, u64)> {
    let records = requests(receiver, run);
    let is_answered = |step: &str| step == "204" || step.starts_with("slow=");
    let answered = records
        .iter()
        .filter(|record| record["step"].as_str().is_some_and(is_answered));
    let parsed = answered.map(|record| {
        let body = record["body"].as_str().expect("a body");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let order = body["order_id"].as_str().expect("an order").to_owned();
        (order, body["order_count"].as_u64().expect("a count"))
    });
    parsed.collect()
}

fn count(number: u32) -> Fields<'static> {
    Fields::new().set("order_count", number)
}

/// Waits for this many requests, or fails the test.
fn wait_for_requests(receiver: &Receiver, run: &str, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while requests(receiver, run).len() < count {
        assert!(Instant::now() < deadline, "fewer than {count} requests");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The child process of other tests: accepts numbered updates for its own orders, prints each accepted
/// number, and delivers at the same time.
#[test]
#[ignore = "run by other tests as a child process"]
fn child() {
    let Ok(file) = std::env::var("CHILD_FILE") else {
        return;
    };
    let url = std::env::var("CHILD_URL").expect("a URL");
    let first: u32 = std::env::var("CHILD_FIRST").unwrap().parse().unwrap();
    let order = std::env::var("CHILD_ORDER").unwrap();
    let number = |name: &str| std::env::var(name).map(|text| text.parse().unwrap());
    let client = client(
        &options(&file, &url)
            .set("timeout", 2)
            .set("workers", number("CHILD_WORKERS").unwrap_or(4))
            .set("on_rejected", "hold"),
    );
    let last = number("CHILD_LAST").unwrap_or(u32::MAX);
    for number in first..=last {
        let order = format!("{order}-{}", number % 3);
        client
            .enqueue_update(order, count(number))
            .expect("accepted");
        println!("accepted {number}");
    }
    client.flush(LONG).expect("flushed");
}
