//! The functions that `SQLite` calls for one file: each converts its arguments to safe ones, and the
//! result to a code.

// SQLite calls through C function pointers, with handles in memory that it allocates.
#![allow(unsafe_code)]

use super::codes::{done, failure, locked};
use super::file::{Level, OutboxFile};
use super::locks::Lock;
use super::shared::{Obstacle, SharedIndex};
use super::status::{FileStatus, Place};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods};
use std::ffi::{c_int, c_void};
use std::io::ErrorKind;
use std::{ptr, slice};

/// The file control that reads the status of a file; its argument points to an
/// `Option<FileStatus>`.
pub(super) const FILE_STATUS: c_int = 0x4b61;

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
pub(super) const HANDLE_SIZE: c_int = size_of::<Handle>() as c_int;

/// The memory that `SQLite` allocates for a file.
#[repr(C)]
struct Handle {
    base: sqlite3_file,
    file: *mut OutboxFile,
}

/// Makes `file` the content of a handle, and gives it the methods.
///
/// # Safety
/// `handle` must be memory that `SQLite` allocated, of at least [`HANDLE_SIZE`] bytes.
pub(super) unsafe fn attach(handle: *mut sqlite3_file, file: OutboxFile) {
    // SAFETY: as promised by the caller.
    unsafe {
        (*handle.cast::<Handle>()).file = Box::into_raw(Box::new(file));
        (*handle).pMethods = &raw const METHODS;
    }
}

/// # Safety
/// `handle` must have been filled by [`attach`], and not closed since.
unsafe fn file<'f>(handle: *mut sqlite3_file) -> &'f mut OutboxFile {
    // SAFETY: `attach` stored a file there, which `close` removes; SQLite uses a handle on one thread at
    // a time.
    unsafe { &mut *(*handle.cast::<Handle>()).file }
}

unsafe extern "C" fn close(handle: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a handle that it opened, once.
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
            // SAFETY: SQLite provides memory for the result.
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
            // SAFETY: SQLite provides memory for the result.
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
        // SAFETY: only `file_status` sends this control, with memory for the result.
        FILE_STATUS => unsafe { *argument.cast::<Option<FileStatus>>() = Some(file.status()) },
        // SAFETY: SQLite provides memory for the number.
        ffi::SQLITE_FCNTL_LOCKSTATE => unsafe { *number = file.level() as c_int },
        // The log of a moved file must not be deleted: it would be deleted by its name, which another
        // outbox may have now.
        // SAFETY: SQLite provides memory for the number.
        ffi::SQLITE_FCNTL_HAS_MOVED | ffi::SQLITE_FCNTL_PERSIST_WAL => unsafe {
            *number = c_int::from(file.place() != Place::AtPath);
        },
        // SAFETY: SQLite provides memory for the number.
        ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE => unsafe { *number = 1 },
        ffi::SQLITE_FCNTL_SIZE_HINT | ffi::SQLITE_FCNTL_CHUNK_SIZE => {}
        _ => return ffi::SQLITE_NOTFOUND,
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    4096
}

/// The same as in `SQLite`'s own file system.
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
    // SAFETY: SQLite provides memory for the result.
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
            // SAFETY: SQLite provides memory for the result.
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

/// A size or an index from `SQLite`, which is never negative.
pub(super) fn size(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}
