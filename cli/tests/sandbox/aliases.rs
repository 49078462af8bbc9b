//! Orders that an alias merges.

use super::support::{Sandbox, update};
use serde_json::json;

#[test]
fn aliases_merge_orders_in_chains_too() {
    let sandbox = Sandbox::start(&[]);
    sandbox.send(&update(
        "A",
        &json!({ "order_status": "pending", "email_address": "a@example.com" }),
    ));
    sandbox.send(&update(
        "B",
        &json!({ "order_status": "paid", "sale_amount": "5" }),
    ));
    sandbox.send(&update("C", &json!({ "tax_amount": "1" })));
    sandbox.send(&update("C", &json!({ "order_alias": "B" })));
    sandbox.send(&update("B", &json!({ "order_alias": "A" })));
    sandbox.send(&update("C", &json!({ "order_status": "refunded" })));
    sandbox.send(&update("Z", &json!({ "order_alias": "C" })));
    for id in ["A", "B", "C", "Z"] {
        let order = sandbox.order(id);
        assert_eq!(order["order_id"], "A", "the oldest keeps its id");
        assert_eq!(order["fields"]["order_status"], "refunded");
        assert_eq!(order["fields"]["sale_amount"], "5");
        assert_eq!(order["fields"]["tax_amount"], "1");
        assert_eq!(order["fields"]["email_address"], "a@example.com");
        assert_eq!(order["merged_from"], json!(["B", "C", "Z"]));
        assert_eq!(order["updates"].as_array().map(Vec::len), Some(7));
    }
    let list = sandbox.get("/_sandbox/orders").json();
    assert_eq!(
        (&list["total"], &list["all_orders"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        sandbox.get("/_sandbox/orders?order_id=Z").json()["total"],
        1
    );
    sandbox.send(&json!({ "site_id": "other.com", "order_id": "B" }));
    let ambiguous = sandbox.get("/_sandbox/orders/B");
    assert_eq!(ambiguous.status, 409);
    assert_eq!(ambiguous.json()["sites"], json!(["abcd.com", "other.com"]));
    let other = sandbox.get("/_sandbox/orders/B?site_id=other.com").json();
    assert_eq!(
        other["merged_from"],
        json!([]),
        "an alias holds within its site"
    );
}

#[test]
fn an_alias_may_come_before_its_order_and_a_self_alias_is_ignored() {
    let sandbox = Sandbox::start(&[]);
    sandbox.send(&update("1", &json!({ "order_alias": "R 1/ä" })));
    sandbox.send(&update("R 1/ä", &json!({ "order_status": "paid" })));
    sandbox.send(&update("1", &json!({ "order_alias": "1" })));
    let order = sandbox.order("R%201%2F%C3%A4");
    assert_eq!(order["order_id"], "1");
    assert_eq!(order["merged_from"], json!(["R 1/ä"]));
    assert_eq!(order["updates"][2]["warnings"][0]["code"], "alias_same");
}
