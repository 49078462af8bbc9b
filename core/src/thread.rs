//! Starts the threads of the library. They block signals: the system chooses the thread that gets a
//! signal, and a program that waits for one with `sigwait` must not lose it to a thread of the library.

use std::io;
use std::thread::Builder;

/// Enough for TLS and the completion of the caller.
pub(crate) const STACK_SIZE: usize = 512 * 1024;

/// Like [`spawn_with_large_stack`], with a small stack.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = Builder::new().name(name.to_owned());
    start(builder.stack_size(STACK_SIZE), run)
}

/// Starts a thread of the library or of a binding, in which all signals are blocked except those that
/// report a fault of the thread itself. It has the default stack size.
///
/// # Errors
/// The system cannot start a thread.
pub fn spawn_with_large_stack(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start(Builder::new().name(name.to_owned()), run)
}

fn start(builder: Builder, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread inherits the signal mask of the one that starts it.
    let _blocked = signals::Blocked::new();
    builder.spawn(run).map(drop)
}

#[cfg(unix)]
mod signals {
    // Signal masks have no safe interface.
    #![allow(unsafe_code)]

    use libc::{SIG_SETMASK, pthread_sigmask, sigdelset, sigfillset, sigset_t};
    use std::mem::MaybeUninit;
    use std::ptr;

    /// Signals that a thread causes itself. If they were blocked, a crash would end the process without
    /// calling its handlers, and leave no report.
    const FAULTS: [i32; 7] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGABRT,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];

    /// Blocks the signals of the calling thread until it is dropped.
    pub(super) struct Blocked {
        /// The mask to restore.
        earlier: Option<sigset_t>,
    }

    impl Blocked {
        pub(super) fn new() -> Self {
            let mut mask = MaybeUninit::<sigset_t>::uninit();
            let mut earlier = MaybeUninit::<sigset_t>::uninit();
            // SAFETY: `sigfillset` initialises the mask that the other calls read; `earlier` is read
            // only if the call that writes it succeeds.
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
                // SAFETY: `pthread_sigmask` wrote the mask, and the old one is not requested.
                unsafe { pthread_sigmask(SIG_SETMASK, earlier, ptr::null_mut()) };
            }
        }
    }
}

/// Other systems have no signals to block.
#[cfg(not(unix))]
mod signals {
    pub(super) struct Blocked;

    impl Blocked {
        pub(super) fn new() -> Self {
            Self
        }
    }
}
