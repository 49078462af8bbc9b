//! `doctor`: every problem is found and named, and nothing else is.

mod support;

use serde_json::Value;
use support::{Folder, katalys, ready, receiver, requests, run, text};

/// The checks with a verdict, and what they found.
fn checks<'r>(report: &'r Value, verdict: &str) -> Vec<(&'r str, &'r str)> {
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .filter(|finding| finding["verdict"] == verdict)
        .map(|finding| {
            (
                finding["check"].as_str().unwrap(),
                finding["found"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn tls_problems_are_found() {
    let receiver = receiver();
    let ca = ready(&receiver, "ca_file");
    let diagnose = |url: &str, exit: i32| {
        let url = format!("{url}/v2/_tr_offline");
        let options = [
            "--ca-file",
            ca,
            "--timeout",
            "5",
            "--connect-timeout",
            "1",
            "--json",
        ];
        run(&[&["doctor", "--endpoint", &url][..], &options].concat())
            .expect(exit)
            .json()
    };
    let good = diagnose(ready(&receiver, "tls.good"), 0);
    let passed = checks(&good, "ok");
    for check in ["setting", "route", "dns", "tcp", "certificate", "endpoint"] {
        assert!(
            passed.iter().any(|(one, _)| *one == check),
            "{check} is not in {good:#}"
        );
    }
    for (listener, word) in [
        ("tls.expired", "it ended"),
        ("tls.wrong_host", "not valid for name"),
        ("tls.self_signed", "UnknownIssuer"),
        ("tls.mute", "no TLS connection"),
        ("tls.not_tls", "no TLS connection"),
    ] {
        let report = diagnose(ready(&receiver, listener), 1);
        let bad = checks(&report, "error");
        let certificate = bad.iter().find(|(check, _)| *check == "certificate");
        assert!(
            certificate.is_some_and(|(_, found)| found.contains(word)),
            "{listener}: {report:#}"
        );
        assert!(
            bad.iter().any(|(check, _)| *check == "endpoint"),
            "{listener}: {report:#}"
        );
        assert!(
            !bad.iter().any(|(check, _)| ["dns", "tcp"].contains(check)),
            "{report:#}"
        );
    }
    let posts = support::get(ready(&receiver, "control"), "/_recorded").1;
    assert!(!posts.contains("\"POST\""), "no order was sent: {posts}");
}

#[test]
fn network_problems_are_found() {
    let receiver = receiver();
    let diagnose = |options: &[&str]| {
        let options = [
            &[
                "doctor",
                "--json",
                "--timeout",
                "3",
                "--connect-timeout",
                "1",
            ],
            options,
        ]
        .concat();
        run(&options).expect(1).json()
    };
    let refused = diagnose(&["--endpoint", ready(&receiver, "refused")]);
    assert_eq!(checks(&refused, "error")[0].0, "tcp", "{refused:#}");
    let unknown = diagnose(&["--endpoint", "https://no-such-host.invalid/"]);
    assert_eq!(checks(&unknown, "error")[0].0, "dns", "{unknown:#}");
    let proxy = ready(&receiver, "proxy_auth_wrong");
    let proxied = diagnose(&["--endpoint", ready(&receiver, "tls.good"), "--proxy", proxy]);
    assert_eq!(checks(&proxied, "error")[0].0, "endpoint", "{proxied:#}");
    assert!(
        !proxied.to_string().contains("wrong@"),
        "a password is not shown: {proxied:#}"
    );
    let setting = diagnose(&["--endpoint", "http://example.com/"]);
    assert!(
        checks(&setting, "error")[0]
            .1
            .contains("--endpoint is plain http"),
        "{setting:#}"
    );
    let unset = katalys(&[
        "doctor",
        "--endpoint",
        &support::endpoint(&receiver, "q/204"),
        "--json",
    ])
    .env_remove("KATALYS_SITE_ID")
    .output()
    .expect("it runs");
    let unset: Value = serde_json::from_slice(&unset.stdout).expect("JSON");
    assert!(
        checks(&unset, "warning")
            .iter()
            .any(|(_, found)| found.contains("site id")),
        "{unset:#}"
    );
    assert!(
        requests(&receiver, "q", 0)
            .iter()
            .all(|record| record["method"] == "HEAD")
    );
}

#[test]
fn outbox_problems_are_found() {
    let (folder, receiver) = (Folder::new("doctor"), receiver());
    let url = support::endpoint(&receiver, "o/204");
    let diagnose = |path: &std::path::Path, exit: i32| {
        let arguments = [
            "doctor",
            "--json",
            "--endpoint",
            &url,
            "--outbox",
            text(path),
        ];
        run(&arguments).expect(exit).json()
    };
    let path = folder.path("katalys.db");
    let report = diagnose(&path, 0);
    assert!(!path.exists(), "no file is created: {report:#}");
    run(&[
        "send",
        "1",
        "order_status=paid",
        "--endpoint",
        &url,
        "--outbox",
        text(&path),
    ])
    .expect(0);
    let report = diagnose(&path, 0);
    assert!(
        checks(&report, "ok")
            .iter()
            .any(|(_, found)| found.contains("0 pending updates")),
        "{report:#}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        let report = diagnose(&path, 0);
        let open = checks(&report, "warning");
        assert!(
            open.iter().any(|(_, found)| found.contains("644")),
            "{report:#}"
        );
    }
    let damaged = folder.write("damaged.db", "SQLite format 3\0 and then random text");
    let before = std::fs::read(&damaged).expect("read");
    let report = diagnose(&damaged, 1);
    assert!(
        checks(&report, "error")[0].1.contains("damaged"),
        "{report:#}"
    );
    assert_eq!(
        std::fs::read(&damaged).expect("read"),
        before,
        "the file is not changed"
    );
    let from_environment = katalys(&["doctor", "--json", "--endpoint", &url])
        .env("KATALYS_OUTBOX", &damaged)
        .output()
        .expect("it runs");
    assert_eq!(from_environment.status.code(), Some(1));
    assert_eq!(
        std::fs::read(&damaged).expect("read"),
        before,
        "the file is not changed"
    );
}
