//! The records: the database with its counters and caches, and what changes all of it at once.

use super::counters::{Counters, increment};
use super::filter::Filter;
use super::id_index::IdIndex;
use super::request::RequestOutcome;
use super::sql::unsigned;
use rusqlite::Connection;
use std::collections::HashMap;

/// The database, and data derived from it in memory; owned by the store's thread.
pub struct Records {
    pub(super) connection: Connection,
    pub(super) counters: Counters,
    pub(super) next_seq: i64,
    /// The number of orders per status and per site.
    pub(super) statuses: HashMap<String, u64>,
    pub(super) sites: HashMap<String, u64>,
    /// The result of the latest filter, with the revision it is valid for.
    pub(super) listed: Option<(u64, Filter, Vec<i64>)>,
    /// Every id, for searching; built on first use, and again after orders were merged.
    pub(super) id_index: Option<IdIndex>,
}

impl Records {
    pub(super) fn load(connection: Connection) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(48);
        let mut records = Self {
            connection,
            counters: Counters::default(),
            next_seq: 1,
            statuses: HashMap::new(),
            sites: HashMap::new(),
            listed: None,
            id_index: None,
        };
        records.recount()?;
        Ok(records)
    }

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

    /// Publishes a change that is not in the database, such as a new fault.
    pub fn touch(&mut self) {
        self.counters.revision += 1;
    }

    /// Deletes everything. Sequence numbers continue, so that an old cursor returns nothing older.
    pub fn clear(&mut self) -> rusqlite::Result<()> {
        let is_open = !self.connection.is_autocommit();
        let (begin, commit) = if is_open {
            ("", "")
        } else {
            ("BEGIN IMMEDIATE;", "COMMIT;")
        };
        self.connection.execute_batch(&format!(
            "{begin} DELETE FROM updates; DELETE FROM ids; DELETE FROM orders; {commit}"
        ))?;
        self.statuses.clear();
        self.sites.clear();
        self.listed = None;
        self.id_index = None;
        self.counters = Counters {
            revision: self.counters.revision + 1,
            ..Counters::default()
        };
        Ok(())
    }
}
