//! Opens the file: creates it for its owner only, configures `SQLite`, and refuses other files without
//! changing them.

use super::fault::{self, Fault};
use super::format::with_suffix;
use super::migration;
use super::vfs::{self, FileStatus};
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

/// The page size of a new file in bytes. A commit changes little in each of a few pages, so small ones
/// are faster.
const PAGE_SIZE: i64 = 2048;
/// A commit checkpoints only if no other thread has done so for this many pages (64 MiB).
const MAX_LOG_PAGES: i64 = (64 << 20) / PAGE_SIZE;
/// The maximum size of the log on disk after a checkpoint, in bytes.
const KEPT_LOG: i64 = 16 << 20;
/// The page cache in KiB.
const CACHE: i64 = 4096;
/// Maximum number of cached prepared statements.
const STATEMENTS: usize = 64;

/// An open outbox.
pub(super) struct Opened {
    pub connection: Connection,
    pub clock: Clock,
    /// The file itself, without symbolic links.
    pub path: PathBuf,
    pub status: Option<FileStatus>,
}

/// Opens or creates the outbox. `busy_timeout` is how long to wait for another process that writes.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    busy_timeout: Duration,
) -> Result<Opened, Error> {
    let path = resolve(path)?;
    let is_new = check_is_new(&path)?;
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
    let status = vfs::file_status(&connection);
    if status.is_some_and(|status| status.has_foreign_log) {
        return Err(fault::moved(path).into());
    }
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "secure_delete", true)?;
    let clock = migration::prepare(&mut connection)?;
    enable_log(&connection, busy_timeout)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", MAX_LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", KEPT_LOG)?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    set_checkpoint_on_close(&connection, true);
    restrict_permissions(path);
    Ok(Opened {
        connection,
        clock,
        path: path.to_owned(),
        status,
    })
}

/// A connection with secure defaults: it does not trust the schema of the file, and does not checkpoint
/// when it is closed.
pub(super) fn connect(
    path: &Path,
    mode: OpenFlags,
    creates: bool,
    busy_timeout: Duration,
) -> Result<Connection, Fault> {
    let mut flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, creates);
    let connection = vfs::connect(path, flags).map_err(|error| fault::unopened(path, &error))?;
    configure(&connection, busy_timeout)?;
    Ok(connection)
}

/// A read-only connection without locks or further files, for a file that no process changes.
pub(super) fn connect_immutable(path: &Path, busy_timeout: Duration) -> Result<Connection, Fault> {
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
    configure(&connection, busy_timeout)?;
    Ok(connection)
}

fn configure(connection: &Connection, busy_timeout: Duration) -> Result<(), Fault> {
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

/// Sets whether the last connection checkpoints when it is closed. After a failure it must not: the log
/// may hold all that is left.
pub(super) fn set_checkpoint_on_close(connection: &Connection, is_on: bool) {
    let switch = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let _ = connection.set_db_config(switch, !is_on); // Without it, the next process has more to do.
}

/// Switches to a write-ahead log. This needs the file exclusively for a moment, and `SQLite` does not wait
/// for that.
fn enable_log(connection: &Connection, busy_timeout: Duration) -> Result<(), Fault> {
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

/// The file without symbolic links: its log has to be in the same folder.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    if path.is_symlink() {
        let advice = "is a symbolic link without a target; remove it, or create the target";
        return fs::canonicalize(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => fault::unusable(path, advice),
            _ => fault::file(path, "cannot be reached", &error),
        });
    }
    let Some(name) = path.file_name() else {
        return Err(fault::unusable(path, "is not the path of a file"));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let advice = format!(
                "cannot be created: the folder {} does not exist; create it",
                folder.display()
            );
            Err(fault::unusable(path, &advice))
        }
        Err(error) => Err(fault::file(path, "cannot be reached", &error)),
    }
}

/// Refuses what cannot be an outbox; returns whether the file is new.
fn check_is_new(path: &Path) -> Result<bool, Error> {
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

/// Removes the permissions of other users, since the file holds customer data. A file of another owner
/// stays as it is.
#[cfg(unix)]
fn restrict_permissions(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS: u32 = 0o007;
    for path in ["", "-wal", "-shm"].map(|suffix| with_suffix(path, suffix)) {
        let permissions = |metadata: Metadata| metadata.permissions().mode() & 0o777;
        let mode = path.metadata().map_or(0, permissions);
        if mode & OTHERS == 0 {
            continue;
        }
        let private = fs::Permissions::from_mode(mode & !OTHERS);
        if fs::set_permissions(&path, private).is_ok() {
            log::warn!(
                target: "katalys",
                "{}, which holds customer data, was accessible to all users; now only to its owner and \
                 group",
                path.display()
            );
        }
    }
}

#[cfg(not(unix))]
fn restrict_permissions(_path: &Path) {}
