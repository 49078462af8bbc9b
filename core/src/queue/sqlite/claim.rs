//! Leasing lanes whose time has come, the one that waited longest first.

use super::books::Books;
use super::dead;
use super::fault::Fault;
use super::schema::HELD;
use crate::queue::clock::{Millis, millis};
use crate::queue::store::{
    Backlog, Cause, Claim, ClaimOrder, Died, Effect, LaneId, Owner, UpdateId, count, text_of,
};
use crate::results::OUTBOX_LOG;
use crate::results::PendingUpdate;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use std::time::Duration;

/// An update whose attempts began this often without anybody seeing their end is set apart.
const MOST_INTERRUPTIONS: i64 = 3;

/// How long an update that cannot be read is left alone.
const SET_BACK: Duration = Duration::from_secs(60 * 60);

/// A lane whose time has come, and the update at its head.
struct Head {
    lane: LaneId,
    id: UpdateId,
    failures: i64,
    started: i64,
}

pub(super) fn claim(
    transaction: &Transaction<'_>,
    books: &mut Books,
    now: Millis,
    order: &ClaimOrder,
) -> Result<Effect, Fault> {
    let (mut claims, mut died) = (Vec::new(), Vec::new());
    let mut suspects = 0;
    for lane in eligible(transaction, now, order)? {
        // One that was interrupted goes without others like it, so that the one which ends the
        // process shows itself.
        suspects += i64::from(lane.started > 0);
        if lane.started > 0 && suspects > 1 {
            continue;
        }
        let Some((payload, accepted_at)) = read_head(transaction, now, &lane)? else {
            continue;
        };
        if let Some(cause) = unfit(&lane, now - accepted_at, order) {
            dead::bury(
                transaction,
                books,
                now,
                (lane.lane, lane.id),
                &cause,
                order.hold,
            )?;
            died.push(Died {
                lane: lane.lane,
                id: lane.id,
                payload,
                cause,
            });
            continue;
        }
        lease(
            transaction,
            lane.lane,
            order.owner,
            now + millis(order.lease),
        )?;
        claims.push(Claim {
            lane: lane.lane,
            id: lane.id,
            payload,
            failures: u32::try_from(lane.failures).unwrap_or(u32::MAX),
        });
    }
    Ok(Effect::Claimed { claims, died })
}

fn eligible(
    transaction: &Transaction<'_>,
    now: Millis,
    order: &ClaimOrder,
) -> Result<Vec<Head>, Fault> {
    if let Some(from) = order.any_from {
        // Lanes are hashes, so that the next one is any one. Their own index would not help.
        let sql = "SELECT lane, head, failures, started FROM lanes
                   WHERE lane >= ?1 AND +due <= ?2 ORDER BY lane LIMIT 1";
        let any = heads(transaction, sql, (from, now))?;
        if !any.is_empty() {
            return Ok(any);
        }
    }
    let sql = "SELECT lane, head, failures, started FROM lanes WHERE due <= ?2 ORDER BY due
               LIMIT ?1";
    let most = i64::try_from(order.most).unwrap_or(i64::MAX);
    heads(transaction, sql, (most, now))
}

fn heads(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: (i64, Millis),
) -> Result<Vec<Head>, Fault> {
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| {
        Ok(Head {
            lane: row.get(0)?,
            id: row.get::<_, Option<UpdateId>>(1)?.unwrap_or(0), // Damaged: no update has it.
            failures: row.get(2)?,
            started: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The update at the head of a lane. One that cannot be read stops its own order only: the lane is
/// put in order again if its rows do not fit together, and set back if a page is damaged.
fn read_head(
    transaction: &Transaction<'_>,
    now: Millis,
    head: &Head,
) -> Result<Option<(Vec<u8>, Millis)>, Fault> {
    match read(transaction, head) {
        Ok(Some(update)) => Ok(Some(update)),
        Ok(None) => {
            log::error!(target: OUTBOX_LOG, "the lane of update {} is damaged and was put in order", head.id);
            relink(transaction, head.lane, now)?;
            Ok(None)
        }
        Err(fault) if fault.is_corrupt() => {
            let after = SET_BACK.as_secs() / 60;
            log::error!(
                target: OUTBOX_LOG,
                "update {} cannot be read and stops its order; the next try is in {after} minutes; \
                 run `katalys outbox FILE repair`",
                head.id
            );
            let sql = "UPDATE lanes SET due = ?2, owner = NULL WHERE lane = ?1";
            let due = now + millis(SET_BACK);
            transaction.prepare_cached(sql)?.execute((head.lane, due))?;
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

fn read(transaction: &Transaction<'_>, head: &Head) -> Result<Option<(Vec<u8>, Millis)>, Fault> {
    let mut statement = transaction
        .prepare_cached("SELECT payload, accepted_at FROM updates WHERE id = ?1 AND lane = ?2")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(statement.query_row((head.id, head.lane), read).optional()?)
}

/// Makes a lane of exactly the updates that name it, in the order of their numbers; one that is
/// leased stays its head.
pub(super) fn relink(
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
        let sql = "DELETE FROM lanes WHERE lane = ?1";
        transaction.prepare_cached(sql)?.execute([lane])?;
        return Ok(());
    };
    let sql = "INSERT INTO lanes (lane, due, head, tail) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET head = ?3, tail = ?4";
    transaction
        .prepare_cached(sql)?
        .execute((lane, now, head, tail))?;
    Ok(())
}

fn unfit(lane: &Head, age: Millis, order: &ClaimOrder) -> Option<Cause> {
    let cause = |code, reason: &str| {
        let (status, reason) = (None, reason.to_owned());
        Some(Cause {
            code,
            status,
            reason,
        })
    };
    if lane.started >= MOST_INTERRUPTIONS {
        return cause(
            "interrupted",
            "three times its sending began and never ended",
        );
    }
    if order.max_age.is_some_and(|most| age > millis(most)) {
        return cause("expired", "it could not be sent within max_age");
    }
    None
}

fn lease(
    transaction: &Transaction<'_>,
    lane: LaneId,
    owner: Owner,
    until: Millis,
) -> Result<(), Fault> {
    let mut statement = transaction.prepare_cached(
        "UPDATE lanes SET due = ?2, owner = ?3, started = started + 1 WHERE lane = ?1",
    )?;
    statement.execute((lane, until, owner))?;
    Ok(())
}

pub(super) fn renew(
    transaction: &Transaction<'_>,
    owner: Owner,
    lanes: &[LaneId],
    until: Millis,
) -> Result<Effect, Fault> {
    let mut statement = transaction
        .prepare_cached("UPDATE lanes SET due = max(due, ?3) WHERE lane = ?1 AND owner = ?2")?;
    for lane in lanes {
        statement.execute((lane, owner, until))?;
    }
    Ok(Effect::Renewed)
}

/// Makes every lane that waits for its next try due now; those under way stay as they are.
pub(super) fn make_due(transaction: &Transaction<'_>, now: Millis) -> Result<Effect, Fault> {
    let sql = "UPDATE lanes SET due = ?1 WHERE due > ?1 AND due < ?2 AND owner IS NULL";
    transaction.prepare_cached(sql)?.execute((now, HELD))?;
    Ok(Effect::Renewed)
}

pub(super) fn backlog(connection: &Connection, now: Millis) -> Result<Backlog, Fault> {
    let pending = count(Books::read(connection)?.pending());
    let mut statement =
        connection.prepare_cached("SELECT due FROM lanes WHERE due < ?1 ORDER BY due LIMIT 1")?;
    let due: Option<Millis> = statement.query_row([HELD], |row| row.get(0)).optional()?;
    let next_due = due.map(|due| Duration::from_millis(count(due - now)));
    Ok(Backlog { pending, next_due })
}

/// What waits, without taking any of it.
pub(super) fn pending(
    connection: &Connection,
    now: Millis,
    from: UpdateId,
    most: usize,
) -> Result<Vec<PendingUpdate>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT updates.id, payload, accepted_at, ifnull(failures, 0) FROM updates
         LEFT JOIN lanes ON lanes.lane = updates.lane AND head = updates.id
         WHERE updates.id >= ?1 ORDER BY updates.id LIMIT ?2",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map((from, most), |row| {
        #[allow(clippy::cast_precision_loss, reason = "good for a million years")]
        let age_seconds = (now - row.get::<_, Millis>(2)?).max(0) as f64 / 1000.0;
        let payload: Vec<u8> = row.get(1)?;
        Ok(PendingUpdate {
            id: row.get(0)?,
            order_id: text_of(&payload, "order_id"),
            payload,
            age_seconds,
            failures: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
