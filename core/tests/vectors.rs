//! The shared vectors: each has an input, and the exact payload or the problems that must result.

mod shared;

use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Fields, Language, Problem, Value};
use serde_json::Value as Json;

#[test]
fn every_vector_results_in_its_payload_and_problems() {
    let file = shared::load("vectors.json");
    let vectors = file["vectors"].as_array().expect("vectors");
    let mine: Vec<&Json> = vectors
        .iter()
        .filter(|vector| shared::is_for_rust(vector))
        .collect();
    assert!(mine.len() > 150, "only {} vectors", mine.len());
    let failed: Vec<String> = mine
        .iter()
        .filter_map(|vector| difference(vector))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {}:\n{}",
        failed.len(),
        mine.len(),
        failed.join("\n")
    );
}

fn difference(vector: &Json) -> Option<String> {
    let mut options = Fields::new().set("site_id", "abcd.com");
    for (name, value) in vector["options"].as_object().into_iter().flatten() {
        options.push(name.clone(), shared::value(value));
    }
    let client = Client::with_options(Language::Rust, &options).expect("options");
    let call = if vector["call"] == "report" {
        Call::Report
    } else {
        Call::Update
    };
    let order_id = vector
        .get("order_id")
        .map_or(Value::from("1001"), shared::value);
    let fields = match vector.get("pairs") {
        Some(pairs) => pairs.as_array().expect("pairs").iter().map(pair).collect(),
        None => shared::fields(&vector["fields"]),
    };
    let before = jiff::Timestamp::now().as_second();
    let result = client.validate(call, &order_id, &fields);
    let payload = result
        .payload
        .map(|json| String::from_utf8(json).expect("UTF-8"));
    let problems = listed(&result.problems);
    let expected = expected_problems(vector);
    let payload_fits = (0..=2).any(|later| payload == expected_payload(vector, before + later));
    (!payload_fits || problems != expected).then(|| {
        let wanted = expected_payload(vector, before);
        let name = &vector["name"];
        format!("{name}\n  want {wanted:?} {expected:?}\n  have {payload:?} {problems:?}")
    })
}

fn pair(pair: &Json) -> (String, Value<'static>) {
    (
        pair[0].as_str().expect("a key").to_owned(),
        shared::value(&pair[1]),
    )
}

/// `{now}` stands for the time of the call.
fn expected_payload(vector: &Json, now: i64) -> Option<String> {
    let stamp = jiff::Timestamp::from_second(now).expect("a time");
    let stamp = stamp.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string();
    vector["payload"]
        .as_str()
        .map(|payload| payload.replace("{now}", &stamp))
}

fn listed(problems: &[Problem]) -> Vec<[String; 3]> {
    let of = |p: &Problem| [p.path.as_str(), p.code.as_str(), p.severity.as_str()].map(Into::into);
    let mut listed: Vec<[String; 3]> = problems.iter().map(of).collect();
    listed.sort();
    listed
}

fn expected_problems(vector: &Json) -> Vec<[String; 3]> {
    let text = |json: &Json| json.as_str().expect("text").to_owned();
    let problems = vector.get("problems").and_then(Json::as_array);
    let one = |p: &Json| ["path", "code", "severity"].map(|key| text(&p[key]));
    let mut expected: Vec<[String; 3]> = problems.into_iter().flatten().map(one).collect();
    expected.sort();
    expected
}
