//! The outbox in an `SQLite` file.

mod append;
mod books;
mod claim;
mod dead;
mod fault;
mod fork;
mod inspect;
mod open;
mod schema;
mod settle;
#[cfg(test)]
mod tests;

use super::clock::{Clock, Millis, millis, wall};
use super::store::{
    DeadLetter, Effect, Outlook, PendingUpdate, Stats, Store, UpdateId, Upkeep, Whereabouts, Work,
    count,
};
use crate::error::Error;
use books::Books;
use fault::Fault;
pub use inspect::{OutboxReport, inspect};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use schema::HELD;
use std::path::{Path, PathBuf};

/// What an outbox takes in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// The most pending updates.
    pub rows: Option<u64>,
    /// The most bytes of their payloads.
    pub bytes: Option<u64>,
    /// Whether an update that repeats the last one of its lane is left out.
    pub collapse: bool,
}

/// One connection to the file.
pub(crate) struct SqliteStore {
    connection: Connection,
    clock: Clock,
    limits: Limits,
}

impl SqliteStore {
    /// Opens the file, or makes it. With `is_full`, a commit survives a power failure; without,
    /// only a crash of the process.
    pub(crate) fn open(path: &Path, is_full: bool, limits: Limits) -> Result<Self, Error> {
        let (connection, clock) = open::open(path, is_full)?;
        Ok(Self {
            connection,
            clock,
            limits,
        })
    }

    fn transact(&mut self, work: &[Work]) -> Result<Vec<Effect>, Fault> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut books = Books::read(&transaction)?;
        let now = self.clock.now();
        let mut effects = Vec::with_capacity(work.len());
        for piece in work {
            effects.push(perform(&transaction, &mut books, &self.limits, now, piece)?);
        }
        books.write(&transaction, now, wall())?;
        transaction.commit()?;
        Ok(effects)
    }

    fn read_stats(&self) -> Result<Stats, Fault> {
        let snapshot = self.connection.unchecked_transaction()?;
        let (books, now) = (Books::read(&snapshot)?, self.clock.now());
        let in_flight: i64 = snapshot
            .prepare_cached(
                "SELECT count(*) FROM lanes WHERE due > ?1 AND due < ?2 AND owner IS NOT NULL",
            )?
            .query_row((now, HELD), |row| row.get(0))?;
        let oldest: Option<Millis> = snapshot
            .prepare_cached("SELECT accepted_at FROM updates ORDER BY id LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        #[allow(clippy::cast_precision_loss, reason = "good for a million years")]
        let age = oldest.map_or(0.0, |then| (now - then).max(0) as f64 / 1000.0);
        Ok(Stats {
            accepted: count(books.accepted),
            delivered: count(books.delivered),
            pending: count(books.pending()),
            in_flight: count(in_flight),
            dead: count(books.dead),
            discarded: count(books.discarded),
            oldest_pending_seconds: age,
        })
    }

    fn find(&self, id: UpdateId) -> Result<Whereabouts, Fault> {
        let is_in =
            |sql| -> Result<bool, Fault> { Ok(self.connection.prepare_cached(sql)?.exists([id])?) };
        if is_in("SELECT 1 FROM updates WHERE id = ?1")? {
            return Ok(Whereabouts::Pending);
        }
        if is_in("SELECT 1 FROM dead WHERE id = ?1")? {
            return Ok(Whereabouts::Dead);
        }
        Ok(Whereabouts::Gone)
    }
}

fn perform(
    transaction: &Transaction<'_>,
    books: &mut Books,
    limits: &Limits,
    now: Millis,
    work: &Work,
) -> Result<Effect, Fault> {
    match work {
        Work::Append(update) => append::append(transaction, books, limits, now, update),
        Work::Claim(order) => claim::claim(transaction, books, now, order),
        Work::Settle(settlement) => settle::settle(transaction, books, now, settlement),
        Work::Renew {
            owner,
            lanes,
            lease,
        } => claim::renew(transaction, *owner, lanes, now + millis(*lease)),
        Work::Replay(id) => dead::replay(transaction, books, now, *id),
        Work::Discard(id) => dead::discard(transaction, books, now, *id),
        Work::Edit { id, payload, stage } => dead::edit(transaction, *id, payload, *stage),
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, work: &[Work]) -> Result<Vec<Effect>, Error> {
        self.transact(work).map_err(|Fault(error)| error)
    }

    fn outlook(&mut self) -> Result<Outlook, Error> {
        claim::outlook(&self.connection, self.clock.now()).map_err(|Fault(error)| error)
    }

    fn stats(&mut self) -> Result<Stats, Error> {
        self.read_stats().map_err(|Fault(error)| error)
    }

    fn whereabouts(&mut self, id: UpdateId) -> Result<Whereabouts, Error> {
        self.find(id).map_err(|Fault(error)| error)
    }

    fn dead_letters(&mut self, from: UpdateId, most: usize) -> Result<Vec<DeadLetter>, Error> {
        dead::list(&self.connection, from, most).map_err(|Fault(error)| error)
    }

    fn pending(&mut self, from: UpdateId, most: usize) -> Result<Vec<PendingUpdate>, Error> {
        let listed = claim::pending(&self.connection, self.clock.now(), from, most);
        listed.map_err(|Fault(error)| error)
    }

    #[cfg(test)]
    fn audit(&mut self) -> Result<Stats, Error> {
        let stats = self.stats()?;
        let count = |sql| {
            let counted = self
                .connection
                .query_row(sql, [], |row| row.get::<_, i64>(0));
            super::store::count(counted.expect("a count"))
        };
        let bytes =
            "SELECT (SELECT ifnull(sum(length(payload)), 0) FROM updates) - bytes FROM books";
        assert_eq!(count(bytes), 0, "the bytes are counted right");
        Ok(Stats {
            pending: count("SELECT count(*) FROM updates"),
            dead: count("SELECT count(*) FROM dead"),
            ..stats
        })
    }
}

/// A connection of its own, so that tidying up holds up no caller of this process.
pub(crate) struct SqliteUpkeep {
    path: PathBuf,
    connection: Option<Connection>,
}

impl SqliteUpkeep {
    pub(crate) fn new(path: &Path) -> Self {
        let (path, connection) = (path.to_owned(), None);
        Self { path, connection }
    }

    fn checkpoint(&mut self, mode: &str) -> Result<(), Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open::connect(&self.path)?,
        };
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))?;
        self.connection = Some(connection);
        Ok(())
    }
}

impl Upkeep for SqliteUpkeep {
    fn tidy(&mut self) -> Result<(), Error> {
        self.checkpoint("PASSIVE").map_err(|Fault(error)| error)
    }

    fn tidy_all(&mut self) -> Result<(), Error> {
        self.checkpoint("TRUNCATE").map_err(|Fault(error)| error)
    }
}
