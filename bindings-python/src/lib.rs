//! The native module of the Python package: converts Python's values to the core's, calls the core
//! without holding the interpreter, and converts results to Python's objects.
//!
//! `completions` uses `client`; both use `outbox`, and `client` uses `events`, which uses `outbox`. All
//! of them use `convert`, `errors`, `results` and the other modules, which use none of them.

mod classes;
mod client;
mod completions;
mod convert;
mod core_log;
mod errors;
mod events;
mod gevent;
mod outbox;
mod results;
mod signals;
mod warnings;

use pyo3::prelude::*;

/// The module `katalys._native`; the package `katalys` re-exports its public names.
#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::completions::{CompletionQueue, Submission};
    #[pymodule_export]
    use super::events::report;
    #[pymodule_export]
    use super::outbox::close_all;
    #[pymodule_export]
    use super::results::{Problem, Receipt, Ticket, Validation};

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "its name in Python")]
    const __version__: &str = katalys_core::VERSION;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::classes::require_same_interpreter(module.py())?;
        super::core_log::install();
        Ok(())
    }
}
