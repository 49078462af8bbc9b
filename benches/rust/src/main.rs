//! Measures the core.
//!
//! `katalys-bench send URL [CA_FILE] [SECONDS]` prints the rate of waiting calls from 8 threads;
//! `katalys-bench check [TIMES]` prints the nanoseconds of one check of 20 fields;
//! `katalys-bench accept full|normal` prints the rate of one producer;
//! `katalys-bench drain URL BACKLOG` prints the rate of delivery from an outbox;
//! `katalys-bench stalls|backlogs URL` and `katalys-bench idle|failing` print rows of the table.

mod outbox;
mod server;

use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Fields, Language, Value};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const THREADS: u64 = 8;

/// Twenty fields of the vendor's page, about 350 bytes as JSON.
fn order() -> Fields<'static> {
    Fields::from([
        ("order_status", "paid"),
        ("order_time", "2018-01-01 01:23:40-08:00"),
        ("sale_amount", "25.67"),
        ("subtotal_amount", "19.20"),
        ("shipping_amount", "4.99"),
        ("tax_amount", "1.48"),
        ("currency", "USD"),
        ("email_address", "email@example.com"),
        ("ip_address", "93.184.215.14"),
        ("shipping_city", "Springfield"),
        ("shipping_state", "OR"),
        ("shipping_postal", "97477"),
        ("shipping_country", "US"),
        ("discount_1_code", "REVOFFERS_EXAMPLE"),
        ("discount_1_amount", "1.50"),
        ("line_item_1_title", "Wellness Bundle #4"),
        ("line_item_1_sku", "WLNS_BUNDLE_4"),
        ("line_item_1_price", "1.99"),
        ("line_item_1_qty", "2"),
        ("order_count", "2"),
    ])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["check"] => check(20_000),
        ["check", times] => check(times.parse().expect("a number")),
        ["send", endpoint] => send(endpoint, None, 3.0),
        ["send", endpoint, ca_file] => send(endpoint, Some(ca_file), 3.0),
        ["send", endpoint, ca_file, seconds] => {
            let ca_file = Some(*ca_file).filter(|path| !path.is_empty());
            send(endpoint, ca_file, seconds.parse().expect("seconds"));
        }
        ["accept", durability] => outbox::accept(durability),
        ["drain", url, backlog] => outbox::drain(url, backlog.parse().expect("a number")),
        ["stalls", url] => outbox::stalls(url),
        ["backlogs", url] => outbox::backlogs(url),
        ["idle"] => outbox::idle(),
        ["failing"] => outbox::failing(),
        _ => eprintln!("usage: see the head of this program's source"),
    }
}

fn check(times: u32) {
    let client = Client::new("abcd.com").expect("client");
    let (order_id, fields) = (Value::from("1001"), order());
    let once = || client.prepare(Call::Update, black_box(&order_id), black_box(&fields));
    let checked = once().expect("the order is right");
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    let mut rounds: Vec<u128> = (0..21)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(once().is_ok());
            }
            start.elapsed().as_nanos() / u128::from(times)
        })
        .collect();
    rounds.sort_unstable();
    println!("{}", rounds[rounds.len() / 2]);
}

fn send(endpoint: &str, ca_file: Option<&str>, seconds: f64) {
    let mut options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", endpoint);
    if let Some(ca_file) = ca_file {
        options.push("ca_file", ca_file);
    }
    let client = Client::with_options(Language::Rust, &options).expect("client");
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (client, sent, stop) = (&client, &sent, &stop);
            scope.spawn(move || {
                let mut number = thread;
                while !stop.load(Ordering::Relaxed) {
                    number += THREADS;
                    let order_id = i64::try_from(number).unwrap_or(i64::MAX);
                    client.update_order(order_id, order()).expect("received");
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
    });
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = sent.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.0}");
}
