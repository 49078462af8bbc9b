//! `send` and `report`: input from arguments, a file and stdin, and their exit codes.

mod support;

use serde_json::json;
use support::{Folder, endpoint, katalys, ready, receiver, requests, run, run_with_input, text};

#[test]
fn a_dry_run_prints_the_payload_that_is_sent() {
    let (folder, receiver) = (Folder::new("send"), receiver());
    let url = endpoint(&receiver, "s/204");
    let file = folder.write(
        "order.json",
        r#"{"order_id": "1 001", "sale_amount": 25.670, "tax_amount": "1"}"#,
    );
    let from_file = [
        "send",
        "--from",
        text(&file),
        "tax_amount=2.50",
        "note=a \"b\" é",
    ];
    let from_arguments = [
        "send",
        "1002",
        "order_status=paid",
        "shipping_city=Köln = Cologne",
    ];
    let mut shown = Vec::new();
    for arguments in [&from_file[..], &from_arguments[..]] {
        let options = ["--endpoint", &url, "--dry-run"];
        let dry = run(&[arguments, &options[..]].concat()).expect(0);
        shown.push(dry.out.strip_suffix('\n').expect("a line").to_owned());
        run(&[arguments, &options[..2]].concat()).expect(0);
    }
    let input = r#"{"order_id": 7, "line_items": [{"title": "x", "sku": "y", "price": 1e1}]}"#;
    let stdin = ["report", "--from", "-", "--endpoint", &url, "--dry-run"];
    let refused = run_with_input(&stdin, input).expect(1);
    assert!(
        refused.err.contains("sale_amount is required"),
        "{refused:?}"
    );
    run_with_input(&["send", "--from", "-", "--endpoint", &url], input).expect(0);
    let records = requests(&receiver, "s", 3);
    assert_eq!(records.len(), 3, "a dry run sends nothing");
    assert_eq!(
        [&records[0]["body"], &records[1]["body"]],
        [&json!(shown[0]), &json!(shown[1])]
    );
    assert!(
        shown[0].contains(r#""sale_amount":"25.670""#),
        "digits are kept: {}",
        shown[0]
    );
    assert!(
        shown[0].contains(r#""tax_amount":"2.50""#),
        "arguments override the file: {}",
        shown[0]
    );
    assert!(
        records[2]["body"]
            .as_str()
            .unwrap()
            .contains(r#""line_item_1_price":"10""#)
    );
    let agent = records[0]["headers"]["user-agent"].as_str().unwrap();
    assert_eq!(agent, format!("katalys-cli/{}", katalys_core::VERSION));
}

#[test]
fn the_exit_code_depends_on_the_kind_of_failure() {
    let (folder, receiver) = (Folder::new("exit"), receiver());
    let order = [
        "send",
        "1001",
        "order_status=paid",
        "--timeout",
        "1",
        "--endpoint",
    ];
    let send = |steps: &str| {
        let url = endpoint(&receiver, steps);
        run(&[&order[..], &[&url, "--json"]].concat())
    };
    assert_eq!(send("a/204").expect(0).json()["attempts"], 1);
    let rejected = send("b/422").expect(1).json();
    assert_eq!(
        (&rejected["error"]["code"], &rejected["error"]["status"]),
        (&json!("rejected"), &json!(422))
    );
    let unavailable = send("c/503").expect(3).json();
    assert_eq!(unavailable["error"]["retryable"], true);
    let refused = ready(&receiver, "refused").to_owned() + "/";
    run(&[&order[..], &[&refused]].concat()).expect(3);
    run(&["send", "1001", "sale_amount=$5"]).expect(1);
    let invalid = run(&["send", "1001", "--connect-timeout", "never"]).expect(2);
    assert!(
        invalid
            .err
            .contains("--connect-timeout must be a number of seconds"),
        "{invalid:?}"
    );
    run(&["send", "1001", "--no-such-option"]).expect(2);
    run(&["send", "1001", "no pair"]).expect(2);
    run(&["send", "--from", text(&folder.path("nothing.json"))]).expect(2);
    run_with_input(
        &["send", "--from", "-"],
        "{\"order_id\": \"1\"} {\"order_id\": \"2\"}",
    )
    .expect(2);
    let blocked = folder.write("a file", "");
    let outbox = format!("{}/katalys.db", text(&blocked));
    run(&["send", "1001", "order_status=paid", "--outbox", &outbox]).expect(4);
}

#[test]
fn options_override_environment_variables() {
    let receiver = receiver();
    let url = endpoint(&receiver, "e/204");
    let send = |site: &[&str]| {
        let arguments = [&["send", "1001", "order_status=paid"][..], site].concat();
        katalys(&arguments)
            .env("KATALYS_ENDPOINT", &url)
            .output()
            .expect("it runs")
    };
    assert!(send(&[]).status.success());
    assert!(send(&["--site-id", "other.com"]).status.success());
    let sites = requests(&receiver, "e", 2);
    let sites = sites
        .iter()
        .map(|record| record["body"].as_str().unwrap().contains("other.com"));
    assert_eq!(sites.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn colors_are_used_on_terminals_and_on_request() {
    let arguments = [
        "send",
        "1001",
        "order_status=canceled",
        "--dry-run",
        "--color",
    ];
    let warning = |when: &str| run(&[&arguments[..], &[when]].concat()).expect(0).err;
    assert!(!warning("auto").contains('\x1b'));
    assert!(!warning("never").contains('\x1b'));
    assert!(warning("always").contains("\x1b[33mwarning:\x1b[0m"));
}
