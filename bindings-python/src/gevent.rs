//! Under gevent's monkey patching, a call that waits must let the other greenlets run:
//! `katalys._gevent` makes it, and waits on the hub.

use crate::classes::imported;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The result of a call by a greenlet; `None` for other callers, who make it themselves.
///
/// # Errors
/// As the call.
pub fn call<'py>(
    client: &Bound<'py, PyAny>,
    method: &str,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = client.py();
    if !is_patched(py)? {
        return Ok(None);
    }
    let module = py.import("katalys._gevent")?;
    let calls = module.call_method0(intern!(py, "current_calls"))?;
    if calls.is_none() {
        return Ok(None); // A thread without a hub, or the hub itself, which cannot wait.
    }
    let arguments = arguments.into_pyobject(py).map_err(Into::into)?;
    let call = calls.getattr(intern!(py, "call"))?;
    call.call1((client, method, arguments)).map(Some)
}

/// Whether threads are gevent's. Imports nothing.
///
/// # Errors
/// Exceptions that are not an `Exception`.
pub fn is_patched(py: Python<'_>) -> PyResult<bool> {
    // Runs with every call, so the name is interned.
    let Some(monkey) = imported(py, intern!(py, "gevent.monkey")) else {
        return Ok(false);
    };
    monkey
        .call_method1(intern!(py, "is_module_patched"), ("threading",))?
        .is_truthy()
}

/// A function of a module as it was before it was patched.
///
/// # Errors
/// Whatever the import raises.
pub fn original<'py>(py: Python<'py>, module: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    match imported(py, "gevent.monkey") {
        Some(monkey) => monkey.call_method1("get_original", (module, name)),
        None => py.import(module)?.getattr(name),
    }
}
