//! Rejected updates: edited, replayed and discarded.

use super::*;
use katalys_core::ErrorCode;

#[test]
fn a_rejected_update_can_be_edited_replayed_or_discarded() {
    let (folder, receiver) = (Folder::new("dead"), receiver());
    let url = endpoint(&receiver, "d/422/204");
    let client = client(&options(&folder.file(), &url).set("on_rejected", "hold"));
    let first = client.enqueue_update("1001", count(1)).expect("accepted");
    while client.stats().unwrap().dead == 0 {
        std::thread::yield_now();
    }
    client.enqueue_update("1001", count(2)).expect("accepted");
    assert_eq!(client.stats().unwrap().pending, 1, "the lane is held");
    let letter = client.dead_letters(0, 9).unwrap().remove(0);
    assert_eq!(
        (letter.id, letter.status, letter.code.as_str()),
        (first.id, Some(422), "rejected")
    );
    assert!(
        client
            .edit(first.id, Fields::new().set("order_id", "7"))
            .is_err()
    );
    assert!(client.edit(first.id, count(11)).unwrap());
    assert!(client.replay(first.id).unwrap());
    assert_eq!(client.flush(LONG).unwrap(), 0);
    let counts: Vec<u64> = received(&receiver, "d")
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(counts, [11, 2]);
    assert!(
        !client.discard(first.id).unwrap(),
        "it is not a dead letter any more"
    );
}

#[test]
fn a_waiting_call_returns_the_rejection() {
    let (folder, receiver) = (Folder::new("refused"), receiver());
    let client = client(&options(&folder.file(), &endpoint(&receiver, "r/400")));
    let error = client.update_order("1001", count(1)).unwrap_err();
    assert_eq!(
        (error.code(), error.status()),
        (ErrorCode::Rejected, Some(400))
    );
    let id = client.dead_letters(0, 1).unwrap()[0].id;
    assert!(client.discard(id).unwrap());
    let stats = client.stats().unwrap();
    assert_eq!((stats.accepted, stats.discarded, stats.dead), (1, 1, 0));
}

#[cfg(unix)]
#[test]
fn discarded_and_edited_data_is_erased_from_disk() {
    let (folder, receiver) = (Folder::new("erased"), receiver());
    let url = endpoint(&receiver, "x/422");
    let client = client(&options(&folder.file(), &url));
    let secret = |name: &str| Fields::new().set("email_address", format!("{name}@example.com"));
    for name in ["jane.discarded", "jane.edited"] {
        client
            .enqueue_update(name.len().to_string(), secret(name))
            .expect("accepted");
    }
    client.flush(LONG).expect("flushed");
    let letters = client.dead_letters(0, 9).unwrap();
    assert!(client.discard(letters[0].id).unwrap());
    assert!(
        client
            .edit(
                letters[1].id,
                Fields::new().set("email_address", "other@example.com")
            )
            .unwrap()
    );
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(5).any(|part| part == b"jane."),
            "{}",
            path.display()
        );
    }
}
