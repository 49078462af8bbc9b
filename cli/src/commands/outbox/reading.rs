//! Read-only access to an outbox: creates, renames, migrates and delivers nothing.

use crate::exit::Exit;
use crate::failure::Failure;
use katalys_core::OutboxReader;
use std::io::ErrorKind;
use std::path::Path;

/// Opens an outbox for reading. No other function does.
pub fn open_read_only(file: &Path) -> Result<OutboxReader, Failure> {
    require_file(file)?;
    Ok(OutboxReader::open(file)?)
}

/// Fails if the file does not exist, since no command of this group creates an outbox.
pub fn require_file(file: &Path) -> Result<(), Failure> {
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
