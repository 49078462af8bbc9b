//! Files: what stays on disk, and what happens to foreign, newer, damaged and moved ones.

use super::*;
use crate::error::ErrorCode;
use crate::queue::sqlite::format::with_suffix;
use crate::queue::sqlite::{OutboxReader, SqliteCheckpointer, inspect};
use crate::queue::store::Checkpointer;
use rusqlite::Connection;

#[test]
fn a_delivered_update_leaves_no_trace_on_disk() {
    let folder = Folder::new("trace");
    let mut store = open(&folder);
    append(&mut store, 1, "jane.doe@example.com");
    let claim = claim(&mut store, 1, 9, HOUR).remove(0);
    settle(&mut store, &claim, 1, Verdict::Delivered);
    SqliteCheckpointer::new(&folder.file())
        .checkpoint_all()
        .unwrap();
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|part| part == b"jane.doe"));
    }
}

#[test]
fn another_file_is_refused_and_unchanged() {
    let folder = Folder::new("foreign");
    let other = folder.0.join("other.db");
    let database = Connection::open(&other).unwrap();
    database
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .unwrap();
    let of_sqlite = std::fs::read(&other).unwrap();
    for content in [
        &b"order_id,email\n1001,jane@example.com\n"[..],
        b"x",
        b"\x7fELF\x02\x01\x01",
        &of_sqlite,
    ] {
        std::fs::write(folder.file(), content).unwrap();
        assert_eq!(refusal(&folder).code(), ErrorCode::OutboxForeign);
        assert_eq!(
            inspect(&folder.file()).unwrap_err().code(),
            ErrorCode::OutboxForeign
        );
        assert_eq!(std::fs::read(folder.file()).unwrap(), content);
    }
    std::fs::remove_file(folder.file()).unwrap();
    std::os::unix::fs::symlink(&other, folder.file()).unwrap();
    assert_eq!(refusal(&folder).code(), ErrorCode::OutboxForeign);
    assert_eq!(
        database.query_row("SELECT x FROM t", [], |row| row.get::<_, i64>(0)),
        Ok(1)
    );
    drop(database);
    let mut names: Vec<_> = std::fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["other.db", "outbox.db"],
        "nothing was created or renamed"
    );
}

#[test]
fn a_path_that_cannot_be_used_gives_a_reason() {
    let folder = Folder::new("paths");
    let at = |path: PathBuf| SqliteStore::open(&setup(&path)).err().expect("refused");
    let error = at(folder.0.clone());
    assert_eq!(error.code(), ErrorCode::OutboxForeign);
    assert!(error.message().contains("is a folder"), "{error}");
    let error = at(folder.0.join("missing/outbox.db"));
    assert!(
        error
            .message()
            .contains("missing does not exist; create it"),
        "{error}"
    );
    std::os::unix::fs::symlink(folder.0.join("nowhere"), folder.file()).unwrap();
    let error = refusal(&folder);
    assert!(
        error.message().contains("symbolic link without a target"),
        "{error}"
    );
}

#[test]
fn a_reader_changes_nothing() {
    let folder = Folder::new("reader");
    let look = || {
        let mut reader = OutboxReader::open(&folder.file()).unwrap();
        let stats = reader.stats().unwrap();
        let ids = |updates: Vec<i64>| updates;
        let pending = reader.pending_updates(0, 9).unwrap();
        (
            stats.accepted,
            ids(pending.into_iter().map(|update| update.id).collect()),
        )
    };
    let names = || {
        let entries = std::fs::read_dir(&folder.0).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert!(OutboxReader::open(&folder.file()).is_err());
    assert!(names().is_empty(), "no file is created");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    assert_eq!(look(), (1, vec![1]), "in use");
    append(&mut store, 1, "b");
    drop(store);
    let (before, bytes) = (names(), std::fs::read(folder.file()).unwrap());
    assert_eq!(look(), (2, vec![1, 2]), "not in use");
    assert_eq!(
        (names(), std::fs::read(folder.file()).unwrap()),
        (before, bytes)
    );
}

#[test]
fn a_newer_file_is_refused() {
    let folder = Folder::new("newer");
    let store = open(&folder);
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert_eq!(refusal(&folder).code(), ErrorCode::OutboxNewer);
}

#[test]
fn a_log_without_its_file_is_kept() {
    let folder = Folder::new("orphaned");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let log = with_suffix(&folder.file(), "-wal");
    let kept = std::fs::read(&log).unwrap();
    drop(store);
    std::fs::remove_file(folder.file()).unwrap();
    std::fs::write(&log, &kept).unwrap();
    let error = refusal(&folder);
    assert_eq!(error.code(), ErrorCode::OutboxCorrupt);
    assert!(error.message().contains("repair"), "{error}");
    assert_eq!(std::fs::read(&log).unwrap(), kept);
}

#[test]
fn a_damaged_file_is_refused_and_keeps_its_log() {
    let folder = Folder::new("damaged");
    let mut store = open(&folder);
    for lane in 0..50 {
        append(&mut store, lane, &"x".repeat(500));
    }
    SqliteCheckpointer::new(&folder.file())
        .checkpoint_all()
        .unwrap();
    append(&mut store, 99, "only in the log");
    let log = std::fs::read(with_suffix(&folder.file(), "-wal")).unwrap();
    std::mem::forget(store); // As if the process had been killed.
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[2048..].fill(0xff);
    std::fs::write(folder.file(), &bytes).unwrap();
    let damaged = SqliteStore::open(&setup(&folder.file()))
        .and_then(|mut store| store.commit(&[claim_order(1, 9, HOUR)]));
    assert_eq!(damaged.err().unwrap().code(), ErrorCode::OutboxCorrupt);
    assert_eq!(std::fs::read(folder.file()).unwrap(), bytes);
    assert_eq!(
        std::fs::read(with_suffix(&folder.file(), "-wal")).unwrap(),
        log
    );
}

#[test]
fn a_deleted_or_replaced_file_gives_no_ticket_but_still_settles() {
    for disappear in [
        (|folder: &Folder| std::fs::remove_file(folder.file()).unwrap()) as fn(&Folder),
        |folder| {
            let new = folder.0.join("new");
            std::fs::write(&new, "").unwrap();
            std::fs::rename(new, folder.file()).unwrap();
        },
    ] {
        let folder = Folder::new("gone");
        let mut store = open(&folder);
        append(&mut store, 1, "a");
        let claim = claim(&mut store, 1, 9, HOUR).remove(0);
        disappear(&folder);
        let update = Append {
            lane: 2,
            payload: b"b".to_vec(),
            stage: 0,
        };
        for _ in 0..2 {
            let Effect::Refused(error) = one(&mut store, Work::Append(update.clone())) else {
                panic!("a ticket for a deleted file");
            };
            assert_eq!(error.code(), ErrorCode::OutboxMoved);
        }
        assert_eq!(store.stats().unwrap_err().code(), ErrorCode::OutboxMoved);
        assert!(settle(&mut store, &claim, 1, Verdict::Delivered));
    }
}

#[test]
fn a_moved_file_is_not_used_until_it_is_back() {
    let folder = Folder::new("moved");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let elsewhere = folder.0.join("elsewhere");
    std::fs::rename(folder.file(), &elsewhere).unwrap();
    store.check().unwrap_err();
    let refused = store.commit(&[claim_order(1, 9, HOUR)]).err().unwrap();
    assert_eq!(refused.code(), ErrorCode::OutboxMoved);
    std::fs::rename(&elsewhere, folder.file()).unwrap();
    assert_eq!(append(&mut store, 1, "b"), 2);
}
