//! Damage to the log.

use super::*;
use crate::queue::sqlite::repair::salvage::Salvaged;

#[test]
fn updates_in_the_log_are_kept_without_the_main_file() {
    let mut filled = Filled::new("log");
    for number in 0..20 {
        filled.append(number % ORDERS, 100);
    }
    for suffixes in [&["-wal"][..], &["-wal", "-shm"]] {
        let folder = filled.killed(suffixes);
        let report = repair(&folder.file()).unwrap();
        assert_eq!(
            (report.pending, report.lost, report.numbers_continue_at),
            (20, Some(0), 21)
        );
        assert!(report.to_string().contains("kept: 20 pending"), "{report}");
        expect_delivered(&folder.file(), &report);
    }
}

#[test]
fn frames_behind_a_damaged_one_are_read() {
    let mut filled = Filled::new("frame");
    for number in 0..40 {
        filled.append(number % ORDERS, 200);
    }
    for suffixes in [&["", "-wal"][..], &["", "-wal", "-shm"]] {
        let folder = filled.killed(suffixes);
        let log = with_suffix(&folder.file(), "-wal");
        let frames = (fs::metadata(&log).unwrap().len() - 32) / (24 + 2048);
        overwrite(&log, 32 + frames / 2 * (24 + 2048) + 700, b"damage");
        let report = repair(&folder.file()).unwrap();
        assert!(!report.was_sound);
        let kept = payloads(&folder.file());
        assert!(kept.len() >= 30, "{report}");
        assert!(
            kept.contains_key(&1) && kept.contains_key(&40),
            "before and behind the damaged frame: {kept:?}"
        );
        assert_eq!(report.numbers_continue_at, 41);
        expect_delivered(&folder.file(), &report);
    }
}

/// As after a failed fsync of a commit: the next one overwrites the beginning of its frames.
#[test]
fn a_failed_transaction_is_not_damage() {
    let mut filled = Filled::new("failed");
    for number in 0..10 {
        filled.append(number % ORDERS, 100);
    }
    let before = filled.killed(&["", "-wal"]);
    filled.append(1, 9000);
    let failed = fs::read(with_suffix(&filled.folder.file(), "-wal")).unwrap();
    let mut filled = Filled {
        store: Some(open(&before)),
        rows: filled.rows,
        accepted: 10,
        delivered: 0,
        folder: before,
    };
    thread::sleep(Duration::from_millis(2)); // The minimum duration of an fsync.
    filled.append(2, 10);
    let folder = filled.killed(&["", "-wal"]);
    let log = with_suffix(&folder.file(), "-wal");
    let mut bytes = fs::read(&log).unwrap();
    assert!(bytes.len() < failed.len());
    bytes.extend_from_slice(&failed[bytes.len()..]);
    fs::write(&log, bytes).unwrap();
    let report = repair(&folder.file()).unwrap();
    assert!(report.was_sound, "{report}");
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!((report.pending, report.lost), (11, Some(0)));
    expect_delivered(&folder.file(), &report);
}

#[test]
fn a_delivered_update_in_an_older_page_is_not_delivered_again() {
    let mut filled = Filled::new("older");
    for number in 0..20 {
        filled.append(number % ORDERS, 300);
    }
    filled.store = None;
    filled.store = Some(open(&filled.folder));
    for _ in 0..10 {
        filled.settle(true);
    }
    let folder = filled.killed(&["", "-wal", "-shm"]);
    // The newest image of a page with updates is damaged, so that only the older one in the main file is
    // left.
    let files = Files::open(&folder.file()).unwrap();
    let pages = files.pages(2048).unwrap();
    let all = Salvaged::read(&pages);
    let place = all.updates.values().map(|update| update.source.place);
    let Some(Place::Log(image)) = place
        .into_iter()
        .find(|place| matches!(place, Place::Log(_)))
    else {
        panic!("not in the log");
    };
    overwrite(
        &with_suffix(&folder.file(), "-wal"),
        image.offset + 1000,
        b"damage",
    );
    drop(files);
    let report = repair(&folder.file()).unwrap();
    for (id, (state, _)) in payloads(&folder.file()) {
        assert_eq!(filled.rows.get(&id), Some(&state), "{id} was delivered");
    }
    expect_delivered(&folder.file(), &report);
}
