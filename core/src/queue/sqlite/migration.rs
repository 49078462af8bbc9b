//! Migrates a file to the newest version, and resumes its clock.

use super::counters::{self, Counters};
use super::fault::{self, Fault};
use super::format::MARK;
use super::schema::{HELD, known_version, steps_after};
use crate::error::{Error, ErrorCode};
use crate::queue::clock::Clock;
use rusqlite::{Connection, TransactionBehavior};

const APPLICATION: i64 = u32::from_be_bytes(*MARK) as i64;

/// Migrates the file if necessary, and resumes its clock.
pub(super) fn prepare(connection: &mut Connection) -> Result<Clock, Fault> {
    if checked_version(connection)? < known_version() {
        migrate(connection)?;
    }
    let (clock, is_new_boot) = Clock::resume(&Counters::read(connection)?.era);
    if is_new_boot {
        return begin_boot(connection);
    }
    Ok(clock)
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps_after(checked_version(&transaction)?) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known_version())?;
    Ok(transaction.commit()?)
}

/// The version of the file; 0 for an empty one.
fn version(connection: &Connection) -> Result<i64, Fault> {
    let tables = "SELECT count(*) FROM sqlite_schema";
    let is_empty = connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0;
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION && !is_empty {
        return Err(foreign().into());
    }
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn foreign() -> Error {
    let text = "the file is a database of something else; give the outbox a file of its own";
    Error::new(ErrorCode::OutboxFailed, text)
}

/// The version of the file, which must not be newer than this library.
pub(super) fn checked_version(connection: &Connection) -> Result<i64, Fault> {
    let version = version(connection)?;
    if version > known_version() {
        return Err(fault::newer(version, known_version()).into());
    }
    Ok(version)
}

/// After another boot all leases have ended, and lanes that are due keep their order. If several
/// processes start at once, one of them does this.
fn begin_boot(connection: &mut Connection) -> Result<Clock, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (clock, is_new_boot) = Clock::resume(&Counters::read(&transaction)?.era);
    if is_new_boot {
        transaction.execute(
            "UPDATE lanes SET due = min(due, ?1), owner = NULL WHERE due < ?2",
            (clock.now(), HELD),
        )?;
        counters::write_era(&transaction, &clock.era())?;
    }
    transaction.commit()?;
    Ok(clock)
}
