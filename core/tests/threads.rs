//! The threads of an outbox end with its delivery, however often it is paused and resumed.
#![cfg(target_os = "linux")]

use katalys_core::bridge::Bridge as _;
use katalys_core::{Client, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::fs;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// How many threads of this process watch a file.
fn watching() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "katalys-watch").count()
}

#[test]
fn pausing_and_resuming_leaves_no_thread_behind() {
    let folder = std::env::temp_dir().join(format!("katalys-{}-threads", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let url = receiver.ready()["url"].as_str().expect("a URL");
    let file = folder.join("outbox.db");
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", format!("{url}/run/threads/204"))
        .set("outbox", file.to_str().expect("UTF-8").to_owned());
    let client = Client::with_options(Language::Rust, &options).expect("a client");
    for order in 0..10 {
        client.resume();
        let fields = Fields::new().set("order_status", "paid");
        client.enqueue_update(order, fields).expect("accepted");
        assert_eq!(client.flush(LIMIT).unwrap(), 0);
        client.pause();
        client.wait_until_paused(LIMIT);
    }
    let deadline = Instant::now() + LIMIT;
    while watching() > 0 {
        assert!(Instant::now() < deadline, "{} threads are left", watching());
        std::thread::yield_now();
    }
    let _ = fs::remove_dir_all(&folder);
}
