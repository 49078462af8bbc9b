//! Dead letters: how an update becomes one, and how it is replayed, discarded or edited.

use super::counters::Counters;
use super::fault::Fault;
use super::lane::{self, advance, advance_and_hold, release, remove_update, size_of};
use crate::queue::clock::{Millis, wall};
use crate::queue::store::{
    CLOSED, Cause, Discarded, Effect, LaneId, PAID, StageNumber, UpdateId, text_of,
};
use crate::results::DeadLetter;
use crate::results::OUTBOX_LOG;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

/// Moves the head of a lane to the dead letters. `hold` stops the lane until the dead letter is
/// replayed or discarded.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    now: Millis,
    (lane, id): (LaneId, UpdateId),
    cause: &Cause,
    hold: bool,
) -> Result<(), Fault> {
    let sql = "INSERT INTO dead (id, lane, payload, accepted_at, stage, died_at, status, code,
               reason) SELECT id, lane, payload, accepted_at, stage, ?2, ?3, ?4, ?5
               FROM updates WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute((
        id,
        wall(),
        cause.status,
        cause.code,
        &cause.reason,
    ))?;
    let (next, size) = remove_update(transaction, id)?;
    counters.dead += 1;
    counters.bytes -= size;
    if hold {
        return advance_and_hold(transaction, lane, next);
    }
    advance(transaction, lane, next, now)
}

/// A row of the dead letters, without its cause.
struct DeadRow {
    lane: LaneId,
    payload: Vec<u8>,
    accepted_at: Millis,
    stage: StageNumber,
}

/// Removes a row from the dead letters and their counter; none if there is no such row.
fn remove(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    id: UpdateId,
) -> Result<Option<DeadRow>, Fault> {
    let sql = "DELETE FROM dead WHERE id = ?1 RETURNING lane, payload, accepted_at, stage";
    let mut statement = transaction.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(DeadRow {
            lane: row.get(0)?,
            payload: row.get(1)?,
            accepted_at: row.get(2)?,
            stage: row.get(3)?,
        })
    };
    let row = statement.query_row([id], read).optional()?;
    counters.dead -= i64::from(row.is_some());
    Ok(row)
}

/// Puts a dead letter back into its lane, in the order of its number, but not before an update in
/// flight.
pub(super) fn replay(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    now: Millis,
    id: UpdateId,
) -> Result<Effect, Fault> {
    let Some(row) = remove(transaction, counters, id)? else {
        return Ok(Effect::Found(false));
    };
    let sql = "INSERT INTO updates (id, lane, payload, accepted_at, stage)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    // Its age counts from now, or it would expire again at once.
    transaction.prepare_cached(sql)?.execute((
        id,
        row.lane,
        &row.payload,
        now.max(row.accepted_at),
        row.stage,
    ))?;
    counters.bytes += size_of(&row.payload);
    insert_into_lane(transaction, now, row.lane, id)?;
    record_stage(transaction, &row, id)?;
    Ok(Effect::Found(true))
}

/// Keeps the lane's last `paid` or `closed` update correct. If that one is pending, it comes behind the
/// replayed one, unless it is the head.
fn record_stage(transaction: &Transaction<'_>, row: &DeadRow, id: UpdateId) -> Result<(), Fault> {
    let sql = match row.stage {
        PAID => {
            "UPDATE lanes SET paid = ?2 WHERE lane = ?1 AND (paid IS NULL OR paid = head
             OR NOT EXISTS (SELECT 1 FROM updates WHERE id = paid))"
        }
        CLOSED => {
            "UPDATE lanes SET closed = ?2 WHERE lane = ?1 AND (closed IS NULL OR closed = head
             OR NOT EXISTS (SELECT 1 FROM updates WHERE id = closed))"
        }
        _ => return Ok(()),
    };
    transaction.prepare_cached(sql)?.execute((row.lane, id))?;
    Ok(())
}

fn insert_into_lane(
    transaction: &Transaction<'_>,
    now: Millis,
    lane: LaneId,
    id: UpdateId,
) -> Result<(), Fault> {
    let sql = "SELECT head, owner IS NOT NULL FROM lanes WHERE lane = ?1";
    let found: Option<(Option<UpdateId>, bool)> = transaction
        .prepare_cached(sql)?
        .query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (head, is_leased) = found.unwrap_or((None, false));
    let Some(first) = head.filter(|head| is_leased || *head < id) else {
        return insert_as_head(transaction, now, lane, head, id);
    };
    if let Some(before) = predecessor(transaction, first, id)? {
        insert_behind(transaction, lane, before, id)?;
    } else {
        log::error!(target: OUTBOX_LOG, "the lane of update {id} was damaged and has been rebuilt");
        lane::rebuild(transaction, lane, now)?;
    }
    release(transaction, now, lane)
}

/// `head` is the head so far, if there is one.
fn insert_as_head(
    transaction: &Transaction<'_>,
    now: Millis,
    lane: LaneId,
    head: Option<UpdateId>,
    id: UpdateId,
) -> Result<(), Fault> {
    let sql = "INSERT INTO lanes (lane, due, head, tail) VALUES (?1, ?2, ?3, ?3)
               ON CONFLICT DO UPDATE SET due = ?2, head = ?3, tail = ifnull(tail, ?3),
               failures = 0, started = 0";
    transaction.prepare_cached(sql)?.execute((lane, now, id))?;
    let sql = "UPDATE updates SET next = ?2 WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute((id, head))?;
    Ok(())
}

fn insert_behind(
    transaction: &Transaction<'_>,
    lane: LaneId,
    before: UpdateId,
    id: UpdateId,
) -> Result<(), Fault> {
    let sql = "UPDATE updates SET next = (SELECT next FROM updates WHERE id = ?2)
               WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute((id, before))?;
    let sql = "UPDATE updates SET next = ?2 WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute((before, id))?;
    let sql = "UPDATE lanes SET tail = iif(tail = ?2, ?3, tail) WHERE lane = ?1";
    transaction
        .prepare_cached(sql)?
        .execute((lane, before, id))?;
    Ok(())
}

/// From `head` on, the last update with a lower number than `id`, or `head` itself. None if the lane is
/// damaged: the numbers behind a head rise, and the chain ends.
fn predecessor(
    transaction: &Transaction<'_>,
    head: UpdateId,
    id: UpdateId,
) -> Result<Option<UpdateId>, Fault> {
    let mut statement = transaction.prepare_cached("SELECT next FROM updates WHERE id = ?1")?;
    let mut before = head;
    loop {
        let next: Option<Option<UpdateId>> =
            statement.query_row([before], |row| row.get(0)).optional()?;
        match next {
            None => return Ok(None),
            Some(Some(next)) if next < id => {
                if next == head || (next <= before && before != head) {
                    return Ok(None);
                }
                before = next;
            }
            Some(_) => return Ok(Some(before)),
        }
    }
}

pub(super) fn discard(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    now: Millis,
    id: UpdateId,
) -> Result<Effect, Fault> {
    let Some(row) = remove(transaction, counters, id)? else {
        return Ok(Effect::Found(false));
    };
    counters.discarded += 1;
    release(transaction, now, row.lane)?;
    Ok(Effect::Discarded(Discarded {
        lane: row.lane,
        payload: row.payload,
    }))
}

pub(super) fn edit(
    transaction: &Transaction<'_>,
    id: UpdateId,
    payload: &[u8],
    stage: StageNumber,
) -> Result<Effect, Fault> {
    let sql = "UPDATE dead SET payload = ?2, stage = ?3 WHERE id = ?1";
    let changed = transaction
        .prepare_cached(sql)?
        .execute((id, payload, stage))?;
    Ok(Effect::Found(changed > 0))
}

/// Dead letters with this number or a higher one, at most `limit`.
pub(super) fn list(
    connection: &Connection,
    from: UpdateId,
    limit: usize,
) -> Result<Vec<DeadLetter>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, payload, status, code, reason, died_at FROM dead WHERE id >= ?1
         ORDER BY id LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((from, limit), |row| {
        #[allow(clippy::cast_precision_loss, reason = "exact for a million years")]
        let died_at = row.get::<_, i64>(5)? as f64 / 1000.0;
        let payload: Vec<u8> = row.get(1)?;
        Ok(DeadLetter {
            id: row.get(0)?,
            order_id: text_of(&payload, "order_id"),
            site_id: text_of(&payload, "site_id"),
            payload,
            status: row.get(2)?,
            code: row.get(3)?,
            reason: row.get(4)?,
            died_at,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
