//! The tables of the file: the steps that create them, and the positions of their columns.

/// The due time of a held lane: it never falls due.
pub(super) const HELD: i64 = i64::MAX;

/// The steps from each version to the next; the version of a file is the number of steps taken. A
/// released step is never changed.
const STEPS: &[&str] = &["
-- The accepted updates that are not delivered yet. `next` is the following update of the lane.
CREATE TABLE updates (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    payload BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    next INTEGER
) STRICT;
-- One row per order that has pending updates or is held. While a lane is leased, `due` is the end of
-- the lease. `started` counts attempts without a recorded end. `paid` and `closed` are the last updates
-- with these stages, pending or not.
CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY,
    due INTEGER NOT NULL,
    head INTEGER,
    tail INTEGER,
    owner INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    started INTEGER NOT NULL DEFAULT 0,
    paid INTEGER,
    closed INTEGER
) STRICT;
CREATE INDEX lanes_by_due ON lanes (due);
CREATE TABLE dead (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    payload BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    died_at INTEGER NOT NULL,
    status INTEGER,
    code TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
-- The counters and the state of the clock. `bytes` is the size of pending payloads.
CREATE TABLE books (
    accepted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    discarded INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    boot TEXT NOT NULL DEFAULT '',
    time_offset INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0,
    seen_wall INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO books DEFAULT VALUES;
"];

/// The newest version that this library knows.
pub(super) fn known_version() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Creates the tables of the newest version, from the given one.
pub(super) fn steps_after(version: i64) -> impl Iterator<Item = &'static str> {
    let taken = usize::try_from(version).unwrap_or(0);
    STEPS.iter().skip(taken).copied()
}

/// Declares the positions of a table's columns, in the order of its `CREATE TABLE`.
macro_rules! columns {
    ($(#[$doc:meta])* $table:ident: $($column:ident),+) => {
        $(#[$doc])*
        #[allow(dead_code, reason = "not every column is read by its position")]
        pub(super) mod $table {
            columns!(@positions 0, $($column),+);
            /// The names of the columns.
            pub(in super::super) const NAMES: &[&str] = &[$(stringify!($column)),+];
        }
    };
    (@positions $position:expr, $column:ident $(, $rest:ident)*) => {
        pub(in super::super) const $column: usize = $position;
        columns!(@positions $position + 1 $(, $rest)*);
    };
    (@positions $position:expr) => {};
}

columns! {
    /// Columns of the pending updates.
    updates: ID, LANE, PAYLOAD, ACCEPTED_AT, STAGE, NEXT
}
columns! {
    /// Columns of the lanes.
    lanes: LANE, DUE, HEAD, TAIL, OWNER, FAILURES, STARTED, PAID, CLOSED
}
columns! {
    /// Columns of the dead letters; the first five are those of an update.
    dead: ID, LANE, PAYLOAD, ACCEPTED_AT, STAGE, DIED_AT, STATUS, CODE, REASON
}
columns! {
    /// Columns of the counters, the last of [`TABLES`].
    counters: ACCEPTED, DELIVERED, DEAD, DISCARDED, BYTES, BOOT, TIME_OFFSET, SEEN, SEEN_WALL
}

/// The index of lanes by their due time.
pub(super) const LANES_BY_DUE: &str = "lanes_by_due";
/// All tables.
pub(super) const TABLES: [&str; 4] = ["updates", "lanes", "dead", "books"]; // words: ok

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn the_positions_are_those_of_the_tables() {
        let connection = Connection::open_in_memory().unwrap();
        for step in steps_after(0) {
            connection.execute_batch(step).unwrap();
        }
        let declared = [updates::NAMES, lanes::NAMES, dead::NAMES, counters::NAMES];
        for (table, names) in TABLES.iter().zip(declared) {
            let sql = "SELECT upper(name) FROM pragma_table_info(?1) ORDER BY cid";
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([table], |row| row.get(0)).unwrap();
            let found: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
            assert_eq!(found, names, "{table}");
        }
    }
}
