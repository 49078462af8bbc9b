//! Calls to an outbox as commands. A command is created from Python's values while the interpreter
//! is held, and runs without it, on the caller's thread or on another one.

use crate::convert::Converter;
use crate::errors;
use crate::results::{Receipt, Ticket, record};
use crate::{signals, warnings};
use katalys_core::bridge::Bridge as _;
use katalys_core::config::{self, DEFAULT_PAGE, DEFAULT_WAIT, EXIT_WAIT};
use katalys_core::{Client, DeadLetter, Error, Fields, Stats};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyModule};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

/// How often a wait checks whether it was cancelled.
const SLICE: Duration = Duration::from_millis(50);

/// A call that may have to wait.
pub enum Command {
    Stats,
    Flush(Duration),
    Close(Duration),
    DeadLetters { after: i64, limit: usize },
    Replay(i64),
    Discard(i64),
    Edit(i64, Fields<'static>),
}

/// The result of the core, before it is converted to a Python object.
pub enum Reply {
    Receipt(katalys_core::Receipt),
    /// With the client that logs its warnings.
    Ticket(Arc<Client>, katalys_core::Ticket),
    Stats(Stats),
    Pending(u64),
    DeadLetters(Vec<DeadLetter>),
    Found(bool),
}

impl Command {
    /// # Errors
    /// `katalys.Error` (`misuse`) as `katalys_core::config::timeout` says.
    pub fn flush(py: Python<'_>, timeout: Option<f64>) -> PyResult<Self> {
        seconds_or(py, timeout, DEFAULT_WAIT).map(Self::Flush)
    }

    /// # Errors
    /// `katalys.Error` (`misuse`) as `katalys_core::config::timeout` says.
    pub fn close(py: Python<'_>, timeout: Option<f64>) -> PyResult<Self> {
        seconds_or(py, timeout, DEFAULT_WAIT).map(Self::Close)
    }

    /// A page of dead letters.
    pub fn dead_letters(after: i64, limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(DEFAULT_PAGE);
        Self::DeadLetters { after, limit }
    }

    /// # Errors
    /// `katalys.Error` (`misuse`) if `fields` is not a mapping.
    pub fn edit<'py>(
        id: i64,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let converter = Converter::new();
        let fields = converter.fields(fields, more)?;
        Ok(Self::Edit(id, fields.into_owned()))
    }

    /// Runs without the interpreter. A wait ends early once `is_wanted` returns false.
    ///
    /// # Errors
    /// As the core's methods of the same names.
    pub fn run(self, client: &Client, is_wanted: impl FnMut() -> bool) -> Result<Reply, Error> {
        match self {
            Self::Stats => client.stats().map(Reply::Stats),
            Self::Flush(timeout) => flush(client, timeout, is_wanted).map(Reply::Pending),
            Self::Close(_) if !client.has_outbox() => Ok(Reply::Pending(0)),
            Self::Close(timeout) => client.close(timeout).map(Reply::Pending),
            Self::DeadLetters { after, limit } => client
                .dead_letters(after.saturating_add(1), limit)
                .map(Reply::DeadLetters),
            Self::Replay(id) => client.replay(id).map(Reply::Found),
            Self::Discard(id) => client.discard(id).map(Reply::Found),
            Self::Edit(id, fields) => client.edit(id, fields).map(Reply::Found),
        }
    }
}

fn flush(
    client: &Client,
    timeout: Duration,
    mut is_wanted: impl FnMut() -> bool,
) -> Result<u64, Error> {
    let deadline = Instant::now() + timeout;
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let left = client.flush(rest.min(SLICE))?;
        if left == 0 || rest <= SLICE || !is_wanted() {
            return Ok(left);
        }
    }
}

fn seconds_or(py: Python<'_>, timeout: Option<f64>, default: Duration) -> PyResult<Duration> {
    timeout.map_or(Ok(default), |seconds| {
        config::timeout(seconds).map_err(|error| errors::raised(py, &error))
    })
}

impl Reply {
    /// The Python object.
    ///
    /// # Errors
    /// Whatever Python raises when it cannot make one, such as `MemoryError`.
    pub fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Receipt(receipt) => Receipt::from(receipt).into_bound_py_any(py),
            Self::Ticket(client, ticket) => {
                if !ticket.warnings.is_empty() {
                    warnings::log(py, &client, &ticket.warnings)?;
                }
                Ticket::from(ticket).into_bound_py_any(py)
            }
            Self::Stats(stats) => record(py, &stats),
            Self::Pending(number) => number.into_bound_py_any(py),
            Self::Found(found) => found.into_bound_py_any(py),
            Self::DeadLetters(letters) => {
                let letters = letters.iter().map(|letter| record(py, letter));
                let letters = letters.collect::<PyResult<Vec<_>>>()?;
                Ok(PyList::new(py, letters)?.into_any())
            }
        }
    }
}

/// The module `katalys._outbox`, which is imported with the first outbox.
///
/// # Errors
/// Whatever the import raises.
pub fn python_module(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || py.import("katalys._outbox").map(Bound::unbind);
    Ok(MODULE.get_or_try_init(py, import)?.bind(py))
}

/// Clients to close when the process ends. Locked only by threads that hold the interpreter
/// and without a call to it meanwhile, so that no fork finds it locked.
static LIVE: Mutex<Vec<Weak<Client>>> = Mutex::new(Vec::new());

/// Registers the client, so that its outbox is closed when the process ends.
///
/// # Errors
/// Whatever the import of the Python module raises.
pub fn close_at_exit(py: Python<'_>, client: &Arc<Client>) -> PyResult<()> {
    python_module(py)?.call_method0("register_exit_hooks")?;
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|client| client.strong_count() > 0);
    live.push(Arc::downgrade(client));
    Ok(())
}

/// Closes the outbox of every client at the same time, within `timeout` seconds.
#[pyfunction]
#[pyo3(signature = (timeout=None))]
pub fn close_all(py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
    let timeout = seconds_or(py, timeout, EXIT_WAIT)?;
    let clients: Vec<Arc<Client>> = {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().filter_map(Weak::upgrade).collect()
    };
    if clients.is_empty() {
        return Ok(());
    }
    signals::wait_on_thread(py, move |_: &AtomicBool| shut_down_all(clients, timeout))
}

/// On a thread per client, except for the last one.
fn shut_down_all(mut clients: Vec<Arc<Client>>, timeout: Duration) {
    let last = clients.pop();
    let (running, is_done) = mpsc::channel::<()>();
    for client in clients {
        let running = running.clone();
        let started = katalys_core::spawn_thread("katalys-close", move || {
            client.shut_down(timeout);
            drop(running);
        });
        // Without a thread the outbox is not closed: another process sends its updates in flight
        // again when their leases run out.
        drop(started);
    }
    drop(running);
    if let Some(client) = last {
        client.shut_down(timeout);
    }
    // Fails once every thread has ended: none sends anything.
    let _ = is_done.recv();
}
