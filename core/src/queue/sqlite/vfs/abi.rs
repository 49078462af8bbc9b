//! The functions that `SQLite` calls for the file system as a whole, and its registration.

// SQLite calls through C function pointers, with handles in memory that it allocates.
#![allow(unsafe_code)]

use super::codes::{done, failure, forget_last_error, last_error_number};
use super::file::{OutboxFile, Role, sync_directory};
use super::fork;
use super::methods::{FILE_STATUS, HANDLE_SIZE, attach, size};
use super::status::FileStatus;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};
use rusqlite::{Connection, OpenFlags};
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, ptr, slice, thread};

const NAME: &CStr = c"katalys";
const MAX_PATH: c_int = 4096;

/// Opens a connection that uses this file system.
pub(in super::super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    register();
    forget_last_error();
    Connection::open_with_flags_and_vfs(path, flags, NAME)
}

/// The status of the file of a connection.
pub(in super::super) fn file_status(connection: &Connection) -> Option<FileStatus> {
    let mut status = None::<FileStatus>;
    let argument = (&raw mut status).cast();
    // SAFETY: the connection is open, and `control` fills the argument.
    unsafe {
        ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), FILE_STATUS, argument)
    };
    status
}

fn register() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        fork::prepare();
        let vfs = Box::leak(Box::new(vfs()));
        // SAFETY: it is complete, and lives as long as the process. It is not the default, so no other
        // connection of the process uses it.
        unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
    });
}

fn vfs() -> sqlite3_vfs {
    sqlite3_vfs {
        iVersion: 2,
        szOsFile: HANDLE_SIZE,
        mxPathname: MAX_PATH,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(get_last_error),
        xCurrentTimeInt64: Some(current_time_millis),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// # Safety
/// `text` must be null or a C string that outlives the result.
unsafe fn path<'p>(text: *const c_char) -> Option<&'p Path> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    Some(Path::new(OsStr::from_bytes(text.to_bytes())))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    handle: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite provides memory for a handle; one without methods is not closed.
    unsafe { (*handle).pMethods = ptr::null() };
    // SAFETY: SQLite's names are C strings, or null for temporary files, of which there are none.
    let Some(path) = (unsafe { path(name) }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let role = match flags & ffi::SQLITE_OPEN_MAIN_DB {
        0 => Role::Companion,
        _ => Role::Database,
    };
    let writes = flags & ffi::SQLITE_OPEN_READWRITE != 0;
    let creates = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let mut granted = flags;
    let mut opened = OutboxFile::open(path.to_owned(), role, writes, creates);
    if let Err(error) = &opened
        && role == Role::Companion
        && matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        )
    {
        // SQLite expects this for the log of a file that is read-only.
        granted &= !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE);
        granted |= ffi::SQLITE_OPEN_READONLY;
        opened = OutboxFile::open(path.to_owned(), role, false, false);
    }
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::InvalidData => return ffi::SQLITE_NOTADB,
        Err(error) => return failure(&error, ffi::SQLITE_CANTOPEN),
    };
    // SAFETY: SQLite allocates `szOsFile` bytes for a handle, and provides memory for the flags unless the
    // pointer is null.
    unsafe {
        attach(handle, file);
        if !out_flags.is_null() {
            *out_flags = granted;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    syncs_directory: c_int,
) -> c_int {
    // SAFETY: SQLite's names are C strings.
    let Some(path) = (unsafe { path(name) }) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(error) => failure(&error, ffi::SQLITE_IOERR_DELETE),
        Ok(()) if syncs_directory != 0 => done(sync_directory(path), ffi::SQLITE_IOERR_DIR_FSYNC),
        Ok(()) => ffi::SQLITE_OK,
    }
}

/// Whether a journal or a log exists; an empty one counts as none.
unsafe extern "C" fn access(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's names are C strings.
    let path = unsafe { path(name) };
    let found = path.map(fs::metadata);
    if let Some(Err(error)) = &found
        && error.kind() != ErrorKind::NotFound
    {
        return failure(error, ffi::SQLITE_IOERR_ACCESS);
    }
    let is_there = found.is_some_and(|found| found.is_ok_and(|metadata| metadata.len() > 0));
    // SAFETY: SQLite provides memory for the result.
    unsafe { *result = c_int::from(is_there) };
    ffi::SQLITE_OK
}

/// Copies the path, which is absolute already.
unsafe extern "C" fn full_path(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    capacity: c_int,
    result: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's names are C strings.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > size(capacity) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: the buffer has this capacity, which was compared.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr(), result.cast(), name.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, amount: c_int, bytes: *mut c_char) -> c_int {
    // SAFETY: the buffer has this size.
    let bytes = unsafe { slice::from_raw_parts_mut(bytes.cast::<u8>(), size(amount)) };
    match getrandom::fill(bytes) {
        Ok(()) => amount,
        Err(_) => 0,
    }
}

unsafe extern "C" fn sleep(_: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    thread::sleep(Duration::from_micros(size(microseconds) as u64));
    microseconds
}

/// Milliseconds since the beginning of the Julian calendar, as `SQLite` counts.
fn julian_millis() -> i64 {
    const UNIX_EPOCH_MILLIS: i64 = 24_405_875 * 8_640_000;
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    UNIX_EPOCH_MILLIS + i64::try_from(millis).unwrap_or(0)
}

unsafe extern "C" fn current_time(_: *mut sqlite3_vfs, days: *mut f64) -> c_int {
    #[allow(clippy::cast_precision_loss, reason = "as SQLite defines it")]
    let now = julian_millis() as f64 / 86_400_000.0;
    // SAFETY: SQLite provides memory for the result.
    unsafe { *days = now };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_millis(_: *mut sqlite3_vfs, millis: *mut i64) -> c_int {
    // SAFETY: SQLite provides memory for the result.
    unsafe { *millis = julian_millis() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn get_last_error(_: *mut sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    last_error_number()
}
