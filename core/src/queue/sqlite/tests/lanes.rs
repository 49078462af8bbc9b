//! Leases, limits, retries and damaged lanes.

use super::*;
use rusqlite::Connection;

#[test]
fn an_expired_lease_is_taken_over_and_its_former_owner_settles_nothing() {
    let folder = Folder::new("lease");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    append(&mut store, 1, "b");
    let first = claim(&mut store, 1, 9, 0).remove(0);
    let second = claim(&mut store, 2, 9, HOUR).remove(0);
    assert_eq!(first.id, second.id);
    assert!(!settle(&mut store, &first, 1, Verdict::Delivered));
    assert!(settle(&mut store, &second, 2, Verdict::Delivered));
    assert_eq!(claim(&mut store, 1, 9, HOUR)[0].payload, b"b");
}

#[test]
fn an_update_that_is_interrupted_three_times_becomes_a_dead_letter() {
    let folder = Folder::new("poison");
    let mut store = open(&folder);
    append(&mut store, 1, "poison");
    for _ in 0..3 {
        assert_eq!(claim(&mut store, 1, 9, 0).len(), 1);
    }
    assert!(claim(&mut store, 1, 9, 0).is_empty());
    let letters = store.dead_letters(0, 9).unwrap();
    assert_eq!(
        (letters.len(), letters[0].code.as_str()),
        (1, "interrupted")
    );
}

#[test]
fn limits_apply_and_a_repeated_update_is_collapsed() {
    let folder = Folder::new("limits");
    let limits = Limits {
        rows: Some(2),
        bytes: None,
        collapse: true,
    };
    let limited = Setup {
        limits,
        ..setup(&folder.file())
    };
    let mut store = SqliteStore::open(&limited).unwrap();
    let mut add = |text: &str| {
        let payload = text.as_bytes().to_vec();
        one(
            &mut store,
            Work::Append(Append {
                lane: 1,
                payload,
                stage: 0,
            }),
        )
    };
    assert!(matches!(add("a"), Effect::Appended { id: 1, .. }));
    assert!(matches!(add("a"), Effect::Collapsed { id: 1, .. }));
    assert!(matches!(add("b"), Effect::Appended { id: 2, .. }));
    assert!(matches!(add("a"), Effect::Full { rows: 2, .. }));
    assert!(
        matches!(add("b"), Effect::Collapsed { id: 2, .. }),
        "a repeated update needs no space"
    );
    assert_eq!(store.audit().unwrap().accepted, 2);
}

#[test]
fn damaged_lanes_are_rebuilt_and_stop_no_other() {
    let folder = Folder::new("lanes");
    let mut store = open(&folder);
    for text in ["a", "b", "c"] {
        append(&mut store, 1, text);
        append(&mut store, 2, text);
    }
    append(&mut store, 3, "good");
    store
        .connection
        .execute_batch(
            "
        UPDATE lanes SET head = 999 WHERE lane = 1;
        UPDATE updates SET next = id WHERE id = 2;
        INSERT INTO lanes (lane, due, head, tail) VALUES (4, 0, NULL, NULL);
        INSERT INTO lanes (lane, due, head, tail) VALUES (5, 0, 7, 7);",
        )
        .unwrap();
    let mut sent = Vec::new();
    for _ in 0..20 {
        for claim in claim(&mut store, 1, 9, HOUR) {
            sent.push((
                claim.lane,
                String::from_utf8(claim.payload.clone()).unwrap(),
            ));
            settle(&mut store, &claim, 1, Verdict::Delivered);
        }
    }
    let of = |lane| {
        sent.iter()
            .filter(|(of, _)| *of == lane)
            .map(|(_, text)| text.as_str())
            .collect::<String>()
    };
    assert_eq!(
        (of(1).as_str(), of(2).as_str(), of(3).as_str()),
        ("abc", "abc", "good")
    );
    assert_eq!(store.audit().unwrap().delivered, 7);
}

#[test]
fn a_replay_into_a_lane_with_a_cycle_ends() {
    let folder = Folder::new("cycle");
    let mut store = open(&folder);
    for text in ["a", "b", "c"] {
        append(&mut store, 1, text);
    }
    for _ in 0..2 {
        let claim = claim(&mut store, 1, 1, HOUR).remove(0);
        let cause = Cause {
            code: "rejected",
            status: None,
            reason: String::new(),
        };
        settle(
            &mut store,
            &claim,
            1,
            Verdict::Rejected { cause, hold: false },
        );
    }
    let mut replay = |id| match one(&mut store, Work::Replay(id)) {
        Effect::Found(found) => found,
        _ => panic!("another effect"),
    };
    assert!(replay(1));
    let cycle = "UPDATE updates SET next = 1 WHERE id = 1";
    Connection::open(folder.file())
        .unwrap()
        .execute(cycle, [])
        .unwrap();
    assert!(replay(2));
    let mut sent = String::new();
    while let Some(claim) = claim(&mut store, 1, 1, HOUR).pop() {
        sent.push_str(std::str::from_utf8(&claim.payload).unwrap());
        settle(&mut store, &claim, 1, Verdict::Delivered);
    }
    assert_eq!(sent, "abc");
}

#[test]
fn lanes_that_wait_for_a_retry_can_be_made_due() {
    let folder = Folder::new("hasten");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let claimed = claim(&mut store, 1, 1, HOUR).remove(0);
    settle(
        &mut store,
        &claimed,
        1,
        Verdict::Retry(Duration::from_secs(3600)),
    );
    append(&mut store, 2, "b");
    let leased = claim(&mut store, 1, 9, HOUR).remove(0);
    assert_eq!(leased.lane, 2);
    one(&mut store, Work::MakeDue);
    assert_eq!(
        claim(&mut store, 2, 9, HOUR)[0].lane,
        1,
        "a leased lane stays leased"
    );
}

#[test]
fn another_boot_delays_and_reorders_nothing() {
    let folder = Folder::new("boot");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let claimed = claim(&mut store, 1, 9, HOUR).remove(0);
    store
        .connection
        .execute(
            "UPDATE books SET boot = 'another', seen_wall = seen_wall + 99999999",
            [],
        )
        .unwrap();
    let mut store = open(&folder);
    assert_eq!(claim(&mut store, 2, 9, HOUR)[0].id, claimed.id);
}

#[test]
fn a_claim_finds_updates_of_its_own_transaction_and_earlier_ones() {
    let folder = Folder::new("same-transaction");
    let mut store = open(&folder);
    append(&mut store, 1, "earlier");
    let new = |lane, text: &str| {
        let payload = text.as_bytes().to_vec();
        let stage = 0;
        Work::Append(Append {
            lane,
            payload,
            stage,
        })
    };
    let work = [
        new(2, "a"),
        new(1, "behind"),
        new(2, "b"),
        claim_order(1, 9, HOUR),
    ];
    let Some(Effect::Claimed { claims, dead }) = store.commit(&work).unwrap().pop() else {
        panic!("another effect");
    };
    assert!(dead.is_empty());
    let mut claimed: Vec<(LaneId, UpdateId, &[u8])> = claims
        .iter()
        .map(|claim| (claim.lane, claim.id, claim.payload.as_slice()))
        .collect();
    claimed.sort_unstable();
    assert_eq!(claimed, [(1, 1, &b"earlier"[..]), (2, 2, b"a")]);
    assert_eq!(store.audit().unwrap().pending, 4);
}
