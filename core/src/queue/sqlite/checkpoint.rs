//! Checkpoints: they move the log of an outbox into its file.

use super::fault::Fault;
use super::location::Location;
use super::open;
use super::vfs::{self, Place};
use crate::error::Error;
use crate::queue::store::Checkpointer;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Moves what is in the log into the file; false if another connection prevents it.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> Result<bool, Fault> {
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    Ok(connection.query_row(&pragma, [], |row| row.get::<_, i64>(0))? == 0)
}

/// Checkpoints over a separate connection, so that no caller of this process waits for it.
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
        let location = Location::new(&self.path, vfs::file_status(&connection));
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
