//! `validate`: every file format, problems with their lines, and the report formats.

mod support;

use katalys_core::Code;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Folder, katalys, run, run_with_input, text};

/// Line, path and code of each problem.
fn found(report: &Value) -> Vec<(u64, String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let problems = report["problems"].as_array().expect("a list").iter();
    problems
        .map(|one| {
            (
                one["line"].as_u64().expect("a line"),
                text(&one["path"]),
                text(&one["code"]),
            )
        })
        .collect()
}

fn expected(list: &[(u64, &str, &str)]) -> Vec<(u64, String, String)> {
    list.iter()
        .map(|(line, path, code)| (*line, (*path).to_owned(), (*code).to_owned()))
        .collect()
}

#[test]
fn an_unreadable_csv_row_is_one_problem_and_the_rest_is_checked() {
    let folder = Folder::new("csv");
    let mut content = b"\xef\xbb\xbforder_id,order_status,sale_amount,shipping_city,order_time\r\n\
        1,paid,\"12\",\"a\r\nlong, \"\"quoted\"\" name\",2020-01-01 00:00:00Z\r\n\
        2,paid,$5,,2020-01-01 00:00:00Z\r\n\
        3,paid,1\r\n\
        4,\"paid,1,x,2020-01-01 00:00:00Z\r\n\
        5,paid,1.50,y,\r\n\
        \r\n\
        6,paid,2,"
        .to_vec();
    content.extend_from_slice(
        b"K\xf6ln,2020-01-01 00:00:00Z\n,paid,,,\n8,canceled,1,5\" pipe,2020-02-30 00:00:00Z\n",
    );
    content.extend_from_slice(b"9,paid,1,\"two\nlines\",2020-01-01 10:00:00\n10,paid,,\"never closed,\n11,paid,x,,2020-01-01 00:00:00Z");
    let file = folder.write("orders.csv", content);
    let report = run(&["validate", text(&file), "--json"]).expect(1).json();
    assert_eq!(
        found(&report),
        expected(&[
            (4, "sale_amount", "amount_format"),
            (5, "", "column_count"),
            (6, "", "quote_unclosed"),
            (7, "order_time", "time_missing"),
            (9, "shipping_city", "invalid_unicode"),
            (10, "order_id", "required"),
            (11, "order_status", "status_misspelled"),
            (11, "order_time", "time_impossible"),
            (12, "order_time", "time_no_offset"),
            (14, "", "quote_unclosed"),
            (15, "sale_amount", "amount_format"),
        ]),
    );
    assert_eq!(report["summary"]["rows"], 11);
}

#[test]
fn columns_are_mapped() {
    let folder = Folder::new("map");
    let file = folder.write(
        "export.csv",
        "Order no;Total;Shop;Notes;discount_1_code;discount_1_amount;line_item_2_title\n\
         7;1,50;a.com;x;;;\n8;1.50;a.com;x;SUMMER;0.50;\n9;1.50;a.com;;SUMMER;;b\n",
    );
    let unmapped = run(&["validate", text(&file)]).expect(2);
    assert!(
        unmapped.err.contains("has no column order_id"),
        "{unmapped:?}"
    );
    let maps = [
        "--map",
        "Order no=order_id",
        "--map",
        "Total=sale_amount",
        "--map",
        "Shop=site_id",
        "--map",
        "Notes=",
        "--errors-only",
        "--json",
    ];
    let arguments = [&["validate", text(&file)][..], &maps[..]].concat();
    let without_site = katalys(&arguments)
        .env_remove("KATALYS_SITE_ID")
        .output()
        .expect("it runs");
    let report: Value = serde_json::from_slice(&without_site.stdout).expect("JSON");
    assert_eq!(
        found(&report),
        expected(&[
            (2, "sale_amount", "amount_format"),
            (4, "discount_1_amount", "discount_incomplete"),
            (4, "line_item_2_title", "numbering_gap"),
        ])
    );
    let wrong = run(&["validate", text(&file), "--map", "Nowhere=order_id"]).expect(2);
    assert!(wrong.err.contains("no column \"Nowhere\""), "{wrong:?}");
}

#[test]
fn json_arrays_objects_and_lines_are_checked() {
    let folder = Folder::new("json");
    let pretty = folder.write(
        "a.json",
        "[\n  {\"order_id\": \"1\",\n   \"sale_amount\": \"$5\"},\n  {\"order_id\": \"2\", \"currency\": \"EU},\n  \
         {\"order_id\": \"3\", \"order_count\": 0,\n  \"line_items\": [\n    {\"title\": \"]}\"}]}, 5\n]\n",
    );
    let report = run(&["validate", text(&pretty), "--json", "--errors-only"])
        .expect(1)
        .json();
    assert_eq!(
        found(&report),
        expected(&[
            (2, "sale_amount", "amount_format"),
            (4, "", "json_syntax"),
            (5, "order_count", "count_invalid"),
            (7, "", "not_an_object"),
        ])
    );
    let lines = "{\"order_id\":\"1\"}\n{\"order_id\":\n\n[\"x\"]\n{\"order_id\":\"4\",\"b\":true}\n{\"order_id\":\"5\",\"order_id\":\"6\"}";
    let report = run_with_input(&["validate", "-", "--json"], lines)
        .expect(1)
        .json();
    assert_eq!(
        found(&report),
        expected(&[
            (2, "", "json_syntax"),
            (4, "", "not_an_object"),
            (5, "b", "wrong_type"),
            (6, "order_id", "duplicate_field"),
        ])
    );
}

#[test]
fn the_exit_code_depends_on_errors_and_warnings() {
    let folder = Folder::new("ci");
    let good = folder.write("good.csv", "order_id,order_status\n1,paid\n");
    let odd = folder.write("odd.csv", "order_id,order_status\n1,canceled\n");
    let bad = folder.write(
        "bad.ndjson",
        "{\"order_id\": \"1\", \"currency\": \"dollar\"}\n",
    );
    run(&["validate", text(&good), text(&odd)]).expect(0);
    run(&["validate", text(&odd), "--deny-warnings"]).expect(1);
    let human = run(&["validate", text(&good), text(&bad)]).expect(1);
    let line = format!("{}:1: error: currency is not", text(&bad));
    assert!(human.out.starts_with(&line), "{human:?}");
    run(&["validate", text(&good), "--report"]).expect(1);
    run(&[
        "validate",
        text(&good),
        text(&folder.path("missing.csv")),
        "--json",
    ])
    .expect(2);
}

#[test]
fn sarif_has_rules_results_and_locations() {
    let folder = Folder::new("sarif");
    let file = folder.write("my orders.csv", "order_id,sale_amount\n1,$5\n2\n3,5\n");
    let sarif = run(&["validate", text(&file), "--format", "sarif"])
        .expect(1)
        .json();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let has_rule = |id: &Value| rules.iter().any(|rule| rule["id"] == *id);
    assert!(Code::ALL.iter().all(|code| has_rule(&json!(code.as_str()))));
    let results = run["results"].as_array().expect("results");
    let places: Vec<_> = results
        .iter()
        .map(|result| {
            assert!(has_rule(&result["ruleId"]) && result["message"]["text"].is_string());
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
            assert!(uri.ends_with("/my%20orders.csv"), "{uri}");
            (
                place["region"]["startLine"].as_u64(),
                result["ruleId"].as_str(),
                result["level"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (Some(2), Some("amount_format"), Some("error")),
            (Some(3), Some("column_count"), Some("error")),
            (Some(4), Some("time_missing"), Some("warning")),
        ]
    );
}

#[test]
fn an_endless_row_is_one_problem_and_the_rest_is_checked() {
    let folder = Folder::new("long");
    let mut content = b"order_id,note\n1,\"".to_vec();
    content.resize(3 << 20, b'x');
    content.extend_from_slice(b"\n2,");
    content.resize(6 << 20, b'y');
    content.extend_from_slice(b"\n3,fine\n4,\"open\n5,fine\n");
    let file = folder.write("long.csv", content);
    let report = run(&["validate", text(&file), "--json"]).expect(1).json();
    assert_eq!(
        found(&report),
        expected(&[
            (2, "", "row_too_long"),
            (3, "", "row_too_long"),
            (5, "", "quote_unclosed")
        ])
    );
    assert_eq!(report["summary"]["rows"], 5);
}

/// Malicious rows are refused in linear time.
#[test]
fn hostile_json_is_refused_in_linear_time_and_memory() {
    const SIZE: usize = 128 * 1024;
    let folder = Folder::new("hostile-json");
    let deep = format!(
        "{{\"order_id\":\"1\",\"a\":{}1{}}}",
        "[".repeat(80_000),
        "]".repeat(80_000)
    );
    let deep = folder.write(
        "deep.json",
        format!("[\n{deep},\n{{\"order_id\":\"2\"}}\n]\n"),
    );
    let ran = run(&["validate", text(&deep), "--format", "json"]).expect(1);
    let report = ran.json();
    assert_eq!(report["summary"]["rows"], 2);
    assert_eq!(report["problems"][0]["code"], "nested_too_deep");
    assert_eq!(report["problems"][0]["line"], 2);

    let lines = |line: &str| line.repeat(SIZE / line.len());
    let closed = |line: &str| lines(line) + "x" + &"}".repeat(SIZE / line.len());
    let hostile = [
        ("open", lines("{\n")),
        ("nested", lines("{\"a\":\n")),
        ("closed late", closed("{\"a\":\n")),
        ("in a text", lines("{\n") + "\"\n" + &lines("{\"b\n")),
        ("bare", lines("{}x{\n")),
        ("mixed", lines("{\n{\"b\"\n}\n")),
    ];
    for (name, content) in hostile {
        let file = folder.write("hostile.json", content);
        let started = Instant::now();
        let ran = run(&["validate", text(&file), "--format", "json"]).expect(1);
        assert!(
            ran.json()["summary"]["refused"].as_u64() > Some(0),
            "{name}"
        );
        // A debug build on a busy machine takes 2 s; a quadratic algorithm takes minutes.
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(20), "{name}: {elapsed:?}");
    }
}

#[test]
fn carriage_returns_are_line_ends() {
    let folder = Folder::new("returns");
    let csv = "order_id,sale_amount,note\r1001,25.67,\"two\rlines\"\r1002,$5,x\r";
    let file = folder.write("mac.csv", csv);
    let ran = run(&["validate", text(&file), "--errors-only", "--format", "json"]).expect(1);
    let report = ran.json();
    assert_eq!(report["summary"]["rows"], 2);
    assert_eq!(report["summary"]["refused"], 1);
    assert_eq!(report["problems"][0]["line"], 4);
    assert_eq!(report["problems"][0]["code"], "amount_format");
    let json = folder.write("mac.ndjson", "{\"order_id\":\"1\"}\r{\"order_id\":\"\"}\r");
    let report = run(&["validate", text(&json), "--format", "json"])
        .expect(1)
        .json();
    assert_eq!(
        (&report["summary"]["rows"], &report["problems"][0]["line"]),
        (&2.into(), &2.into())
    );
}
