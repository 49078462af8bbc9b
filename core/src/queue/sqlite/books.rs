//! The counters: read at the start of a transaction and written once at its end.

use super::fault::Fault;
use crate::queue::clock::{Era, Millis};
use rusqlite::{Connection, Transaction};

/// `accepted = delivered + pending + dead + discarded`, with pending as what remains.
pub(super) struct Books {
    pub accepted: i64,
    pub delivered: i64,
    pub dead: i64,
    pub discarded: i64,
    /// The size of all pending payloads.
    pub bytes: i64,
    pub era: Era,
}

impl Books {
    pub(super) fn read(connection: &Connection) -> Result<Self, Fault> {
        let mut statement = connection.prepare_cached(
            "SELECT accepted, delivered, dead, discarded, bytes, boot, time_offset, seen, seen_wall
             FROM books",
        )?;
        let books = statement.query_row([], |row| {
            Ok(Self {
                accepted: row.get(0)?,
                delivered: row.get(1)?,
                dead: row.get(2)?,
                discarded: row.get(3)?,
                bytes: row.get(4)?,
                era: Era {
                    boot: row.get(5)?,
                    offset: row.get(6)?,
                    seen: row.get(7)?,
                    seen_wall: row.get(8)?,
                },
            })
        })?;
        Ok(books)
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

/// Notes a new boot.
pub(super) fn write_era(connection: &Connection, era: &Era) -> Result<(), Fault> {
    connection.execute(
        "UPDATE books SET boot = ?1, time_offset = ?2, seen = ?3, seen_wall = ?4",
        (&era.boot, era.offset, era.seen, era.seen_wall),
    )?;
    Ok(())
}
