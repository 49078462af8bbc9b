//! What `SQLite` calls: each function turns its arguments into safe ones, and a result into a code.

// SQLite calls through C function pointers, with handles in memory that it allocates.
#![allow(unsafe_code)]

use super::file::{Level, OutboxFile, Role, sync_directory};
use super::locks::Lock;
use super::shared::{Obstacle, SharedIndex};
use super::{Place, Standing, fork};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};
use rusqlite::{Connection, OpenFlags};
use std::cell::Cell;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, ptr, slice, thread};

const NAME: &CStr = c"katalys";
const LONGEST_PATH: c_int = 4096;
/// Asks a file where it is by now; the argument points to a [`Standing`].
const STANDING: c_int = 0x4b61;

thread_local! {
    /// The system's error behind the last failure on this thread, which SQLite's codes don't name.
    static LAST_ERROR: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Opens a connection whose files are this file system's.
pub(in super::super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    register();
    LAST_ERROR.set(None);
    Connection::open_with_flags_and_vfs(path, flags, NAME)
}

/// The system's error behind the last failure on this thread; takes it away.
pub(in super::super) fn last_error() -> Option<Error> {
    LAST_ERROR.take().map(Error::from_raw_os_error)
}

/// How the file of a connection stands by now.
pub(in super::super) fn standing_of(connection: &Connection) -> Option<Standing> {
    let mut standing = None::<Standing>;
    let argument = (&raw mut standing).cast();
    // SAFETY: the handle is that of an open connection, and the argument is what `control` fills.
    unsafe { ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), STANDING, argument) };
    standing
}

fn register() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        fork::prepare();
        let vfs = Box::leak(Box::new(vfs()));
        // SAFETY: it is complete, and lives as long as the process. Not the default one, so no
        // other connection of the process meets it.
        unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
    });
}

fn vfs() -> sqlite3_vfs {
    sqlite3_vfs {
        iVersion: 2,
        szOsFile: HANDLE_SIZE,
        mxPathname: LONGEST_PATH,
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

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(index_map),
    xShmLock: Some(index_lock),
    xShmBarrier: Some(index_barrier),
    xShmUnmap: Some(index_unmap),
    xFetch: None,
    xUnfetch: None,
};

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "two pointers"
)]
const HANDLE_SIZE: c_int = size_of::<Handle>() as c_int;

/// What `SQLite` allocates for a file.
#[repr(C)]
struct Handle {
    base: sqlite3_file,
    file: *mut OutboxFile,
}

/// # Safety
/// `handle` must have been opened by [`open`], and not closed since.
unsafe fn file<'f>(handle: *mut sqlite3_file) -> &'f mut OutboxFile {
    // SAFETY: `open` stored a file there, which `close` takes away; SQLite uses a handle on one
    // thread at a time.
    unsafe { &mut *(*handle.cast::<Handle>()).file }
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

fn failure(error: &Error, code: c_int) -> c_int {
    LAST_ERROR.set(error.raw_os_error());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ffi::SQLITE_FULL,
        _ => code,
    }
}

fn done(result: Result<(), Error>, code: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) => failure(&error, code),
    }
}

fn locked(result: Result<bool, Error>, code: c_int) -> c_int {
    match result {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(error) => failure(&error, code),
    }
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    handle: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives memory for a handle; without methods it is not closed.
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
        // As SQLite expects it of the log of a file that may only be read.
        granted &= !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE);
        granted |= ffi::SQLITE_OPEN_READONLY;
        opened = OutboxFile::open(path.to_owned(), role, false, false);
    }
    let file = match opened {
        Ok(file) => Box::new(file),
        Err(error) if error.kind() == ErrorKind::InvalidData => return ffi::SQLITE_NOTADB,
        Err(error) => return failure(&error, ffi::SQLITE_CANTOPEN),
    };
    // SAFETY: the handle is SQLite's memory, large enough as `szOsFile` says.
    unsafe {
        (*handle.cast::<Handle>()).file = Box::into_raw(file);
        (*handle).pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = granted;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(handle: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes what it opened, once.
    drop(unsafe { Box::from_raw((*handle.cast::<Handle>()).file) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    handle: *mut sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the buffer is SQLite's, of that size.
    let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast::<u8>(), size(amount)) };
    // SAFETY: the handle is open.
    match unsafe { file(handle) }.read(buffer, offset.cast_unsigned()) {
        Ok(read) if read == buffer.len() => ffi::SQLITE_OK,
        Ok(read) => {
            buffer[read..].fill(0);
            ffi::SQLITE_IOERR_SHORT_READ
        }
        Err(error) => failure(&error, ffi::SQLITE_IOERR_READ),
    }
}

unsafe extern "C" fn write(
    handle: *mut sqlite3_file,
    bytes: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the bytes are SQLite's, of that size.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), size(amount)) };
    // SAFETY: the handle is open.
    let written = unsafe { file(handle) }.write(bytes, offset.cast_unsigned());
    done(written, ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(handle: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: the handle is open.
    let cut = unsafe { file(handle) }.truncate(size.cast_unsigned());
    done(cut, ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(handle: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the handle is open.
    done(unsafe { file(handle) }.sync(), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(handle: *mut sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: the handle is open.
    match unsafe { file(handle) }.size() {
        Ok(found) => {
            // SAFETY: SQLite gives a place for the answer.
            unsafe { *size = found.cast_signed() };
            ffi::SQLITE_OK
        }
        Err(error) => failure(&error, ffi::SQLITE_IOERR_FSTAT),
    }
}

unsafe extern "C" fn lock(handle: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the handle is open.
    let result = unsafe { file(handle) }.lock(Level::from_number(level));
    locked(result, ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(handle: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the handle is open.
    let result = unsafe { file(handle) }.unlock(Level::from_number(level));
    done(result, ffi::SQLITE_IOERR_UNLOCK)
}

unsafe extern "C" fn check_reserved_lock(handle: *mut sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: the handle is open.
    match unsafe { file(handle) }.is_reserved() {
        Ok(is_reserved) => {
            // SAFETY: SQLite gives a place for the answer.
            unsafe { *result = c_int::from(is_reserved) };
            ffi::SQLITE_OK
        }
        Err(error) => failure(&error, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK),
    }
}

unsafe extern "C" fn control(
    handle: *mut sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the handle is open.
    let file = unsafe { file(handle) };
    let number = argument.cast::<c_int>();
    match operation {
        // SAFETY: only `standing_of` asks this, with a place for the answer.
        STANDING => unsafe { *argument.cast::<Option<Standing>>() = Some(file.standing()) },
        // SAFETY: SQLite gives a place for the number.
        ffi::SQLITE_FCNTL_LOCKSTATE => unsafe { *number = file.level() as c_int },
        // Once the file has moved, its log is not to be deleted either: that goes by the name, which
        // may be another outbox's.
        // SAFETY: SQLite gives a place for the number.
        ffi::SQLITE_FCNTL_HAS_MOVED | ffi::SQLITE_FCNTL_PERSIST_WAL => unsafe {
            *number = c_int::from(file.place() != Place::There);
        },
        // SAFETY: SQLite gives a place for the number.
        ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE => unsafe { *number = 1 },
        ffi::SQLITE_FCNTL_SIZE_HINT | ffi::SQLITE_FCNTL_CHUNK_SIZE => {}
        _ => return ffi::SQLITE_NOTFOUND,
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    4096
}

/// As `SQLite`'s own file system says of every disk.
unsafe extern "C" fn characteristics(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn index_map(
    handle: *mut sqlite3_file,
    region: c_int,
    region_size: c_int,
    extends: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *memory = ptr::null_mut() };
    // SAFETY: the handle is open.
    let file = unsafe { file(handle) };
    if !file.is_own() {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    let index = match file.index() {
        Ok(index) => index,
        Err(obstacle) => return refusal(&obstacle),
    };
    match index.region(size(region), size(region_size), extends != 0) {
        Ok(found) => {
            let found = found.map_or(ptr::null_mut(), |start| start.as_ptr().cast());
            // SAFETY: SQLite gives a place for the answer.
            unsafe { *memory = found };
            if index.is_read_only() {
                return ffi::SQLITE_READONLY;
            }
            ffi::SQLITE_OK
        }
        Err(error) => failure(&error, ffi::SQLITE_IOERR_SHMMAP),
    }
}

fn refusal(obstacle: &Obstacle) -> c_int {
    match obstacle {
        Obstacle::Busy => ffi::SQLITE_BUSY,
        Obstacle::ReadOnlyUnused => ffi::SQLITE_READONLY_CANTINIT,
        Obstacle::System(error) if error.kind() == ErrorKind::NotFound => {
            ffi::SQLITE_READONLY_CANTINIT
        }
        Obstacle::System(error) => failure(error, ffi::SQLITE_IOERR_SHMOPEN),
    }
}

unsafe extern "C" fn index_lock(
    handle: *mut sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: the handle is open.
    let Some(index) = (unsafe { file(handle) }).index.as_mut() else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    let (Ok(first), Ok(count)) = (u8::try_from(first), u8::try_from(count)) else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    let result = if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        index.unlock(first, count)
    } else if flags & ffi::SQLITE_SHM_SHARED != 0 {
        index.lock(first, count, Lock::Shared)
    } else {
        index.lock(first, count, Lock::Exclusive)
    };
    locked(result, ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn index_barrier(_: *mut sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn index_unmap(handle: *mut sqlite3_file, deletes: c_int) -> c_int {
    // SAFETY: the handle is open.
    let index = unsafe { file(handle) }.index.take();
    if deletes != 0 {
        index.as_ref().map(SharedIndex::delete);
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

/// `SQLite` asks whether there is a journal or a log; an empty one counts as none.
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
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *result = c_int::from(is_there) };
    ffi::SQLITE_OK
}

/// Paths are made absolute before they come here.
unsafe extern "C" fn full_path(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    result: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's names are C strings.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > size(room) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: SQLite gives that much room, which was compared.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr(), result.cast(), name.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, amount: c_int, bytes: *mut c_char) -> c_int {
    // SAFETY: SQLite gives that much room.
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

/// Milliseconds since the beginning of the Julian calendar, which is how `SQLite` counts.
fn julian_millis() -> i64 {
    const UNIX_EPOCH_MILLIS: i64 = 24_405_875 * 8_640_000;
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    UNIX_EPOCH_MILLIS + i64::try_from(millis).unwrap_or(0)
}

unsafe extern "C" fn current_time(_: *mut sqlite3_vfs, days: *mut f64) -> c_int {
    #[allow(clippy::cast_precision_loss, reason = "as SQLite defines it")]
    let now = julian_millis() as f64 / 86_400_000.0;
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *days = now };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_millis(_: *mut sqlite3_vfs, millis: *mut i64) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *millis = julian_millis() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn get_last_error(_: *mut sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    LAST_ERROR.get().unwrap_or(0)
}

fn size(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}
