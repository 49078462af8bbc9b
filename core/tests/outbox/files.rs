//! The permissions of the file, and a file that disappears.

#![cfg(unix)]

use super::*;
use katalys_core::ErrorCode;

#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("rights");
    let client = client(&options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false));
    client.enqueue_update("1", count(1)).expect("accepted");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let are_private = || {
        let entries = std::fs::read_dir(&folder.0).unwrap();
        entries
            .map(|entry| mode(&entry.unwrap().path()))
            .all(|mode| mode == 0o600)
    };
    assert!(are_private());
    drop(client);
    std::fs::set_permissions(folder.file(), PermissionsExt::from_mode(0o604)).unwrap();
    drop(self::client(
        &options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false),
    ));
    assert!(are_private(), "a file that was accessible to all users");
}

#[test]
fn every_call_and_an_event_report_a_moved_file() {
    let (folder, receiver) = (Folder::new("gone"), receiver());
    let url = endpoint(&receiver, "g/204");
    let client = client(&options(&folder.file(), &url));
    let (sender, events) = std::sync::mpsc::channel();
    client.observe(move |events| {
        for event in events {
            let _ = sender.send(event.clone());
        }
    });
    client.enqueue_update("1", count(1)).expect("accepted");
    client.flush(LONG).expect("flushed");
    let elsewhere = folder.0.join("elsewhere.db");
    std::thread::sleep(Duration::from_secs(2)); // Until it is idle.
    std::fs::rename(folder.file(), &elsewhere).unwrap();
    let failed = std::iter::from_fn(|| events.recv_timeout(Duration::from_secs(1)).ok())
        .find(|event| event.kind == katalys_core::EventKind::Failed)
        .expect("an event within a second, without a call");
    assert_eq!(failed.code, Some("outbox_moved"));
    let moved =
        |error: katalys_core::Error| assert_eq!(error.code(), ErrorCode::OutboxMoved, "{error}");
    moved(client.enqueue_update("2", count(1)).unwrap_err());
    moved(client.stats().unwrap_err());
    moved(client.flush(LONG).unwrap_err());
    moved(client.update_order("3", count(1)).unwrap_err());
    std::fs::rename(&elsewhere, folder.file()).unwrap();
    client.enqueue_update("4", count(1)).expect("it is back");
    assert_eq!(client.flush(LONG).unwrap(), 0);
}
