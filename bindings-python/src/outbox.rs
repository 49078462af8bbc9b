//! What can be asked of an outbox. A question is made while Python's values are at hand, and
//! answered without the interpreter: on the caller's thread, or on one of its own.

use crate::convert::Keeper;
use crate::errors;
use crate::results::{Receipt, Ticket};
use crate::{signals, warnings};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Client, DeadLetter, Error, Fields, Stats, config};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyModule};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks whether it is still wanted.
const SLICE: Duration = Duration::from_millis(50);

/// A question that may have to wait.
pub enum Question {
    Stats,
    Flush(Duration),
    Close(Duration),
    DeadLetters { after: i64, limit: usize },
    Replay(i64),
    Discard(i64),
    Edit(i64, Fields<'static>),
}

/// What the core gave, on its way to Python.
pub enum Answer {
    Receipt(katalys_core::Receipt),
    /// With the client whose log its warnings belong to.
    Ticket(Arc<Client>, katalys_core::Ticket),
    Stats(Stats),
    Left(u64),
    DeadLetters(Vec<DeadLetter>),
    Found(bool),
}

impl Question {
    /// # Errors
    /// `katalys.Error` (`misuse`) as `katalys_core::config::timeout` says.
    pub fn flush(py: Python<'_>, timeout: f64) -> PyResult<Self> {
        seconds(py, timeout).map(Self::Flush)
    }

    /// # Errors
    /// `katalys.Error` (`misuse`) as `katalys_core::config::timeout` says.
    pub fn close(py: Python<'_>, timeout: f64) -> PyResult<Self> {
        seconds(py, timeout).map(Self::Close)
    }

    /// # Errors
    /// `katalys.Error` (`misuse`) if `fields` is no mapping.
    pub fn edit<'py>(
        id: i64,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let keeper = Keeper::new();
        let fields = keeper.fields(fields, more)?;
        Ok(Self::Edit(id, fields.into_owned()))
    }

    /// Needs no interpreter. A wait ends early when `is_wanted` no longer says so.
    ///
    /// # Errors
    /// As the core's methods of the same names.
    pub fn ask(self, client: &Client, is_wanted: impl FnMut() -> bool) -> Result<Answer, Error> {
        match self {
            Self::Stats => client.stats().map(Answer::Stats),
            Self::Flush(timeout) => flush(client, timeout, is_wanted).map(Answer::Left),
            Self::Close(_) if !client.has_outbox() => Ok(Answer::Left(0)),
            Self::Close(timeout) => client.close(timeout).map(Answer::Left),
            Self::DeadLetters { after, limit } => client
                .dead_letters(after.saturating_add(1), limit)
                .map(Answer::DeadLetters),
            Self::Replay(id) => client.replay(id).map(Answer::Found),
            Self::Discard(id) => client.discard(id).map(Answer::Found),
            Self::Edit(id, fields) => client.edit(id, fields).map(Answer::Found),
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

fn seconds(py: Python<'_>, timeout: f64) -> PyResult<Duration> {
    config::timeout(timeout).map_err(|error| errors::raised(py, &error))
}

impl Answer {
    /// As Python has it.
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
            Self::Stats(stats) => stats_of(py, stats),
            Self::Left(number) => number.into_bound_py_any(py),
            Self::Found(found) => found.into_bound_py_any(py),
            Self::DeadLetters(letters) => {
                let letters: PyResult<Vec<_>> =
                    letters.iter().map(|letter| letter_of(py, letter)).collect();
                Ok(PyList::new(py, letters?)?.into_any())
            }
        }
    }
}

fn stats_of(py: Python<'_>, stats: Stats) -> PyResult<Bound<'_, PyAny>> {
    let Stats {
        accepted,
        delivered,
        pending,
        in_flight,
        dead,
        discarded,
        oldest_pending_seconds,
    } = stats;
    let parts = (
        accepted,
        delivered,
        pending,
        in_flight,
        dead,
        discarded,
        oldest_pending_seconds,
    );
    python_half(py)?.getattr("Stats")?.call1(parts)
}

fn letter_of<'py>(py: Python<'py>, letter: &DeadLetter) -> PyResult<Bound<'py, PyAny>> {
    let parts = (
        letter.id,
        letter.order_id.as_str(),
        letter.site_id.as_str(),
        String::from_utf8_lossy(&letter.payload),
        letter.status,
        &letter.code,
        &letter.reason,
    );
    let died_at = PyDict::new(py);
    died_at.set_item("died_at", letter.died_at)?;
    python_half(py)?.call_method("dead_letter", parts, Some(&died_at))
}

/// `katalys._outbox`, which is imported with the first outbox.
///
/// # Errors
/// Whatever the import raises.
pub fn python_half(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || py.import("katalys._outbox").map(Bound::unbind);
    Ok(MODULE.get_or_try_init(py, import)?.bind(py))
}

/// Clients to be closed when the process ends. Locked only by threads that hold the interpreter
/// and without a call to it meanwhile, so that no fork finds it locked.
static LIVE: Mutex<Vec<Weak<Client>>> = Mutex::new(Vec::new());

/// Has the client's outbox closed when the process ends.
///
/// # Errors
/// Whatever the import of the package's other half raises.
pub fn close_at_exit(py: Python<'_>, client: &Arc<Client>) -> PyResult<()> {
    python_half(py)?.call_method0("arrange_end")?;
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|client| client.strong_count() > 0);
    live.push(Arc::downgrade(client));
    Ok(())
}

/// Closes the outbox of every client, side by side, within `timeout` seconds.
#[pyfunction]
pub fn close_all(py: Python<'_>, timeout: f64) -> PyResult<()> {
    let timeout = seconds(py, timeout)?;
    let clients: Vec<Arc<Client>> = {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().filter_map(Weak::upgrade).collect()
    };
    if clients.is_empty() {
        return Ok(());
    }
    let all = move |_: &AtomicBool| match &clients[..] {
        [only] => only.shut_down(timeout),
        _ => thread::scope(|scope| {
            for client in &clients {
                let builder = thread::Builder::new();
                // Without a thread, its updates are taken over once the lease is over.
                drop(builder.spawn_scoped(scope, || client.shut_down(timeout)));
            }
        }),
    };
    signals::wait_beside(py, all)
}
