//! Passes events of the outbox to Python's logging and to the caller's callback.
//!
//! Events arrive on a thread of the core. Python code must not run there: before Python 3.14 a
//! thread that is in Python when the interpreter ends is unwound, and that crashes in frames of
//! Rust. So each batch is handed to a new thread that Python starts, and the core's thread waits for
//! it without the interpreter. Only `close` waits for that thread, and no longer than its timeout.

use crate::outbox::python_module;
use crate::results::record;
use crate::{core_log, errors, gevent};
use katalys_core::bridge::Bridge as _;
use katalys_core::results::Level;
use katalys_core::{Client, Error, Event, EventKind};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Levels that a logger may have turned off. Events of a higher level are always logged.
const OPTIONAL_LEVELS: [Level; 2] = [Level::Debug, Level::Info];

/// The caller's `on_event`, if there is one. Locked only by threads that hold the interpreter and
/// without a call to it meanwhile, so that no fork finds it locked.
#[derive(Clone)]
pub struct Listener(Arc<Mutex<Option<Py<PyAny>>>>);

impl Listener {
    /// # Errors
    /// `katalys.Error` (`misuse`) if `callback` cannot be called.
    pub fn new(py: Python<'_>, callback: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        if callback
            .as_ref()
            .is_some_and(|callback| !callback.is_callable())
        {
            let text = "on_event must be callable with an event";
            return Err(errors::raised(py, &Error::misuse(text)));
        }
        Ok(Self(Arc::new(Mutex::new(callback.map(Bound::unbind)))))
    }

    /// Passes events to the logger and the callback from now on.
    ///
    /// # Errors
    /// Whatever the import of the Python module raises.
    pub fn attach(&self, py: Python<'_>, client: &Client) -> PyResult<()> {
        Starter::get(py)?;
        let listener = self.clone();
        client.observe(move |events| {
            let (running, is_done) = mpsc::channel();
            let batch = Batch {
                events: events.to_vec(),
                listener: listener.clone(),
                running: Mutex::new(Some(running)),
            };
            match Python::try_attach(|py| batch.start(py).is_ok()) {
                Some(true) => drop(is_done.recv()),
                Some(false) => core_log::log_lost_events(events.len()),
                None => {} // The interpreter ends: no listener is left.
            }
        });
        Ok(())
    }

    /// Makes the core create only events that the callback or the logger takes; the level of a
    /// logger may change at any time. If the logger fails, the update is still sent.
    ///
    /// # Errors
    /// Exceptions that are not an `Exception`.
    pub fn adjust(&self, py: Python<'_>, client: &Client) -> PyResult<()> {
        let kinds = match self.wanted(py) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                error.write_unraisable(py, None);
                at_least(Level::Warning)
            }
            kinds => kinds?,
        };
        client.listen_for(&kinds);
        core_log::flush(py);
        Ok(())
    }

    fn wanted(&self, py: Python<'_>) -> PyResult<Vec<EventKind>> {
        if self.callback(py).is_some() {
            return Ok(EventKind::ALL.to_vec());
        }
        for level in OPTIONAL_LEVELS {
            if is_logged(py, level)? {
                return Ok(at_least(level));
            }
        }
        Ok(at_least(Level::Warning))
    }

    fn callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let callback = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callback.as_ref().map(|callback| callback.clone_ref(py))
    }

    /// For the garbage collector: the callback may refer to the client.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_lock() {
            Ok(callback) => visit.call(&*callback),
            Err(_) => Ok(()),
        }
    }

    pub fn clear(&self) {
        let callback = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(callback); // Unlocked: this may run any code.
    }
}

/// Reports an exception that no caller could catch, by `sys.unraisablehook`.
#[pyfunction]
pub fn report(error: Bound<'_, PyAny>, source: &Bound<'_, PyAny>) {
    PyErr::from_value(error).write_unraisable(source.py(), Some(source));
}

/// Events for one thread to dispatch.
#[pyclass(frozen, module = "katalys._native")]
pub struct Batch {
    events: Vec<Event>,
    listener: Listener,
    /// Dropped when the batch was dispatched, or with it: the core's thread waits for that.
    running: Mutex<Option<mpsc::Sender<()>>>,
}

#[pymethods]
impl Batch {
    /// What to call with each event, besides the logger.
    #[getter]
    fn callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.listener.callback(py)
    }

    /// The events.
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        core_log::flush(py);
        self.events.iter().map(|event| record(py, event)).collect()
    }

    /// Ends the wait of the core's thread.
    fn done(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        drop(running.take());
    }
}

impl Batch {
    /// Calls no function that is written in Python.
    fn start(self, py: Python<'_>) -> PyResult<()> {
        let Starter { start, dispatch } = Starter::get(py)?;
        start.call1(py, (dispatch, (self,)))?;
        Ok(())
    }
}

/// `_thread.start_new_thread`, and the function that the thread runs.
struct Starter {
    start: Py<PyAny>,
    dispatch: Py<PyAny>,
}

impl Starter {
    /// Looked up before the first event, since that runs Python code.
    fn get(py: Python<'_>) -> PyResult<&Self> {
        static STARTER: PyOnceLock<Starter> = PyOnceLock::new();
        STARTER.get_or_try_init(py, || {
            // Not gevent's: a greenlet runs only while the thread that started it yields.
            let start = gevent::original(py, "_thread", "start_new_thread")?.unbind();
            let dispatch = python_module(py)?.getattr("dispatch")?.unbind();
            Ok(Self { start, dispatch })
        })
    }
}

fn at_least(level: Level) -> Vec<EventKind> {
    let kinds = EventKind::ALL.iter().copied();
    kinds.filter(|kind| kind.level() >= level).collect()
}

fn is_logged(py: Python<'_>, level: Level) -> PyResult<bool> {
    let logger = python_module(py)?.getattr(intern!(py, "logger"))?;
    logger
        .call_method1(intern!(py, "isEnabledFor"), (number(level),))?
        .is_truthy()
}

/// The level's number in Python's `logging`.
const fn number(level: Level) -> u8 {
    match level {
        Level::Debug => 10,
        Level::Info => 20,
        Level::Warning => 30,
        Level::Error => 40,
    }
}
