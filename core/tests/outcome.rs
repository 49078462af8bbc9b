//! A call that waits for its update learns the outcome, also when another process settles the update.

use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, ErrorCode, EventKind, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

struct Shop {
    folder: PathBuf,
    receiver: Receiver,
}

impl Shop {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("katalys-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).expect("a folder");
        let receiver = Receiver::start(&Options::default()).expect("a receiver");
        Self { folder, receiver }
    }

    /// A client as in a process of its own; only one that delivers sends what is in the file.
    fn client(&self, steps: &str, delivers: bool) -> Client {
        let url = self.receiver.ready()["url"].as_str().expect("a URL");
        let file = self.folder.join("outbox.db");
        let options = Fields::new()
            .set("site_id", "abcd.com")
            .set("endpoint", format!("{url}/run/{steps}"))
            .set("outbox", file.to_str().expect("UTF-8").to_owned())
            .set("deliver", delivers)
            .set("collapse", true)
            .set("timeout", 30);
        Client::with_options(Language::Rust, &options).expect("a client")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn paid() -> Fields<'static> {
    Fields::new().set("order_status", "paid")
}

#[test]
fn a_delivery_by_another_process_has_no_invented_attempts() {
    let shop = Shop::new("elsewhere");
    let waiting = shop.client("elsewhere/204", false);
    let relay = shop.client("elsewhere/503/204", true);
    std::thread::scope(|scope| {
        let receipt = scope.spawn(|| waiting.update_order("1001", paid()));
        while waiting.stats().unwrap().accepted == 0 {
            std::thread::yield_now();
        }
        assert_eq!(relay.flush(LIMIT).unwrap(), 0);
        assert_eq!(receipt.join().unwrap().unwrap().attempts, 0);
    });
    let receipt = relay.update_order("1002", paid()).expect("delivered");
    assert_eq!(receipt.attempts, 1, "its own attempts are known");
}

/// A discarded update must never be taken for a delivered one.
#[test]
fn a_refused_and_discarded_update_is_not_reported_as_received() {
    let shop = Shop::new("discarded");
    let waiting = shop.client("discarded/422", false);
    let relay = Arc::new(shop.client("discarded/422", true));
    let discarding = Arc::downgrade(&relay);
    relay.observe(move |events| {
        for event in events {
            if let (EventKind::DeadLettered, Some(relay)) = (event.kind, discarding.upgrade()) {
                relay.discard(event.id).expect("discarded");
            }
        }
    });
    let mut codes = Vec::new();
    while !codes.contains(&ErrorCode::OutboxOutcome) {
        assert!(codes.len() < 50, "{codes:?}");
        let order = format!("{}", codes.len());
        let code = std::thread::scope(|scope| {
            let result = scope.spawn(|| waiting.update_order(order, paid()));
            while waiting.stats().unwrap().accepted <= codes.len() as u64 {
                std::thread::yield_now();
            }
            relay.flush(LIMIT).unwrap();
            let error = result.join().unwrap().expect_err("never received");
            assert!(error.ticket().is_some());
            error.code()
        });
        let known = [ErrorCode::OutboxOutcome, ErrorCode::Rejected];
        assert!(known.contains(&code), "{code:?}");
        codes.push(code);
    }
}

#[test]
fn every_call_of_a_collapsed_update_learns_its_outcome() {
    let shop = Shop::new("collapsed");
    let client = shop.client("collapsed/slow=300", true);
    let (sender, received) = mpsc::channel();
    for _ in 0..4 {
        let update = client.prepare(Call::Update, &"1001".into(), &paid());
        let sender = sender.clone();
        let complete = move |result| sender.send(result).expect("the test waits");
        client.submit(update.unwrap(), complete).unwrap();
    }
    for _ in 0..4 {
        let receipt = received.recv_timeout(LIMIT).unwrap().expect("delivered");
        assert_eq!(receipt.attempts, 1);
    }
    assert!(client.stats().unwrap().accepted < 4, "some were collapsed");
}
