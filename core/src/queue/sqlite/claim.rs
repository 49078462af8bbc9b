//! Claims: leases the lanes that are due. Those that have been due longest come first.

use super::append::Appended;
use super::counters::Counters;
use super::dead;
use super::fault::Fault;
use super::lane;
use super::schema::HELD;
use crate::queue::clock::{Millis, millis};
use crate::queue::store::{
    Backlog, Cause, Claim, ClaimOrder, DeadUpdate, Effect, LaneId, Owner, UpdateId, count, text_of,
};
use crate::results::OUTBOX_LOG;
use crate::results::PendingUpdate;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use std::time::Duration;

/// An update becomes a dead letter once its process has ended this many times during an attempt.
const MAX_INTERRUPTIONS: i64 = 3;

/// An update that cannot be read is skipped for this long.
const UNREADABLE_DELAY: Duration = Duration::from_secs(60 * 60);

/// A lane that is due, and the update at its head.
struct Head {
    lane: LaneId,
    id: UpdateId,
    failures: i64,
    started: i64,
}

/// `appended` holds the updates of this transaction.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    appended: &Appended<'_>,
    now: Millis,
    order: &ClaimOrder,
) -> Result<Effect, Fault> {
    let (mut claims, mut dead_updates) = (Vec::new(), Vec::new());
    let mut interrupted = 0;
    for head in due_lanes(transaction, now, order)? {
        // At most one interrupted update per claim, so that the one that ends the process is found.
        interrupted += i64::from(head.started > 0);
        if head.started > 0 && interrupted > 1 {
            continue;
        }
        let Some((payload, accepted_at)) = read_head(transaction, appended, now, &head)? else {
            continue;
        };
        let (lane, id) = (head.lane, head.id);
        if let Some(cause) = cause_of_death(&head, now - accepted_at, order) {
            dead::insert(transaction, counters, now, (lane, id), &cause, order.hold)?;
            dead_updates.push(DeadUpdate {
                lane,
                id,
                payload,
                cause,
            });
            continue;
        }
        lease(transaction, lane, order.owner, now + millis(order.lease))?;
        claims.push(Claim {
            lane,
            id,
            payload,
            failures: u32::try_from(head.failures).unwrap_or(u32::MAX),
        });
    }
    Ok(Effect::Claimed {
        claims,
        dead: dead_updates,
    })
}

fn due_lanes(
    transaction: &Transaction<'_>,
    now: Millis,
    order: &ClaimOrder,
) -> Result<Vec<Head>, Fault> {
    if let Some(from) = order.any_from {
        // Lane numbers are hashes, so the next one is random. `+due` keeps the other index unused.
        let sql = "SELECT lane, head, failures, started FROM lanes
                   WHERE lane >= ?1 AND +due <= ?2 ORDER BY lane LIMIT 1";
        let any = heads(transaction, sql, (from, now))?;
        if !any.is_empty() {
            return Ok(any);
        }
    }
    let sql = "SELECT lane, head, failures, started FROM lanes WHERE due <= ?2 ORDER BY due
               LIMIT ?1";
    let limit = i64::try_from(order.most).unwrap_or(i64::MAX);
    heads(transaction, sql, (limit, now))
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
            id: row.get::<_, Option<UpdateId>>(1)?.unwrap_or(0), // Damaged: no update has number 0.
            failures: row.get(2)?,
            started: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads the update at the head of a lane, and when it was accepted. One that cannot be read stops its
/// own order only: the lane is rebuilt if its rows do not match, and postponed if a page is damaged.
fn read_head(
    transaction: &Transaction<'_>,
    appended: &Appended<'_>,
    now: Millis,
    head: &Head,
) -> Result<Option<(Vec<u8>, Millis)>, Fault> {
    if let Some(payload) = appended.payload(head.id, head.lane) {
        return Ok(Some((payload.to_vec(), now)));
    }
    match select_head(transaction, head) {
        Ok(Some(update)) => Ok(Some(update)),
        Ok(None) => {
            log::error!(target: OUTBOX_LOG, "the lane of update {} was damaged and has been rebuilt", head.id);
            lane::rebuild(transaction, head.lane, now)?;
            Ok(None)
        }
        Err(fault) if fault.is_corrupt() => {
            let after = UNREADABLE_DELAY.as_secs() / 60;
            log::error!(
                target: OUTBOX_LOG,
                "update {} cannot be read and stops its order; the next try is in {after} minutes; \
                 run `katalys outbox FILE repair`",
                head.id
            );
            let sql = "UPDATE lanes SET due = ?2, owner = NULL WHERE lane = ?1";
            let due = now + millis(UNREADABLE_DELAY);
            transaction.prepare_cached(sql)?.execute((head.lane, due))?;
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

fn select_head(
    transaction: &Transaction<'_>,
    head: &Head,
) -> Result<Option<(Vec<u8>, Millis)>, Fault> {
    let mut statement = transaction
        .prepare_cached("SELECT payload, accepted_at FROM updates WHERE id = ?1 AND lane = ?2")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(statement.query_row((head.id, head.lane), read).optional()?)
}

/// Why an update becomes a dead letter instead of being sent.
fn cause_of_death(head: &Head, age: Millis, order: &ClaimOrder) -> Option<Cause> {
    let cause = |code, reason: &str| {
        let (status, reason) = (None, reason.to_owned());
        Some(Cause {
            code,
            status,
            reason,
        })
    };
    if head.started >= MAX_INTERRUPTIONS {
        return cause("interrupted", "sending it was interrupted three times");
    }
    if order.max_age.is_some_and(|limit| age > millis(limit)) {
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
    let mut lost = Vec::new();
    for lane in lanes {
        if statement.execute((lane, owner, until))? == 0 {
            lost.push(*lane);
        }
    }
    Ok(Effect::Renewed { lost })
}

/// Makes every lane that waits for a retry due now; leased and held ones stay as they are.
pub(super) fn make_due(transaction: &Transaction<'_>, now: Millis) -> Result<Effect, Fault> {
    let sql = "UPDATE lanes SET due = ?1 WHERE due > ?1 AND due < ?2 AND owner IS NULL";
    transaction.prepare_cached(sql)?.execute((now, HELD))?;
    Ok(Effect::MadeDue)
}

pub(super) fn backlog(connection: &Connection, now: Millis) -> Result<Backlog, Fault> {
    let pending = count(Counters::read(connection)?.pending());
    let mut statement =
        connection.prepare_cached("SELECT due FROM lanes WHERE due < ?1 ORDER BY due LIMIT 1")?;
    let due: Option<Millis> = statement.query_row([HELD], |row| row.get(0)).optional()?;
    let next_due = due.map(|due| Duration::from_millis(count(due - now)));
    Ok(Backlog { pending, next_due })
}

/// Pending updates with this number or a higher one, at most `limit`, without leasing them.
pub(super) fn pending(
    connection: &Connection,
    now: Millis,
    from: UpdateId,
    limit: usize,
) -> Result<Vec<PendingUpdate>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT updates.id, payload, accepted_at, ifnull(failures, 0) FROM updates
         LEFT JOIN lanes ON lanes.lane = updates.lane AND head = updates.id
         WHERE updates.id >= ?1 ORDER BY updates.id LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((from, limit), |row| {
        #[allow(clippy::cast_precision_loss, reason = "exact for a million years")]
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
