//! Updates of one order arrive in the order of the calls, on any thread and through any retries.

use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

fn client(receiver: &Receiver, steps: &str) -> Client {
    let url = receiver.ready()["url"].as_str().expect("a URL");
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", format!("{url}/run/{steps}"))
        .set("timeout", 30);
    Client::with_options(Language::Rust, &options).expect("a client")
}

/// The values of `order_count` in the order in which the receiver answered 204 to them.
fn received(receiver: &Receiver, run: &str) -> Vec<u64> {
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
    let records: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let count = |record: &serde_json::Value| {
        let body: serde_json::Value =
            serde_json::from_str(record["body"].as_str().expect("a body")).expect("JSON");
        body["order_count"].as_u64().expect("a count")
    };
    let records = records.as_array().expect("records").iter();
    records
        .filter(|record| record["step"] == "204")
        .map(count)
        .collect()
}

#[test]
fn background_calls_of_one_order_arrive_in_order_through_retries() {
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let client = client(&receiver, "lane/503/204/reset-after/204/close/204");
    let (done, results) = mpsc::channel();
    for count in 1..=200 {
        let fields = Fields::new().set("order_count", count);
        let update = client
            .prepare(Call::Update, &"1001".into(), &fields)
            .expect("valid");
        let done = done.clone();
        client
            .submit(update, move |result| done.send((count, result)).unwrap())
            .expect("accepted");
    }
    let finished: Vec<i32> = results
        .iter()
        .take(200)
        .map(|(count, result)| {
            result.expect("received");
            count
        })
        .collect();
    assert_eq!(finished, (1..=200).collect::<Vec<i32>>());
    assert_eq!(received(&receiver, "lane"), (1..=200).collect::<Vec<u64>>());
}

#[test]
fn waiting_and_background_calls_share_the_lane() {
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let client = client(&receiver, "mixed/slow=100/204");
    let update = |count: i32| {
        let fields = Fields::new().set("order_count", count);
        client
            .prepare(Call::Update, &"1001".into(), &fields)
            .expect("valid")
    };
    let (done, results) = mpsc::channel();
    for count in 1..=3 {
        let done = done.clone();
        client
            .submit(update(count), move |result| done.send(result).unwrap())
            .expect("accepted");
    }
    client.send(update(4)).expect("received");
    assert_eq!(
        results.try_iter().flatten().count(),
        3,
        "all were sent before it"
    );
}

#[test]
fn a_cancelled_call_is_not_sent_and_does_not_delay_the_next() {
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let client = client(&receiver, "cancel/slow=200/204");
    let (done, results) = mpsc::channel();
    let mut submissions = Vec::new();
    for count in 1..=3 {
        let fields = Fields::new().set("order_count", count);
        let update = client
            .prepare(Call::Update, &"1001".into(), &fields)
            .expect("valid");
        let done = done.clone();
        let complete = move |result: Result<_, _>| done.send(result.is_ok()).unwrap();
        submissions.push(client.submit(update, complete).expect("accepted"));
    }
    submissions[1].cancel();
    assert_eq!(
        results.iter().take(3).collect::<Vec<bool>>(),
        [true, false, true]
    );
    assert_eq!(received(&receiver, "cancel"), [3]);
}

#[test]
fn concurrent_calls_are_sent_by_separate_threads() {
    const CONCURRENT: usize = 8;
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let client = client(&receiver, "burst/204");
    let (done, results) = mpsc::channel();
    for round in 0..50 {
        // No completion passes the barrier until all of them run, each on a separate thread.
        let barrier = Arc::new(Barrier::new(CONCURRENT));
        for number in 0..CONCURRENT {
            let (done, barrier) = (done.clone(), Arc::clone(&barrier));
            let update = client
                .prepare(
                    Call::Update,
                    &format!("{round}-{number}").into(),
                    &Fields::new(),
                )
                .expect("valid");
            let complete = move |result: Result<_, _>| {
                barrier.wait();
                done.send(result.is_ok()).unwrap();
            };
            client.submit(update, complete).expect("accepted");
        }
        for _ in 0..CONCURRENT {
            let limit = Duration::from_secs(20);
            assert!(results.recv_timeout(limit).expect("every call completes"));
        }
    }
}
