//! Looks into an outbox without changing anything: no file is made, moved or brought up to date.

use super::location::Location;
use super::reserve::Reserve;
use super::{Limits, SqliteStore, fault, open, schema, vfs};
use crate::error::{Error, ErrorCode};
use crate::queue::clock::Clock;
use crate::queue::store::Store;
use crate::results::{DeadLetter, PendingUpdate, Stats};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long to wait for a process that has the file to itself.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An outbox opened for reading only, while other processes use it or while none does.
///
/// ```no_run
/// use katalys_core::OutboxReader;
/// let mut reader = OutboxReader::open("/var/lib/shop/katalys.db".as_ref())?;
/// println!("{} pending", reader.stats()?.pending);
/// # Ok::<(), katalys_core::Error>(())
/// ```
pub struct OutboxReader(SqliteStore);

impl OutboxReader {
    /// Opens an outbox that exists.
    ///
    /// # Errors
    /// `OutboxError` if it does not exist, is not an outbox, is damaged, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = open::resolve(path)?;
        let read = || {
            let connection = connect(&file)?;
            let clock = Clock::resume(&super::Books::read(&connection)?.era).0;
            Ok((connection, clock))
        };
        let (connection, clock) = read().map_err(|fault: fault::Fault| fault.at(&file))?;
        Ok(Self(SqliteStore {
            busy_timeout: BUSY_TIMEOUT,
            location: Location::new(path, vfs::standing_of(&connection)),
            connection,
            clock,
            limits: Limits::default(),
            is_astray: false,
            reserve: Reserve::none(),
        }))
    }

    /// The counters.
    ///
    /// # Errors
    /// `OutboxError`.
    pub fn stats(&mut self) -> Result<Stats, Error> {
        self.0.stats()
    }

    /// Dead letters from this number on, in order, up to `limit`.
    ///
    /// # Errors
    /// `OutboxError`.
    pub fn dead_letters(&mut self, from: i64, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.0.dead_letters(from, limit)
    }

    /// Pending updates from this number on, in order, up to `limit`.
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

/// A connection that only reads, to a file that is an outbox of a known version.
pub(super) fn connect(file: &Path) -> Result<Connection, fault::Fault> {
    let mode = OpenFlags::SQLITE_OPEN_READ_ONLY;
    // Without a log no process has the file open, and none is to be made.
    let connection = if open::with_suffix(file, "-wal").exists() {
        open::connect(file, mode, false, BUSY_TIMEOUT)?
    } else {
        open::connect_unchanging(file, BUSY_TIMEOUT)?
    };
    let (version, known) = schema::version(&connection)?;
    if version > known {
        return Err(fault::newer(version, known).into());
    }
    if version == 0 {
        let text = "the file is empty: no outbox has been made of it yet";
        return Err(Error::new(ErrorCode::OutboxFailed, text).into());
    }
    Ok(connection)
}
