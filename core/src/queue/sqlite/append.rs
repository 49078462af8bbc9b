//! Accepts an update: adds a row at the end of its lane.

use super::counters::Counters;
use super::fault::Fault;
use super::lane::size_of;
use super::setup::Limits;
use crate::queue::clock::Millis;
use crate::queue::store::{Append, Effect, LaneId, PAID, PENDING, StageNumber, UpdateId, count};
use rusqlite::{OptionalExtension, Row, Transaction};

/// The updates that the current transaction has appended, so that a claim in the same transaction need
/// not read them back.
#[derive(Default)]
pub(super) struct Appended<'w> {
    /// In the order of their numbers.
    updates: Vec<(UpdateId, &'w Append)>,
}

impl<'w> Appended<'w> {
    /// The payload of an update, if this transaction appended it to this lane.
    pub(super) fn payload(&self, id: UpdateId, lane: LaneId) -> Option<&'w [u8]> {
        let place = self.updates.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (_, update) = self.updates[place];
        (update.lane == lane).then_some(&update.payload)
    }
}

pub(super) fn append<'w>(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    appended: &mut Appended<'w>,
    limits: &Limits,
    now: Millis,
    update: &'w Append,
) -> Result<Effect, Fault> {
    let lane = Lane::read(transaction, update.lane)?;
    let tail = lane.as_ref().and_then(|lane| lane.tail);
    if limits.collapse
        && let Some(last) = tail
        && has_payload(transaction, last, &update.payload)?
    {
        let discarded = count(counters.discarded);
        return Ok(Effect::Collapsed {
            id: last,
            discarded,
        });
    }
    let size = size_of(&update.payload);
    if let Some(full) = limits.exceeded(counters, size) {
        return Ok(full);
    }
    let stale = match &lane {
        Some(lane) => lane.has_later_stage(transaction, update.stage)?,
        None => false,
    };
    let id = counters.accepted + 1;
    insert(transaction, id, now, update)?;
    match lane {
        None => insert_lane(transaction, id, now, update)?,
        Some(lane) => extend_lane(transaction, id, update, &lane)?,
    }
    appended.updates.push((id, update));
    counters.accepted = id;
    counters.bytes += size;
    let discarded = count(counters.discarded);
    Ok(Effect::Appended {
        id,
        stale,
        discarded,
    })
}

/// The lane to which an update is added.
struct Lane {
    /// None if the lane is held and empty.
    tail: Option<UpdateId>,
    paid: Option<UpdateId>,
    closed: Option<UpdateId>,
}

impl Lane {
    fn read(transaction: &Transaction<'_>, lane: LaneId) -> Result<Option<Self>, Fault> {
        let mut statement =
            transaction.prepare_cached("SELECT tail, paid, closed FROM lanes WHERE lane = ?1")?;
        let read = |row: &Row<'_>| {
            Ok(Self {
                tail: row.get(0)?,
                paid: row.get(1)?,
                closed: row.get(2)?,
            })
        };
        Ok(statement.query_row([lane], read).optional()?)
    }

    /// Whether an update with a later stage than this one is pending.
    fn has_later_stage(
        &self,
        transaction: &Transaction<'_>,
        stage: StageNumber,
    ) -> Result<bool, Fault> {
        let later = match stage {
            PENDING => [self.paid, self.closed],
            PAID => [None, self.closed],
            _ => return Ok(false),
        };
        let mut statement = transaction.prepare_cached("SELECT 1 FROM updates WHERE id = ?1")?;
        for id in later.into_iter().flatten() {
            if statement.exists([id])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn has_payload(transaction: &Transaction<'_>, id: UpdateId, payload: &[u8]) -> Result<bool, Fault> {
    let mut statement =
        transaction.prepare_cached("SELECT payload = ?2 FROM updates WHERE id = ?1")?;
    Ok(statement.query_row((id, payload), |row| row.get(0))?)
}

fn insert(
    transaction: &Transaction<'_>,
    id: UpdateId,
    now: Millis,
    update: &Append,
) -> Result<(), Fault> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO updates (id, lane, payload, accepted_at, stage) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute((id, update.lane, &update.payload, now, update.stage))?;
    Ok(())
}

/// Adds a lane with this update only.
fn insert_lane(
    transaction: &Transaction<'_>,
    id: UpdateId,
    now: Millis,
    update: &Append,
) -> Result<(), Fault> {
    let sql = "INSERT INTO lanes (lane, due, head, tail, paid, closed)
               VALUES (?1, ?3, ?2, ?2, iif(?4 = 2, ?2, NULL), iif(?4 = 3, ?2, NULL))";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute((update.lane, id, now, update.stage))?;
    Ok(())
}

/// Makes this update the last one of its lane.
fn extend_lane(
    transaction: &Transaction<'_>,
    id: UpdateId,
    update: &Append,
    lane: &Lane,
) -> Result<(), Fault> {
    let sql = "UPDATE lanes SET tail = ?2, head = iif(tail IS NULL, ?2, head),
               paid = iif(?3 = 2, ?2, paid), closed = iif(?3 = 3, ?2, closed) WHERE lane = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute((update.lane, id, update.stage))?;
    if let Some(last) = lane.tail {
        let sql = "UPDATE updates SET next = ?2 WHERE id = ?1";
        transaction.prepare_cached(sql)?.execute((last, id))?;
    }
    Ok(())
}

impl Limits {
    /// The effect of an update that does not fit.
    fn exceeded(&self, counters: &Counters, size: i64) -> Option<Effect> {
        let (rows, bytes) = (count(counters.pending()), count(counters.bytes));
        let too_many = self.rows.is_some_and(|limit| rows >= limit);
        let too_large = self.bytes.is_some_and(|limit| bytes + count(size) > limit);
        (too_many || too_large).then_some(Effect::Full { rows, bytes })
    }
}
