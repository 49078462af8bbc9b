//! `backfill`: every row arrives at least once and in order, however the command is stopped.

mod support;

use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use support::{
    Folder, Ran, endpoint, katalys, received, receiver, requests, run, signal, text, until,
};

/// A CSV file of `count` rows, two per order, with the row's number as `order_count`.
fn orders(count: u32) -> String {
    let mut csv = "order_id,order_time,order_count\n".to_owned();
    for number in 1..=count {
        let (hour, minute, second) = (number / 3600, number / 60 % 60, number % 60);
        let order = number / 4 * 2 + number % 2;
        let _ = writeln!(
            csv,
            "{order},2020-01-01 {hour:02}:{minute:02}:{second:02}Z,{number}"
        );
    }
    csv
}

fn numbers(bodies: &[Value]) -> Vec<u64> {
    bodies
        .iter()
        .map(|body| body["order_count"].as_u64().expect("a count"))
        .collect()
}

/// Asserts that the updates of each order arrived in order, repetitions aside.
fn assert_order(bodies: &[Value]) {
    let mut last: HashMap<&str, Vec<u64>> = HashMap::new();
    for body in bodies {
        let order = body["order_id"].as_str().expect("an order");
        last.entry(order)
            .or_default()
            .push(body["order_count"].as_u64().expect("a count"));
    }
    for (order, numbers) in last {
        let distinct: HashSet<u64> = numbers.iter().copied().collect();
        let mut firsts = Vec::new();
        for number in &numbers {
            if !firsts.contains(number) {
                firsts.push(*number);
            }
        }
        assert!(
            firsts.is_sorted() && distinct.len() == firsts.len(),
            "{order}: {numbers:?}"
        );
    }
}

fn state(file: &Path) -> Option<Value> {
    let state = file.with_extension("backfill.json");
    serde_json::from_slice(&std::fs::read(state).ok()?).ok()
}

#[test]
fn it_resumes_after_ctrl_c_and_after_kill() {
    const ROWS: u32 = 600;
    let (folder, receiver) = (Folder::new("resume"), receiver());
    let file = folder.write("orders.csv", orders(ROWS));
    let url = endpoint(&receiver, "r/slow=5");
    let arguments = [
        "backfill",
        text(&file),
        "--endpoint",
        &url,
        "--rate",
        "2000",
    ];
    let settled = |file: &Path| state(file).map_or(0, |state| state["sent"].as_u64().unwrap_or(0));
    for (stop, after) in [("INT", 60), ("KILL", 200), ("TERM", 300), ("KILL", 400)] {
        let child = katalys(&arguments).spawn().expect("it runs");
        until("a part was sent", || settled(&file) >= after);
        signal(&child, stop);
        let ran = Ran::of(&child.wait_with_output().expect("it ends"));
        if stop == "KILL" {
            assert_eq!(ran.exit, None);
        } else {
            let ran = ran.expect(130);
            assert!(ran.out.contains("run the same command again"), "{ran:?}");
            let state = state(&file).expect("a state");
            assert_eq!(
                state["sent"],
                received(&receiver, "r").len() as u64 - resent(&receiver)
            );
        }
    }
    run(&arguments).expect(0);
    let bodies = received(&receiver, "r");
    let distinct: HashSet<u64> = numbers(&bodies).into_iter().collect();
    assert_eq!(distinct, (1..=u64::from(ROWS)).collect());
    assert_order(&bodies);
    // Two kills: the rows in flight, and those confirmed since the last write of the state.
    assert!(
        resent(&receiver) < 400,
        "{} were sent again",
        resent(&receiver)
    );
    let again = run(&arguments).expect(2);
    assert!(again.err.contains("--restart"), "{again:?}");
}

/// The number of rows that arrived more than once.
fn resent(receiver: &katalys_receiver::Receiver) -> u64 {
    let numbers = numbers(&received(receiver, "r"));
    let distinct: HashSet<u64> = numbers.iter().copied().collect();
    (numbers.len() - distinct.len()) as u64
}

#[test]
fn refused_rows_are_corrected_and_backfilled() {
    let (folder, receiver) = (Folder::new("refused"), receiver());
    let url = endpoint(&receiver, "f/422/204");
    let file = folder.write(
        "orders.csv",
        "order_id,order_time,sale_amount\n1,2020-01-01 00:00:00Z,1\n2,2020-01-02 00:00:00Z,$2\n\
         3,2020-01-03 00:00:00Z\n4,,4\n5,2020-01-05 00:00:00Z,5\n",
    );
    let arguments = [
        "backfill",
        text(&file),
        "--endpoint",
        &url,
        "--json",
        "--workers",
        "1",
    ];
    let dry = run(&[&arguments[..], &["--dry-run"]].concat())
        .expect(1)
        .json();
    assert_eq!((&dry["good"], &dry["refused"]), (&2.into(), &3.into()));
    assert!(state(&file).is_none() && requests(&receiver, "f", 0).is_empty());
    let ran = run(&arguments).expect(1).json();
    assert_eq!((&ran["sent"], &ran["refused"]), (&1.into(), &4.into()));
    let refused = folder.path("orders.refused.csv");
    let content = std::fs::read_to_string(&refused).expect("a file");
    let (header, _) = content.split_once('\n').expect("lines");
    assert_eq!(header, "order_id,order_time,sale_amount,katalys_problem");
    assert!(
        content.contains("2,2020-01-02 00:00:00Z,$2,\"sale_amount is not"),
        "{content}"
    );
    assert!(
        content.contains("4,,4,\"order_time is required"),
        "{content}"
    );
    assert!(
        content.contains("#katalys: line 4: the row has 2 columns"),
        "{content}"
    );
    assert!(content.contains("\"the endpoint answered 422"), "{content}");
    let corrected = content
        .replace(",$2,", ",2,")
        .replace("3,2020-01-03 00:00:00Z\n", "3,2020-01-03 00:00:00Z,3,\n")
        .replace("4,,4", "4,2020-01-04 00:00:00Z,4");
    std::fs::write(&refused, corrected).expect("written");
    let again = ["backfill", text(&refused), "--endpoint", &url, "--sort"];
    run(&again).expect(0);
    let bodies = received(&receiver, "f");
    let mut ids: Vec<&str> = bodies
        .iter()
        .map(|body| body["order_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert!(
        bodies
            .iter()
            .all(|body| body.get("katalys_problem").is_none())
    );
}

#[test]
fn refused_rows_of_ndjson_are_ndjson() {
    let (folder, receiver) = (Folder::new("refused-json"), receiver());
    let url = endpoint(&receiver, "j/204");
    let file = folder.write(
        "orders.ndjson",
        "{\"order_id\":\"1\",\"order_time\":\"2020-01-01 00:00:00Z\",\"order_count\":0}\n{\"order_id\":\n",
    );
    run(&["backfill", text(&file), "--endpoint", &url]).expect(1);
    let refused = folder.path("orders.refused.ndjson");
    let content = std::fs::read_to_string(&refused).expect("a file");
    let first: Value = serde_json::from_str(content.lines().next().unwrap()).expect("JSON");
    assert!(
        first["katalys_problem"]
            .as_str()
            .unwrap()
            .contains("[count_invalid]")
    );
    let corrected = content
        .replace("\"order_count\":0", "\"order_count\":1")
        .replace(
            "{\"order_id\":\n",
            "{\"order_id\":\"2\",\"order_time\":\"2020-01-02 00:00:00Z\"}\n",
        );
    std::fs::write(&refused, corrected).expect("written");
    run(&["backfill", text(&refused), "--endpoint", &url]).expect(0);
    let bodies = received(&receiver, "j");
    let ids: HashSet<&str> = bodies
        .iter()
        .filter_map(|body| body["order_id"].as_str())
        .collect();
    assert_eq!(ids, HashSet::from(["1", "2"]));
}

#[test]
fn refused_rows_of_an_array_are_ndjson() {
    let (folder, receiver) = (Folder::new("refused-array"), receiver());
    let url = endpoint(&receiver, "a/204");
    let file = folder.write(
        "orders.json",
        "[\n  {\"order_id\": \"1\", \"order_time\": \"2020-01-01},\n  {\"order_id\": \"2\",\n   \
         \"order_time\": \" \"},\n  {\"order_id\": \"3\", \"order_time\": \"then\"}\n]\n",
    );
    // Without its time, an old order would count as a new one, so the time cannot be dropped.
    let options = ["--endpoint", &url, "--invalid", "drop"];
    for report in [&["--report", "--dry-run"][..], &["--dry-run"], &[]] {
        let ran = run(&[&["backfill", text(&file), "--json"][..], &options, report].concat());
        assert_eq!(ran.expect(1).json()["refused"], 3);
    }
    let refused = folder.path("orders.refused.json");
    let content = std::fs::read_to_string(&refused).expect("a file");
    assert!(
        content.starts_with("#katalys: line 2: the line is not valid JSON"),
        "{content}"
    );
    let corrected = content
        .replace("\" \"", "\"@0\"")
        .replace("then", "2020-01-03 00:00:00Z");
    std::fs::write(&refused, corrected).expect("written");
    run(&["backfill", text(&refused), "--endpoint", &url]).expect(0);
    let bodies = received(&receiver, "a");
    let ids: HashSet<&str> = bodies
        .iter()
        .filter_map(|body| body["order_id"].as_str())
        .collect();
    assert_eq!(ids, HashSet::from(["2", "3"]));
}

#[test]
fn rows_must_be_in_order_or_sorted() {
    let (folder, receiver) = (Folder::new("sort"), receiver());
    let url = endpoint(&receiver, "o/204");
    let mut lines: Vec<String> = orders(500).lines().map(ToOwned::to_owned).collect();
    let header = lines.remove(0);
    lines.reverse();
    lines.swap(0, 250);
    let file = folder.write("orders.csv", format!("{header}\n{}\n", lines.join("\n")));
    let arguments = ["backfill", text(&file), "--endpoint", &url];
    let refused = run(&arguments).expect(1);
    assert!(
        refused
            .err
            .contains("orders.csv:4: the order_time of this row is earlier"),
        "{refused:?}"
    );
    assert!(requests(&receiver, "o", 0).is_empty(), "nothing was sent");
    run(&[&arguments[..], &["--sort"]].concat()).expect(0);
    let bodies = received(&receiver, "o");
    assert_eq!(bodies.len(), 500);
    assert_order(&bodies);
}

#[test]
fn it_stops_while_the_endpoint_is_down_and_can_resume() {
    let (folder, receiver) = (Folder::new("down"), receiver());
    let file = folder.write("orders.csv", orders(40));
    let down = endpoint(&receiver, "d/204/204/204/503");
    let common = ["backfill", text(&file), "--timeout", "1", "--patience", "0"];
    let ran = run(&[&common[..], &["--endpoint", &down]].concat()).expect(3);
    assert!(ran.err.contains("503"), "{ran:?}");
    let other =
        run(&[&common[..], &["--endpoint", &endpoint(&receiver, "d2/204")]].concat()).expect(2);
    assert!(other.err.contains("had other options"), "{other:?}");
    std::fs::write(&file, orders(41)).expect("written");
    let changed = run(&[&common[..], &["--endpoint", &down]].concat()).expect(2);
    assert!(changed.err.contains("the file has changed"), "{changed:?}");
}

#[test]
fn temporary_failures_are_retried() {
    let (folder, receiver) = (Folder::new("outage"), receiver());
    let file = folder.write("orders.csv", orders(60));
    let url = endpoint(&receiver, "w/204/503/close/reset-after/429/200/503/503/204");
    run(&[
        "backfill",
        text(&file),
        "--endpoint",
        &url,
        "--timeout",
        "1",
    ])
    .expect(0);
    let bodies = received(&receiver, "w");
    assert_eq!(
        numbers(&bodies).into_iter().collect::<HashSet<_>>(),
        (1..=60).collect()
    );
    assert_order(&bodies);
}

#[test]
fn with_an_outbox_the_rows_are_enqueued() {
    let (folder, receiver) = (Folder::new("through"), receiver());
    let (file, outbox) = (
        folder.write("orders.csv", orders(300)),
        folder.path("katalys.db"),
    );
    let url = endpoint(&receiver, "t/204");
    let options = ["--endpoint", &url, "--outbox", text(&outbox)];
    let ran = run(&[
        &["backfill", text(&file), "--deliver=false", "--json"][..],
        &options,
    ]
    .concat());
    assert_eq!(ran.expect(0).json()["in_outbox"], 300);
    assert!(requests(&receiver, "t", 0).is_empty());
    run(&["outbox", text(&outbox), "flush", "--endpoint", &url]).expect(0);
    let bodies = received(&receiver, "t");
    assert_eq!(bodies.len(), 300);
    assert_order(&bodies);
}

#[test]
fn the_rate_is_limited() {
    let (folder, receiver) = (Folder::new("rate"), receiver());
    let file = folder.write("orders.csv", orders(60));
    let url = endpoint(&receiver, "p/204");
    let started = std::time::Instant::now();
    run(&["backfill", text(&file), "--endpoint", &url, "--rate", "50"]).expect(0);
    assert!(
        started.elapsed().as_secs_f64() > 1.0,
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn numbers_are_checked_at_start() {
    let folder = Folder::new("numbers");
    let file = folder.write("orders.csv", orders(1));
    for (option, wrong) in [
        ("--rate", "nan"),
        ("--rate", "0"),
        ("--rate", "-5"),
        ("--rate", "1e-300"),
        ("--patience", "nan"),
        ("--patience", "-1"),
        ("--patience", "1e99"),
    ] {
        let ran = run(&["backfill", text(&file), option, wrong]).expect(2);
        assert!(ran.err.contains(option), "{option} {wrong}: {ran:?}");
    }
}
