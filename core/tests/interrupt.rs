//! Calls that end early while they wait.

use katalys_core::{Client, Fields, Language, watched};
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[test]
fn a_watched_call_ends_soon_after_the_caller_gives_up() {
    // Accepts connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", endpoint)
        .set("timeout", 20.0);
    let client = Client::with_options(Language::Rust, &options).unwrap();
    let update = || client.update_order("1", Fields::new().set("order_status", "paid"));
    for wait in [200, 0] {
        let started = Instant::now();
        let until = started + Duration::from_millis(wait);
        watched(move || Instant::now() < until, update).unwrap_err();
        // The second call waits behind the first, whose request was sent.
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
