//! Read-only access to an outbox, for every command that only reads: nothing is created, renamed,
//! migrated or delivered.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Settings;
use katalys_core::{Client, DeadLetter, Error, PendingUpdate, Stats, Value};
use std::io::ErrorKind;
use std::path::Path;

/// An outbox that can be read and not changed.
pub struct Reader(Client);

/// Opens an outbox for reading. This is the one place that does so.
pub fn open_read_only(file: &Path) -> Result<Reader, Failure> {
    demand_file(file)?;
    let path = Value::from(unicode(file)?.to_owned());
    let decided = [("outbox", path), ("deliver", false.into())];
    Settings::default().client(&decided).map(Reader)
}

impl Reader {
    pub fn stats(&self) -> Result<Stats, Error> {
        self.0.stats()
    }

    /// Dead letters from this number on, in order, at most `limit`.
    pub fn dead_letters(&self, from: i64, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.0.dead_letters(from, limit)
    }

    /// Pending updates from this number on, in order, at most `limit`.
    pub fn pending_updates(&self, from: i64, limit: usize) -> Result<Vec<PendingUpdate>, Error> {
        self.0.pending_updates(from, limit)
    }
}

/// No command of this group creates an outbox.
pub fn demand_file(file: &Path) -> Result<(), Failure> {
    let reason = match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => "is a directory, not an outbox".to_owned(),
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "does not exist; the first update of a client with this outbox creates it".to_owned()
        }
        Err(error) => format!("cannot be read: {error}"),
    };
    Err(Failure::new(
        Exit::Outbox,
        format!("{} {reason}", file.display()),
    ))
}

pub fn unicode(file: &Path) -> Result<&str, Failure> {
    file.to_str()
        .ok_or_else(|| Failure::usage("the file's name is not Unicode"))
}
