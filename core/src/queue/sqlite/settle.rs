//! What follows an attempt: the update goes, its lane moves on, or both wait for the next try.

use super::append::size_of;
use super::books::Books;
use super::dead;
use super::fault::Fault;
use crate::queue::clock::{Millis, millis};
use crate::queue::store::{Effect, LaneId, Settlement, UpdateId, Verdict};
use rusqlite::{OptionalExtension, Transaction};

/// Only the one who holds the lease settles: whoever lost it must not move the lane on while
/// another one is sending.
pub(super) fn settle(
    transaction: &Transaction<'_>,
    books: &mut Books,
    now: Millis,
    settlement: &Settlement,
) -> Result<Effect, Fault> {
    let Settlement { lane, id, .. } = *settlement;
    if !holds(transaction, settlement)? {
        return Ok(Effect::Settled(false));
    }
    match &settlement.verdict {
        Verdict::Delivered => {
            let (next, size) = remove(transaction, id)?;
            books.delivered += 1;
            books.bytes -= size;
            move_on(transaction, lane, next, now)?;
        }
        Verdict::Retry(wait) => {
            let sql = "UPDATE lanes SET due = ?2, owner = NULL, failures = failures + 1,
                       started = 0 WHERE lane = ?1";
            let due = now + millis(*wait);
            transaction.prepare_cached(sql)?.execute((lane, due))?;
        }
        Verdict::Released => {
            let sql = "UPDATE lanes SET due = ?2, owner = NULL, started = max(started - 1, 0)
                       WHERE lane = ?1";
            transaction.prepare_cached(sql)?.execute((lane, now))?;
        }
        Verdict::Rejected { cause, hold } => {
            dead::bury(transaction, books, now, (lane, id), cause, *hold)?;
        }
    }
    Ok(Effect::Settled(true))
}

fn holds(transaction: &Transaction<'_>, settlement: &Settlement) -> Result<bool, Fault> {
    let mut statement = transaction
        .prepare_cached("SELECT 1 FROM lanes WHERE lane = ?1 AND owner = ?2 AND head = ?3")?;
    Ok(statement.exists((settlement.lane, settlement.owner, settlement.id))?)
}

/// Takes an update out of the file; returns the one behind it, and its size.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    id: UpdateId,
) -> Result<(Option<UpdateId>, i64), Fault> {
    let mut statement = transaction
        .prepare_cached("DELETE FROM updates WHERE id = ?1 RETURNING next, length(payload)")?;
    let removed = statement
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(removed.unwrap_or((None, size_of(&[]))))
}

/// Makes the next update of the lane eligible; a lane with none costs nothing.
pub(super) fn move_on(
    transaction: &Transaction<'_>,
    lane: LaneId,
    next: Option<UpdateId>,
    due: Millis,
) -> Result<(), Fault> {
    let Some(next) = next else {
        let sql = "DELETE FROM lanes WHERE lane = ?1";
        transaction.prepare_cached(sql)?.execute([lane])?;
        return Ok(());
    };
    let sql = "UPDATE lanes SET head = ?2, due = ?3, owner = NULL, failures = 0, started = 0
               WHERE lane = ?1";
    transaction
        .prepare_cached(sql)?
        .execute((lane, next, due))?;
    Ok(())
}
