//! Accepting an update: a row at the end of its lane.

use super::Limits;
use super::books::Books;
use super::fault::Fault;
use crate::queue::clock::Millis;
use crate::queue::store::{Append, Effect, LaneId, PAID, PENDING, StageNumber, UpdateId, count};
use rusqlite::{OptionalExtension, Row, Transaction};

pub(super) fn append(
    transaction: &Transaction<'_>,
    books: &mut Books,
    limits: &Limits,
    now: Millis,
    update: &Append,
) -> Result<Effect, Fault> {
    let lane = Lane::read(transaction, update.lane)?;
    let tail = lane.as_ref().and_then(|lane| lane.tail);
    if limits.collapse
        && let Some(last) = tail
        && says(transaction, last, &update.payload)?
    {
        let discarded = count(books.discarded);
        return Ok(Effect::Collapsed {
            id: last,
            discarded,
        });
    }
    let size = size_of(&update.payload);
    if let Some(full) = limits.exceeded(books, size) {
        return Ok(full);
    }
    let stale = match &lane {
        Some(lane) => lane.is_beyond(transaction, update.stage)?,
        None => false,
    };
    let id = books.accepted + 1;
    insert(transaction, id, now, update)?;
    match lane {
        None => begin(transaction, id, now, update)?,
        Some(lane) => prolong(transaction, id, update, &lane)?,
    }
    books.accepted = id;
    books.bytes += size;
    let discarded = count(books.discarded);
    Ok(Effect::Appended {
        id,
        stale,
        discarded,
    })
}

/// The lane that a new update comes into.
struct Lane {
    /// None if it is held, and nothing waits in it.
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

    /// Whether a later state than this one waits.
    fn is_beyond(&self, transaction: &Transaction<'_>, stage: StageNumber) -> Result<bool, Fault> {
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

fn says(transaction: &Transaction<'_>, id: UpdateId, payload: &[u8]) -> Result<bool, Fault> {
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

/// A lane with this update only.
fn begin(
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

/// This update as the last of its lane.
fn prolong(
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
    fn exceeded(&self, books: &Books, size: i64) -> Option<Effect> {
        let (rows, bytes) = (count(books.pending()), count(books.bytes));
        let too_many = self.rows.is_some_and(|most| rows >= most);
        let too_large = self.bytes.is_some_and(|most| bytes + count(size) > most);
        (too_many || too_large).then_some(Effect::Full { rows, bytes })
    }
}

pub(super) fn size_of(payload: &[u8]) -> i64 {
    i64::try_from(payload.len()).unwrap_or(i64::MAX / 2)
}
