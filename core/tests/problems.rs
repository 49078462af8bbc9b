//! Problem messages: they name the type and the fix; limits apply before time is spent.

use katalys_core::order::MAX_KEYS;
use katalys_core::{Call, Client, Fields, Problem, Validation, Value};
use std::time::{Duration, Instant};

#[allow(clippy::needless_pass_by_value, reason = "tests build them in place")]
fn problems(order_id: impl Into<Value<'static>>, fields: Fields<'static>) -> Vec<Problem> {
    Validation::of(Call::Update, "abcd.com", &order_id.into(), &fields).problems
}

fn only_message(order_id: impl Into<Value<'static>>, fields: Fields<'static>) -> String {
    let found = problems(order_id, fields);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].message.clone()
}

#[test]
fn a_wrong_type_is_named_with_the_type_to_give() {
    let record = || Value::Map(Fields::new().set("17", Fields::new().set("sku", "B1")));
    assert_eq!(
        only_message("1001", Fields::new().set("line_items", record())),
        "line_items is a record, which cannot be sent here; give a list of records, whose entries \
         have no keys of their own"
    );
    let lists = Value::List(vec![Value::List(vec!["B1".into()])]);
    assert_eq!(
        only_message("1001", Fields::new().set("line_items", lists)),
        "line_items[0] is a list, which cannot be sent here; give a record with named fields"
    );
    assert_eq!(
        only_message("1001", Fields::new().set("order_time", true)),
        "order_time is a boolean, which cannot be sent here; give a time such as 2018-01-01 \
         01:23:40-08:00"
    );
    assert_eq!(
        only_message(1e17, Fields::new()),
        "order_id is a floating-point number that may have lost digits, which cannot be sent \
         here; give the id as text"
    );
    assert_eq!(
        only_message(true, Fields::new()),
        "order_id is a boolean, which cannot be sent here; give the id as text or a whole number"
    );
}

#[test]
fn the_message_of_an_empty_required_field_does_not_say_that_it_is_left_out() {
    assert_eq!(
        only_message("", Fields::new()),
        "order_id is empty; it is required, so give it a value"
    );
    assert_eq!(
        only_message("1001", Fields::new().set("shipping_city", "")),
        "shipping_city is empty; the endpoint ignores empty values, so it is left out"
    );
}

#[test]
fn the_message_of_many_problems_is_short_and_the_list_is_complete() {
    let client = Client::new("abcd.com").expect("a client");
    let keys = (0..10_000).map(|number| (format!("own_{number}"), Value::Bool(true)));
    let error = client
        .update_order("1001", keys.collect::<Fields<'_>>())
        .expect_err("refused");
    assert_eq!(error.problems().len(), 10_000);
    let lines: Vec<&str> = error.message().lines().collect();
    assert_eq!(lines[0], "the order update was not sent, 10,000 problems:");
    assert_eq!((lines.len(), lines[21]), (22, "  and 9,980 more"));
}

#[test]
fn a_duplicate_key_in_a_record_is_a_problem() {
    let item = Fields::new()
        .set("title", "t")
        .set("sku", "s")
        .set("price", "1")
        .set("colour", "red")
        .set("colour", "blue");
    let fields = Fields::new()
        .set("order_time", "2018-01-01 01:23:40Z")
        .set("line_items", vec![Value::Map(item)]);
    assert_eq!(
        only_message("1001", fields),
        "line_items[0].colour is given twice; give it once"
    );
}

/// A million keys cost no time, wherever they are. A binding may stop at the limit.
#[test]
fn too_many_keys_are_rejected_before_they_are_checked() {
    let many = || -> Fields<'static> {
        let key = |number| (format!("sale_amuont_{number}"), Value::from("1"));
        (0..1_000_000).map(key).collect()
    };
    let entries = |count| Value::List(vec![Value::Map(Fields::new()); count]);
    let nested = Value::List(vec![Value::List(vec![Value::Null; MAX_KEYS])]);
    for fields in [
        many(),
        Fields::new().set("line_items", vec![Value::Map(many())]),
        Fields::new().set("line_items", entries(MAX_KEYS)),
        Fields::new().set("own", nested),
    ] {
        let started = Instant::now();
        let found = problems("1001", fields);
        let codes: Vec<&str> = found.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(codes, ["payload_too_large"]);
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
    }
    let most = (0..MAX_KEYS).map(|_| ("own", Value::Null));
    assert!(problems("1001", most.collect()).is_empty());
}

/// The rest of an update is not checked once its payload is too large.
#[test]
fn a_payload_that_is_too_large_ends_the_check() {
    let long = "x".repeat(300 * 1024);
    let fields = Fields::new().set("own_1", long).set("own_2", true).set(
        "line_items",
        vec![Value::Map(Fields::new().set("sku", "B1"))],
    );
    let codes: Vec<String> = problems("1001", fields)
        .iter()
        .map(|problem| format!("{} {}", problem.path, problem.code.as_str()))
        .collect();
    assert_eq!(
        codes,
        ["line_items[0] item_incomplete", " payload_too_large"]
    );
}

#[test]
fn problems_contain_no_control_characters() {
    for letter in [
        '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200f}', '\n', '\u{2028}',
    ] {
        for problem in problems("1001", Fields::new().set(format!("a{letter}b"), true)) {
            assert!(!problem.message.contains(letter), "{letter:?}");
            assert!(!problem.path.contains(letter), "{letter:?}");
        }
    }
}
