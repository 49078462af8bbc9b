//! Opens the file: makes it for its owner alone, sets `SQLite`'s switches, and sets a damaged file
//! aside instead of writing over it.

use super::fault::{self, Fault};
use super::{fork, schema};
use crate::error::Error;
use crate::queue::outbox::clock::{Clock, wall};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for another process that is writing.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes. A commit writes a few pages of which it changes little, so small ones are faster; for a new
/// file only.
const PAGE: i64 = 2048;
/// A caller tidies up only if nobody else has for this many pages (64 MB).
const ENORMOUS_LOG: i64 = (64 << 20) / PAGE;
/// What the log may keep on disk after it has been tidied up.
const LOG_REMAINS: i64 = 16 << 20;
/// Pages held in memory, in KiB.
const CACHE: i64 = 4096;
const STATEMENTS: usize = 64;

/// Opens or makes the outbox.
pub(super) fn open(path: &Path, is_full: bool) -> Result<(Connection, Clock), Error> {
    make_file(path)?;
    match try_open(path, is_full) {
        Err(Fault(error)) if fault::is_corrupt(&error) => {
            set_aside(path)?;
            make_file(path)?;
            try_open(path, is_full).map_err(|Fault(error)| error)
        }
        opened => opened.map_err(|Fault(error)| error),
    }
}

fn try_open(path: &Path, is_full: bool) -> Result<(Connection, Clock), Fault> {
    let mut connection = connect(path)?;
    let synchronous = if is_full { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "page_size", PAGE)?;
    use_log(&connection)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", ENORMOUS_LOG)?;
    connection.pragma_update(None, "journal_size_limit", LOG_REMAINS)?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let clock = schema::prepare(&mut connection)?;
    Ok((connection, clock))
}

/// A bare connection, as for upkeep.
pub(super) fn connect(path: &Path) -> Result<Connection, Fault> {
    fork::separate_processes();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Switching to a write-ahead log needs the file alone for a moment, and does not wait by itself.
fn use_log(connection: &Connection) -> Result<(), Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            done => return Ok(done?),
        }
    }
}

/// `SQLite` gives its other files the rights of this one.
fn make_file(path: &Path) -> Result<(), Error> {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        make_directory(directory)
            .map_err(|error| fault::file("the outbox's directory cannot be made", &error))?;
    }
    match own(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(fault::file("the outbox's file cannot be made", &error))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

#[cfg(unix)]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Renames a damaged file with its companions, and says so. Of several processes that find it
/// damaged, one does.
fn set_aside(path: &Path) -> Result<(), Error> {
    let trouble =
        |error: std::io::Error| fault::file("the damaged outbox cannot be set aside", &error);
    let damaged = File::open(path).map_err(trouble)?;
    if !is_mine_to_move(path, &damaged).map_err(trouble)? {
        return Ok(());
    }
    let aside = with_suffix(path, &format!(".corrupt-{}", wall()));
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(trouble(error)),
            _ => {}
        }
    }
    fs::rename(path, &aside).map_err(trouble)?;
    log::error!(
        target: "katalys",
        "the outbox {} is damaged; it was set aside as {}, and a new one begun. What waited in \
         it has not been sent",
        path.display(),
        aside.display()
    );
    Ok(())
}

/// With the file locked: whether it is still the one at the path.
#[cfg(unix)]
fn is_mine_to_move(path: &Path, damaged: &File) -> std::io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    use std::os::unix::fs::MetadataExt;
    flock(damaged, FlockOperation::LockExclusive)?;
    let (now, then) = (fs::metadata(path), damaged.metadata()?);
    Ok(now.is_ok_and(|now| (now.dev(), now.ino()) == (then.dev(), then.ino())))
}

#[cfg(not(unix))]
fn is_mine_to_move(_path: &Path, _damaged: &File) -> std::io::Result<bool> {
    Ok(true)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
