//! The client that waits: each call holds the interpreter only while it looks at the caller's
//! values.

use crate::convert::Keeper;
use crate::errors;
use crate::events::Listener;
use crate::outbox::{self, Answer, Question};
use crate::results::{Receipt, Validation};
use crate::warnings;
use katalys_core::{Call, Checked, Language};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;

/// Reports orders of one site. Made to be kept and shared between threads, and good across
/// fork: a child process opens its own connections on its first call.
#[pyclass(frozen, subclass, weakref, module = "katalys")]
pub struct Client {
    pub(crate) core: Arc<katalys_core::Client>,
    listener: Listener,
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
        let client = Self {
            core: Arc::new(core),
            listener: Listener::new(py, on_event)?,
        };
        if listens || client.core.require_outbox().is_ok() {
            client.set_up_outbox(py)?;
        }
        Ok(client)
    }

    /// Reports what became of an order and waits until the endpoint has it.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn update_order<'py>(
        &self,
        py: Python<'py>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Receipt> {
        let update = self.prepare(py, Call::Update, order_id, fields, more)?;
        self.send(py, update)
    }

    /// Reports an order as a whole, with the fields the endpoint requires of it, and waits until
    /// the endpoint has it. Without an `order_time`, the time of the call is sent.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn report_order<'py>(
        &self,
        py: Python<'py>,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Receipt> {
        let update = self.prepare(py, Call::Report, order_id, fields, more)?;
        self.send(py, update)
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
    /// Fields are keyword arguments, one mapping (or dataclass), or both.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn enqueue_update<'py>(
        &self,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.enqueue(Call::Update, order_id, fields, more)
    }

    /// Accepts an order as a whole, with the fields the endpoint requires of it, and returns when
    /// it is safe on disk. Without an `order_time`, the time of the call is sent.
    ///
    /// Fields are keyword arguments, one mapping (or dataclass), or both.
    #[pyo3(signature = (order_id, fields=None, **more))]
    fn enqueue_report<'py>(
        &self,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.enqueue(Call::Report, order_id, fields, more)
    }

    /// The books of the outbox.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::Stats)
    }

    /// Waits until nothing is pending, for so many seconds at most; gives how many updates are
    /// left.
    #[pyo3(signature = (timeout=30.0))]
    fn flush<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::flush(py, timeout)?)
    }

    /// Ends delivery: nothing new is sent, what is on its way comes to its end, for so many
    /// seconds at most. Gives how many updates are left in the file, for the next process.
    #[pyo3(signature = (timeout=5.0))]
    fn close<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::close(py, timeout)?)
    }

    /// Updates that the endpoint refused for good: those whose number is above `after`, in order,
    /// at most `limit`.
    #[pyo3(signature = (after=0, limit=1000))]
    fn dead_letters<'py>(
        &self,
        py: Python<'py>,
        after: i64,
        limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::DeadLetters { after, limit })
    }

    /// Puts a dead letter back into its order's lane, at its old place. False if there is none.
    fn replay<'py>(&self, py: Python<'py>, id: i64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::Replay(id))
    }

    /// Removes a dead letter for good; it is counted. False if there is none.
    fn discard<'py>(&self, py: Python<'py>, id: i64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::Discard(id))
    }

    /// Changes fields of a dead letter, all others staying as they are; `None` takes one out.
    /// False if there is no such dead letter.
    #[pyo3(signature = (id, fields=None, **more))]
    fn edit<'py>(
        &self,
        py: Python<'py>,
        id: i64,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Question::edit(id, fields, more)?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// Closes the outbox, if there is one.
    fn __exit__(
        &self,
        py: Python<'_>,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if self.core.require_outbox().is_ok() {
            self.close(py, 5.0)?;
        }
        Ok(())
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
        let keeper = Keeper::new();
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
        match py.detach(|| self.core.enqueue(update)) {
            Ok(ticket) => Answer::Ticket(Arc::clone(&self.core), ticket).into_python(py),
            Err(error) => Err(errors::raised(py, &error)),
        }
    }

    /// A wait ends early at a signal whose handler raises, such as Ctrl-C.
    #[allow(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone is bound to one lifetime"
    )]
    fn ask<'py>(&self, py: Python<'py>, question: Question) -> PyResult<Bound<'py, PyAny>> {
        self.look_at_outbox(py)?;
        let mut interrupted: PyResult<()> = Ok(());
        let answer = py.detach(|| {
            question.ask(&self.core, || {
                interrupted = Python::attach(|py| py.check_signals());
                interrupted.is_ok()
            })
        });
        interrupted?;
        match answer {
            Ok(answer) => answer.into_python(py),
            Err(error) => Err(errors::raised(py, &error)),
        }
    }

    fn send(&self, py: Python<'_>, update: Checked) -> PyResult<Receipt> {
        let result = py.detach(|| self.core.send(update));
        result
            .map(Receipt::from)
            .map_err(|error| errors::raised(py, &error))
    }

    fn validate<'py>(
        &self,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Validation> {
        let keeper = Keeper::new();
        let order_id = keeper.value(order_id)?;
        let fields = keeper.fields(fields, more)?;
        Ok(self.core.validate(call, &order_id, &fields).into())
    }
}
