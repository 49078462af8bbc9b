//! Accepting an update: a row at the end of its lane.

use super::Limits;
use super::books::Books;
use super::fault::Fault;
use crate::queue::outbox::clock::Millis;
use crate::queue::outbox::store::{Append, Effect, LaneId, UpdateId, count};
use rusqlite::{OptionalExtension, Row, Transaction};

pub(super) fn append(
    transaction: &Transaction<'_>,
    books: &mut Books,
    limits: &Limits,
    now: Millis,
    update: &Append,
) -> Result<Effect, Fault> {
    let tail = tail_of(transaction, update.lane)?;
    if limits.collapse
        && let Tail::Update(last) = tail
        && says(transaction, last, &update.payload)?
    {
        return Ok(Effect::Collapsed { id: last });
    }
    let size = size_of(&update.payload);
    if let Some(full) = limits.exceeded(books, size) {
        return Ok(full);
    }
    let stale = match tail {
        Tail::Update(_) if update.stage > 0 => {
            latest_stage(transaction, update.lane)? > update.stage
        }
        _ => false,
    };
    let id = books.accepted + 1;
    insert(transaction, id, now, update)?;
    link(transaction, id, now, update.lane, tail)?;
    books.accepted = id;
    books.bytes += size;
    Ok(Effect::Appended { id, stale })
}

/// What a new update comes behind.
#[derive(Clone, Copy)]
enum Tail {
    NoLane,
    /// The lane is held, and nothing waits in it.
    Nothing,
    Update(UpdateId),
}

fn tail_of(transaction: &Transaction<'_>, lane: LaneId) -> Result<Tail, Fault> {
    let mut statement = transaction.prepare_cached("SELECT tail FROM lanes WHERE lane = ?1")?;
    let read = |row: &Row<'_>| {
        Ok(row
            .get::<_, Option<_>>(0)?
            .map_or(Tail::Nothing, Tail::Update))
    };
    let found = statement.query_row([lane], read).optional()?;
    Ok(found.unwrap_or(Tail::NoLane))
}

fn says(transaction: &Transaction<'_>, id: UpdateId, payload: &[u8]) -> Result<bool, Fault> {
    let mut statement =
        transaction.prepare_cached("SELECT payload = ?2 FROM updates WHERE id = ?1")?;
    Ok(statement.query_row((id, payload), |row| row.get(0))?)
}

/// The furthest state of the order that still waits.
fn latest_stage(transaction: &Transaction<'_>, lane: LaneId) -> Result<i64, Fault> {
    let mut statement = transaction.prepare_cached(
        "WITH RECURSIVE waiting (id, stage) AS (
             SELECT id, stage FROM updates WHERE id = (SELECT head FROM lanes WHERE lane = ?1)
             UNION ALL
             SELECT behind.id, behind.stage FROM waiting
             JOIN updates AS ahead ON ahead.id = waiting.id
             JOIN updates AS behind ON behind.id = ahead.next
         ) SELECT max(stage) FROM waiting",
    )?;
    Ok(statement.query_row([lane], |row| row.get(0))?)
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

fn link(
    transaction: &Transaction<'_>,
    id: UpdateId,
    now: Millis,
    lane: LaneId,
    tail: Tail,
) -> Result<(), Fault> {
    let (sql, key) = match tail {
        Tail::NoLane => {
            let sql = "INSERT INTO lanes (lane, due, head, tail) VALUES (?1, ?3, ?2, ?2)";
            transaction.prepare_cached(sql)?.execute((lane, id, now))?;
            return Ok(());
        }
        Tail::Nothing => (
            "UPDATE lanes SET head = ?2, tail = ?2 WHERE lane = ?1",
            lane,
        ),
        Tail::Update(last) => {
            let sql = "UPDATE lanes SET tail = ?2 WHERE lane = ?1";
            transaction.prepare_cached(sql)?.execute((lane, id))?;
            ("UPDATE updates SET next = ?2 WHERE id = ?1", last)
        }
    };
    transaction.prepare_cached(sql)?.execute((key, id))?;
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
