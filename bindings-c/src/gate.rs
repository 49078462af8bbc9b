//! Guards the calls of an observer: none begins once the client is closed, and closing waits for
//! the last one.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Passes calls of an observer until it is closed. It has no lock that a fork could leave locked.
#[derive(Default)]
pub(crate) struct Gate {
    is_closed: AtomicBool,
    /// The process in which the observer is running, or 0.
    running: AtomicU32,
}

thread_local! {
    static IS_OBSERVER: Cell<bool> = const { Cell::new(false) };
}

impl Gate {
    pub fn pass(&self, call: impl FnOnce()) {
        // Stored before the check; close() does both in the opposite order.
        self.running.store(std::process::id(), Ordering::SeqCst);
        if !self.is_closed.load(Ordering::SeqCst) {
            IS_OBSERVER.set(true);
            call();
            IS_OBSERVER.set(false);
        }
        self.running.store(0, Ordering::SeqCst);
    }

    /// Closes the gate and waits until the observer has returned, up to `timeout`. Does not wait on
    /// the observer's own thread.
    pub fn close(&self, timeout: Option<Duration>) {
        const PAUSE: Duration = Duration::from_millis(1);
        self.is_closed.store(true, Ordering::SeqCst);
        let began = Instant::now();
        while self.running.load(Ordering::SeqCst) == std::process::id() && !IS_OBSERVER.get() {
            if timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    #[test]
    fn no_call_begins_after_closing_which_waits_for_the_last_one() {
        let gate = Arc::new(Gate::default());
        let (began, has_begun) = channel();
        let (release, is_released) = channel::<()>();
        let passing = Arc::clone(&gate);
        let observer = thread::spawn(move || {
            passing.pass(|| {
                began.send(()).unwrap();
                let _ = is_released.recv();
            });
        });
        has_begun.recv().unwrap();
        gate.close(Some(Duration::ZERO));
        drop(release);
        gate.close(None);
        gate.pass(|| panic!("the gate is closed"));
        observer.join().unwrap();
    }
}
