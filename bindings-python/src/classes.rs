//! Python classes that are recognised without importing their modules: a value of such a class
//! cannot exist before its module is imported.

use pyo3::exceptions::PyImportError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyType};

/// A class by its module and name, looked up once the module has been imported.
pub struct Class {
    module: &'static str,
    name: &'static str,
    found: PyOnceLock<Py<PyType>>,
}

pub static DATETIME: Class = Class::new("datetime", "datetime");
pub static DATE: Class = Class::new("datetime", "date");
pub static DECIMAL: Class = Class::new("decimal", "Decimal");
pub static ENUM: Class = Class::new("enum", "Enum");
pub static UUID: Class = Class::new("uuid", "UUID");
pub static MAPPING: Class = Class::new("_collections_abc", "Mapping");
pub static REAL: Class = Class::new("numbers", "Real");
pub static RATIONAL: Class = Class::new("numbers", "Rational");
/// Django's lazily translated strings.
pub static PROMISE: Class = Class::new("django.utils.functional", "Promise");

impl Class {
    const fn new(module: &'static str, name: &'static str) -> Self {
        let found = PyOnceLock::new();
        Self {
            module,
            name,
            found,
        }
    }

    /// Whether the value is of exactly this class.
    pub fn is_type_of(&self, value: &Bound<'_, PyAny>) -> bool {
        let class = self.get(value.py());
        class.is_some_and(|class| value.get_type().is(class))
    }

    /// Whether the value is an instance, as `isinstance` says.
    pub fn has_instance(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        match self.get(value.py()) {
            Some(class) => value.is_instance(class),
            None => Ok(false),
        }
    }

    fn get<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyType>> {
        if self.found.get(py).is_none() {
            let class = self.look_up(py)?;
            let _ = self.found.set(py, class);
        }
        self.found.get(py).map(|class| class.bind(py))
    }

    fn look_up(&self, py: Python<'_>) -> Option<Py<PyType>> {
        let class = imported(py, self.module)?.getattr(self.name).ok()?;
        Some(class.cast_into::<PyType>().ok()?.unbind())
    }
}

/// Checks that this is the interpreter whose objects, such as classes, the library has cached.
///
/// # Errors
/// `ImportError` in any other interpreter of the process than the first that imported it.
pub fn require_same_interpreter(py: Python<'_>) -> PyResult<()> {
    static FIRST: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    // Each interpreter has a module `sys` of its own.
    let sys = py.import("sys")?;
    let first = FIRST.get_or_init(py, || sys.clone().unbind());
    if first.bind(py).is(&sys) {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "katalys is in use by another interpreter of this process and works in one only; let all \
         applications share it (uWSGI: single-interpreter = true; mod_wsgi: \
         WSGIApplicationGroup %{GLOBAL}) or give each a process of its own",
    ))
}

/// A module, if it has been imported.
pub fn imported<'py>(py: Python<'py>, module: impl IntoPyObject<'py>) -> Option<Bound<'py, PyAny>> {
    static SYS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let sys = SYS.get_or_try_init(py, || py.import("sys").map(Bound::unbind));
    let modules = sys.ok()?.bind(py).getattr(intern!(py, "modules")).ok()?;
    modules.cast::<PyDict>().ok()?.get_item(module).ok()?
}
