//! The store: one connection to the file, and the transactions over it.

use super::append::{self, Appended};
use super::checkpoint::checkpoint;
use super::counters::Counters;
use super::fault::Fault;
use super::location::Location;
use super::reserve::{self, Reserve};
use super::schema::HELD;
use super::setup::{Limits, Setup};
use super::vfs::{self, Place};
use super::{claim, dead, open, settle};
use crate::error::Error;
use crate::interrupt;
use crate::queue::clock::{Clock, Millis, millis, wall};
use crate::queue::store::{Backlog, Effect, Store, UpdateId, UpdateState, Work, count};
use crate::results::{DeadLetter, PendingUpdate, Stats};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::{Duration, Instant};

/// One connection to the file.
pub(crate) struct SqliteStore {
    pub(super) connection: Connection,
    clock: Clock,
    limits: Limits,
    busy_timeout: Duration,
    location: Location,
    /// Whether the file was not at its path when it was last checked.
    is_misplaced: bool,
    reserve: Reserve,
}

impl SqliteStore {
    /// Opens the file, or creates it.
    pub(crate) fn open(setup: &Setup) -> Result<Self, Error> {
        let opened = open::open(&setup.path, setup.durability, setup.busy_timeout)?;
        Ok(Self {
            location: Location::new(&setup.path, opened.status),
            reserve: Reserve::for_outbox(&opened.path),
            connection: opened.connection,
            clock: opened.clock,
            limits: setup.limits,
            busy_timeout: setup.busy_timeout,
            is_misplaced: false,
        })
    }

    /// A store over a connection that only reads.
    pub(super) fn reading(
        path: &Path,
        connection: Connection,
        clock: Clock,
        busy_timeout: Duration,
    ) -> Self {
        Self {
            location: Location::new(path, vfs::file_status(&connection)),
            connection,
            clock,
            limits: Limits::default(),
            busy_timeout,
            is_misplaced: false,
            reserve: Reserve::none(),
        }
    }

    /// Where the file is now. A deleted file still accepts settlements: only this process can deliver
    /// its pending updates.
    fn place(&self) -> Place {
        self.location.place(&self.connection)
    }

    fn checked_place(&mut self) -> Place {
        let place = self.place();
        self.is_misplaced = place != Place::AtPath;
        place
    }

    /// Begins a transaction. Waits while another process writes; a watched caller (see `interrupt`)
    /// may give up.
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

    fn transact(&mut self, work: &[Work], has_space: bool) -> Result<Vec<Effect>, Fault> {
        if self.is_misplaced && self.checked_place() == Place::Moved {
            return Err(self.location.moved().into());
        }
        let transaction = self.begin()?;
        let mut counters = Counters::read(&transaction)?;
        let mut appended = Appended::default();
        let now = self.clock.now();
        let mut effects = Vec::with_capacity(work.len());
        for piece in work {
            let effect = if piece.has_caller() && self.is_misplaced {
                Effect::Refused(self.location.moved())
            } else if piece.is_append() && !has_space {
                Effect::Refused(reserve::disk_full(&self.location.path))
            } else {
                let state = (&mut counters, &mut appended);
                perform(&transaction, state, &self.limits, now, piece)?
            };
            effects.push(effect);
        }
        counters.write(&transaction, now, wall())?;
        transaction.commit()?;
        self.refuse_if_misplaced(work, &mut effects);
        Ok(effects)
    }

    /// After the commit: callers get tickets only for updates in the file at the path.
    fn refuse_if_misplaced(&mut self, work: &[Work], effects: &mut [Effect]) {
        if !work.iter().any(Work::has_caller) || self.checked_place() == Place::AtPath {
            return;
        }
        for (piece, effect) in work.iter().zip(effects) {
            if piece.has_caller() {
                *effect = Effect::Refused(self.location.moved());
            }
        }
    }

    /// The disk is full. The reserve lets the settlements through; new updates are refused until the disk
    /// has space.
    fn transact_on_reserve(&mut self, work: &[Work], full: Fault) -> Result<Vec<Effect>, Fault> {
        if work.iter().all(Work::is_append) {
            return Err(full);
        }
        self.reserve.release();
        let _ = checkpoint(&self.connection, "PASSIVE"); // This may empty the log.
        self.transact(work, false)
    }

    /// Turns a fault into an error. A file that may be damaged is not checkpointed when the connection is
    /// closed.
    fn fail(&self, fault: Fault) -> Error {
        if !fault.is_temporary() {
            open::set_checkpoint_on_close(&self.connection, false);
        }
        fault.at(&self.location.path)
    }

    fn read_stats(&self) -> Result<Stats, Fault> {
        let snapshot = self.connection.unchecked_transaction()?;
        let (counters, now) = (Counters::read(&snapshot)?, self.clock.now());
        let in_flight: i64 = snapshot
            .prepare_cached(
                "SELECT count(*) FROM lanes WHERE due > ?1 AND due < ?2 AND owner IS NOT NULL",
            )?
            .query_row((now, HELD), |row| row.get(0))?;
        let oldest: Option<Millis> = snapshot
            .prepare_cached("SELECT accepted_at FROM updates ORDER BY id LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        #[allow(clippy::cast_precision_loss, reason = "exact for a million years")]
        let age = oldest.map_or(0.0, |then| (now - then).max(0) as f64 / 1000.0);
        Ok(Stats {
            accepted: count(counters.accepted),
            delivered: count(counters.delivered),
            pending: count(counters.pending()),
            in_flight: count(in_flight),
            dead: count(counters.dead),
            discarded: count(counters.discarded),
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
        let discarded = count(Counters::read(&self.connection)?.discarded);
        Ok(UpdateState::Gone { discarded })
    }
}

/// Performs one piece of work within a transaction.
fn perform<'w>(
    transaction: &Transaction<'_>,
    (counters, appended): (&mut Counters, &mut Appended<'w>),
    limits: &Limits,
    now: Millis,
    work: &'w Work,
) -> Result<Effect, Fault> {
    match work {
        Work::Append(update) => {
            append::append(transaction, counters, appended, limits, now, update)
        }
        Work::Claim(order) => claim::claim(transaction, counters, appended, now, order),
        Work::Settle(settlement) => settle::settle(transaction, counters, now, settlement),
        Work::Renew {
            owner,
            lanes,
            lease,
        } => claim::renew(transaction, *owner, lanes, now + millis(*lease)),
        Work::Replay(id) => dead::replay(transaction, counters, now, *id),
        Work::Discard(id) => dead::discard(transaction, counters, now, *id),
        Work::Edit { id, payload, stage } => dead::edit(transaction, *id, payload, *stage),
        Work::MakeDue => claim::make_due(transaction, now),
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, work: &[Work]) -> Result<Vec<Effect>, Error> {
        let has_space = !work.iter().any(Work::is_append) || self.reserve.ensure();
        let done = match self.transact(work, has_space) {
            Err(fault) if fault.is_full() => self.transact_on_reserve(work, fault),
            done => done,
        };
        done.map_err(|fault| self.fail(fault))
    }

    fn check(&mut self) -> Result<(), Error> {
        match self.checked_place() {
            Place::AtPath => Ok(()),
            _ => Err(self.location.moved()),
        }
    }

    fn backlog(&mut self) -> Result<Backlog, Error> {
        if self.is_misplaced && self.checked_place() == Place::Moved {
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
        let count_rows = |sql| {
            let counted = self
                .connection
                .query_row(sql, [], |row| row.get::<_, i64>(0));
            count(counted.expect("a count"))
        };
        let bytes =
            "SELECT (SELECT ifnull(sum(length(payload)), 0) FROM updates) - bytes FROM books";
        assert_eq!(count_rows(bytes), 0, "the counter of bytes is correct");
        Ok(Stats {
            pending: count_rows("SELECT count(*) FROM updates"),
            dead: count_rows("SELECT count(*) FROM dead"),
            ..stats
        })
    }
}
