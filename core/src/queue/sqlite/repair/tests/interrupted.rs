//! Repairs that are killed, and what they leave.

use super::*;
use crate::queue::sqlite::repair::swap;

#[test]
fn a_file_of_an_earlier_repair_is_not_used() {
    let mut filled = Filled::fill("old", 60, 7);
    let folder = filled.closed();
    // As a kill right before the last step leaves it.
    let ready = with_suffix(&folder.file(), ".repair-1");
    fs::copy(folder.file(), &ready).unwrap();
    filled.store = Some(open(&filled.folder));
    for number in 0..40 {
        filled.append(number % ORDERS, 200);
    }
    let newer = filled.closed();
    fs::copy(newer.file(), folder.file()).unwrap();
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!(report.pending, filled.count(State::Pending));
    assert!(!ready.exists());
    expect_delivered(&folder.file(), &report);
}

#[test]
fn a_journal_is_not_rolled_back_into_the_repaired_file() {
    let mut filled = Filled::fill("journal", 30, 8);
    let folder = filled.closed();
    let connection = Connection::open(folder.file()).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; BEGIN; DELETE FROM updates; DELETE FROM lanes",
        )
        .unwrap();
    let journal = fs::read(with_suffix(&folder.file(), "-journal")).unwrap();
    drop(connection);
    fs::write(with_suffix(&folder.file(), "-journal"), journal).unwrap();
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!(report.pending, filled.count(State::Pending));
    assert!(!names(&folder).contains(&"outbox.db-journal".to_owned()));
    expect_delivered(&folder.file(), &report);
}

/// The files that exist, and how they are damaged.
type Case<'a> = (&'a [&'a str], fn(&Path));

/// Ends the repair after each of its steps, as a kill would, and then repairs again.
#[test]
fn a_repair_that_is_killed_at_any_step_loses_nothing() {
    let filled = Filled::fill("steps", 120, 6);
    let cases: [Case<'_>; 3] = [
        (&["", "-wal", "-shm"], |path| overwrite(path, 0, &[0; 600])),
        (&["", "-wal"], |path| {
            overwrite(&with_suffix(path, "-wal"), 0, &[0; 32]);
        }),
        (&["-wal"], |_| {}),
    ];
    let mut kills = 0;
    for (suffixes, damage) in cases {
        let whole = filled.killed(suffixes);
        damage(&whole.file());
        repair(&whole.file()).unwrap();
        let expected = payloads(&whole.file());
        assert!(expected.len() > 20);
        for steps in 1.. {
            let folder = filled.killed(suffixes);
            damage(&folder.file());
            swap::STEPS_LEFT.set(steps);
            let killed = repair(&folder.file());
            swap::STEPS_LEFT.set(u32::MAX);
            if killed.is_ok() {
                break;
            }
            kills += 1;
            let report = repair(&folder.file()).unwrap();
            assert_eq!(payloads(&folder.file()), expected, "after {steps} steps");
            assert_eq!(report.numbers_continue_at, count(filled.accepted) + 1);
            assert!(!names(&folder).iter().any(|name| name.contains(".repair-")));
            expect_sound(&folder.file());
        }
    }
    assert!(kills > 20, "{kills}");
}
