//! The classes of the results that calls make for every update: native, for speed. Their fields are
//! in `fields`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use pyo3::{Borrowed, IntoPyObjectExt};
use std::borrow::Cow;
use std::time::Duration;

/// A class with these fields, and with attributes and methods of its own. The names in brackets are
/// properties that `repr` shows before the fields.
macro_rules! class {
    (
        { { $($attribute:tt)* } [$($property:ident),*] $($method:tt)* }
        $(#[doc = $doc:literal])*
        $class:ident { $($(#[doc = $field_doc:literal])* $field:ident: $type:ty,)* }
    ) => {
        $(#[doc = $doc])*
        $($attribute)*
        pub struct $class {
            $($field: $type,)*
        }

        #[pymethods]
        impl $class {
            #[classattr]
            #[pyo3(name = "__match_args__")]
            fn match_args(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
                PyTuple::new(py, [$(stringify!($field)),*])
            }

            #[new]
            fn new($($field: $type),*) -> Self {
                Self { $($field),* }
            }

            $(
                $(#[doc = $field_doc])*
                #[getter]
                fn $field<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                    self.$field.to_python(py)
                }
            )*

            fn __reduce__<'py>(
                slf: &Bound<'py, Self>,
            ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
                let values = [$(slf.get().$field.to_python(slf.py())?),*];
                Ok((slf.get_type().into_any(), PyTuple::new(slf.py(), values)?))
            }

            fn __repr__(&self) -> String {
                let shown = [
                    $(format!("{}={}", stringify!($property), self.$property().repr()),)*
                    $(format!("{}={}", stringify!($field), self.$field.repr()),)*
                ];
                format!("{}({})", stringify!($class), shown.join(", "))
            }

            $($method)*
        }

        impl From<katalys_core::$class> for $class {
            fn from(record: katalys_core::$class) -> Self {
                Self { $($field: FromCore::from_core(record.$field),)* }
            }
        }
    };
}

receipt!(class! {
    {
        #[pyclass(frozen, eq, module = "katalys")]
        #[derive(PartialEq)]
    }
    []
});

ticket!(class! {
    {
        #[pyclass(frozen, eq, module = "katalys")]
        #[derive(PartialEq)]
    }
    []
});

validation!(class! {
    {
        #[pyclass(frozen, eq, module = "katalys")]
        #[derive(PartialEq)]
    }
    [ok]

    /// Whether the update would be sent; there may be warnings all the same.
    #[getter]
    fn ok(&self) -> bool {
        self.payload.is_some()
    }

    /// `if client.validate_update(…):` would read well and always be true.
    #[allow(clippy::unused_self, reason = "the protocol asks for it")]
    fn __bool__(&self) -> PyResult<bool> {
        let advice = "a Validation has no truth value; use its .ok or .problems";
        Err(PyTypeError::new_err(advice))
    }
});

problem!(class! {
    {
        #[pyclass(frozen, eq, hash, from_py_object, module = "katalys")]
        #[derive(Clone, PartialEq, Eq, Hash)]
    }
    []

    fn __str__(&self) -> String {
        format!("{} [{}]", self.message, self.code.0)
    }
});

/// A word of one of the core's tables; in an object that a program creates, it may be any text.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Word(Cow<'static, str>);

impl<'py> FromPyObject<'_, 'py> for Word {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(|text: String| Self(text.into()))
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
    let problems: Vec<Problem> = problems.iter().cloned().map(Problem::from).collect();
    PyList::new(py, problems)
}

/// What a field of a class holds.
trait Held {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;

    fn repr(&self) -> String;
}

macro_rules! held {
    ($($type:ty),*) => {
        $(impl Held for $type {
            fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.into_bound_py_any(py)
            }

            fn repr(&self) -> String {
                format!("{self:?}")
            }
        })*
    };
}

held!(i64, u64, u32, u16, f64, String);

impl Held for bool {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.into_bound_py_any(py)
    }

    fn repr(&self) -> String {
        if *self { "True" } else { "False" }.to_owned()
    }
}

impl Held for Word {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.as_ref().into_bound_py_any(py)
    }

    fn repr(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl Held for Vec<Problem> {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.clone().into_bound_py_any(py)
    }

    fn repr(&self) -> String {
        let each: Vec<String> = self.iter().map(Problem::__repr__).collect();
        format!("[{}]", each.join(", "))
    }
}

/// A payload, of which `repr` shows the size only.
impl Held for Vec<u8> {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyBytes::new(py, self).into_any())
    }

    fn repr(&self) -> String {
        format!("<{} bytes>", self.len())
    }
}

impl<T: Held> Held for Option<T> {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Some(value) => value.to_python(py),
            None => Ok(py.None().into_bound(py)),
        }
    }

    fn repr(&self) -> String {
        self.as_ref().map_or_else(|| "None".to_owned(), T::repr)
    }
}

/// What a class keeps of a value of the core.
trait FromCore<T> {
    fn from_core(value: T) -> Self;
}

impl<T> FromCore<T> for T {
    fn from_core(value: T) -> Self {
        value
    }
}

impl FromCore<Duration> for f64 {
    fn from_core(time: Duration) -> Self {
        time.as_secs_f64()
    }
}

impl FromCore<Vec<katalys_core::Problem>> for Vec<Problem> {
    fn from_core(problems: Vec<katalys_core::Problem>) -> Self {
        problems.into_iter().map(Problem::from).collect()
    }
}

impl FromCore<katalys_core::Code> for Word {
    fn from_core(code: katalys_core::Code) -> Self {
        Self(Cow::Borrowed(code.as_str()))
    }
}

impl FromCore<katalys_core::Severity> for Word {
    fn from_core(severity: katalys_core::Severity) -> Self {
        Self(Cow::Borrowed(severity.as_str()))
    }
}
