//! What is suspicious about an update goes to the logger `katalys`, each code once per client.

use crate::results::Problem;
use katalys_core::Client;
use katalys_core::bridge::Bridge as _;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Logs those of the warnings that this client has not logged yet.
///
/// # Errors
/// Only what is no `Exception`: a broken log handler does not stop an update.
pub fn log(py: Python<'_>, client: &Client, warnings: &[katalys_core::Problem]) -> PyResult<()> {
    for warning in client.unlogged(warnings) {
        match log_one(py, &Problem::from(warning)) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                error.write_unraisable(py, None);
            }
            result => result?,
        }
    }
    Ok(())
}

fn log_one(py: Python<'_>, warning: &Problem) -> PyResult<()> {
    let logger = py
        .import("logging")?
        .call_method1("getLogger", ("katalys",))?;
    // The same for each kind, since tools group by it.
    let template = format!("%s [{}]", warning.code());
    let extra = PyDict::new(py);
    extra.set_item("katalys_code", warning.code())?;
    extra.set_item("katalys_path", warning.path())?;
    let named = PyDict::new(py);
    named.set_item("extra", extra)?;
    logger.call_method("warning", (template, warning.message()), Some(&named))?;
    Ok(())
}
