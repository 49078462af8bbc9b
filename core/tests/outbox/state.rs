//! What a client reports: refusals, warnings, pending updates and events.

use super::*;
use katalys_core::{ErrorCode, ErrorKind};

#[test]
fn a_full_or_missing_outbox_is_reported() {
    let folder = Folder::new("full");
    let options = options(&folder.file(), "http://127.0.0.1:9/");
    let full = client(
        &options
            .clone()
            .set("deliver", false)
            .set("capacity_rows", 1),
    );
    full.enqueue_update("1", count(1)).expect("accepted");
    let error = full.enqueue_update("2", count(1)).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::OutboxFull, ErrorCode::OutboxFull)
    );
    let error = Client::new("abcd.com")
        .unwrap()
        .enqueue_update("1", count(1))
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigMissing);
    assert!(error.message().starts_with("outbox is not set"), "{error}");
}

#[test]
fn a_status_behind_a_later_pending_one_is_a_warning() {
    let folder = Folder::new("stale");
    let client = client(&options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false));
    let status = |status: &'static str| Fields::new().set("order_status", status);
    assert!(
        client
            .enqueue_update("1", status("refunded"))
            .unwrap()
            .warnings
            .is_empty()
    );
    let ticket = client.enqueue_update("1", status("paid")).unwrap();
    assert_eq!(ticket.warnings[0].code.as_str(), "status_stale");
    assert!(
        client
            .enqueue_update("2", status("paid"))
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn pending_updates_can_be_listed() {
    let folder = Folder::new("looked-at");
    let options = options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false);
    let client = client(&options);
    for number in 1..=3 {
        client.enqueue_update("1001", count(number)).unwrap();
    }
    let pending = client.pending_updates(2, 10).unwrap();
    assert_eq!(
        pending.iter().map(|update| update.id).collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(pending[0].payload.ends_with(br#""order_count":2}"#));
    assert!(pending[0].failures == 0 && pending[0].age_seconds < 60.0);
    assert!(!format!("{pending:?}").contains("1001"), "no customer data");
    let report = katalys_core::inspect_outbox(folder.file().as_ref()).unwrap();
    assert_eq!(
        (report.pending, report.dead, report.is_balanced),
        (3, 0, true)
    );
    assert_eq!(client.pending_updates(0, 1).unwrap().len(), 1);
}

#[test]
fn an_observer_gets_the_events_of_each_update() {
    let (folder, receiver) = (Folder::new("events"), receiver());
    let url = endpoint(&receiver, "e/503/204/422/204");
    let client = client(&options(&folder.file(), &url));
    let (sender, events) = std::sync::mpsc::channel();
    assert!(client.observe(move |events| {
        for event in events {
            let _ = sender.send(event.clone());
        }
    }));
    client.enqueue_update("1001", count(1)).expect("accepted");
    client.enqueue_update("1001", count(2)).expect("accepted");
    client.enqueue_update("1001", count(3)).expect("accepted");
    assert_eq!(client.flush(LONG).unwrap(), 0);
    let letter = client.dead_letters(0, 1).unwrap().remove(0);
    assert!(client.discard(letter.id).unwrap());
    client.close(LONG).expect("closed");
    let observed: Vec<katalys_core::Event> = events.try_iter().collect();
    let of = |id: i64| {
        let of_it = observed.iter().filter(|event| event.id == id);
        let shown = of_it.map(|event| (event.kind.as_str(), event.attempts, event.code));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        of(1),
        [
            ("accepted", 0, None),
            ("retried", 1, Some("unavailable")),
            ("delivered", 2, None)
        ]
    );
    assert_eq!(
        of(2),
        [
            ("accepted", 0, None),
            ("dead_lettered", 1, Some("rejected")),
            ("discarded", 0, None)
        ]
    );
    assert_eq!(of(3), [("accepted", 0, None), ("delivered", 1, None)]);
    let names: std::collections::HashSet<&str> =
        observed.iter().map(|event| event.order.as_str()).collect();
    assert_eq!(names.len(), 1, "one order has one name");
    assert!(!names.contains("1001"), "it is not the order_id");
}

#[test]
fn the_command_needs_no_site_id() {
    let client = Client::with_options(Language::Cli, &Fields::new().set("outbox", "")).unwrap();
    let without = client.validate_update("1001", count(1));
    assert_eq!(without.problems[0].path, "site_id");
    let own = client.validate_update("1001", count(1).set("site_id", "abcd.com"));
    assert!(own.payload.is_some());
    let twice = count(1).set("site_id", "a.com").set("site_id", "b.com");
    assert!(client.validate_update("1001", twice).payload.is_none());
    let error = Client::with_options(Language::Cli, &Fields::new().set("connect_timeout", 0));
    assert!(
        error
            .unwrap_err()
            .message()
            .starts_with("--connect-timeout must")
    );
}
