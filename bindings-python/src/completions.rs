//! Completion queues: results of background calls for an event loop.
//!
//! A sending thread never waits for the interpreter: it pushes its result and, if the queue was empty,
//! wakes the loop with one byte to a socket that the loop watches. The loop then drains the queue.

use crate::client::Client;
use crate::errors;
use crate::outbox::{Command, Reply};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Error};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Completion = Result<Reply, Error>;

/// The completed calls of one client in one event loop.
#[pyclass(frozen, module = "katalys._native")]
pub struct CompletionQueue {
    shared: Arc<Shared>,
    numbers: AtomicU64,
}

/// A background call.
#[pyclass(frozen, module = "katalys._native")]
pub struct Submission {
    /// The number that its completion will have.
    #[pyo3(get)]
    number: u64,
    cancellation: Cancellation,
}

/// What cancelling a call does.
enum Cancellation {
    Send(katalys_core::Submission),
    Command(Arc<AtomicBool>),
    /// Nothing: an update that was handed to the outbox is accepted all the same.
    None,
}

struct Shared {
    completed: Mutex<Vec<(u64, Completion)>>,
    waker: Waker,
}

#[pymethods]
impl CompletionQueue {
    /// Without `wake`, a socket wakes the loop; otherwise that function does, called on a thread of
    /// the client.
    #[new]
    #[pyo3(signature = (wake=None))]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        let waker = Waker::new(wake)?;
        let completed = Mutex::default();
        Ok(Self {
            shared: Arc::new(Shared { completed, waker }),
            numbers: AtomicU64::new(0),
        })
    }

    /// The socket that is readable while there are completions.
    fn fileno(&self) -> Option<i32> {
        self.shared.waker.fileno()
    }

    /// Starts `update_order`.
    fn update_order<'py>(
        &self,
        client: &Bound<'py, Client>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        self.submit(client, Call::Update, order_id, fields, more)
    }

    /// Starts `report_order`.
    fn report_order<'py>(
        &self,
        client: &Bound<'py, Client>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        self.submit(client, Call::Report, order_id, fields, more)
    }

    /// Starts `enqueue_update`.
    fn enqueue_update<'py>(
        &self,
        client: &Bound<'py, Client>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        self.enqueue(client, Call::Update, order_id, fields, more)
    }

    /// Starts `enqueue_report`.
    fn enqueue_report<'py>(
        &self,
        client: &Bound<'py, Client>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        self.enqueue(client, Call::Report, order_id, fields, more)
    }

    /// Starts `stats`.
    fn stats(&self, client: &Bound<'_, Client>) -> PyResult<Submission> {
        self.run(client, Command::Stats)
    }

    /// Starts `flush`.
    fn flush(&self, client: &Bound<'_, Client>, timeout: Option<f64>) -> PyResult<Submission> {
        self.run(client, Command::flush(client.py(), timeout)?)
    }

    /// Starts `close`.
    fn close(&self, client: &Bound<'_, Client>, timeout: Option<f64>) -> PyResult<Submission> {
        self.run(client, Command::close(client.py(), timeout)?)
    }

    /// Starts `dead_letters`.
    fn dead_letters(
        &self,
        client: &Bound<'_, Client>,
        after: i64,
        limit: Option<usize>,
    ) -> PyResult<Submission> {
        self.run(client, Command::dead_letters(after, limit))
    }

    /// Starts `replay`.
    fn replay(&self, client: &Bound<'_, Client>, id: i64) -> PyResult<Submission> {
        self.run(client, Command::Replay(id))
    }

    /// Starts `discard`.
    fn discard(&self, client: &Bound<'_, Client>, id: i64) -> PyResult<Submission> {
        self.run(client, Command::Discard(id))
    }

    /// Starts `edit`.
    fn edit<'py>(
        &self,
        client: &Bound<'py, Client>,
        id: i64,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        self.run(client, Command::edit(id, fields, more)?)
    }

    /// All completions so far: numbers, each with a result or an exception.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyAny>)>> {
        // In this order: a byte that comes after this belongs to a later completion, or to none.
        self.shared.waker.drain();
        let completed = std::mem::take(&mut *self.shared.lock());
        let convert = |(number, completion): (u64, Completion)| match completion {
            Ok(reply) => Ok((number, reply.into_python(py)?)),
            Err(error) => Ok((number, errors::exception(py, &error)?)),
        };
        completed.into_iter().map(convert).collect()
    }
}

#[pymethods]
impl Submission {
    /// Makes no further request and ends a wait; the call completes all the same.
    fn cancel(&self) {
        match &self.cancellation {
            Cancellation::Send(submission) => submission.cancel(),
            Cancellation::Command(is_cancelled) => is_cancelled.store(true, Ordering::Relaxed),
            Cancellation::None => {}
        }
    }
}

impl CompletionQueue {
    fn submit<'py>(
        &self,
        client: &Bound<'py, Client>,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        let py = client.py();
        let client = client.get();
        let update = client.prepare(py, call, order_id, fields, more)?;
        let (number, push) = self.next_call();
        let complete = move |result: Result<_, _>| push(result.map(Reply::Receipt));
        let started = client.core.submit(update, complete);
        submission(py, number, started.map(Cancellation::Send))
    }

    fn enqueue<'py>(
        &self,
        client: &Bound<'py, Client>,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        let py = client.py();
        let client = client.get();
        let update = client.prepare_to_enqueue(py, call, order_id, fields, more)?;
        let (number, push) = self.next_call();
        let core = Arc::clone(&client.core);
        let complete = move |result: Result<_, _>| {
            push(result.map(|ticket| Reply::Ticket(core, ticket)));
        };
        let started = py.detach(|| client.core.enqueue_async(update, complete));
        submission(py, number, started.map(|()| Cancellation::None))
    }

    fn run(&self, client: &Bound<'_, Client>, command: Command) -> PyResult<Submission> {
        let py = client.py();
        let client = client.get();
        client.check_outbox_for(py, &command)?;
        let (number, complete) = self.next_call();
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_cancelled);
        let run =
            move |core: &katalys_core::Client| command.run(core, || !flag.load(Ordering::Relaxed));
        let started = client.core.spawn_blocking(run, complete);
        submission(
            py,
            number,
            started.map(|()| Cancellation::Command(is_cancelled)),
        )
    }

    /// A number, and the function that pushes its completion.
    fn next_call(&self) -> (u64, impl FnOnce(Completion) + Send + 'static + use<>) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        (number, move |completion| shared.push(number, completion))
    }
}

fn submission(
    py: Python<'_>,
    number: u64,
    started: Result<Cancellation, Error>,
) -> PyResult<Submission> {
    match started {
        Ok(cancellation) => Ok(Submission {
            number,
            cancellation,
        }),
        Err(error) => Err(errors::raised(py, &error)),
    }
}

impl Shared {
    /// Called on a thread that must never need the interpreter.
    fn push(&self, number: u64, completion: Completion) {
        let was_empty = {
            let mut completed = self.lock();
            completed.push((number, completion));
            completed.len() == 1
        };
        if was_empty {
            self.waker.wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Completion)>> {
        self.completed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the loop learns that the queue is no longer empty.
enum Waker {
    #[cfg(unix)]
    Socket {
        sender: std::os::unix::net::UnixStream,
        receiver: std::os::unix::net::UnixStream,
    },
    /// For loops that cannot watch a socket: needs the interpreter, once for many completions.
    Function(Py<PyAny>),
}

impl Waker {
    #[cfg(unix)]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        if let Some(wake) = wake {
            return Ok(Self::Function(wake));
        }
        let (sender, receiver) = std::os::unix::net::UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self::Socket { sender, receiver })
    }

    #[cfg(not(unix))]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        let missing = || pyo3::exceptions::PyNotImplementedError::new_err("no socket to watch");
        wake.map(Self::Function).ok_or_else(missing)
    }

    fn fileno(&self) -> Option<i32> {
        match self {
            #[cfg(unix)]
            Self::Socket { receiver, .. } => Some(std::os::fd::AsRawFd::as_raw_fd(receiver)),
            Self::Function(_) => None,
        }
    }

    fn wake(&self) {
        match self {
            // A full socket wakes the loop without this byte; a closed one has no loop.
            #[cfg(unix)]
            Self::Socket { sender, .. } => drop(std::io::Write::write(&mut &*sender, &[0])),
            Self::Function(wake) => {
                Python::try_attach(|py| {
                    if let Err(closed) = wake.call0(py) {
                        drop(closed); // The loop has been closed: no caller waits.
                    }
                });
            }
        }
    }

    fn drain(&self) {
        match self {
            #[cfg(unix)]
            Self::Socket { receiver, .. } => {
                drop(std::io::Read::read(&mut &*receiver, &mut [0; 64]));
            }
            Self::Function(_) => {}
        }
    }
}
