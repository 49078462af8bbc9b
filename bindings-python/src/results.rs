//! What a call gives back: small, immutable objects that show no customer data, can be compared
//! and can be pickled.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use std::borrow::Cow;
use std::fmt;

/// One thing that is wrong or suspicious, where it is, and how to fix it.
#[pyclass(frozen, eq, hash, module = "katalys")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// What the caller wrote: `sale_amount`, `discounts[1].amount`.
    #[pyo3(get)]
    path: String,
    /// The rule that was broken.
    #[pyo3(get)]
    code: Cow<'static, str>,
    /// A whole sentence that says how to fix it. Holds no customer data.
    #[pyo3(get)]
    message: String,
    /// `"error"` or `"warning"`.
    #[pyo3(get)]
    severity: Cow<'static, str>,
}

impl Problem {
    pub fn code(&self) -> &str {
        &self.code
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

#[pymethods]
impl Problem {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str, &'static str) =
        ("path", "code", "message", "severity");

    #[new]
    fn new(path: String, code: String, message: String, severity: String) -> Self {
        Self {
            path,
            code: Cow::Owned(code),
            message,
            severity: Cow::Owned(severity),
        }
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, PyAny>, (String, String, String, String)) {
        let Self {
            path,
            code,
            message,
            severity,
        } = slf.get().clone();
        let parts = (path, code.into_owned(), message, severity.into_owned());
        (slf.get_type().into_any(), parts)
    }

    fn __str__(&self) -> String {
        self.to_string()
    }

    fn __repr__(&self) -> String {
        let Self {
            path,
            code,
            message,
            severity,
        } = self;
        format!("Problem(path={path:?}, code={code:?}, message={message:?}, severity={severity:?})")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl From<&katalys_core::Problem> for Problem {
    fn from(problem: &katalys_core::Problem) -> Self {
        Self {
            path: problem.path.clone(),
            code: Cow::Borrowed(problem.code.as_str()),
            message: problem.message.clone(),
            severity: Cow::Borrowed(problem.severity.as_str()),
        }
    }
}

/// Problems as Python's list.
///
/// # Errors
/// `MemoryError`.
pub fn problem_list<'py>(
    py: Python<'py>,
    problems: &[katalys_core::Problem],
) -> PyResult<Bound<'py, PyList>> {
    let problems: Vec<Problem> = problems.iter().map(Problem::from).collect();
    PyList::new(py, problems)
}

/// The endpoint has the update.
#[pyclass(frozen, eq, module = "katalys")]
#[derive(PartialEq)]
pub struct Receipt {
    /// How many requests it took.
    #[pyo3(get)]
    attempts: u32,
    /// How long it took, from the call to the answer, in seconds.
    #[pyo3(get)]
    elapsed: f64,
    warnings: Vec<Problem>,
}

#[pymethods]
impl Receipt {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) =
        ("attempts", "elapsed", "warnings");

    #[new]
    #[pyo3(signature = (attempts, elapsed, warnings))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the form that Python's list converts to"
    )]
    fn new(attempts: u32, elapsed: f64, warnings: Vec<PyRef<'_, Problem>>) -> Self {
        Self {
            attempts,
            elapsed,
            warnings: warnings.iter().map(|problem| (**problem).clone()).collect(),
        }
    }

    /// What was suspicious, or was left out.
    #[getter]
    fn warnings(&self) -> Vec<Problem> {
        self.warnings.clone()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (u32, f64, Vec<Problem>)) {
        let receipt = slf.get();
        let parts = (receipt.attempts, receipt.elapsed, receipt.warnings.clone());
        (slf.get_type().into_any(), parts)
    }

    fn __repr__(&self) -> String {
        let warnings = list_repr(&self.warnings);
        let Self {
            attempts, elapsed, ..
        } = self;
        format!("Receipt(attempts={attempts}, elapsed={elapsed:?}, warnings={warnings})")
    }
}

impl From<katalys_core::Receipt> for Receipt {
    fn from(receipt: katalys_core::Receipt) -> Self {
        Self {
            attempts: receipt.attempts,
            elapsed: receipt.elapsed.as_secs_f64(),
            warnings: receipt.warnings.iter().map(Problem::from).collect(),
        }
    }
}

/// The outbox has the update: it will reach the endpoint, whatever becomes of this process.
#[pyclass(frozen, eq, module = "katalys")]
#[derive(PartialEq)]
pub struct Ticket {
    /// The update's number; numbers rise in the order of acceptance.
    #[pyo3(get)]
    id: i64,
    warnings: Vec<Problem>,
}

#[pymethods]
impl Ticket {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("id", "warnings");

    #[new]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the form that Python's list converts to"
    )]
    fn new(id: i64, warnings: Vec<PyRef<'_, Problem>>) -> Self {
        let warnings = warnings.iter().map(|problem| (**problem).clone()).collect();
        Self { id, warnings }
    }

    /// What was suspicious, or was left out.
    #[getter]
    fn warnings(&self) -> Vec<Problem> {
        self.warnings.clone()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (i64, Vec<Problem>)) {
        let ticket = slf.get();
        let parts = (ticket.id, ticket.warnings.clone());
        (slf.get_type().into_any(), parts)
    }

    fn __repr__(&self) -> String {
        format!(
            "Ticket(id={}, warnings={})",
            self.id,
            list_repr(&self.warnings)
        )
    }
}

impl From<katalys_core::Ticket> for Ticket {
    fn from(ticket: katalys_core::Ticket) -> Self {
        Self {
            id: ticket.id,
            warnings: ticket.warnings.iter().map(Problem::from).collect(),
        }
    }
}

/// The result of a check without sending.
#[pyclass(frozen, eq, module = "katalys")]
#[derive(PartialEq)]
pub struct Validation {
    payload: Option<Vec<u8>>,
    problems: Vec<Problem>,
}

#[pymethods]
impl Validation {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("payload", "problems");

    #[new]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the form that Python's list converts to"
    )]
    fn new(payload: Option<Vec<u8>>, problems: Vec<PyRef<'_, Problem>>) -> Self {
        Self {
            payload,
            problems: problems.iter().map(|problem| (**problem).clone()).collect(),
        }
    }

    /// The exact bytes that would be sent; `None` if there is an error among the problems.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let payload = self.payload.as_ref()?;
        Some(PyBytes::new(py, payload))
    }

    /// Everything that was found, errors and warnings.
    #[getter]
    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    /// Whether the update would be sent; there may be warnings all the same.
    #[getter]
    fn ok(&self) -> bool {
        self.payload.is_some()
    }

    /// `if client.validate_update(…):` would read well and always be true.
    #[allow(clippy::unused_self, reason = "the protocol asks for it")]
    fn __bool__(&self) -> PyResult<bool> {
        let advice = "a Validation has no truth value; ask for its .ok or its .problems";
        Err(PyTypeError::new_err(advice))
    }

    #[allow(clippy::type_complexity, reason = "the pair that pickle asks for")]
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (
        Bound<'py, PyAny>,
        (Option<Bound<'py, PyBytes>>, Vec<Problem>),
    ) {
        let validation = slf.get();
        let parts = (validation.payload(slf.py()), validation.problems.clone());
        (slf.get_type().into_any(), parts)
    }

    fn __repr__(&self) -> String {
        let ok = if self.ok() { "True" } else { "False" };
        let size = self.payload.as_ref().map_or_else(
            || "None".to_owned(),
            |payload| format!("<{} bytes>", payload.len()),
        );
        let problems = list_repr(&self.problems);
        format!("Validation(ok={ok}, payload={size}, problems={problems})")
    }
}

impl From<katalys_core::Validation> for Validation {
    fn from(validation: katalys_core::Validation) -> Self {
        Self {
            payload: validation.payload,
            problems: validation.problems.iter().map(Problem::from).collect(),
        }
    }
}

fn list_repr(problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(Problem::__repr__).collect();
    format!("[{}]", each.join(", "))
}
