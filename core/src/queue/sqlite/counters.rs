//! The counters: read at the start of a transaction and written once at its end.

use super::fault::Fault;
use super::schema::counters;
use crate::queue::clock::{Era, Millis};
use rusqlite::{Connection, Transaction};

/// The one row of the counters' table. `accepted = delivered + pending + dead + discarded`; pending is
/// calculated from the others.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub accepted: i64,
    pub delivered: i64,
    pub dead: i64,
    pub discarded: i64,
    /// The size of all pending payloads.
    pub bytes: i64,
    pub era: Era,
}

impl Counters {
    pub(super) fn read(connection: &Connection) -> Result<Self, Fault> {
        let mut statement = connection.prepare_cached("SELECT * FROM books")?;
        let counters = statement.query_row([], |row| {
            Self::from_columns(|column| row.get(column), |column| row.get(column))
        })?;
        Ok(counters)
    }

    /// Builds the row from its columns, by their positions.
    pub(super) fn from_columns<E>(
        integer: impl Fn(usize) -> Result<i64, E>,
        text: impl Fn(usize) -> Result<String, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            accepted: integer(counters::ACCEPTED)?,
            delivered: integer(counters::DELIVERED)?,
            dead: integer(counters::DEAD)?,
            discarded: integer(counters::DISCARDED)?,
            bytes: integer(counters::BYTES)?,
            era: Era {
                boot: text(counters::BOOT)?,
                offset: integer(counters::TIME_OFFSET)?,
                seen: integer(counters::SEEN)?,
                seen_wall: integer(counters::SEEN_WALL)?,
            },
        })
    }

    pub(super) fn pending(&self) -> i64 {
        self.accepted - self.delivered - self.dead - self.discarded
    }

    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        now: Millis,
        wall: Millis,
    ) -> Result<(), Fault> {
        let mut statement = transaction.prepare_cached(
            "UPDATE books SET accepted = ?1, delivered = ?2, dead = ?3, discarded = ?4,
             bytes = ?5, seen = ?6, seen_wall = ?7",
        )?;
        statement.execute((
            self.accepted,
            self.delivered,
            self.dead,
            self.discarded,
            self.bytes,
            now,
            wall,
        ))?;
        Ok(())
    }
}

/// Records a new boot.
pub(super) fn write_era(connection: &Connection, era: &Era) -> Result<(), Fault> {
    connection.execute(
        "UPDATE books SET boot = ?1, time_offset = ?2, seen = ?3, seen_wall = ?4",
        (&era.boot, era.offset, era.seen, era.seen_wall),
    )?;
    Ok(())
}
