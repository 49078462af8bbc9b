//! Opens the file: makes it for its owner alone, sets `SQLite`'s switches, and leaves untouched
//! what is not an outbox.

use super::fault::{self, Fault};
use super::schema;
use super::vfs::{self, Standing};
use crate::config::Durability;
use crate::error::Error;
use crate::interrupt;
use crate::queue::clock::Clock;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes. A commit writes a few pages of which it changes little, so small ones are faster; for a new
/// file only.
const PAGE: i64 = 2048;
/// A caller checkpoints only if no other thread has for this many pages (64 MB).
const ENORMOUS_LOG: i64 = (64 << 20) / PAGE;
/// What the log may keep on disk after a checkpoint.
const LOG_REMAINS: i64 = 16 << 20;
/// Pages held in memory, in KiB.
const CACHE: i64 = 4096;
const STATEMENTS: usize = 64;

/// An open outbox.
pub(super) struct Opened {
    pub connection: Connection,
    pub clock: Clock,
    /// The file itself, without symbolic links.
    pub path: PathBuf,
    pub standing: Option<Standing>,
}

/// Opens or makes the outbox. `busy_timeout` is how long to wait for another process that writes.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    busy_timeout: Duration,
) -> Result<Opened, Error> {
    let path = resolve(path)?;
    let is_new = check_kind(&path)?;
    try_open(&path, is_new, durability, busy_timeout).map_err(|fault| fault.at(&path))
}

fn try_open(
    path: &Path,
    is_new: bool,
    durability: Durability,
    busy_timeout: Duration,
) -> Result<Opened, Fault> {
    let mut connection = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE,
        is_new,
        busy_timeout,
    )?;
    let standing = vfs::standing_of(&connection);
    if standing.is_some_and(|standing| standing.has_foreign_log) {
        return Err(fault::moved(path).into());
    }
    connection.pragma_update(None, "page_size", PAGE)?;
    connection.pragma_update(None, "secure_delete", true)?;
    let clock = schema::prepare(&mut connection)?;
    use_log(&connection, busy_timeout)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", ENORMOUS_LOG)?;
    connection.pragma_update(None, "journal_size_limit", LOG_REMAINS)?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    set_checkpoint_on_close(&connection, true);
    keep_private(path);
    Ok(Opened {
        connection,
        clock,
        path: path.to_owned(),
        standing,
    })
}

/// A bare connection. It leaves the log as it is when it is closed, and trusts nothing in the
/// file's schema.
pub(super) fn connect(
    path: &Path,
    mode: OpenFlags,
    creates: bool,
    busy_timeout: Duration,
) -> Result<Connection, Fault> {
    let mut flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, creates);
    let connection = vfs::connect(path, flags).map_err(|error| fault::unopened(path, &error))?;
    set_up(&connection, busy_timeout)?;
    Ok(connection)
}

/// A connection that only reads, takes no lock and makes no file: for one that no process changes.
pub(super) fn connect_unchanging(path: &Path, busy_timeout: Duration) -> Result<Connection, Fault> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(*byte)),
            _ => write!(uri, "%{byte:02X}").map_err(|_| fault::unusable(path, "has no name"))?,
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = vfs::connect(Path::new(&uri), flags);
    let connection = connection.map_err(|error| fault::unopened(path, &error))?;
    set_up(&connection, busy_timeout)?;
    Ok(connection)
}

fn set_up(connection: &Connection, busy_timeout: Duration) -> Result<(), Fault> {
    connection.busy_timeout(busy_timeout)?;
    set_checkpoint_on_close(connection, false);
    for (switch, is_on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(switch, is_on)?;
    }
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

/// Whether the last connection moves the log into the file when it is closed. Not after a failure:
/// what is in the log may be all that is left.
pub(super) fn set_checkpoint_on_close(connection: &Connection, is_on: bool) {
    let switch = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let _ = connection.set_db_config(switch, !is_on); // It only saves the next one the work.
}

/// Switching to a write-ahead log needs the file alone for a moment, and does not wait by itself.
fn use_log(connection: &Connection, busy_timeout: Duration) -> Result<(), Fault> {
    let deadline = Instant::now() + busy_timeout;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline
                    && interrupt::sleep(Duration::from_millis(5)) => {}
            done => return Ok(done?),
        }
    }
}

/// The file itself: its log has to lie beside it, whatever links lead there.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    if path.is_symlink() {
        let advice = "is a symbolic link that leads nowhere; remove it, or create its target";
        return fs::canonicalize(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => fault::unusable(path, advice),
            _ => fault::file(path, "cannot be reached", &error),
        });
    }
    let Some(name) = path.file_name() else {
        return Err(fault::unusable(path, "names no file"));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let advice = format!(
                "cannot be made: the folder {} does not exist; create it",
                folder.display()
            );
            Err(fault::unusable(path, &advice))
        }
        Err(error) => Err(fault::file(path, "cannot be reached", &error)),
    }
}

/// Refuses what cannot be an outbox; true if it is to be made.
fn check_kind(path: &Path) -> Result<bool, Error> {
    let found = fs::metadata(path);
    let size = match &found {
        Ok(metadata) if metadata.is_dir() => {
            return Err(fault::foreign(path, "is a folder"));
        }
        Ok(metadata) if !metadata.is_file() => {
            return Err(fault::foreign(path, "is not a regular file"));
        }
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(fault::file(path, "cannot be reached", error)),
    };
    let log = with_suffix(path, "-wal");
    if size == 0 && log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(fault::without_file(path, &log));
    }
    Ok(size == 0)
}

/// A file that everybody may read gets its owner's and group's rights only: it holds customers'
/// data. One of another owner stays as it is.
#[cfg(unix)]
fn keep_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS: u32 = 0o007;
    for path in ["", "-wal", "-shm"].map(|suffix| with_suffix(path, suffix)) {
        let rights = |metadata: Metadata| metadata.permissions().mode() & 0o777;
        let mode = path.metadata().map_or(0, rights);
        if mode & OTHERS == 0 {
            continue;
        }
        let private = fs::Permissions::from_mode(mode & !OTHERS);
        if fs::set_permissions(&path, private).is_ok() {
            log::warn!(
                target: "katalys",
                "everyone could read {}, which holds customers' data; it is now for its owner and \
                 group only",
                path.display()
            );
        }
    }
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) {}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
