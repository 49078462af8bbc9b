//! Events of the outbox on their way to Python.
//!
//! They come on a thread of the core's. Python code must not run there: before Python 3.14 a
//! thread that is in Python when the interpreter ends is unwound, and that crashes in frames of
//! Rust. So each batch is handed to a new thread of Python's own, and the core's waits for it
//! without the interpreter. Nothing else waits but a `close`, and that for a limited time.

use crate::outbox::python_half;
use crate::{errors, gevent, notes};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Client, Error, Event, EventKind};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// `logging.DEBUG` and `logging.INFO`.
const DEBUG: u8 = 10;
const INFO: u8 = 20;
/// What is logged at `WARNING` or above.
const ALWAYS: &[EventKind] = &[
    EventKind::DeadLettered,
    EventKind::Discarded,
    EventKind::Failed,
];
const RETRIES: &[EventKind] = &[
    EventKind::DeadLettered,
    EventKind::Discarded,
    EventKind::Failed,
    EventKind::Retried,
];

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
            let text = "on_event must be something that can be called with an event";
            return Err(errors::raised(py, &Error::misuse(text)));
        }
        Ok(Self(Arc::new(Mutex::new(callback.map(Bound::unbind)))))
    }

    /// Events go to the logger and the callback from now on.
    ///
    /// # Errors
    /// Whatever the import of the package's other half raises.
    pub fn attach(&self, py: Python<'_>, client: &Client) -> PyResult<()> {
        Starter::get(py)?;
        let listener = self.clone();
        client.observe(move |events| {
            let (told, is_told) = mpsc::channel();
            let batch = Batch {
                events: events.to_vec(),
                listener: listener.clone(),
                told: Mutex::new(Some(told)),
            };
            match Python::try_attach(|py| batch.start(py).is_ok()) {
                Some(true) => drop(is_told.recv()),
                Some(false) => notes::lost(events.len()),
                None => {} // The interpreter ends: no listener is left.
            }
        });
        Ok(())
    }

    /// Asks only for events that a listener or a logger wants: the level of a logger may change at
    /// any time. A logger that fails stops no update.
    ///
    /// # Errors
    /// Only what is no `Exception`.
    pub fn adjust(&self, py: Python<'_>, client: &Client) -> PyResult<()> {
        let kinds = match self.wanted(py) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                error.write_unraisable(py, None);
                ALWAYS
            }
            kinds => kinds?,
        };
        client.listen_for(kinds);
        notes::log(py);
        Ok(())
    }

    fn wanted(&self, py: Python<'_>) -> PyResult<&'static [EventKind]> {
        Ok(match self.callback(py) {
            Some(_) => EventKind::ALL,
            None if logs(py, DEBUG)? => EventKind::ALL,
            None if logs(py, INFO)? => RETRIES,
            None => ALWAYS,
        })
    }

    fn callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let callback = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callback.as_ref().map(|callback| callback.clone_ref(py))
    }

    /// For the collector: the callback may well hold the client.
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

/// Events for one thread to tell.
#[pyclass(frozen, module = "katalys._native")]
pub struct Batch {
    events: Vec<Event>,
    listener: Listener,
    /// Goes when the batch was told, or with it: the core's thread waits for that.
    told: Mutex<Option<mpsc::Sender<()>>>,
}

#[pymethods]
impl Batch {
    /// Whom to call with each event, besides the logger.
    #[getter]
    fn callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.listener.callback(py)
    }

    /// The events, each as its parts.
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        notes::log(py);
        self.events.iter().map(|event| parts(py, event)).collect()
    }

    /// All of them were told.
    fn told(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        drop(told.take());
    }
}

impl Batch {
    /// Calls no function that is written in Python.
    fn start(self, py: Python<'_>) -> PyResult<()> {
        let Starter { start, tell } = Starter::get(py)?;
        start.call1(py, (tell, (self,)))?;
        Ok(())
    }
}

/// `_thread.start_new_thread`, and what the thread does.
struct Starter {
    start: Py<PyAny>,
    tell: Py<PyAny>,
}

impl Starter {
    /// Looked up before the first event, since that runs Python code.
    fn get(py: Python<'_>) -> PyResult<&Self> {
        static STARTER: PyOnceLock<Starter> = PyOnceLock::new();
        STARTER.get_or_try_init(py, || {
            // Not gevent's: its greenlets run only while the thread that starts them lets them.
            let start = gevent::original(py, "_thread", "start_new_thread")?.unbind();
            let tell = python_half(py)?.getattr("tell")?.unbind();
            Ok(Self { start, tell })
        })
    }
}

fn parts<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyTuple>> {
    let Event {
        kind,
        id,
        order,
        attempts,
        status,
        code,
        ..
    } = event;
    (kind.as_str(), *id, order, *attempts, *status, *code).into_pyobject(py)
}

fn logs(py: Python<'_>, level: u8) -> PyResult<bool> {
    let logger = python_half(py)?.getattr(intern!(py, "logger"))?;
    logger
        .call_method1(intern!(py, "isEnabledFor"), (level,))?
        .is_truthy()
}
