//! Makes forks safe at any moment and on any thread.
//!
//! Before a fork, this thread takes the process-wide locks of `SQLite`, so that no other thread holds one
//! that the child would wait for. In the child, the descriptors of the parent are closed: their locks
//! belong to the open file description, which would otherwise exist as long as the child.

// `pthread_atfork` and SQLite's static mutexes have no safe interface.
#![allow(unsafe_code)]

use super::identity::Identity;
use rusqlite::ffi::{self, sqlite3_mutex, sqlite3_mutex_alloc};
use std::cell::UnsafeCell;
use std::fs::File;
use std::os::fd::{IntoRawFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The number of forks between the process that loaded the library and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    open: Vec::new(),
    parked: Vec::new(),
});
/// The lock on the registry during a fork.
static FORK_LOCK: ForkLock = ForkLock(UnsafeCell::new(None));
/// The static mutexes that the core of `SQLite` uses, in the order in which it nests them.
const MUTEXES: [i32; 8] = [
    ffi::SQLITE_MUTEX_STATIC_MAIN,
    ffi::SQLITE_MUTEX_STATIC_VFS1,
    ffi::SQLITE_MUTEX_STATIC_VFS2,
    ffi::SQLITE_MUTEX_STATIC_VFS3,
    ffi::SQLITE_MUTEX_STATIC_PRNG,
    ffi::SQLITE_MUTEX_STATIC_LRU,
    ffi::SQLITE_MUTEX_STATIC_PMEM,
    ffi::SQLITE_MUTEX_STATIC_MEM,
];

/// The descriptors of this file system in this process.
pub(super) struct Registry {
    /// All descriptors, to be closed in forked children.
    pub open: Vec<RawFd>,
    /// Descriptors that no connection uses, but that cannot be closed yet.
    pub parked: Vec<Parked>,
}

/// A descriptor of a file that another copy of `SQLite` in this process may have locked.
pub(super) struct Parked {
    pub file: File,
    pub identity: Identity,
    pub writes: bool,
}

struct ForkLock(UnsafeCell<Option<MutexGuard<'static, Registry>>>);

// SAFETY: only the thread that holds the lock on the registry accesses the content.
unsafe impl Sync for ForkLock {}

/// Identifies this process among its ancestors, as the number of forks.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

pub(super) fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers the handlers; has to be called before the first file is opened.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the three functions stay loaded for the life of the process, and do only what is
        // allowed around a fork.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    });
}

unsafe extern "C" fn before() {
    let held = registry();
    // SAFETY: this thread holds the lock.
    unsafe { *FORK_LOCK.0.get() = Some(held) };
    for id in MUTEXES {
        // SAFETY: these numbers name mutexes that always exist.
        unsafe { ffi::sqlite3_mutex_enter(mutex(id)) };
    }
}

unsafe extern "C" fn in_parent() {
    leave();
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // SAFETY: this thread, the only one of the child, holds the lock since before the fork.
    if let Some(held) = unsafe { &mut *FORK_LOCK.0.get() } {
        for descriptor in held.open.drain(..) {
            // SAFETY: it was open at the fork, and its users check the generation first.
            unsafe { libc::close(descriptor) };
        }
        for parked in held.parked.drain(..) {
            let _closed = parked.file.into_raw_fd();
        }
    }
    leave();
}

fn leave() {
    for id in MUTEXES.into_iter().rev() {
        // SAFETY: this thread entered it before the fork.
        unsafe { ffi::sqlite3_mutex_leave(mutex(id)) };
    }
    // SAFETY: this thread holds the lock, which is released here.
    drop(unsafe { (*FORK_LOCK.0.get()).take() });
}

fn mutex(id: i32) -> *mut sqlite3_mutex {
    // SAFETY: a static mutex is looked up, not allocated.
    unsafe { sqlite3_mutex_alloc(id) }
}
