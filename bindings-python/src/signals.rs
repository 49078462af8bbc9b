//! Makes waiting calls without the interpreter. On the thread that handles Python's signals,
//! handlers run during the wait, and the call ends as soon as one of them raises, as at Ctrl-C.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The interval at which signal handlers may run during a wait for another thread.
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
        let keep_waiting = move || match check_signals() {
            Ok(()) => true,
            Err(error) => {
                kept.replace(Some(error));
                false
            }
        };
        let result = katalys_core::watched(keep_waiting, call);
        (result, raised.take())
    });
    raised.map_or(Ok(result), Err)
}

/// Runs a task without the interpreter; on another thread if this one handles signals. The task
/// gets a flag that is set once the caller no longer waits.
///
/// # Errors
/// What a signal handler raised meanwhile; then the task continues without a caller.
pub fn wait_on_thread<T: Send + 'static>(
    py: Python<'_>,
    task: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> PyResult<T> {
    let is_cancelled = Arc::new(AtomicBool::new(false));
    if !handles_signals(py) {
        return Ok(py.detach(|| task(&is_cancelled)));
    }
    py.detach(move || {
        let (sender, answer) = mpsc::channel();
        let flag = Arc::clone(&is_cancelled);
        katalys_core::spawn_thread("katalys-command", move || {
            drop(sender.send(task(&flag)));
        })?;
        loop {
            match answer.recv_timeout(SLICE) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => check_signals().inspect_err(|_| {
                    is_cancelled.store(true, Ordering::Relaxed);
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
    // Without an interpreter, which is ending, there is nothing to check.
    Python::try_attach(|py| py.check_signals()).unwrap_or(Ok(()))
}

/// Whether this is Python's main thread. Cached per thread; in a forked child, the thread that forked
/// is the main one.
fn handles_signals(py: Python<'_>) -> bool {
    thread_local! {
        static CACHED: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
    }
    let process = std::process::id();
    if let Some((cached, is_main)) = CACHED.get()
        && cached == process
    {
        return is_main;
    }
    let is_main = is_main_thread(py, process);
    CACHED.set(Some((process, is_main)));
    is_main
}

/// Reads the thread from the system, not from `threading`, whose threads gevent may have replaced.
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
