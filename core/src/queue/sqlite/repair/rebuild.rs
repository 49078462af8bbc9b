//! Writes the salvaged rows into a new file, which continues the numbers of the updates.

use super::pages::Pages;
use super::rows::{Lane, Update, payload};
use super::salvage::Salvaged;
use crate::config::Durability;
use crate::error::Error;
use crate::queue::clock::{Clock, Millis};
use crate::queue::sqlite::counters::{Counters, write_era};
use crate::queue::sqlite::fault::Fault;
use crate::queue::sqlite::open;
use crate::queue::sqlite::schema::HELD;
use crate::queue::store::{CLOSED, LaneId, PAID, UpdateId};
use rusqlite::{Connection, Transaction};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The counters of the new file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub accepted: i64,
    pub delivered: i64,
    pub pending: i64,
    pub dead: i64,
    pub discarded: i64,
    /// Updates that were pending or dead and could not be read; none if that is unknown.
    pub lost: Option<i64>,
}

impl Tally {
    /// Calculates the counters so that `accepted = delivered + pending + dead + discarded`, whatever is
    /// missing.
    pub(super) fn of(all: &Salvaged) -> Self {
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let (pending, dead) = (count(all.updates.len()), count(all.dead.len()));
        let row = all.counters.as_ref();
        let counters = row.map(|row| &row.counters);
        let accepted = all
            .highest
            .max(counters.map_or(0, |counters| counters.accepted))
            .max(pending + dead);
        let rest = accepted - pending - dead;
        let discarded = counters.map_or(0, |counters| counters.discarded).min(rest);
        match counters.filter(|_| row.is_some_and(|row| !row.is_stale)) {
            // The counters account for every number, so a missing update is lost.
            Some(counters) => {
                let delivered = counters.delivered.min(rest - discarded);
                let lost = rest - discarded - delivered;
                Self {
                    accepted,
                    delivered,
                    pending,
                    dead,
                    discarded: discarded + lost,
                    lost: Some(lost),
                }
            }
            None => Self {
                accepted,
                delivered: rest - discarded,
                pending,
                dead,
                discarded,
                lost: None,
            },
        }
    }
}

/// Writes the new file, without a log.
pub(super) fn write(path: &Path, pages: &Pages<'_>, all: &Salvaged) -> Result<Tally, Error> {
    let mut new = open::open(path, Durability::Full, Duration::ZERO)?;
    let tally = Tally::of(all);
    let filled = fill(&mut new.connection, new.clock, pages, all, &tally);
    filled.map_err(|fault| fault.at(path))?;
    Ok(tally)
}

fn fill(
    connection: &mut Connection,
    clock: Clock,
    pages: &Pages<'_>,
    all: &Salvaged,
    tally: &Tally,
) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    // The new file continues the clock of the old one, to which the times in the rows refer.
    let now = match &all.counters {
        Some(row) => row.counters.era.seen,
        None => clock.now(),
    };
    let mut lanes: BTreeMap<LaneId, Vec<&Update>> = BTreeMap::new();
    for update in all.updates.values() {
        lanes.entry(update.lane).or_default().push(update);
    }
    let mut bytes = 0;
    for (id, updates) in &lanes {
        bytes += insert_updates(&transaction, pages, updates, now)?;
        insert_lane(&transaction, *id, updates, all.lanes.get(id), now)?;
    }
    for (id, lane) in &all.lanes {
        if lane.due == HELD && !lanes.contains_key(id) {
            insert_lane(&transaction, *id, &[], Some(lane), now)?;
        }
    }
    insert_dead(&transaction, pages, all)?;
    write_counters(&transaction, all, tally, bytes)?;
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn write_counters(
    transaction: &Transaction<'_>,
    all: &Salvaged,
    tally: &Tally,
    bytes: i64,
) -> Result<(), Fault> {
    let fresh = Counters::read(transaction)?;
    let era = match &all.counters {
        Some(row) => &row.counters.era,
        None => &fresh.era,
    };
    write_era(transaction, era)?;
    let counters = Counters {
        accepted: tally.accepted,
        delivered: tally.delivered,
        dead: tally.dead,
        discarded: tally.discarded,
        bytes,
        era: era.clone(),
    };
    counters.write(transaction, era.seen, era.seen_wall)
}

/// Links the updates of one lane in the order of their numbers; returns the size of their payloads.
fn insert_updates(
    transaction: &Transaction<'_>,
    pages: &Pages<'_>,
    updates: &[&Update],
    now: Millis,
) -> Result<i64, Fault> {
    let mut bytes = 0;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO updates (id, lane, payload, accepted_at, stage, next)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (place, update) in updates.iter().enumerate() {
        let next = updates.get(place + 1).map(|next| next.id);
        let accepted_at = update.accepted_at.min(now);
        statement.execute((
            update.id,
            update.lane,
            read(pages, update)?,
            accepted_at,
            update.stage,
            next,
        ))?;
        bytes += update.size;
    }
    Ok(bytes)
}

fn insert_lane(
    transaction: &Transaction<'_>,
    id: LaneId,
    updates: &[&Update],
    old: Option<&Lane>,
    now: Millis,
) -> Result<(), Fault> {
    let last = |stage| {
        let of_stage = updates.iter().rev().find(|update| update.stage == stage);
        of_stage.map(|update| update.id)
    };
    let ends = (
        updates.first().map(|update| update.id),
        updates.last().map(|update| update.id),
    );
    let is_same_head = old.is_some_and(|old| old.head == ends.0);
    let due = match old {
        Some(old) if old.due == HELD => HELD,
        Some(old) => old.due.min(now),
        None => now,
    };
    let attempts = match old {
        Some(old) if is_same_head => (old.failures, old.started),
        _ => (0, 0),
    };
    let newest = |known: Option<UpdateId>, found: Option<UpdateId>| known.or(found);
    let paid = newest(old.and_then(|old| old.paid), last(PAID));
    let closed = newest(old.and_then(|old| old.closed), last(CLOSED));
    let mut statement = transaction.prepare_cached(
        "INSERT INTO lanes (lane, due, head, tail, failures, started, paid, closed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute((
        id, due, ends.0, ends.1, attempts.0, attempts.1, paid, closed,
    ))?;
    Ok(())
}

fn insert_dead(
    transaction: &Transaction<'_>,
    pages: &Pages<'_>,
    all: &Salvaged,
) -> Result<(), Fault> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO dead (id, lane, payload, accepted_at, stage, died_at, status, code, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for dead in all.dead.values() {
        let update = &dead.update;
        statement.execute((
            update.id,
            update.lane,
            read(pages, update)?,
            update.accepted_at,
            update.stage,
            dead.died_at,
            dead.status,
            &dead.code,
            &dead.reason,
        ))?;
    }
    Ok(())
}

fn read(pages: &Pages<'_>, update: &Update) -> Result<Vec<u8>, Fault> {
    payload(pages, update.source).ok_or_else(|| {
        let text = "a page that was readable before cannot be read any more; try again";
        Error::new(crate::error::ErrorCode::OutboxFailed, text).into()
    })
}
