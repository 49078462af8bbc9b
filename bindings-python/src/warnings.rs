//! Warnings about updates go to the logger `katalys`, each code once per client.

use katalys_core::bridge::Bridge as _;
use katalys_core::{Client, Problem};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Logs those of the warnings that this client has not logged yet.
///
/// # Errors
/// Exceptions that are not an `Exception`: a broken log handler does not stop an update.
pub fn log(py: Python<'_>, client: &Client, warnings: &[Problem]) -> PyResult<()> {
    for warning in client.unlogged(warnings) {
        match log_one(py, warning) {
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
    let code = warning.code.as_str();
    // The same for each code, since tools group by it.
    let template = format!("%s [{code}]");
    let extra = PyDict::new(py);
    extra.set_item("katalys_code", code)?;
    extra.set_item("katalys_path", &warning.path)?;
    let named = PyDict::new(py);
    named.set_item("extra", extra)?;
    logger.call_method("warning", (template, &warning.message), Some(&named))?;
    Ok(())
}
