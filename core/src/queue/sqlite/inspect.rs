//! Inspects the file of an outbox for problems, without changing or repairing it.

use super::counters::Counters;
use super::fault::Fault;
use super::{migration, open, reader, schema};
use crate::error::Error;
use crate::queue::store::count;
use std::path::Path;

/// The content of an outbox file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxReport {
    /// The version of its tables.
    pub version: i64,
    /// The version that this library writes.
    pub known_version: i64,
    /// Number of pending updates, counted row by row.
    pub pending: u64,
    /// Number of dead letters, counted row by row.
    pub dead: u64,
    /// Whether the counters equal the counted rows, and every update is in its lane.
    pub is_balanced: bool,
}

/// Inspects the file of an outbox without changing it, even if it is damaged.
///
/// # Errors
/// `OutboxError` if it is not an outbox, is damaged, or cannot be read.
pub fn inspect(path: &Path) -> Result<OutboxReport, Error> {
    let path = open::resolve(path)?;
    report(&path).map_err(|fault| fault.at(&path))
}

/// Counts updates without a lane, and lanes and updates that refer to a missing update.
const UNLINKED: &str = "
SELECT (SELECT count(*) FROM updates WHERE lane NOT IN (SELECT lane FROM lanes))
     + (SELECT count(*) FROM updates WHERE next NOT IN (SELECT id FROM updates))
     + (SELECT count(*) FROM lanes WHERE head NOT IN (SELECT id FROM updates))";

fn report(path: &Path) -> Result<OutboxReport, Fault> {
    let mut connection = reader::connect(path)?;
    let snapshot = connection.transaction()?;
    let version = migration::checked_version(&snapshot)?;
    let known_version = schema::known_version();
    let number = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    // SQLite's integrity check is not compiled in; reading every byte finds damaged pages.
    for table in ["updates", "dead"] {
        number(&format!(
            "SELECT count(*) FROM {table} WHERE payload = x'00'"
        ))?;
    }
    let pending = number("SELECT count(*) FROM updates")?;
    let bytes = number("SELECT ifnull(sum(length(payload)), 0) FROM updates")?;
    let dead = number("SELECT count(*) FROM dead")?;
    let unlinked = number(UNLINKED)?;
    let counters = Counters::read(&snapshot)?;
    Ok(OutboxReport {
        version,
        known_version,
        pending: count(pending),
        dead: count(dead),
        is_balanced: (counters.pending(), counters.bytes, counters.dead, 0)
            == (pending, bytes, dead, unlinked),
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
    fn a_damaged_page_and_an_update_without_a_lane_are_found() {
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
    fn another_file_is_refused_and_unchanged() {
        let path = std::env::temp_dir().join(format!("katalys-inspect-{}", std::process::id()));
        std::fs::write(
            &path,
            "not a database at all, and longer than the header of one",
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
