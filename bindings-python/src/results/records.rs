//! Results of the core as objects of the dataclasses in `katalys/_results.py`, field by field.

use super::native::problem_list;
use katalys_core::results::{Holds, Record, ResultValue};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyTuple};

/// The object of a record: its class has the name of its table, and its fields in the same order.
///
/// # Errors
/// Whatever Python raises when it cannot make one, such as `MemoryError`.
pub fn record<'py, R: Record>(py: Python<'py>, record: &R) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || py.import("katalys._results").map(Bound::unbind);
    let classes = CLASSES.get_or_try_init(py, import)?.bind(py);
    let fields = R::TABLE.fields.iter().enumerate();
    let values = fields.map(|(place, field)| value(py, field.holds, record.value(place)));
    let values = PyTuple::new(py, values.collect::<PyResult<Vec<_>>>()?)?;
    classes.getattr(R::TABLE.name)?.call1(values)
}

/// The value of a field, or of a property of an error.
///
/// # Errors
/// As [`record`].
pub fn value<'py>(
    py: Python<'py>,
    holds: Holds,
    value: ResultValue<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    match value {
        ResultValue::Missing => Ok(py.None().into_bound(py)),
        ResultValue::Id(id) => id.into_bound_py_any(py),
        ResultValue::Whole(number) => number.into_bound_py_any(py),
        ResultValue::Seconds(seconds) if holds == Holds::Time => time(py, seconds),
        ResultValue::Seconds(seconds) => seconds.into_bound_py_any(py),
        ResultValue::Text(text) => text.into_bound_py_any(py),
        ResultValue::Payload(json) => String::from_utf8_lossy(json).into_bound_py_any(py),
        ResultValue::Problems(problems) => Ok(problem_list(py, problems)?.into_any()),
        ResultValue::Flag(flag) => flag.into_bound_py_any(py),
    }
}

/// Unix seconds as a `datetime` in UTC.
fn time(py: Python<'_>, seconds: f64) -> PyResult<Bound<'_, PyAny>> {
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let class = datetime.getattr("datetime")?;
    class.call_method1("fromtimestamp", (seconds, utc))
}
