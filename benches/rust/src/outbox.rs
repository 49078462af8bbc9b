//! Measures the outbox from within one process, and prints rows of the table as JSON.

use crate::{order, server};
use katalys_core::{Client, Fields, Language};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const NOWHERE: &str = "http://127.0.0.1:9/";
const LONG: Duration = Duration::from_secs(300);

/// A temporary folder on the disk of the sources, because that of the system may be in memory.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("outbox-bench-{}-{number}", std::process::id());
        let parent = std::env::current_exe().expect("a path");
        let path = parent.parent().expect("a folder").join(name);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn client(&self, url: &str, durability: &str, deliver: bool) -> Client {
        let file = self.0.join("outbox.db");
        let options = Fields::new()
            .set("site_id", "abcd.com")
            .set("endpoint", url.to_owned())
            .set("outbox", file.to_str().expect("UTF-8").to_owned())
            .set("durability", durability.to_owned())
            .set("deliver", deliver)
            .set("workers", 8);
        Client::with_options(Language::Rust, &options).expect("a client")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn enqueue(client: &Client, prefix: &str, numbers: std::ops::Range<u32>) -> Vec<Duration> {
    let one = |number: u32| {
        let started = Instant::now();
        let accepted = client.enqueue_update(format!("{prefix}{number}"), order());
        accepted.expect("accepted");
        started.elapsed()
    };
    numbers.map(one).collect()
}

/// Creates a backlog that no process delivers yet; creating it is not measured.
fn fill(folder: &Folder, count: u32) {
    let client = folder.client(NOWHERE, "normal", false);
    thread::scope(|scope| {
        for part in 0..8 {
            let client = &client;
            scope.spawn(move || enqueue(client, "", part * count / 8..(part + 1) * count / 8));
        }
    });
}

fn percentile(durations: &mut [Duration], percent: usize) -> f64 {
    durations.sort_unstable();
    durations[(durations.len() - 1) * percent / 100].as_secs_f64()
}

fn row(what: &str, (ours, theirs): (f64, f64), other: &str, unit: &str, goal: &str) {
    let ratio = (ours / theirs * 100.0).round() / 100.0;
    println!(
        r#"{{"what": "{what}", "ours": {ours}, "theirs": {theirs}, "other": "{other}", "unit": "{unit}", "ratio": {ratio}, "goal": "{goal}"}}"#
    );
}

/// Prints the rate at which one producer's updates are accepted.
pub fn accept(durability: &str) {
    const UPDATES: u32 = 20_000;
    let folder = Folder::new();
    let client = folder.client(NOWHERE, durability, false);
    let started = Instant::now();
    enqueue(&client, "", 0..UPDATES);
    println!(
        "{:.0}",
        f64::from(UPDATES) / started.elapsed().as_secs_f64()
    );
}

/// Prints the rate at which a backlog is delivered to a server that answers 204.
pub fn drain(url: &str, backlog: u32) {
    let folder = Folder::new();
    fill(&folder, backlog);
    let client = folder.client(url, "full", true);
    let started = Instant::now();
    assert_eq!(client.flush(LONG).expect("flushed"), 0);
    println!(
        "{:.0}",
        f64::from(backlog) / started.elapsed().as_secs_f64()
    );
}

/// How long a caller waits for an enqueue while a backlog drains.
pub fn stalls(url: &str) {
    let folder = Folder::new();
    fill(&folder, 100_000);
    let client = folder.client(url, "full", true);
    let mut each = thread::scope(|scope| {
        let flush = scope.spawn(|| client.flush(LONG).expect("flushed"));
        let mut each = Vec::new();
        while !flush.is_finished() {
            let number = u32::try_from(each.len()).expect("few");
            each.extend(enqueue(&client, "while-", number..number + 1));
        }
        each
    });
    let (p50, p99) = (percentile(&mut each, 50), percentile(&mut each, 99));
    let what = "p99 of an enqueue while a backlog of 100,000 drains, FULL";
    row(what, (p99 * 1e3, p50 * 1e3), "its p50", "ms", "<= 10");
}

/// The time from a call to the arrival of the update on an idle machine: through the outbox, and sent directly.
pub fn idle() {
    const TIMES: u32 = 1_000;
    let (told, arrivals) = channel();
    let url = server::start(move |_| {
        told.send(Instant::now()).expect("the receiver exists");
        204
    });
    let folder = Folder::new();
    let through = folder.client(&url, "full", true);
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", url);
    let direct = Client::with_options(Language::Rust, &options).expect("a client");
    let (mut queued, mut sent) = (Vec::new(), Vec::new());
    for number in 0..TIMES {
        thread::sleep(Duration::from_millis(u64::from(number % 5)));
        let started = Instant::now();
        enqueue(&through, "", number..number + 1);
        queued.push(arrival(&arrivals, started));
        assert_eq!(through.flush(LONG).expect("flushed"), 0);
        let started = Instant::now();
        direct
            .update_order(i64::from(number), order())
            .expect("received");
        sent.push(arrival(&arrivals, started));
    }
    for (percent, goal) in [(50, "<= direct + 1 ms"), (99, "<= direct + 5 ms")] {
        let (ours, theirs) = (
            percentile(&mut queued, percent),
            percentile(&mut sent, percent),
        );
        let what = format!("enqueue to received, idle, FULL, p{percent}");
        row(
            &what,
            (ours * 1e3, theirs * 1e3),
            "sent directly",
            "ms",
            goal,
        );
    }
}

fn arrival(arrivals: &Receiver<Instant>, started: Instant) -> Duration {
    arrivals.recv_timeout(LONG).expect("arrived") - started
}

/// The cost of one update, from enqueue to settlement, behind backlogs of three sizes.
pub fn backlogs(url: &str) {
    let mut costs = Vec::new();
    for waiting in [1_000, 100_000, 1_000_000] {
        let folder = Folder::new();
        fill(&folder, waiting);
        let before = memory();
        let cost = cost_behind(&folder, url);
        let grown = memory().saturating_sub(before);
        eprintln!("{waiting} waiting: {cost:.1} µs per update, {grown} KiB more in memory");
        costs.push((cost, grown));
    }
    let costs_only = || costs.iter().map(|(cost, _)| *cost);
    let worst = costs_only().fold(0.0, f64::max);
    let best = costs_only().fold(f64::MAX, f64::min);
    let what = "cost per update with 1,000, 100,000 and 1,000,000 waiting, worst";
    row(what, (worst, best), "the best", "µs", "<= 1.3");
    let grown = costs.iter().map(|(_, grown)| *grown).max().unwrap_or(0);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let grown = grown as f64 / 1024.0;
    row(
        "memory that a backlog takes",
        (grown, 16.0),
        "caches",
        "MB",
        "flat",
    );
}

/// Microseconds per update. The updates of the backlog are the oldest, so they are delivered.
fn cost_behind(folder: &Folder, url: &str) -> f64 {
    const UPDATES: u32 = 20_000;
    let client = folder.client(url, "normal", false);
    let started = Instant::now();
    enqueue(&client, "more-", 0..UPDATES);
    let accepting = started.elapsed();
    drop(client);
    let client = folder.client(url, "normal", true);
    let started = Instant::now();
    client.flush(Duration::ZERO).expect("begun");
    while client.stats().expect("counters").delivered < u64::from(UPDATES) {
        thread::sleep(Duration::from_millis(1));
    }
    let delivering = started.elapsed();
    client.close(LONG).expect("closed");
    (accepting + delivering).as_secs_f64() / f64::from(UPDATES) * 1e6
}

/// Resident memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The time to deliver 100,000 orders, alone and with 10,000 others that always fail: either before all
/// successful orders, or scattered among them.
pub fn failing() {
    let alone = time_of_successful(|_| None);
    let first = time_of_successful(|number| (number == 0).then_some(10_000));
    let scattered = time_of_successful(|number| (number % 10 == 0).then_some(1));
    for (where_, took) in [("scattered", scattered), ("all of them first", first)] {
        let what = format!("100,000 successful orders with 10,000 failing ones, {where_}");
        row(&what, (took, alone), "successful ones alone", "s", "<= 1.2");
    }
}

/// `failing` returns how many failing orders come before a successful one.
fn time_of_successful(failing: impl Fn(u32) -> Option<u32>) -> f64 {
    const SUCCESSFUL: u32 = 100_000;
    let (told, all_there) = channel();
    let arrived = AtomicU64::new(0);
    let url = server::start(move |body| {
        if body.windows(4).any(|part| part == b"bad-") {
            return 503;
        }
        if arrived.fetch_add(1, Ordering::Relaxed) + 1 == u64::from(SUCCESSFUL) {
            let _ = told.send(Instant::now());
        }
        204
    });
    let folder = Folder::new();
    let client = folder.client(NOWHERE, "normal", false);
    let mut bad = 0;
    for number in 0..SUCCESSFUL {
        if let Some(count) = failing(number) {
            enqueue(&client, "bad-", bad..bad + count);
            bad += count;
        }
        enqueue(&client, "good-", number..number + 1);
    }
    let client = folder.client(&url, "full", true);
    let started = Instant::now();
    client.flush(Duration::ZERO).expect("begun");
    arrival(&all_there, started).as_secs_f64()
}
