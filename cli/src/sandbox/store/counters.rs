//! The counters of the records, and how they are counted when a database is opened.

use super::Records;
use super::record::RequestOutcome;
use super::sql::unsigned;
use serde::Serialize;
use std::collections::HashMap;

/// Counters that change with the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Grows with every change.
    pub revision: u64,
    pub orders: u64,
    pub updates: u64,
    pub refused: u64,
    pub faulted: u64,
}

impl Records {
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Counts all rows, when a file is opened or a group was rolled back.
    pub(super) fn recount(&mut self) -> rusqlite::Result<()> {
        let number = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        let last = number("SELECT coalesce(max(seq), 0) FROM updates")?;
        let all = number("SELECT count(*) FROM updates")?;
        let with = |outcome: RequestOutcome| {
            number(&format!(
                "SELECT count(*) FROM updates WHERE outcome > 0 AND outcome = {}",
                outcome as i64
            ))
        };
        let refused = with(RequestOutcome::Refused)?;
        let faulted = with(RequestOutcome::Faulted)?;
        let orders = number("SELECT count(*) FROM orders")?;
        self.id_index = None;
        self.counters = Counters {
            revision: self.counters.revision.max(unsigned(last)) + 1,
            orders: unsigned(orders),
            updates: unsigned(all - refused - faulted),
            refused: unsigned(refused),
            faulted: unsigned(faulted),
        };
        self.next_seq = self.next_seq.max(last + 1);
        self.recount_groups()
    }

    fn recount_groups(&mut self) -> rusqlite::Result<()> {
        let (mut statuses, mut sites) = (HashMap::new(), HashMap::new());
        let mut rows = self
            .connection
            .prepare("SELECT status, site_id FROM orders")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            increment(&mut statuses, row.get_ref(0)?.as_str()?);
            increment(&mut sites, row.get_ref(1)?.as_str()?);
        }
        (self.statuses, self.sites) = (statuses, sites);
        Ok(())
    }
}

pub fn increment(counts: &mut HashMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

pub fn decrement(counts: &mut HashMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
