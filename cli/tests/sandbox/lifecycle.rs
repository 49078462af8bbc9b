//! How the sandbox starts, ends, and keeps its records in a file.

use super::support::{Sandbox, raw_post, update};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn it_prints_its_addresses_and_ends_with_its_parent() {
    let sandbox = Sandbox::start(&[]);
    let ready: Value = serde_json::from_str(&sandbox.ready).expect("JSON");
    let endpoint = format!("http://{}/v2/_tr_offline", sandbox.address);
    assert_eq!(
        ready,
        json!({ "url": format!("http://{}", sandbox.address), "endpoint": endpoint })
    );
    assert!(sandbox.address.ip().is_loopback());
    assert_eq!(sandbox.end(), Some(0));
}

#[test]
#[cfg(unix)]
fn signals_end_it_even_while_a_request_hangs() {
    for signal in ["-TERM", "-INT"] {
        let mut sandbox = Sandbox::start(&["--fault", "hang"]);
        let mut hanging = sandbox.connect();
        hanging
            .write(&raw_post(&sandbox, "hanging"))
            .expect("it is sent");
        let stream = sandbox.get("/_sandbox/wait?timeout=0").status;
        assert_eq!(stream, 408);
        let id = sandbox.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .expect("kill")
                .success()
        );
        assert_eq!(sandbox.wait(), Some(0));
    }
}

#[test]
fn a_file_keeps_all_records_and_is_private() {
    let folder = std::env::temp_dir().join(format!("katalys-sandbox-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("orders.db");
    let file = path.to_str().expect("text");
    let first = Sandbox::start(&["--file", file]);
    first.send(&update(
        "1",
        &json!({ "order_status": "paid", "order_alias": "R1", "x": null }),
    ));
    let second = Command::new(env!("CARGO_BIN_EXE_katalys"))
        .args(["sandbox", "--port", "0", "--file", file])
        .output();
    let second = second.expect("it runs");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another sandbox has it open"));
    let before = first.order("R1");
    assert_eq!(first.end(), Some(0));
    let again = Sandbox::start(&["--file", file]);
    assert_eq!(again.order("R1"), before);
    again.send(&update("R1", &json!({ "order_status": "refunded" })));
    assert_eq!(
        again.order("1")["updates"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(
        again.get("/_sandbox/orders").json()["statuses"],
        json!({ "refunded": 1 })
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    drop(again);
    let other = folder.join("other.txt");
    std::fs::write(
        &other,
        "something else, which is longer than a header of a database ".repeat(20),
    )
    .expect("a file");
    let refused = Command::new(env!("CARGO_BIN_EXE_katalys"))
        .args(["sandbox", "--port", "0", "--file"])
        .arg(&other)
        .output();
    let refused = refused.expect("it runs");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a sandbox's file"));
    std::fs::remove_dir_all(&folder).expect("its own folder");
}
