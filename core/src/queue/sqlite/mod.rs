//! The outbox in an `SQLite` file.

mod append;
mod books;
mod claim;
mod dead;
mod fault;
mod inspect;
mod location;
mod open;
mod reader;
mod repair;
mod reserve;
mod schema;
mod settle;
#[cfg(test)]
mod tests;
mod vfs;
mod watch;

use super::clock::{Clock, Millis, millis, wall};
use super::store::{Backlog, Checkpointer, Effect, Store, UpdateId, UpdateState, Work, count};
use crate::config::Durability;
use crate::error::Error;
use crate::interrupt;
use crate::results::{DeadLetter, PendingUpdate, Stats};
use books::Books;
use fault::Fault;
pub use inspect::{OutboxReport, inspect};
use location::Location;
pub use reader::OutboxReader;
pub use repair::{RepairReport, repair};
use reserve::Reserve;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use schema::HELD;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vfs::Place;
pub(crate) use watch::FileWatch;

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

/// How an outbox is opened.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub path: PathBuf,
    pub durability: Durability,
    /// How long to wait for another process that is writing.
    pub busy_timeout: Duration,
    pub limits: Limits,
}

/// One connection to the file.
pub(crate) struct SqliteStore {
    connection: Connection,
    clock: Clock,
    limits: Limits,
    busy_timeout: Duration,
    location: Location,
    /// Set once the file was not at its path.
    is_astray: bool,
    reserve: Reserve,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    pub(crate) fn open(setup: &Setup) -> Result<Self, Error> {
        let opened = open::open(&setup.path, setup.durability, setup.busy_timeout)?;
        Ok(Self {
            location: Location::new(&setup.path, opened.standing),
            reserve: Reserve::beside(&opened.path),
            connection: opened.connection,
            clock: opened.clock,
            limits: setup.limits,
            busy_timeout: setup.busy_timeout,
            is_astray: false,
        })
    }

    /// Where the file is by now. A deleted one still takes settlements: what is pending in it is
    /// delivered, and no other process can.
    fn place(&self) -> Place {
        self.location.place(&self.connection)
    }

    fn checked_place(&mut self) -> Place {
        let place = self.place();
        self.is_astray = place != Place::There;
        place
    }

    /// Waits while another process writes; a watched caller may give up.
    fn begin(&self) -> Result<Transaction<'_>, Fault> {
        let begin = || Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        if !interrupt::is_watched() {
            return Ok(begin()?);
        }
        let deadline = Instant::now() + self.busy_timeout;
        self.connection.busy_timeout(interrupt::SLICE)?;
        let result = loop {
            match begin() {
                Err(error)
                    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                        && Instant::now() < deadline
                        && !interrupt::is_over() => {}
                done => break done,
            }
        };
        self.connection.busy_timeout(self.busy_timeout)?;
        Ok(result?)
    }

    fn transact(&mut self, work: &[Work], has_room: bool) -> Result<Vec<Effect>, Fault> {
        if self.is_astray && self.checked_place() == Place::Moved {
            return Err(self.location.moved().into());
        }
        let transaction = self.begin()?;
        let mut books = Books::read(&transaction)?;
        let now = self.clock.now();
        let mut effects = Vec::with_capacity(work.len());
        for piece in work {
            let effect = if piece.is_of_a_caller() && self.is_astray {
                Effect::Refused(self.location.moved())
            } else if piece.takes_in() && !has_room {
                Effect::Refused(reserve::disk_full(&self.location.path))
            } else {
                perform(&transaction, &mut books, &self.limits, now, piece)?
            };
            effects.push(effect);
        }
        books.write(&transaction, now, wall())?;
        transaction.commit()?;
        self.take_back_if_astray(work, &mut effects);
        Ok(effects)
    }

    /// After the commit: a ticket is given only for what is in the file at the path.
    fn take_back_if_astray(&mut self, work: &[Work], effects: &mut [Effect]) {
        if !work.iter().any(Work::is_of_a_caller) || self.checked_place() == Place::There {
            return;
        }
        for (piece, effect) in work.iter().zip(effects) {
            if piece.is_of_a_caller() {
                *effect = Effect::Refused(self.location.moved());
            }
        }
    }

    /// The disk is full. What was taken in before is delivered with the room kept for that; new
    /// updates have to wait until there is more.
    fn transact_on_reserve(&mut self, work: &[Work], full: Fault) -> Result<Vec<Effect>, Fault> {
        if work.iter().all(Work::takes_in) {
            return Err(full);
        }
        self.reserve.release();
        let _ = checkpoint(&self.connection, "PASSIVE"); // With luck the log has room again.
        self.transact(work, false)
    }

    /// Nothing is checkpointed over a file that may be damaged when the connection is closed.
    fn fail(&self, fault: Fault) -> Error {
        if !fault.is_passing() {
            open::set_checkpoint_on_close(&self.connection, false);
        }
        fault.at(&self.location.path)
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

    fn find(&self, id: UpdateId) -> Result<UpdateState, Fault> {
        let is_in =
            |sql| -> Result<bool, Fault> { Ok(self.connection.prepare_cached(sql)?.exists([id])?) };
        if is_in("SELECT 1 FROM updates WHERE id = ?1")? {
            return Ok(UpdateState::Pending);
        }
        if is_in("SELECT 1 FROM dead WHERE id = ?1")? {
            return Ok(UpdateState::Dead);
        }
        let discarded = count(Books::read(&self.connection)?.discarded);
        Ok(UpdateState::Gone { discarded })
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
        Work::MakeDue => claim::make_due(transaction, now),
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, work: &[Work]) -> Result<Vec<Effect>, Error> {
        let has_room = !work.iter().any(Work::takes_in) || self.reserve.is_kept();
        let done = match self.transact(work, has_room) {
            Err(fault) if fault.is_full() => self.transact_on_reserve(work, fault),
            done => done,
        };
        done.map_err(|fault| self.fail(fault))
    }

    fn check(&mut self) -> Result<(), Error> {
        match self.checked_place() {
            Place::There => Ok(()),
            _ => Err(self.location.moved()),
        }
    }

    fn backlog(&mut self) -> Result<Backlog, Error> {
        if self.is_astray && self.checked_place() == Place::Moved {
            return Err(self.location.moved());
        }
        let backlog = claim::backlog(&self.connection, self.clock.now());
        backlog.map_err(|fault| self.fail(fault))
    }

    fn stats(&mut self) -> Result<Stats, Error> {
        self.check()?;
        self.read_stats().map_err(|fault| self.fail(fault))
    }

    fn state(&mut self, id: UpdateId) -> Result<UpdateState, Error> {
        self.find(id).map_err(|fault| self.fail(fault))
    }

    fn dead_letters(&mut self, from: UpdateId, most: usize) -> Result<Vec<DeadLetter>, Error> {
        self.check()?;
        dead::list(&self.connection, from, most).map_err(|fault| self.fail(fault))
    }

    fn pending(&mut self, from: UpdateId, most: usize) -> Result<Vec<PendingUpdate>, Error> {
        self.check()?;
        let listed = claim::pending(&self.connection, self.clock.now(), from, most);
        listed.map_err(|fault| self.fail(fault))
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

/// Moves what is in the log into the file; false if another connection was in the way.
fn checkpoint(connection: &Connection, mode: &str) -> Result<bool, Fault> {
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    Ok(connection.query_row(&pragma, [], |row| row.get::<_, i64>(0))? == 0)
}

/// A connection of its own, so that a checkpoint holds up no caller of this process.
pub(crate) struct SqliteCheckpointer {
    path: PathBuf,
    connection: Option<(Connection, Location)>,
}

impl SqliteCheckpointer {
    pub(crate) fn new(path: &Path) -> Self {
        let (path, connection) = (path.to_owned(), None);
        Self { path, connection }
    }

    fn run(&mut self, mode: &str) -> Result<bool, Error> {
        let (connection, location) = match self.connection.take() {
            Some(open) => open,
            None => self.connect()?,
        };
        if location.place(&connection) == Place::Moved {
            return Err(location.moved());
        }
        let is_complete = checkpoint(&connection, mode).map_err(|fault| fault.at(&self.path))?;
        self.connection = Some((connection, location));
        Ok(is_complete)
    }

    fn connect(&self) -> Result<(Connection, Location), Error> {
        let path = open::resolve(&self.path)?;
        let mode = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = open::connect(&path, mode, false, Duration::ZERO);
        let connection = connection.map_err(|fault| fault.at(&path))?;
        let location = Location::new(&self.path, vfs::standing_of(&connection));
        Ok((connection, location))
    }
}

impl Checkpointer for SqliteCheckpointer {
    fn checkpoint(&mut self) -> Result<(), Error> {
        self.run("PASSIVE").map(drop)
    }

    fn checkpoint_all(&mut self) -> Result<bool, Error> {
        self.run("TRUNCATE")
    }
}
