//! Connections that share a file: within one process, of two copies of `SQLite`, of forked children.

// fork and waitpid have no safe interface.
#![allow(unsafe_code)]

use crate::queue::sqlite::checkpoint::checkpoint;
use crate::queue::sqlite::tests::{Folder, append, open, setup};
use crate::queue::sqlite::{Setup, SqliteStore};
use crate::queue::store::Store;
use rusqlite::Connection;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Uses `SQLite`'s own file system, whose locks belong to the process, as another copy of `SQLite` would.
fn status_page(path: &Path) -> i64 {
    let page = Connection::open(path).unwrap();
    page.busy_timeout(Duration::from_secs(5)).unwrap();
    page.query_row("SELECT count(*) FROM updates", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn two_connections_and_a_status_page_of_one_process_keep_the_counters_exact() {
    const EACH: i64 = 500;
    let folder = Folder::new("copies");
    drop(open(&folder));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let write = |first: i64| {
            for lane in first..first + EACH {
                let mut store = open(&folder);
                append(&mut store, lane, "{}");
                append(&mut store, lane, "{}");
            }
        };
        let writers = [
            scope.spawn(move || write(0)),
            scope.spawn(move || write(EACH)),
        ];
        let reader = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                status_page(&folder.file());
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    let stats = open(&folder).audit().unwrap();
    assert_eq!(stats.accepted, 4 * EACH.cast_unsigned());
    assert_eq!(stats.pending, stats.accepted);
}

#[test]
fn a_reader_of_another_copy_keeps_its_locks() {
    let folder = Folder::new("reader");
    let without_wait = Setup {
        busy_timeout: Duration::ZERO,
        ..setup(&folder.file())
    };
    let mut store = SqliteStore::open(&without_wait).unwrap();
    append(&mut store, 1, "{}");
    let mut page = Connection::open(folder.file()).unwrap();
    let snapshot = page.transaction().unwrap();
    let count = || -> i64 {
        snapshot
            .query_row("SELECT count(*) FROM updates", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(), 1);
    for lane in 0..300 {
        // Each one closes its descriptors, which must not release the locks of the reader.
        append(&mut open(&folder), lane, &"x".repeat(2_000));
        let _ = checkpoint(&store.connection, "TRUNCATE");
        assert_eq!(count(), 1, "the snapshot holds");
    }
}

#[test]
fn other_databases_of_the_process_are_not_affected() {
    let folder = Folder::new("others");
    let other = folder.0.join("shop.db");
    let before = Connection::open(&other).unwrap();
    before
        .execute_batch("CREATE TABLE t (x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        .unwrap();
    append(&mut open(&folder), 1, "{}");
    let after = Connection::open(&other).unwrap();
    after.busy_timeout(Duration::ZERO).unwrap();
    after
        .execute("INSERT INTO t VALUES (2)", [])
        .expect_err("the first one has the lock");
    before.execute_batch("COMMIT").unwrap();
    after.execute("INSERT INTO t VALUES (2)", []).unwrap();
}

#[test]
fn children_forked_at_any_moment_use_the_file_independently() {
    const FORKS: u64 = 300;
    let folder = Folder::new("forks");
    let path = folder.file();
    drop(open(&folder));
    let is_over = AtomicBool::new(false);
    let mut children = Vec::new();
    thread::scope(|scope| {
        for lane in 0..3 {
            let (is_over, path) = (&is_over, &path);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    append(&mut SqliteStore::open(&setup(path)).unwrap(), lane, "{}");
                }
            });
        }
        for lane in 0..FORKS {
            // SAFETY: the child uses the store and the allocator, which glibc keeps usable.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let is_done = in_child(&path, lane.cast_signed());
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(i32::from(!is_done)) };
            }
            children.push(child);
            thread::sleep(Duration::from_micros(500));
        }
        for child in children {
            assert_eq!(wait_for(child), Some(0), "a child hangs or fails");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let stats = open(&folder).audit().unwrap();
    assert_eq!(stats.accepted, stats.pending);
    assert!(stats.accepted > FORKS);
}

fn in_child(path: &Path, lane: i64) -> bool {
    let opened = SqliteStore::open(&setup(path));
    opened.is_ok_and(|mut store| {
        append(&mut store, lane, "{}");
        true
    })
}

/// Waits for the exit status of a child; none if it does not end in time.
fn wait_for(child: libc::pid_t) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut status = 0;
    // SAFETY: the child belongs to this process, and the status is valid memory.
    while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}
