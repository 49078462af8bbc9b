//! Dead letters: how an update becomes one, and the three ways out.

use super::append::size_of;
use super::books::Books;
use super::claim::relink;
use super::fault::Fault;
use super::schema::HELD;
use super::settle::{move_on, remove};
use crate::queue::clock::{Millis, wall};
use crate::queue::store::{
    CLOSED, Cause, Discarded, Effect, LaneId, PAID, StageNumber, UpdateId, text_of,
};
use crate::results::DeadLetter;
use crate::results::OUTBOX_LOG;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

/// Moves the head of a lane among the dead letters. A lane that holds waits for somebody.
pub(super) fn bury(
    transaction: &Transaction<'_>,
    books: &mut Books,
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
    let (next, size) = remove(transaction, id)?;
    books.dead += 1;
    books.bytes -= size;
    if !hold {
        return move_on(transaction, lane, next, now);
    }
    let sql = "UPDATE lanes SET head = ?2, tail = iif(?2 IS NULL, NULL, tail), due = ?3,
               owner = NULL, failures = 0, started = 0 WHERE lane = ?1";
    transaction
        .prepare_cached(sql)?
        .execute((lane, next, HELD))?;
    Ok(())
}

struct Grave {
    lane: LaneId,
    payload: Vec<u8>,
    accepted_at: Millis,
    stage: StageNumber,
}

fn open(transaction: &Transaction<'_>, id: UpdateId) -> Result<Option<Grave>, Fault> {
    let sql = "DELETE FROM dead WHERE id = ?1 RETURNING lane, payload, accepted_at, stage";
    let mut statement = transaction.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Grave {
            lane: row.get(0)?,
            payload: row.get(1)?,
            accepted_at: row.get(2)?,
            stage: row.get(3)?,
        })
    };
    Ok(statement.query_row([id], read).optional()?)
}

/// Puts it back where its number belongs in its lane, though never before one on its way.
pub(super) fn replay(
    transaction: &Transaction<'_>,
    books: &mut Books,
    now: Millis,
    id: UpdateId,
) -> Result<Effect, Fault> {
    let Some(grave) = open(transaction, id)? else {
        return Ok(Effect::Found(false));
    };
    let sql = "INSERT INTO updates (id, lane, payload, accepted_at, stage)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    // Its age counts from now, or it would expire again at once.
    transaction.prepare_cached(sql)?.execute((
        id,
        grave.lane,
        &grave.payload,
        now.max(grave.accepted_at),
        grave.stage,
    ))?;
    books.dead -= 1;
    books.bytes += size_of(&grave.payload);
    thread_in(transaction, now, grave.lane, id)?;
    note_stage(transaction, &grave, id)?;
    Ok(Effect::Found(true))
}

/// Keeps the lane's last `paid` or `closed` right. If that one still waits, it comes behind the
/// replayed one, unless it is on its way already.
fn note_stage(transaction: &Transaction<'_>, grave: &Grave, id: UpdateId) -> Result<(), Fault> {
    let sql = match grave.stage {
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
    transaction.prepare_cached(sql)?.execute((grave.lane, id))?;
    Ok(())
}

fn thread_in(
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
    let before = match head {
        Some(head) if is_leased || head < id => {
            let Some(before) = last_before(transaction, head, id)? else {
                log::error!(target: OUTBOX_LOG, "the lane of update {id} is damaged and was put in order");
                relink(transaction, lane, now)?;
                return release_held(transaction, now, lane);
            };
            Some(before)
        }
        _ => None,
    };
    match before {
        None => {
            let sql = "INSERT INTO lanes (lane, due, head, tail) VALUES (?1, ?2, ?3, ?3)
                       ON CONFLICT DO UPDATE SET due = ?2, head = ?3, tail = ifnull(tail, ?3),
                       failures = 0, started = 0";
            transaction.prepare_cached(sql)?.execute((lane, now, id))?;
            let sql = "UPDATE updates SET next = ?2 WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute((id, head))?;
        }
        Some(before) => {
            let sql = "UPDATE updates SET next = (SELECT next FROM updates WHERE id = ?2)
                       WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute((id, before))?;
            let sql = "UPDATE updates SET next = ?2 WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute((before, id))?;
            let sql = "UPDATE lanes SET tail = iif(tail = ?2, ?3, tail) WHERE lane = ?1";
            transaction
                .prepare_cached(sql)?
                .execute((lane, before, id))?;
            release_held(transaction, now, lane)?;
        }
    }
    Ok(())
}

/// From `head` on, the last update with a lower number than `id`; `head` itself if none has. None
/// if the lane is damaged: numbers rise behind its head, and end.
fn last_before(
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

fn release_held(transaction: &Transaction<'_>, now: Millis, lane: LaneId) -> Result<(), Fault> {
    let sql = "DELETE FROM lanes WHERE lane = ?1 AND due = ?2 AND head IS NULL";
    transaction.prepare_cached(sql)?.execute((lane, HELD))?;
    let sql = "UPDATE lanes SET due = ?2 WHERE lane = ?1 AND due = ?3";
    transaction
        .prepare_cached(sql)?
        .execute((lane, now, HELD))?;
    Ok(())
}

pub(super) fn discard(
    transaction: &Transaction<'_>,
    books: &mut Books,
    now: Millis,
    id: UpdateId,
) -> Result<Effect, Fault> {
    let Some(grave) = open(transaction, id)? else {
        return Ok(Effect::Found(false));
    };
    books.dead -= 1;
    books.discarded += 1;
    release_held(transaction, now, grave.lane)?;
    Ok(Effect::Discarded(Discarded {
        lane: grave.lane,
        payload: grave.payload,
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

pub(super) fn list(
    connection: &Connection,
    from: UpdateId,
    most: usize,
) -> Result<Vec<DeadLetter>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, payload, status, code, reason, died_at FROM dead WHERE id >= ?1
         ORDER BY id LIMIT ?2",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map((from, most), |row| {
        #[allow(clippy::cast_precision_loss, reason = "good for a million years")]
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
