//! What the endpoint does with an update: merge, ignore, warn or refuse.

use super::support::{Sandbox, update};
use serde_json::json;

#[test]
fn updates_merge_in_order_of_arrival() {
    let sandbox = Sandbox::start(&[]);
    let body =
        br#"{"site_id":"abcd.com","order_id":"1","order_status":"pending","sale_amount":25.670}"#;
    let answer = sandbox.post(body).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    sandbox.send(&update(
        "1",
        &json!({ "order_status": "paid", "currency": "EUR" }),
    ));
    sandbox.send(&json!({ "site_id": "other.com", "order_id": "2", "order_status": "paid" }));
    let text = sandbox.get("/_sandbox/orders/1").body;
    assert!(
        text.contains(r#""sale_amount":25.670"#),
        "numbers keep their digits: {text}"
    );
    let order = sandbox.order("1");
    let keys: Vec<&String> = order.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        ["order_id", "site_id", "fields", "updates", "merged_from"]
    );
    assert_eq!(order["fields"]["order_status"], "paid");
    assert_eq!(order["fields"]["currency"], "EUR");
    assert_eq!(order["merged_from"], json!([]));
    let first = &order["updates"][0];
    let keys: Vec<&String> = first.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["received_at", "payload", "ignored", "warnings"]);
    assert_eq!(first["payload"]["order_status"], "pending");
    assert_eq!(first["warnings"][0]["code"], "time_missing");
    let received: jiff::Timestamp = first["received_at"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a time");
    assert!(received.duration_until(jiff::Timestamp::now()).as_secs() < 60);
    assert_eq!(order["updates"].as_array().map(Vec::len), Some(2));
}

#[test]
fn missing_fields_have_defaults() {
    let sandbox = Sandbox::start(&[]);
    sandbox.send(&update("1", &json!({ "order_status": "pending" })));
    let fields = sandbox.order("1")["fields"].clone();
    assert_eq!(fields["currency"], "USD");
    let time: jiff::Timestamp = fields["order_time"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a time");
    assert!(time.duration_until(jiff::Timestamp::now()).as_secs().abs() < 60);
    sandbox.send(&update("1", &json!({ "order_status": "paid" })));
    assert_eq!(
        sandbox.order("1")["fields"]["order_time"],
        fields["order_time"]
    );
    sandbox.send(&update(
        "1",
        &json!({ "order_time": "2018-01-01 01:23:40-08:00" }),
    ));
    assert_eq!(
        sandbox.order("1")["fields"]["order_time"],
        "2018-01-01 01:23:40-08:00"
    );
}

#[test]
fn ignored_values_get_204_and_are_listed_with_a_reason() {
    let sandbox = Sandbox::start(&[]);
    sandbox.send(&update(
        "1",
        &json!({ "order_status": "paid", "shipping_city": "Springfield" }),
    ));
    let status = sandbox.send(&update(
        "1",
        &json!({ "order_status": null, "shipping_city": "", "gift": true, "discounts": [{ "code": "A" }], "more": {} }),
    ));
    assert_eq!(status, 204);
    let order = sandbox.order("1");
    assert_eq!(order["fields"]["order_status"], "paid");
    assert_eq!(order["fields"]["shipping_city"], "Springfield");
    assert_eq!(order["fields"].get("gift"), None);
    let ignored = order["updates"][1]["ignored"].as_array().expect("a list");
    for (entry, (field, reason)) in ignored.iter().zip([
        ("order_status", "null"),
        ("shipping_city", "empty"),
        ("gift", "boolean"),
        ("discounts", "discount_1_code"),
        ("more", "object"),
    ]) {
        assert_eq!(entry["field"], field);
        assert!(
            entry["reason"]
                .as_str()
                .is_some_and(|text| text.contains(reason)),
            "{entry}"
        );
    }
    assert_eq!(ignored.len(), 5);
}

#[test]
fn warnings_are_the_problems_of_the_core() {
    let sandbox = Sandbox::start(&[]);
    sandbox.send(&update(
        "1",
        &json!({ "order_status": "canceled", "sale_ammount": "1", "tax_amount": "$1", "discount_1_code": "A" }),
    ));
    let order = sandbox.order("1");
    let found = order["updates"][0]["warnings"].as_array().expect("a list");
    let mut codes: Vec<&str> = found
        .iter()
        .filter_map(|problem| problem["code"].as_str())
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "amount_format",
            "discount_incomplete",
            "key_misspelled",
            "status_misspelled"
        ]
    );
    assert_eq!(
        order["fields"]["tax_amount"], "$1",
        "it is accepted nevertheless"
    );
}

#[test]
fn invalid_requests_are_refused_and_listed_with_a_reason() {
    let sandbox = Sandbox::start(&[]);
    let large = format!(
        r#"{{"site_id":"a","order_id":"1","note":"{}"}}"#,
        "x".repeat(4 * 1024 * 1024)
    );
    for (body, status, reason) in [
        ("", 400, "empty"),
        ("{", 400, "not JSON"),
        ("[]", 400, "not an object"),
        (r#"{"order_id":"1"}"#, 400, "site_id is missing"),
        (r#"{"site_id":"a","order_id":""}"#, 400, "order_id is empty"),
        (large.as_str(), 413, "256 KiB"),
    ] {
        let answer = sandbox.post(body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(reason), "{}", answer.body);
    }
    let stream = sandbox.get("/_sandbox/updates").json();
    let refused = stream["updates"].as_array().expect("a list");
    assert!(refused.iter().all(|entry| entry["outcome"] == "refused"));
    assert_eq!(refused.len(), 6);
    assert_eq!(refused[3]["order_id"], "1");
    assert_eq!(sandbox.get("/_sandbox/orders").json()["total"], 0);
    let get = sandbox.get("/v2/_tr_offline");
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}
