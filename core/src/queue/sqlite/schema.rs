//! The tables of the file and the steps that lead to them from older versions.

use super::books::{self, Books};
use super::fault::{self, Fault};
use crate::error::{Error, ErrorCode};
use crate::queue::clock::Clock;
use rusqlite::{Connection, TransactionBehavior};

/// Marks a file as an outbox, so that no other database is taken for one.
pub(super) const MARK: &[u8; 4] = b"Kata";
const APPLICATION: i64 = u32::from_be_bytes(*MARK) as i64;

/// A lane that holds after a rejection never falls due.
pub(super) const HELD: i64 = i64::MAX;

/// What leads from each version to the next; the version is the number of steps taken. A step
/// is never changed once released.
const STEPS: &[&str] = &["
-- Each accepted update, until it is delivered. `next` is the one behind it in its lane.
CREATE TABLE updates (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    payload BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    next INTEGER
) STRICT;
-- One row per order that has something pending, or is held. While a lane is leased, `due` is
-- the lease's end. `started` counts attempts whose end nobody has seen. `paid` and `closed` are the
-- last updates that said so, whether they still wait or not.
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
-- The counters, and what has to be remembered of the time. `bytes` is of pending payloads.
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

/// Brings the file up to this version, and sets its clock going again.
pub(super) fn prepare(connection: &mut Connection) -> Result<Clock, Fault> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if check_version(connection, known)? < known {
        migrate(connection, known)?;
    }
    let (clock, is_new_boot) = Clock::resume(&Books::read(connection)?.era);
    if is_new_boot {
        return begin_boot(connection);
    }
    Ok(clock)
}

fn migrate(connection: &mut Connection, known: i64) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = check_version(&transaction, known)?;
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

/// The version of the file's tables, and the newest one known here.
pub(super) fn version(connection: &Connection) -> Result<(i64, i64), Fault> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let is_empty = connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0;
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION && !is_empty {
        return Err(foreign().into());
    }
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((version, known))
}

/// The newest version known here.
pub(super) fn known_version() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

fn foreign() -> Error {
    let text = "the file is a database of something else; give the outbox a file of its own";
    Error::new(ErrorCode::OutboxFailed, text)
}

fn check_version(connection: &Connection, known: i64) -> Result<i64, Fault> {
    let (version, _) = version(connection)?;
    if version > known {
        return Err(fault::newer(version, known).into());
    }
    Ok(version)
}

/// After another boot nobody holds a lease any more, and what was due by now stays in its order.
/// Of several processes that come first, one does this.
fn begin_boot(connection: &mut Connection) -> Result<Clock, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (clock, is_new_boot) = Clock::resume(&Books::read(&transaction)?.era);
    if is_new_boot {
        transaction.execute(
            "UPDATE lanes SET due = min(due, ?1), owner = NULL WHERE due < ?2",
            (clock.now(), HELD),
        )?;
        books::write_era(&transaction, &clock.era())?;
    }
    transaction.commit()?;
    Ok(clock)
}
