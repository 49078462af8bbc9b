//! Settlement: removes a delivered update, schedules a retry, or moves a rejected update to the dead
//! letters.

use super::counters::Counters;
use super::dead;
use super::fault::Fault;
use super::lane::{advance, remove_update};
use crate::queue::clock::{Millis, millis};
use crate::queue::store::{Effect, Settlement, Verdict};
use rusqlite::Transaction;

/// Settles only for the owner of the lease: a process that lost it must not advance the lane while
/// another one is sending.
pub(super) fn settle(
    transaction: &Transaction<'_>,
    counters: &mut Counters,
    now: Millis,
    settlement: &Settlement,
) -> Result<Effect, Fault> {
    let Settlement { lane, id, .. } = *settlement;
    if !has_lease(transaction, settlement)? {
        return Ok(Effect::Settled(false));
    }
    match &settlement.verdict {
        Verdict::Delivered => {
            let (next, size) = remove_update(transaction, id)?;
            counters.delivered += 1;
            counters.bytes -= size;
            advance(transaction, lane, next, now)?;
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
            dead::insert(transaction, counters, now, (lane, id), cause, *hold)?;
        }
    }
    Ok(Effect::Settled(true))
}

fn has_lease(transaction: &Transaction<'_>, settlement: &Settlement) -> Result<bool, Fault> {
    let mut statement = transaction
        .prepare_cached("SELECT 1 FROM lanes WHERE lane = ?1 AND owner = ?2 AND head = ?3")?;
    Ok(statement.exists((settlement.lane, settlement.owner, settlement.id))?)
}
