//! Injected faults, and a client of the core that gets through them.

use super::support::{Client, JSON, Sandbox, raw_post, update};
use katalys_core::{Fields, Language};
use serde_json::json;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

#[test]
fn a_fault_sets_the_response_and_is_recorded() {
    let sandbox = Sandbox::start(&[
        "--fault",
        "status=503,retry-after=7,next=1",
        "--fault",
        "status=200,order_id=2",
    ]);
    let first = sandbox
        .post(update("1", &json!({})).to_string().as_bytes())
        .expect("an answer");
    assert_eq!(
        (first.status, first.header("retry-after")),
        (503, Some("7"))
    );
    assert_eq!(sandbox.send(&update("2", &json!({}))), 200);
    assert_eq!(sandbox.send(&update("1", &json!({}))), 204);
    assert_eq!(
        sandbox
            .fault(&json!({ "redirect": "/elsewhere", "next": 1 }))
            .status,
        201
    );
    let redirect = sandbox
        .post(update("1", &json!({})).to_string().as_bytes())
        .expect("an answer");
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (307, Some("/elsewhere"))
    );
    let stream = sandbox.get("/_sandbox/updates").json();
    let outcome = |place: usize| {
        (
            stream["updates"][place]["outcome"].clone(),
            stream["updates"][place]["status"].clone(),
        )
    };
    assert_eq!(outcome(0), (json!("faulted"), json!(503)));
    assert_eq!(outcome(1), (json!("faulted"), json!(200)));
    assert_eq!(outcome(2), (json!("recorded"), json!(204)));
    assert_eq!(stream["updates"][1]["fault"]["status"], 200);
    assert_eq!(
        sandbox.get("/_sandbox/orders/2").status,
        404,
        "what met a fault was not received"
    );
    let faults = sandbox.get("/_sandbox/faults").json();
    assert_eq!(
        (&faults["faults"][0]["hits"], &faults["faults"][0]["next"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(sandbox.delete("/_sandbox/faults/2").status, 204);
    assert_eq!(sandbox.delete("/_sandbox/faults/2").status, 404);
    assert_eq!(sandbox.send(&update("2", &json!({}))), 204);
    assert_eq!(sandbox.delete("/_sandbox/faults").status, 204);
    assert_eq!(
        sandbox.get("/_sandbox/faults").json(),
        json!({ "faults": [] })
    );
    assert_eq!(sandbox.fault(&json!({ "status": 99 })).status, 400);
}

#[test]
fn a_response_can_be_lost_after_the_update_was_applied() {
    let sandbox = Sandbox::start(&["--fault", "reset=after,apply,next=1"]);
    assert!(
        sandbox
            .post(
                update("1", &json!({ "order_status": "paid" }))
                    .to_string()
                    .as_bytes()
            )
            .is_err()
    );
    assert_eq!(sandbox.order("1")["fields"]["order_status"], "paid");
}

#[test]
fn connections_are_reset_before_and_after_reading() {
    let sandbox = Sandbox::start(&[
        "--fault",
        "reset=before,next=1",
        "--fault",
        "reset=after,next=1",
    ]);
    for read in [false, true] {
        let mut client = sandbox.connect();
        let body = update("1", &json!({})).to_string();
        let error = client
            .request("POST", "/v2/_tr_offline", &[JSON], body.as_bytes())
            .expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let recorded = sandbox.get("/_sandbox/updates").json()["updates"]
            .as_array()
            .map(Vec::len);
        assert_eq!(
            recorded,
            Some(usize::from(read)),
            "an unread one is not recorded"
        );
    }
    assert_eq!(sandbox.send(&update("1", &json!({}))), 204);
}

#[test]
fn latency_delays_and_hang_never_responds() {
    let sandbox = Sandbox::start(&["--fault", "latency=300,next=1", "--fault", "hang,next=1"]);
    let started = Instant::now();
    assert_eq!(
        sandbox.send(&update("1", &json!({ "order_status": "paid" }))),
        204
    );
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(
        sandbox.order("1")["fields"]["order_status"],
        "paid",
        "late is not lost"
    );
    let mut client: Client = sandbox.connect();
    client.write(&raw_post(&sandbox, "2")).expect("it is sent");
    client.set_timeout(Duration::from_millis(400));
    let error = client.answer().expect_err("no answer");
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
    let stream = sandbox.get("/_sandbox/updates?since=1").json();
    assert_eq!(
        (
            &stream["updates"][0]["outcome"],
            &stream["updates"][0]["status"]
        ),
        (&json!("faulted"), &json!(0))
    );
}

#[test]
fn rate_and_probability_limit_requests() {
    let sandbox = Sandbox::start(&[
        "--fault",
        "rate=1,retry-after=2,order_id=fast",
        "--fault",
        "status=500,probability=0.5,order_id=luck",
    ]);
    let fast: Vec<u16> = (0..10)
        .map(|_| sandbox.send(&update("fast", &json!({}))))
        .collect();
    assert_eq!(fast[0], 204);
    assert!(fast.contains(&429));
    let failed = (0..400)
        .filter(|_| sandbox.send(&update("luck", &json!({}))) == 500)
        .count();
    assert!((120..280).contains(&failed), "{failed} of 400");
}

#[test]
fn a_client_retries_through_every_temporary_fault() {
    let faults = [
        "status=503,next=1",
        "reset=before,next=1",
        "reset=after,apply,next=1",
        "redirect=/login,next=1",
        "status=200,next=1",
        "rate=1000",
    ];
    let arguments: Vec<&str> = faults
        .iter()
        .flat_map(|fault| ["--fault", *fault])
        .collect();
    let sandbox = Sandbox::start(&arguments);
    let endpoint = format!("http://{}/v2/_tr_offline", sandbox.address);
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", &endpoint)
        .set("timeout", 60)
        .set("proxy", "");
    let client = katalys_core::Client::with_options(Language::Rust, &options).expect("a client");
    let item = Fields::from([
        ("title", "Wellness Bundle #4"),
        ("sku", "WLNS"),
        ("price", "19.20"),
    ]);
    let order = Fields::new()
        .set("order_status", "paid")
        .set("sale_amount", "25.67")
        .set("shipping_amount", "4.99")
        .set("tax_amount", "1.48")
        .set("email_address", "email@example.com")
        .set("line_items", vec![item]);
    let receipt = client.report_order("1001", order).expect("a receipt");
    assert_eq!(receipt.attempts, 6);
    client
        .update_order("1001", [("order_status", "refunded")])
        .expect("a receipt");
    let order = sandbox.order("1001");
    assert_eq!(order["fields"]["line_item_1_sku"], "WLNS");
    assert_eq!(order["fields"]["order_status"], "refunded");
    let updates = order["updates"].as_array().expect("a list");
    assert_eq!(
        updates.len(),
        3,
        "the answer that was lost made one of them come twice"
    );
    for update in updates {
        assert_eq!(
            (&update["ignored"], &update["warnings"]),
            (&json!([]), &json!([]))
        );
    }
}
