//! Looks at an outbox without changing or mending anything, for those who look for what is wrong.

use super::books::Books;
use super::fault::Fault;
use super::{open, reader, schema};
use crate::error::Error;
use crate::queue::store::count;
use std::path::Path;

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
    /// Whether the books say the same as the count, and every update is found in its lane.
    pub is_balanced: bool,
}

/// Reads an outbox's file without changing it: not even a damaged one is set aside.
///
/// # Errors
/// `OutboxError` if it is not an outbox, is damaged, or cannot be read.
pub fn inspect(path: &Path) -> Result<OutboxReport, Error> {
    let path = open::resolve(path)?;
    look(&path).map_err(|fault| fault.at(&path))
}

/// Updates without a lane, and lanes or updates that lead to nothing.
const UNTHREADED: &str = "
SELECT (SELECT count(*) FROM updates WHERE lane NOT IN (SELECT lane FROM lanes))
     + (SELECT count(*) FROM updates WHERE next NOT IN (SELECT id FROM updates))
     + (SELECT count(*) FROM lanes WHERE head NOT IN (SELECT id FROM updates))";

fn look(path: &Path) -> Result<OutboxReport, Fault> {
    let mut connection = reader::connect(path)?;
    let snapshot = connection.transaction()?;
    let (version, known_version) = schema::version(&snapshot)?;
    let number = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    // SQLite's own check is not built in; reading every byte finds pages that are damaged.
    for table in ["updates", "dead"] {
        number(&format!(
            "SELECT count(*) FROM {table} WHERE payload = x'00'"
        ))?;
    }
    let pending = number("SELECT count(*) FROM updates")?;
    let bytes = number("SELECT ifnull(sum(length(payload)), 0) FROM updates")?;
    let dead = number("SELECT count(*) FROM dead")?;
    let lost = number(UNTHREADED)?;
    let books = Books::read(&snapshot)?;
    Ok(OutboxReport {
        version,
        known_version,
        pending: count(pending),
        dead: count(dead),
        is_balanced: (books.pending(), books.bytes, books.dead, 0) == (pending, bytes, dead, lost),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::queue::sqlite::SqliteStore;
    use crate::queue::sqlite::tests::setup;
    use crate::queue::store::{Append, Store, Work};

    #[test]
    fn a_damaged_page_and_a_lost_update_are_seen() {
        let folder = std::env::temp_dir().join(format!("katalys-inspect-2-{}", std::process::id()));
        let path = folder.join("outbox.db");
        std::fs::create_dir(&folder).unwrap();
        let mut store = SqliteStore::open(&setup(&path)).unwrap();
        for lane in 0..200 {
            let payload = vec![b'x'; 1000];
            let append = Append {
                lane,
                payload,
                stage: 0,
            };
            store.commit(&[Work::Append(append)]).unwrap();
        }
        drop(store);
        let report = inspect(&path).unwrap();
        assert_eq!(
            (report.pending, report.dead, report.is_balanced),
            (200, 0, true)
        );
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .execute("DELETE FROM lanes WHERE lane = 7", [])
            .unwrap();
        drop(connection);
        assert!(!inspect(&path).unwrap().is_balanced);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 64].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(inspect(&path).unwrap_err().code(), ErrorCode::OutboxCorrupt);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_outbox_stays_as_it_is() {
        let path = std::env::temp_dir().join(format!("katalys-inspect-{}", std::process::id()));
        std::fs::write(
            &path,
            "not a database at all, and long enough to be looked at",
        )
        .unwrap();
        let error = inspect(&path).unwrap_err();
        assert_eq!(error.code(), ErrorCode::OutboxForeign);
        assert!(std::fs::read(&path).unwrap().starts_with(b"not a database"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(inspect(&path).unwrap_err().code(), ErrorCode::OutboxFailed);
        assert!(!path.exists());
    }
}
