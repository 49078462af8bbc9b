//! Converts the core's errors to Python's exceptions. Their classes are defined in
//! `katalys/_errors.py`, since each has two bases, which native code cannot create under the stable
//! ABI.

use crate::results::value;
use katalys_core::results::ResultValue;
use katalys_core::{Error, ErrorKind, ErrorProperty};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule};
use std::iter;

/// The exception for an error.
pub fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(|failure| failure, PyErr::from_value)
}

/// The exception as an object, to be raised elsewhere. A property without a value keeps the default
/// of its class.
///
/// # Errors
/// Whatever Python raises when it cannot make one, such as `MemoryError`.
pub fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let import = || py.import("katalys._errors").map(Bound::unbind);
    let classes = CLASSES.get_or_try_init(py, import)?.bind(py);
    let properties = PyDict::new(py);
    for property in properties_of(error.kind()) {
        match error.value(*property) {
            ResultValue::Missing => {}
            found => properties.set_item(property.name(), value(py, property.holds(), found)?)?,
        }
    }
    let class = classes.getattr(class_name(error.kind()))?;
    class.call((error.message(),), Some(&properties))
}

fn properties_of(kind: ErrorKind) -> impl Iterator<Item = &'static ErrorProperty> {
    let kinds = iter::successors(Some(kind), |kind| kind.parent());
    let own = kinds.flat_map(ErrorKind::properties);
    ErrorProperty::COMMON.iter().chain(own)
}

/// Internal errors are of the base class.
fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Internal => "Error",
        kind => kind.as_str(),
    }
}
