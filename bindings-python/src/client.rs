//! The client that waits: each call holds the interpreter only while it looks at the caller's
//! values.

use crate::convert::Keeper;
use crate::errors;
use crate::events::Listener;
use crate::outbox::{self, Answer, Question};
use crate::results::Validation;
use crate::{gevent, signals, warnings};
use katalys_core::config::{DEFAULT_PAGE, DEFAULT_WAIT};
use katalys_core::{Call, Checked, Language};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;
use std::sync::atomic::Ordering;

// Literals in the signatures, so that `help()` and the stubs show them.
const _: () = assert!(DEFAULT_WAIT.as_secs() == 10 && DEFAULT_PAGE == 1000);

/// Reports orders of one site. Made to be kept and shared between threads, and good across
/// fork: a child process opens its own connections on its first call.
#[pyclass(frozen, subclass, weakref, module = "katalys")]
pub struct Client {
    pub(crate) core: Arc<katalys_core::Client>,
    listener: Listener,
    /// As given, for times whose `fold` only Python knows.
    zone: Option<String>,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (site_id=None, *, on_event=None, **options))]
    fn new<'py>(
        py: Python<'py>,
        site_id: Option<&Bound<'py, PyAny>>,
        on_event: Option<Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let keeper = Keeper::new();
        let settings = keeper.settings(site_id, options)?;
        let core = katalys_core::Client::with_options(Language::Python, &settings)
            .map_err(|error| errors::raised(py, &error))?;
        let listens = on_event.is_some();
        let zone = options
            .map(|options| options.get_item("timezone"))
            .transpose()?
            .flatten();
        let client = Self {
            core: Arc::new(core),
            listener: Listener::new(py, on_event)?,
            zone: zone.and_then(|zone| zone.extract().ok()),
        };
        if listens || client.core.require_outbox().is_ok() {
            client.set_up_outbox(py)?;
        }
        Ok(client)
    }

    /// Reports what became of an order and waits until the endpoint has it.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both; `katalys.OrderFields`
    /// lists them.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn update_order<'py>(
        slf: &Bound<'py, Self>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(receipt) = gevent::divert(slf, "update_order", (order_id, fields, more))? {
            return Ok(receipt);
        }
        slf.get().send(Call::Update, order_id, fields, more)
    }

    /// Reports an order as a whole, with the fields the endpoint requires of it, and waits until
    /// the endpoint has it. Without an `order_time`, the time of the call is sent.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both; `katalys.OrderFields`
    /// lists them.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn report_order<'py>(
        slf: &Bound<'py, Self>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(receipt) = gevent::divert(slf, "report_order", (order_id, fields, more))? {
            return Ok(receipt);
        }
        slf.get().send(Call::Report, order_id, fields, more)
    }

    /// Checks what `update_order` would send, and sends nothing.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn validate_update<'py>(
        &self,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Validation> {
        self.validate(Call::Update, order_id, fields, more)
    }

    /// Checks what `report_order` would send, and sends nothing.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn validate_report<'py>(
        &self,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Validation> {
        self.validate(Call::Report, order_id, fields, more)
    }

    /// Accepts what became of an order, and returns when it is safe on disk. It is sent in the
    /// background, after the earlier updates of the same order.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both; `katalys.OrderFields`
    /// lists them.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn enqueue_update<'py>(
        slf: &Bound<'py, Self>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(ticket) = gevent::divert(slf, "enqueue_update", (order_id, fields, more))? {
            return Ok(ticket);
        }
        slf.get().enqueue(Call::Update, order_id, fields, more)
    }

    /// Accepts an order as a whole, with the fields the endpoint requires of it, and returns when
    /// it is safe on disk. Without an `order_time`, the time of the call is sent.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both; `katalys.OrderFields`
    /// lists them.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn enqueue_report<'py>(
        slf: &Bound<'py, Self>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(ticket) = gevent::divert(slf, "enqueue_report", (order_id, fields, more))? {
            return Ok(ticket);
        }
        slf.get().enqueue(Call::Report, order_id, fields, more)
    }

    /// Counters of the outbox; `accepted` always equals delivered + pending + dead + discarded.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::ask(slf, "stats", (), Question::Stats)
    }

    /// Waits until nothing is pending, up to `timeout` seconds; returns the number of pending
    /// updates.
    #[pyo3(signature = (timeout=10.0))]
    fn flush<'py>(slf: &Bound<'py, Self>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let question = Question::flush(slf.py(), timeout)?;
        Self::ask(slf, "flush", (timeout,), question)
    }

    /// Ends delivery: no further request is made, and those in flight are finished, up to `timeout`
    /// seconds. Returns the number of updates left in the file for the next process; 0 without an
    /// outbox.
    #[pyo3(signature = (timeout=10.0))]
    fn close<'py>(slf: &Bound<'py, Self>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let question = Question::close(slf.py(), timeout)?;
        Self::ask(slf, "close", (timeout,), question)
    }

    /// Updates that the endpoint rejected for good: those whose number is above `after`, in order,
    /// at most `limit`.
    #[pyo3(signature = (after=0, limit=1000))]
    fn dead_letters<'py>(
        slf: &Bound<'py, Self>,
        after: i64,
        limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let question = Question::DeadLetters { after, limit };
        Self::ask(slf, "dead_letters", (after, limit), question)
    }

    /// Puts a dead letter back into its order's lane, at its old place. False if there is none.
    fn replay<'py>(slf: &Bound<'py, Self>, id: i64) -> PyResult<Bound<'py, PyAny>> {
        Self::ask(slf, "replay", (id,), Question::Replay(id))
    }

    /// Removes a dead letter for good; it is counted. False if there is none.
    fn discard<'py>(slf: &Bound<'py, Self>, id: i64) -> PyResult<Bound<'py, PyAny>> {
        Self::ask(slf, "discard", (id,), Question::Discard(id))
    }

    /// Changes fields of a dead letter and keeps all others; `None` removes one. False if there is
    /// no such dead letter.
    #[pyo3(signature = (id, fields=None, **more))]
    fn edit<'py>(
        slf: &Bound<'py, Self>,
        id: i64,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let question = Question::edit(id, fields, more)?;
        Self::ask(slf, "edit", (id, fields, more), question)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// Closes the outbox, if there is one.
    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        Self::close(slf, 5.0).map(drop)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.listener.traverse(&visit)
    }

    fn __clear__(&self) {
        self.listener.clear();
    }

    /// A client holds connections, which do not move to another process.
    #[allow(clippy::unused_self, reason = "the protocol asks for it")]
    fn __reduce__(&self) -> PyResult<()> {
        let advice = "a katalys client cannot be pickled; make one in each process, for example \
                      as a global of the module that uses it";
        Err(PyTypeError::new_err(advice))
    }

    fn __repr__(&self) -> String {
        format!("<katalys.{:?}>", self.core)
    }
}

impl Client {
    /// Everything that looks at the caller's values; the warnings are logged here.
    pub(crate) fn prepare<'py>(
        &self,
        py: Python<'py>,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Checked> {
        let keeper = Keeper::for_zone(self.zone.as_deref());
        let order_id = keeper.value(order_id)?;
        let fields = keeper.fields(fields, more)?;
        let checked = self.core.prepare(call, &order_id, &fields);
        let update = checked.map_err(|error| errors::raised(py, &error))?;
        if !update.warnings.is_empty() {
            warnings::log(py, &self.core, &update.warnings)?;
        }
        Ok(update)
    }

    /// As [`prepare`](Self::prepare), for what goes into the outbox and does not wait.
    pub(crate) fn prepare_to_enqueue<'py>(
        &self,
        py: Python<'py>,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Checked> {
        self.look_at_outbox(py)?;
        self.prepare(py, call, order_id, fields, more)
    }

    /// As `look_at_outbox`; there is nothing to close without one, and no harm in it.
    pub(crate) fn look_at_outbox_for(&self, py: Python<'_>, question: &Question) -> PyResult<()> {
        match question {
            Question::Close(_) if !self.core.has_outbox() => Ok(()),
            _ => self.look_at_outbox(py),
        }
    }

    /// Before anything else is done with the outbox.
    pub(crate) fn look_at_outbox(&self, py: Python<'_>) -> PyResult<()> {
        let required = self.core.require_outbox();
        required.map_err(|error| errors::raised(py, &error))?;
        self.listener.adjust(py, &self.core)
    }

    fn set_up_outbox(&self, py: Python<'_>) -> PyResult<()> {
        self.look_at_outbox(py)?;
        self.listener.attach(py, &self.core)?;
        outbox::close_at_exit(py, &self.core)
    }

    fn enqueue<'py>(
        &self,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = order_id.py();
        let update = self.prepare_to_enqueue(py, call, order_id, fields, more)?;
        let core = &self.core;
        match signals::wait(py, || core.enqueue(update))? {
            Ok(ticket) => Answer::Ticket(Arc::clone(core), ticket).into_python(py),
            Err(error) => Err(errors::raised(py, &error)),
        }
    }

    /// Asks the outbox, on the hub's terms if a greenlet does.
    fn ask<'py>(
        slf: &Bound<'py, Self>,
        method: &str,
        arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
        question: Question,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, client) = (slf.py(), slf.get());
        if let Some(answer) = gevent::divert(slf, method, arguments)? {
            return Ok(answer);
        }
        client.look_at_outbox_for(py, &question)?;
        let core = Arc::clone(&client.core);
        let answer = signals::wait_beside(py, move |is_given_up| {
            question.ask(&core, || !is_given_up.load(Ordering::Relaxed))
        })?;
        match answer {
            Ok(answer) => answer.into_python(py),
            Err(error) => Err(errors::raised(py, &error)),
        }
    }

    fn send<'py>(
        &self,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = order_id.py();
        let update = self.prepare(py, call, order_id, fields, more)?;
        match signals::wait(py, || self.core.send(update))? {
            Ok(receipt) => Answer::Receipt(receipt).into_python(py),
            Err(error) => Err(errors::raised(py, &error)),
        }
    }

    fn validate<'py>(
        &self,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Validation> {
        let keeper = Keeper::for_zone(self.zone.as_deref());
        let order_id = keeper.value(order_id)?;
        let fields = keeper.fields(fields, more)?;
        Ok(self.core.validate(call, &order_id, &fields).into())
    }
}
