//! Results of background calls on their way to an event loop.
//!
//! Threads that send never wait for the interpreter: they put results into a mailbox and, when it
//! was empty, knock: one byte to a socket that the loop watches. The loop then takes all there is
//! at once.

use crate::client::Client;
use crate::errors;
use crate::outbox::{Answer, Question};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Error};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Outcome = Result<Answer, Error>;

/// One per client and event loop.
#[pyclass(frozen, module = "katalys._native")]
pub struct Mailbox {
    inside: Arc<Inside>,
    numbers: AtomicU64,
}

/// A background call under way.
#[pyclass(frozen, module = "katalys._native")]
pub struct Submission {
    /// What its result will be filed under.
    #[pyo3(get)]
    number: u64,
    way_out: WayOut,
}

/// How a call is given up.
enum WayOut {
    Send(katalys_core::Submission),
    Question(Arc<AtomicBool>),
    /// An update that is on its way into the outbox gets there.
    None,
}

struct Inside {
    results: Mutex<Vec<(u64, Outcome)>>,
    bell: Bell,
}

#[pymethods]
impl Mailbox {
    /// Without a `wake`, the bell is a socket; otherwise it is that function, called on a thread
    /// of the client's own.
    #[new]
    #[pyo3(signature = (wake=None))]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        let bell = Bell::new(wake)?;
        let results = Mutex::default();
        Ok(Self {
            inside: Arc::new(Inside { results, bell }),
            numbers: AtomicU64::new(0),
        })
    }

    /// What to watch for being readable.
    fn fileno(&self) -> Option<i32> {
        self.inside.bell.fileno()
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
        self.ask(client, Question::Stats)
    }

    /// Starts `flush`.
    fn flush(&self, client: &Bound<'_, Client>, timeout: f64) -> PyResult<Submission> {
        self.ask(client, Question::flush(client.py(), timeout)?)
    }

    /// Starts `close`.
    fn close(&self, client: &Bound<'_, Client>, timeout: f64) -> PyResult<Submission> {
        self.ask(client, Question::close(client.py(), timeout)?)
    }

    /// Starts `dead_letters`.
    fn dead_letters(
        &self,
        client: &Bound<'_, Client>,
        after: i64,
        limit: usize,
    ) -> PyResult<Submission> {
        self.ask(client, Question::DeadLetters { after, limit })
    }

    /// Starts `replay`.
    fn replay(&self, client: &Bound<'_, Client>, id: i64) -> PyResult<Submission> {
        self.ask(client, Question::Replay(id))
    }

    /// Starts `discard`.
    fn discard(&self, client: &Bound<'_, Client>, id: i64) -> PyResult<Submission> {
        self.ask(client, Question::Discard(id))
    }

    /// Starts `edit`.
    fn edit<'py>(
        &self,
        client: &Bound<'py, Client>,
        id: i64,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Submission> {
        self.ask(client, Question::edit(id, fields, more)?)
    }

    /// Everything that has arrived: numbers, each with a result or an exception.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyAny>)>> {
        // In this order: a byte that comes after is for results that come after, or for nothing.
        self.inside.bell.hush();
        let results = std::mem::take(&mut *self.inside.lock());
        let convert = |(number, outcome): (u64, Outcome)| match outcome {
            Ok(answer) => Ok((number, answer.into_python(py)?)),
            Err(error) => Ok((number, errors::exception(py, &error)?)),
        };
        results.into_iter().map(convert).collect()
    }
}

#[pymethods]
impl Submission {
    /// No further request is made and no wait goes on; a result is filed all the same.
    fn cancel(&self) {
        match &self.way_out {
            WayOut::Send(submission) => submission.cancel(),
            WayOut::Question(given_up) => given_up.store(true, Ordering::Relaxed),
            WayOut::None => {}
        }
    }
}

impl Mailbox {
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
        let (number, deliver) = self.next_call();
        let complete = move |result: Result<_, _>| deliver(result.map(Answer::Receipt));
        let started = client.core.submit(update, complete);
        submission(py, number, started.map(WayOut::Send))
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
        let (number, deliver) = self.next_call();
        let own = Arc::clone(&client.core);
        let complete = move |result: Result<_, _>| {
            deliver(result.map(|ticket| Answer::Ticket(own, ticket)));
        };
        let started = py.detach(|| client.core.enqueue_async(update, complete));
        submission(py, number, started.map(|()| WayOut::None))
    }

    fn ask(&self, client: &Bound<'_, Client>, question: Question) -> PyResult<Submission> {
        let py = client.py();
        let client = client.get();
        client.look_at_outbox_for(py, &question)?;
        let (number, deliver) = self.next_call();
        let given_up = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&given_up);
        let question = move |core: &katalys_core::Client| {
            question.ask(core, || !asked.load(Ordering::Relaxed))
        };
        let started = client.core.spawn_blocking(question, deliver);
        submission(py, number, started.map(|()| WayOut::Question(given_up)))
    }

    /// A number, and what files the result under it.
    fn next_call(&self) -> (u64, impl FnOnce(Outcome) + Send + 'static + use<>) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let inside = Arc::clone(&self.inside);
        (number, move |outcome| inside.deliver(number, outcome))
    }
}

fn submission(py: Python<'_>, number: u64, started: Result<WayOut, Error>) -> PyResult<Submission> {
    match started {
        Ok(way_out) => Ok(Submission { number, way_out }),
        Err(error) => Err(errors::raised(py, &error)),
    }
}

impl Inside {
    /// Called on a thread that must never need the interpreter.
    fn deliver(&self, number: u64, outcome: Outcome) {
        let was_empty = {
            let mut results = self.lock();
            results.push((number, outcome));
            results.len() == 1
        };
        if was_empty {
            self.bell.ring();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Outcome)>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the loop hears that the mailbox is no longer empty.
enum Bell {
    #[cfg(unix)]
    Socket {
        rings: std::os::unix::net::UnixStream,
        heard: std::os::unix::net::UnixStream,
    },
    /// For loops that cannot watch a socket: needs the interpreter, once for many results.
    Function(Py<PyAny>),
}

impl Bell {
    #[cfg(unix)]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        if let Some(wake) = wake {
            return Ok(Self::Function(wake));
        }
        let (rings, heard) = std::os::unix::net::UnixStream::pair()?;
        rings.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        Ok(Self::Socket { rings, heard })
    }

    #[cfg(not(unix))]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        let missing = || pyo3::exceptions::PyNotImplementedError::new_err("no socket to watch");
        wake.map(Self::Function).ok_or_else(missing)
    }

    fn fileno(&self) -> Option<i32> {
        match self {
            #[cfg(unix)]
            Self::Socket { heard, .. } => Some(std::os::fd::AsRawFd::as_raw_fd(heard)),
            Self::Function(_) => None,
        }
    }

    fn ring(&self) {
        match self {
            // A full socket has been rung often enough; a closed one has no one to hear it.
            #[cfg(unix)]
            Self::Socket { rings, .. } => drop(std::io::Write::write(&mut &*rings, &[0])),
            Self::Function(wake) => {
                Python::try_attach(|py| {
                    if let Err(closed) = wake.call0(py) {
                        drop(closed); // The loop has been closed: nobody waits any more.
                    }
                });
            }
        }
    }

    fn hush(&self) {
        match self {
            #[cfg(unix)]
            Self::Socket { heard, .. } => {
                drop(std::io::Read::read(&mut &*heard, &mut [0; 64]));
            }
            Self::Function(_) => {}
        }
    }
}
