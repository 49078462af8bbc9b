//! Requests of other sites are refused.

use super::support::{JSON, Sandbox};
use serde_json::json;

#[test]
fn requests_of_other_sites_are_refused() {
    let sandbox = Sandbox::start(&["--allow-host", "shop.test"]);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        sandbox
            .connect()
            .request(method, path, headers, br#"{"status":503}"#)
            .expect("an answer")
            .status
    };
    let host = sandbox.address.to_string();
    let origin = format!("http://{host}");
    for path in ["/", "/_sandbox/orders", "/v2/_tr_offline"] {
        assert_eq!(ask("GET", path, &[("Host", "evil.example")]), 421, "{path}");
    }
    assert_eq!(ask("GET", "/", &[("Host", "shop.test:80")]), 200);
    // Requests that need no preflight in a browser, and those of a server.
    let planted = br#"{"site_id":"abcd.com","order_id":"1","order_status":"paid"}"#;
    let post = |headers: &[(&str, &str)]| {
        let mut client = sandbox.connect();
        let answer = client.request("POST", "/v2/_tr_offline", headers, planted);
        answer.expect("an answer").status
    };
    let from_a_page = [
        ("Content-Type", "text/plain"),
        ("Origin", "https://evil.example"),
    ];
    assert_eq!(post(&from_a_page), 403);
    assert_eq!(post(&[JSON, ("Sec-Fetch-Site", "cross-site")]), 403);
    let orders = sandbox.get("/_sandbox/orders").json();
    assert_eq!(orders["orders"], json!([]), "{orders}");
    assert_eq!(post(&[JSON]), 204);
    let faults = "/_sandbox/faults";
    assert_eq!(
        ask("POST", faults, &[JSON, ("Origin", "http://evil.example")]),
        403
    );
    assert_eq!(ask("POST", faults, &[JSON, ("Origin", "null")]), 403);
    assert_eq!(
        ask("POST", faults, &[JSON, ("Sec-Fetch-Site", "cross-site")]),
        403
    );
    assert_eq!(
        ask("DELETE", "/_sandbox", &[("Sec-Fetch-Site", "same-site")]),
        403
    );
    assert_eq!(ask("POST", faults, &[("Content-Type", "text/plain")]), 415);
    assert_eq!(
        ask(
            "POST",
            faults,
            &[JSON, ("Origin", &origin), ("Sec-Fetch-Site", "same-origin")]
        ),
        201
    );
    let page = sandbox.get("/");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"));
    assert!(
        sandbox
            .get("/_sandbox/orders")
            .header("access-control-allow-origin")
            .is_none()
    );
}
