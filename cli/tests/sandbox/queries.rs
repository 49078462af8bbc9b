//! The paths under `/_sandbox` that read: lists, the stream, waits and events.

use super::support::{Sandbox, update};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn lists_are_filtered_and_paged() {
    let sandbox = Sandbox::start(&[]);
    for number in 1..=30 {
        let status = if number % 3 == 0 { "refunded" } else { "paid" };
        let time = format!("2024-01-{number:02} 12:00:00+00:00");
        let gift = if number == 7 {
            json!(true)
        } else {
            json!("no")
        };
        let fields = json!({ "order_status": status, "order_time": time, "gift": gift });
        sandbox.send(&update(&format!("N-{number}"), &fields));
    }
    let ids = |query: &str| {
        let list = sandbox.get(&format!("/_sandbox/orders?{query}")).json();
        let orders = list["orders"].as_array().expect("a list").clone();
        let ids = orders
            .iter()
            .map(|order| order["order_id"].as_str().expect("text").to_owned());
        (
            list["total"].as_u64().expect("a number"),
            ids.collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        ids("limit=2"),
        (30, vec!["N-30".into(), "N-29".into()]),
        "newest first"
    );
    assert_eq!(ids("limit=2&offset=29").1, ["N-1"]);
    assert_eq!(ids("order_id=N-3").0, 2);
    assert_eq!(ids("order_id=%25").0, 0, "a percent sign is only itself");
    assert_eq!(ids("status=refunded").0, 10);
    assert_eq!(ids("status=refunded&offset=9").1, ["N-3"]);
    assert_eq!(ids("from=2024-01-10&to=2024-01-11").0, 2);
    assert_eq!(
        ids("from=2024-01-10T12:00:01Z&to=2024-01-12T00:00:00Z").1,
        ["N-11"]
    );
    assert_eq!(ids("warnings=1").1, ["N-7"]);
    assert_eq!(ids("site_id=other.com").0, 0);
    assert_eq!(sandbox.get("/_sandbox/orders?colour=red").status, 400);
    assert_eq!(sandbox.get("/_sandbox/orders?from=soon").status, 400);
    let list = sandbox.get("/_sandbox/orders").json();
    assert_eq!(list["statuses"], json!({ "paid": 20, "refunded": 10 }));
}

#[test]
fn the_stream_continues_at_a_cursor_even_after_clearing() {
    let sandbox = Sandbox::start(&["--fault", "status=503,order_id=never"]);
    for number in 0..5 {
        sandbox.send(&update(&number.to_string(), &json!({})));
    }
    let first = sandbox.get("/_sandbox/updates?limit=2").json();
    assert_eq!(first["more"], true);
    let rest = sandbox
        .get(&format!("/_sandbox/updates?since={}", first["cursor"]))
        .json();
    let ids: Vec<&Value> = rest["updates"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["order_id"])
        .collect();
    assert_eq!(ids, ["2", "3", "4"]);
    assert_eq!(sandbox.delete("/_sandbox").status, 204);
    assert_eq!(sandbox.get("/_sandbox/orders/1").status, 404);
    assert_eq!(sandbox.get("/_sandbox/faults").json()["faults"], json!([]));
    sandbox.send(&update("new", &json!({})));
    let after = sandbox
        .get(&format!("/_sandbox/updates?since={}", rest["cursor"]))
        .json();
    assert_eq!(after["updates"][0]["order_id"], "new");
}

#[test]
fn a_wait_ends_when_the_order_is_as_expected_or_at_its_timeout() {
    let sandbox = Sandbox::start(&[]);
    let path = "/_sandbox/wait?order_id=1&status=paid&updates=2&timeout=30";
    let started = Instant::now();
    let order = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sandbox.get(path));
        sandbox.send(&update("1", &json!({ "order_status": "paid" })));
        sandbox.send(&update("1", &json!({ "order_status": "pending" })));
        sandbox.send(&update("1", &json!({ "order_status": "paid" })));
        waiting.join().expect("an answer")
    });
    assert_eq!(order.status, 200);
    assert_eq!(order.json()["fields"]["order_status"], "paid");
    assert!(started.elapsed() < Duration::from_secs(20));
    let timed_out = sandbox.get("/_sandbox/wait?order_id=1&status=refunded&timeout=0.1");
    let found = "the wait timed out: the order's status is \"paid\", and its updates are 3";
    assert_eq!(timed_out.status, 408);
    assert_eq!(timed_out.json()["error"], found);
    assert_eq!(
        sandbox.get("/_sandbox/wait?updates=3&timeout=5").json()["updates"],
        3
    );
    for wrong in [
        "status=paid",
        "timeout=-1",
        "timeout=soon",
        "timeout=nan",
        "timeout=1e99",
        "updates=-1",
    ] {
        let path = format!("/_sandbox/wait?{wrong}");
        assert_eq!(sandbox.get(&path).status, 400, "{wrong}");
    }
}

#[test]
fn events_publish_the_counters() {
    let sandbox = Sandbox::start(&[]);
    let mut client = sandbox.connect();
    let request = format!(
        "GET /_sandbox/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        sandbox.address
    );
    client.write(request.as_bytes()).expect("it is sent");
    for number in 0..50 {
        sandbox.send(&update(&number.to_string(), &json!({})));
    }
    loop {
        let line = client.line();
        assert!(!line.is_empty(), "the stream ended");
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let tick: Value = serde_json::from_str(data).expect("JSON");
        if tick["orders"] == 50 {
            break;
        }
    }
}
