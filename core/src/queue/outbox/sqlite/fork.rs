//! Lets a forked child use a file that its parent had open.
//!
//! `SQLite` keeps one list of open files per process, by device and inode, with the locks it holds
//! on each. A child inherits that list, but the system gives it none of the locks: it would take
//! its parent's for its own. So each process sees inode numbers of its own, and finds nothing of
//! its parent's in the list. Both system calls that answer with an inode have to agree.

#[cfg(unix)]
pub(super) use unix::separate_processes;

/// Without `fork` there is nothing to separate.
#[cfg(not(unix))]
pub(super) fn separate_processes() {}

#[cfg(unix)]
mod unix {
    // Only through these can SQLite be told of it: there is no safe interface.
    #![allow(unsafe_code)]

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    use libc::{fstat as system_fstat, stat as system_stat};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use libc::{fstat64 as system_fstat, stat64 as system_stat};
    use rusqlite::ffi::{
        SQLITE_CONFIG_MEMSTATUS, sqlite3_config, sqlite3_syscall_ptr, sqlite3_vfs_find,
    };
    use std::ffi::{c_char, c_int};
    use std::ptr;
    use std::sync::Once;

    type Stat = unsafe extern "C" fn(*const c_char, *mut system_stat) -> c_int;
    type Fstat = unsafe extern "C" fn(c_int, *mut system_stat) -> c_int;

    /// Has to come before the first file is opened.
    pub(in super::super) fn separate_processes() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // Its count of memory in use, which nobody here asks for, is behind a lock that
            // another thread may hold at the fork.
            // SAFETY: this setting takes one integer; once SQLite is in use it is refused.
            unsafe { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0_i32) };
            // SAFETY: the two have the signatures that SQLite calls under these names, and it
            // was compiled with 64-bit file offsets, as `system_stat` is.
            unsafe {
                let (stat, fstat): (Stat, Fstat) = (own_stat, own_fstat);
                replace(c"stat".as_ptr(), std::mem::transmute::<Stat, Call>(stat));
                replace(c"fstat".as_ptr(), std::mem::transmute::<Fstat, Call>(fstat));
            }
        });
    }

    type Call = unsafe extern "C" fn();

    /// # Safety
    /// `call` must have the signature that `SQLite` expects under this name.
    unsafe fn replace(name: *const c_char, call: Call) {
        // SAFETY: the default file system exists for as long as the process does.
        unsafe {
            let system = sqlite3_vfs_find(ptr::null());
            if let Some(set) = system.as_ref().and_then(|system| system.xSetSystemCall) {
                let call: sqlite3_syscall_ptr = Some(call);
                set(system, name, call);
            }
        }
    }

    unsafe extern "C" fn own_stat(path: *const c_char, found: *mut system_stat) -> c_int {
        // SAFETY: the arguments are the caller's, unchanged.
        let result = unsafe { system_stat(path, found) };
        if result == 0 {
            // SAFETY: on success the system has filled it in.
            unsafe { make_own(&mut *found) };
        }
        result
    }

    unsafe extern "C" fn own_fstat(file: c_int, found: *mut system_stat) -> c_int {
        // SAFETY: the arguments are the caller's, unchanged.
        let result = unsafe { system_fstat(file, found) };
        if result == 0 {
            // SAFETY: on success the system has filled it in.
            unsafe { make_own(&mut *found) };
        }
        result
    }

    /// Inode numbers leave their highest bits alone, so that two files stay two.
    fn make_own(found: &mut system_stat) {
        found.st_ino ^= u64::from(std::process::id()).rotate_left(32);
    }
}
