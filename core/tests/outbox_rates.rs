//! How fast the outbox is, and how much memory a backlog takes. Run in release mode, by hand:
//! `cargo test --release -p katalys-core --test outbox_rates -- --ignored --nocapture`, with
//! `RATES_URL` as the endpoint (a server that answers 204), or the tests' own receiver.

use katalys_core::{Client, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    Folder(std::env::temp_dir().join(format!("katalys-rates-{}-{name}", std::process::id())))
}

fn client(folder: &Folder, durability: &str, url: &str, deliver: bool) -> Client {
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", url.to_owned())
        .set(
            "outbox",
            folder.0.join("outbox.db").to_str().unwrap().to_owned(),
        )
        .set("durability", durability.to_owned())
        .set("deliver", deliver)
        .set("workers", 8);
    Client::with_options(Language::Rust, &options).expect("a client")
}

fn enqueue(client: &Client, from: u32, to: u32) -> Vec<Duration> {
    let one = |number: u32| {
        let started = Instant::now();
        let fields = Fields::new()
            .set("order_status", "paid")
            .set("sale_amount", "25.67")
            .set("currency", "EUR")
            .set("order_time", "2018-01-01 01:23:40-08:00")
            .set("email_address", "somebody@example.com");
        client
            .enqueue_update(format!("order-{number}"), fields)
            .expect("accepted");
        started.elapsed()
    };
    (from..to).map(one).collect()
}

fn report(what: &str, count: u32, took: Duration, mut each: Vec<Duration>) {
    each.sort_unstable();
    let at = |percent: usize| each[each.len() * percent / 100];
    let rate = f64::from(count) / took.as_secs_f64();
    println!(
        "{what}: {rate:.0}/s, p50 {:?}, p99 {:?}, memory {} MB",
        at(50),
        at(99),
        memory()
    );
}

/// Resident memory of this process.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

#[test]
#[ignore = "takes long; for figures"]
fn rates_of_accepting() {
    const NOWHERE: &str = "http://127.0.0.1:9/";
    for (durability, count) in [("full", 10_000), ("normal", 100_000)] {
        let folder = folder(durability);
        let client = client(&folder, durability, NOWHERE, false);
        let started = Instant::now();
        let each = enqueue(&client, 0, count);
        report(
            &format!("one producer, {durability}"),
            count,
            started.elapsed(),
            each,
        );
    }
    for durability in ["full", "normal"] {
        let folder = folder(&format!("eight-{durability}"));
        let client = client(&folder, durability, NOWHERE, false);
        let started = Instant::now();
        let each = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|t| {
                    scope.spawn({
                        let client = &client;
                        move || enqueue(client, t * 10_000, (t + 1) * 10_000)
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        report(
            &format!("eight producers, {durability}"),
            80_000,
            started.elapsed(),
            each,
        );
    }
}

#[test]
#[ignore = "takes long; for figures"]
fn rate_of_draining() {
    const BACKLOG: u32 = 100_000;
    let receiver = Receiver::start(&Options {
        record: false,
        ..Options::default()
    })
    .unwrap();
    let own = || format!("{}/run/x/204", receiver.ready()["url"].as_str().unwrap());
    let url = std::env::var("RATES_URL").unwrap_or_else(|_| own());
    let folder = folder("drain");
    enqueue(&client(&folder, "normal", &url, false), 0, BACKLOG);
    let client = client(&folder, "full", &url, true);
    let started = Instant::now();
    let (left, each) = thread::scope(|scope| {
        let flush = scope.spawn(|| client.flush(Duration::from_secs(120)).unwrap());
        thread::sleep(Duration::from_millis(200));
        let each = enqueue(&client, BACKLOG, BACKLOG + 1000);
        (flush.join().unwrap(), each)
    });
    assert_eq!(left, 0);
    report(
        "backlog of 100,000; enqueues meanwhile",
        BACKLOG + 1000,
        started.elapsed(),
        each,
    );
}
