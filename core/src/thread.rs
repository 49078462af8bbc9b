//! Starts the library's threads. They take no signals: which thread of a process gets a signal is
//! the system's choice, and a program that waits for one with `sigwait` must not lose it to a thread
//! that it does not know of.

use std::io;
use std::thread::Builder;

/// Enough for TLS and the caller's completion.
pub(crate) const STACK_SIZE: usize = 512 * 1024;

/// As [`spawn_with_large_stack`], with a small stack.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = Builder::new().name(name.to_owned());
    start(builder.stack_size(STACK_SIZE), run)
}

/// Starts a thread of the library, or of a binding, in which every signal is blocked except those
/// that report a fault of the thread itself. It has the stack of an ordinary thread.
///
/// # Errors
/// The system gives no thread.
pub fn spawn_with_large_stack(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start(Builder::new().name(name.to_owned()), run)
}

fn start(builder: Builder, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread begins with the mask of the one that starts it.
    let _blocked = signals::Blocked::new();
    builder.spawn(run).map(drop)
}

#[cfg(unix)]
mod signals {
    // Masks are the C library's; there is no safe interface to them.
    #![allow(unsafe_code)]

    use libc::{SIG_SETMASK, pthread_sigmask, sigdelset, sigfillset, sigset_t};
    use std::mem::MaybeUninit;
    use std::ptr;

    /// Signals that a thread raises by what it does. Blocked, they would end the process without
    /// its handlers being asked, and a crash would leave no report.
    const FAULTS: [i32; 7] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGABRT,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];

    /// While it lives, the calling thread takes no signals; then it has its own mask again.
    pub(super) struct Blocked {
        earlier: Option<sigset_t>,
    }

    impl Blocked {
        pub(super) fn new() -> Self {
            let mut mask = MaybeUninit::<sigset_t>::uninit();
            let mut earlier = MaybeUninit::<sigset_t>::uninit();
            // SAFETY: `sigfillset` initialises the mask that the other calls read; `earlier` is
            // read only if the call that writes it succeeded.
            unsafe {
                sigfillset(mask.as_mut_ptr());
                for fault in FAULTS {
                    sigdelset(mask.as_mut_ptr(), fault);
                }
                let refused = pthread_sigmask(SIG_SETMASK, mask.as_ptr(), earlier.as_mut_ptr());
                let earlier = (refused == 0).then(|| earlier.assume_init());
                Self { earlier }
            }
        }
    }

    impl Drop for Blocked {
        fn drop(&mut self) {
            if let Some(earlier) = &self.earlier {
                // SAFETY: the mask was written by `pthread_sigmask`, and none is asked for.
                unsafe { pthread_sigmask(SIG_SETMASK, earlier, ptr::null_mut()) };
            }
        }
    }
}

/// There are no signals to block.
#[cfg(not(unix))]
mod signals {
    pub(super) struct Blocked;

    impl Blocked {
        pub(super) fn new() -> Self {
            Self
        }
    }
}
