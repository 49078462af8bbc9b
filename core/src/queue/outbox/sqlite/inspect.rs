//! Looks at an outbox without changing or mending anything, for those who look for what is wrong.

use super::books::Books;
use super::fault::{self, Fault};
use super::schema;
use crate::error::{Error, ErrorCode};
use crate::queue::outbox::store::count;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// What is in an outbox's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxReport {
    /// The version of its tables.
    pub version: i64,
    /// The version that this library writes.
    pub known_version: i64,
    /// Updates that wait, counted one by one.
    pub pending: u64,
    /// Dead letters, counted one by one.
    pub dead: u64,
    /// Whether the books say the same as the count.
    pub is_balanced: bool,
}

/// Reads an outbox's file without changing it: not even a damaged one is set aside.
///
/// # Errors
/// `OutboxError` if it is not an outbox, is damaged, or cannot be read.
pub fn inspect(path: &Path) -> Result<OutboxReport, Error> {
    look(path).map_err(|Fault(error)| error)
}

fn look(path: &Path) -> Result<OutboxReport, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let snapshot = connection.transaction()?;
    let (version, known_version) = schema::version(&snapshot)?;
    if version > known_version {
        return Err(fault::newer(version, known_version).into());
    }
    if version == 0 {
        let text = "the file is empty: no outbox has been made of it yet";
        return Err(Error::new(ErrorCode::OutboxFailed, text).into());
    }
    let sound: String = snapshot.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        let text = "the outbox's file is damaged";
        return Err(Error::new(ErrorCode::OutboxCorrupt, text).into());
    }
    let number = |sql| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    let pending = number("SELECT count(*) FROM updates")?;
    let bytes = number("SELECT ifnull(sum(length(payload)), 0) FROM updates")?;
    let dead = number("SELECT count(*) FROM dead")?;
    let books = Books::read(&snapshot)?;
    Ok(OutboxReport {
        version,
        known_version,
        pending: count(pending),
        dead: count(dead),
        is_balanced: (books.pending(), books.bytes, books.dead) == (pending, bytes, dead),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_outbox_stays_as_it_is() {
        let path = std::env::temp_dir().join(format!("katalys-inspect-{}", std::process::id()));
        std::fs::write(
            &path,
            "not a database at all, and long enough to be looked at",
        )
        .unwrap();
        let error = inspect(&path).unwrap_err();
        assert_eq!(error.code(), ErrorCode::OutboxCorrupt);
        assert!(std::fs::read(&path).unwrap().starts_with(b"not a database"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(inspect(&path).unwrap_err().code(), ErrorCode::OutboxFailed);
        assert!(!path.exists());
    }
}
