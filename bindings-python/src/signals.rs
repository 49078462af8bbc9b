//! Calls that wait. On the thread that handles Python's signals, a wait lets handlers run, and ends
//! as soon as one of them raises, as at Ctrl-C.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often a wait for another thread lets signal handlers run.
const SLICE: Duration = Duration::from_millis(40);

/// Runs the call without the interpreter, on this thread.
///
/// # Errors
/// What a signal handler raised meanwhile; then the call ended early.
pub fn wait<T: Send>(py: Python<'_>, call: impl FnOnce() -> T + Send) -> PyResult<T> {
    if !handles_signals(py) {
        return Ok(py.detach(call));
    }
    let (result, raised) = py.detach(|| {
        let raised = Rc::new(RefCell::new(None));
        let kept = Rc::clone(&raised);
        let goes_on = move || match check_signals() {
            Ok(()) => true,
            Err(error) => {
                kept.replace(Some(error));
                false
            }
        };
        let result = katalys_core::watched(goes_on, call);
        (result, raised.take())
    });
    raised.map_or(Ok(result), Err)
}

/// Runs a task without the interpreter; on a thread of its own if this one handles signals. The
/// task is told when no caller waits for it any more.
///
/// # Errors
/// What a signal handler raised meanwhile; then the task goes on by itself.
pub fn wait_beside<T: Send + 'static>(
    py: Python<'_>,
    task: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> PyResult<T> {
    let is_given_up = Arc::new(AtomicBool::new(false));
    if !handles_signals(py) {
        return Ok(py.detach(|| task(&is_given_up)));
    }
    py.detach(move || {
        let (sender, answer) = mpsc::channel();
        let flag = Arc::clone(&is_given_up);
        katalys_core::spawn_thread("katalys-ask", move || {
            drop(sender.send(task(&flag)));
        })?;
        loop {
            match answer.recv_timeout(SLICE) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => check_signals().inspect_err(|_| {
                    is_given_up.store(true, Ordering::Relaxed);
                })?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err("a background thread panicked"));
                }
            }
        }
    })
}

#[allow(
    clippy::redundant_closure_for_method_calls,
    reason = "the method alone is bound to one lifetime"
)]
fn check_signals() -> PyResult<()> {
    // While the interpreter ends there is none to check.
    Python::try_attach(|py| py.check_signals()).unwrap_or(Ok(()))
}

/// Whether this is Python's main thread. Remembered for each thread; in a forked child, the thread
/// that forked is the main one.
fn handles_signals(py: Python<'_>) -> bool {
    thread_local! {
        static KNOWN: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
    }
    let process = std::process::id();
    if let Some((known, is_main)) = KNOWN.get()
        && known == process
    {
        return is_main;
    }
    let is_main = is_main_thread(py, process);
    KNOWN.set(Some((process, is_main)));
    is_main
}

/// The system knows better than `threading`, whose idea of threads gevent may have replaced.
#[cfg(target_os = "linux")]
fn is_main_thread(_py: Python<'_>, process: u32) -> bool {
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    u32::try_from(thread).is_ok_and(|thread| thread == process)
}

#[cfg(not(target_os = "linux"))]
fn is_main_thread(py: Python<'_>, _process: u32) -> bool {
    let ask = || -> PyResult<bool> {
        let threading = py.import("threading")?;
        let main = threading.call_method0("main_thread")?;
        Ok(main.is(&threading.call_method0("current_thread")?))
    };
    ask().unwrap_or(false)
}
