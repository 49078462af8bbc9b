//! The core's errors become Python's exceptions, whose classes are in `katalys/_errors.py`: they
//! have two bases each, which only Python itself can do under the stable ABI.

use crate::results::problem_list;
use katalys_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule};

static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The exception for an error.
pub fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(|failure| failure, PyErr::from_value)
}

/// The exception as an object, to be raised elsewhere.
///
/// # Errors
/// Whatever Python raises when it cannot make one, such as `MemoryError`.
pub fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let classes =
        CLASSES.get_or_try_init(py, || py.import("katalys._errors").map(Bound::unbind))?;
    let class = match error.kind() {
        ErrorKind::Internal => "Error",
        kind => kind.as_str(),
    };
    let details = PyDict::new(py);
    details.set_item("code", error.code().as_str())?;
    details.set_item("retryable", error.is_retryable())?;
    details.set_item("attempts", error.attempts())?;
    if let Some(ticket) = error.ticket() {
        details.set_item("ticket", ticket)?;
    }
    match error.kind() {
        ErrorKind::Validation => {
            details.set_item("problems", problem_list(py, error.problems())?)?;
        }
        ErrorKind::Rejected => {
            details.set_item("status", error.status())?;
            let seconds = error.retry_after().map(|wait| wait.as_secs_f64());
            details.set_item("retry_after", seconds)?;
        }
        _ => {}
    }
    let class = classes.bind(py).getattr(class)?;
    class.call((error.message(),), Some(&details))
}
