//! The synchronous client: each call holds the interpreter only while it reads the caller's values.

use crate::convert::Converter;
use crate::errors;
use crate::events::Listener;
use crate::outbox::{self, Command, Reply};
use crate::results::Validation;
use crate::{gevent, signals, warnings};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Checked, Language};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Reports orders of one site. Keep it, and share it between threads. It works after a fork: the
/// child process opens its own connections on its first call.
#[pyclass(frozen, subclass, weakref, module = "katalys")]
pub struct Client {
    pub(crate) core: Arc<katalys_core::Client>,
    listener: Listener,
    /// The setting `timezone` as given: Python reads times with a `fold` itself.
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
        let converter = Converter::new();
        let settings = converter.settings(site_id, options)?;
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
            client.open_outbox(py)?;
        }
        Ok(client)
    }

    /// Reports an update of an order and waits until the endpoint has received it.
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
        if let Some(receipt) = gevent::call(slf, "update_order", (order_id, fields, more))? {
            return Ok(receipt);
        }
        slf.get().send(Call::Update, order_id, fields, more)
    }

    /// Reports a whole order, with the fields that the endpoint requires, and waits until the
    /// endpoint has received it. Without an `order_time`, the time of the call is sent.
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
        if let Some(receipt) = gevent::call(slf, "report_order", (order_id, fields, more))? {
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

    /// Accepts an update of an order, and returns when it is on disk. It is sent in the background,
    /// after the earlier updates of the same order.
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
        if let Some(ticket) = gevent::call(slf, "enqueue_update", (order_id, fields, more))? {
            return Ok(ticket);
        }
        slf.get().enqueue(Call::Update, order_id, fields, more)
    }

    /// Accepts a whole order, with the fields that the endpoint requires, and returns when it is on
    /// disk. Without an `order_time`, the time of the call is sent.
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
        if let Some(ticket) = gevent::call(slf, "enqueue_report", (order_id, fields, more))? {
            return Ok(ticket);
        }
        slf.get().enqueue(Call::Report, order_id, fields, more)
    }

    /// Counters of the outbox; `accepted` always equals delivered + pending + dead + discarded.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::run(slf, "stats", (), Command::Stats)
    }

    /// Waits until nothing is pending, up to `timeout` seconds (10 by default); returns the
    /// number of pending updates.
    #[pyo3(signature = (timeout=None))]
    fn flush<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let command = Command::flush(slf.py(), timeout)?;
        Self::run(slf, "flush", (timeout,), command)
    }

    /// Ends delivery: no further request is made, and those in flight are finished, up to `timeout`
    /// seconds (10 by default). Returns the number of updates left in the file for the next process; 0
    /// without an outbox.
    #[pyo3(signature = (timeout=None))]
    fn close<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let command = Command::close(slf.py(), timeout)?;
        Self::run(slf, "close", (timeout,), command)
    }

    /// Dead letters whose number is above `after`, in order, up to `limit` of them (1,000 by
    /// default).
    #[pyo3(signature = (after=0, limit=None))]
    fn dead_letters<'py>(
        slf: &Bound<'py, Self>,
        after: i64,
        limit: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let command = Command::dead_letters(after, limit);
        Self::run(slf, "dead_letters", (after, limit), command)
    }

    /// Puts a dead letter back into its order's lane, at its old place. False if there is none.
    fn replay<'py>(slf: &Bound<'py, Self>, id: i64) -> PyResult<Bound<'py, PyAny>> {
        Self::run(slf, "replay", (id,), Command::Replay(id))
    }

    /// Removes a dead letter, and counts it as discarded. False if there is none.
    fn discard<'py>(slf: &Bound<'py, Self>, id: i64) -> PyResult<Bound<'py, PyAny>> {
        Self::run(slf, "discard", (id,), Command::Discard(id))
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
        let command = Command::edit(id, fields, more)?;
        Self::run(slf, "edit", (id, fields, more), command)
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
        Self::close(slf, None).map(drop)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.listener.traverse(&visit)
    }

    fn __clear__(&self) {
        self.listener.clear();
    }

    /// A client holds connections, which cannot move to another process.
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
    /// Converts and checks the caller's values, and logs the warnings.
    pub(crate) fn prepare<'py>(
        &self,
        py: Python<'py>,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Checked> {
        let converter = Converter::for_zone(self.zone.as_deref());
        let order_id = converter.value(order_id)?;
        let fields = converter.fields(fields, more)?;
        let checked = self.core.prepare(call, &order_id, &fields);
        let update = checked.map_err(|error| errors::raised(py, &error))?;
        if !update.warnings.is_empty() {
            warnings::log(py, &self.core, &update.warnings)?;
        }
        Ok(update)
    }

    /// As [`prepare`](Self::prepare), for a call that does not wait for delivery.
    pub(crate) fn prepare_to_enqueue<'py>(
        &self,
        py: Python<'py>,
        call: Call,
        order_id: &Bound<'py, PyAny>,
        fields: Option<&Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Checked> {
        self.check_outbox(py)?;
        self.prepare(py, call, order_id, fields, more)
    }

    /// As `check_outbox`, except that `close` needs no outbox.
    pub(crate) fn check_outbox_for(&self, py: Python<'_>, command: &Command) -> PyResult<()> {
        match command {
            Command::Close(_) if !self.core.has_outbox() => Ok(()),
            _ => self.check_outbox(py),
        }
    }

    /// Comes before every use of the outbox.
    pub(crate) fn check_outbox(&self, py: Python<'_>) -> PyResult<()> {
        let required = self.core.require_outbox();
        required.map_err(|error| errors::raised(py, &error))?;
        self.listener.adjust(py, &self.core)
    }

    fn open_outbox(&self, py: Python<'_>) -> PyResult<()> {
        self.check_outbox(py)?;
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
            Ok(ticket) => Reply::Ticket(Arc::clone(core), ticket).into_python(py),
            Err(error) => Err(errors::raised(py, &error)),
        }
    }

    /// Runs a command; for a greenlet, on the hub.
    fn run<'py>(
        slf: &Bound<'py, Self>,
        method: &str,
        arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
        command: Command,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, client) = (slf.py(), slf.get());
        if let Some(reply) = gevent::call(slf, method, arguments)? {
            return Ok(reply);
        }
        client.check_outbox_for(py, &command)?;
        let core = Arc::clone(&client.core);
        let reply = signals::wait_on_thread(py, move |is_cancelled| {
            command.run(&core, || !is_cancelled.load(Ordering::Relaxed))
        })?;
        match reply {
            Ok(reply) => reply.into_python(py),
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
            Ok(receipt) => Reply::Receipt(receipt).into_python(py),
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
        let converter = Converter::for_zone(self.zone.as_deref());
        let order_id = converter.value(order_id)?;
        let fields = converter.fields(fields, more)?;
        Ok(self.core.validate(call, &order_id, &fields).into())
    }
}
