//! The client that waits: each call holds the interpreter only while it looks at the caller's
//! values.

use crate::convert::Keeper;
use crate::errors;
use crate::results::{Receipt, Validation};
use crate::warnings;
use katalys_core::{Call, Checked, Language};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Reports orders of one site. Made to be kept and shared between threads, and good across
/// fork: a child process opens its own connections on its first call.
#[pyclass(frozen, subclass, weakref, module = "katalys")]
pub struct Client {
    pub(crate) core: katalys_core::Client,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (site_id=None, **options))]
    fn new<'py>(
        py: Python<'py>,
        site_id: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let keeper = Keeper::new();
        let settings = keeper.settings(site_id, options)?;
        katalys_core::Client::with_options(Language::Python, &settings)
            .map(|core| Self { core })
            .map_err(|error| errors::raised(py, &error))
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
