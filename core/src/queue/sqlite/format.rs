//! What identifies the files of an outbox: their first bytes and their names.

use std::path::{Path, PathBuf};

/// The first bytes of every `SQLite` file.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// The size of the header of an `SQLite` file.
pub(super) const HEADER_SIZE: usize = 100;
/// Marks an `SQLite` file as an outbox (`application_id`), so that no other database is opened as one.
pub(super) const MARK: &[u8; 4] = b"Kata";
/// Where the header holds the mark.
pub(super) const MARK_AT: usize = 68;

/// The name of a file that belongs to the outbox, such as its log (`-wal`).
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
