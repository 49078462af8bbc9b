//! Reads an outbox without changing anything: creates, moves and migrates no file.

use super::counters::Counters;
use super::fault::Fault;
use super::store::SqliteStore;
use super::{format, migration, open};
use crate::error::{Error, ErrorCode};
use crate::queue::clock::Clock;
use crate::queue::store::Store;
use crate::results::{DeadLetter, PendingUpdate, Stats};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long to wait for a process that has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An outbox that is opened for reading only. Other processes may use it at the same time.
///
/// ```no_run
/// use katalys_core::OutboxReader;
/// let mut reader = OutboxReader::open("/var/lib/shop/katalys.db".as_ref())?;
/// println!("{} pending", reader.stats()?.pending);
/// # Ok::<(), katalys_core::Error>(())
/// ```
pub struct OutboxReader(SqliteStore);

impl OutboxReader {
    /// Opens an existing outbox.
    ///
    /// # Errors
    /// `OutboxError` if it does not exist, is not an outbox, is damaged, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = open::resolve(path)?;
        let read = || {
            let connection = connect(&file)?;
            let clock = Clock::resume(&Counters::read(&connection)?.era).0;
            Ok((connection, clock))
        };
        let (connection, clock) = read().map_err(|fault: Fault| fault.at(&file))?;
        let store = SqliteStore::reading(path, connection, clock, BUSY_TIMEOUT);
        Ok(Self(store))
    }

    /// The counters.
    ///
    /// # Errors
    /// `OutboxError`.
    pub fn stats(&mut self) -> Result<Stats, Error> {
        self.0.stats()
    }

    /// Dead letters with this number or a higher one, in order, at most `limit`.
    ///
    /// # Errors
    /// `OutboxError`.
    pub fn dead_letters(&mut self, from: i64, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.0.dead_letters(from, limit)
    }

    /// Pending updates with this number or a higher one, in order, at most `limit`.
    ///
    /// # Errors
    /// `OutboxError`.
    pub fn pending_updates(
        &mut self,
        from: i64,
        limit: usize,
    ) -> Result<Vec<PendingUpdate>, Error> {
        self.0.pending(from, limit)
    }
}

/// A read-only connection to an outbox of a known version.
pub(super) fn connect(file: &Path) -> Result<Connection, Fault> {
    let mode = OpenFlags::SQLITE_OPEN_READ_ONLY;
    // Without a log no process has the file open, and no log must be created.
    let connection = if format::with_suffix(file, "-wal").exists() {
        open::connect(file, mode, false, BUSY_TIMEOUT)?
    } else {
        open::connect_immutable(file, BUSY_TIMEOUT)?
    };
    if migration::checked_version(&connection)? == 0 {
        let text = "the file is empty and not an outbox yet";
        return Err(Error::new(ErrorCode::OutboxFailed, text).into());
    }
    Ok(connection)
}
