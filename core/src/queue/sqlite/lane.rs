//! Operations on one lane and its updates.

use super::fault::Fault;
use super::schema::HELD;
use crate::queue::clock::Millis;
use crate::queue::store::{LaneId, UpdateId};
use rusqlite::{OptionalExtension, Transaction};

/// The size of a payload, as the counters have it.
pub(super) fn size_of(payload: &[u8]) -> i64 {
    i64::try_from(payload.len()).unwrap_or(i64::MAX / 2)
}

/// Removes an update from the file; returns the one behind it in its lane, and its size.
pub(super) fn remove_update(
    transaction: &Transaction<'_>,
    id: UpdateId,
) -> Result<(Option<UpdateId>, i64), Fault> {
    let mut statement = transaction
        .prepare_cached("DELETE FROM updates WHERE id = ?1 RETURNING next, length(payload)")?;
    let removed = statement
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(removed.unwrap_or((None, 0)))
}

/// Makes the next update of the lane its head; removes a lane without updates.
pub(super) fn advance(
    transaction: &Transaction<'_>,
    lane: LaneId,
    next: Option<UpdateId>,
    due: Millis,
) -> Result<(), Fault> {
    let Some(next) = next else {
        return remove(transaction, lane);
    };
    let sql = "UPDATE lanes SET head = ?2, due = ?3, owner = NULL, failures = 0, started = 0
               WHERE lane = ?1";
    transaction
        .prepare_cached(sql)?
        .execute((lane, next, due))?;
    Ok(())
}

/// Makes the next update of the lane its head, and holds the lane.
pub(super) fn advance_and_hold(
    transaction: &Transaction<'_>,
    lane: LaneId,
    next: Option<UpdateId>,
) -> Result<(), Fault> {
    let sql = "UPDATE lanes SET head = ?2, tail = iif(?2 IS NULL, NULL, tail), due = ?3,
               owner = NULL, failures = 0, started = 0 WHERE lane = ?1";
    transaction
        .prepare_cached(sql)?
        .execute((lane, next, HELD))?;
    Ok(())
}

/// Ends the hold of a lane, if it is held.
pub(super) fn release(
    transaction: &Transaction<'_>,
    now: Millis,
    lane: LaneId,
) -> Result<(), Fault> {
    let sql = "DELETE FROM lanes WHERE lane = ?1 AND due = ?2 AND head IS NULL";
    transaction.prepare_cached(sql)?.execute((lane, HELD))?;
    let sql = "UPDATE lanes SET due = ?2 WHERE lane = ?1 AND due = ?3";
    transaction
        .prepare_cached(sql)?
        .execute((lane, now, HELD))?;
    Ok(())
}

/// Rebuilds a damaged lane from the updates that name it, in the order of their numbers; a leased head
/// stays the head.
pub(super) fn rebuild(
    transaction: &Transaction<'_>,
    lane: LaneId,
    now: Millis,
) -> Result<(), Fault> {
    let sql = "SELECT id FROM updates WHERE lane = ?1 ORDER BY id IS NOT
               (SELECT head FROM lanes WHERE lane = ?1 AND owner IS NOT NULL AND due > ?2), id";
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map((lane, now), |row| row.get(0))?;
    let ids: Vec<UpdateId> = rows.collect::<Result<_, _>>()?;
    let mut link = transaction.prepare_cached("UPDATE updates SET next = ?2 WHERE id = ?1")?;
    for (place, id) in ids.iter().enumerate() {
        link.execute((id, ids.get(place + 1)))?;
    }
    let (Some(head), Some(tail)) = (ids.first(), ids.last()) else {
        return remove(transaction, lane);
    };
    let sql = "INSERT INTO lanes (lane, due, head, tail) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET head = ?3, tail = ?4";
    transaction
        .prepare_cached(sql)?
        .execute((lane, now, head, tail))?;
    Ok(())
}

fn remove(transaction: &Transaction<'_>, lane: LaneId) -> Result<(), Fault> {
    let sql = "DELETE FROM lanes WHERE lane = ?1";
    transaction.prepare_cached(sql)?.execute([lane])?;
    Ok(())
}
