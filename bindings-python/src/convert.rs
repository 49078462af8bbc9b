//! Python's values become the core's. Strict, in the order written here, and without a rule: what
//! may stand in which field is for the core to say.
//!
//! Text is borrowed from Python's own strings. What is borrowed from is kept alive in a
//! [`Keeper`], since code of the caller's (a `__str__`, a property) may run between two values
//! and change the dict they came from.

use crate::errors;
use crate::known::{self, imported};
use katalys_core::{Fields, Value};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};
use std::borrow::Cow;
use typed_arena::Arena;

/// How deep in a call a value stands. Lists and records are looked into only where the core
/// reads them; elsewhere they are wrong whatever they hold, and may even hold themselves.
type Depth = usize;
const FIELDS: Depth = 0;
const LISTS: Depth = 1;
const RECORDS: Depth = 2;
const KEYS: Depth = 3;
const DEEPEST: Depth = 6;

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Holds what converted values borrow from.
pub struct Keeper<'py> {
    values: Arena<Bound<'py, PyAny>>,
    lists: Arena<Vec<Bound<'py, PyAny>>>,
    tables: Arena<Vec<Pair<'py>>>,
}

impl<'py> Keeper<'py> {
    /// Most calls keep one table and nothing else.
    pub fn new() -> Self {
        Self {
            values: Arena::with_capacity(0),
            lists: Arena::with_capacity(0),
            tables: Arena::with_capacity(1),
        }
    }

    /// An order id, or any one value.
    ///
    /// # Errors
    /// Only what is no `Exception`, such as `KeyboardInterrupt`.
    pub fn value<'k>(&'k self, value: &'k Bound<'py, PyAny>) -> PyResult<Value<'k>> {
        self.convert(value, LISTS)
    }

    /// The fields of a call: those of the mapping, then the keyword arguments.
    ///
    /// # Errors
    /// `katalys.Error` (`misuse`) if `mapping` is none.
    pub fn fields<'k>(
        &'k self,
        mapping: Option<&'k Bound<'py, PyAny>>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Fields<'k>> {
        let mut fields = match mapping.filter(|mapping| !mapping.is_none()) {
            None => Fields::with_capacity(more.map_or(0, PyDictMethods::len)),
            Some(mapping) => match self.convert(mapping, FIELDS)? {
                Value::Map(fields) => fields,
                _ => return Err(not_a_mapping(mapping)),
            },
        };
        if let Some(more) = more {
            self.push_pairs(&mut fields, self.keep_pairs(more)?, FIELDS)?;
        }
        Ok(fields)
    }

    /// The settings of a client: their names and plain values.
    ///
    /// # Errors
    /// Only what is no `Exception`, such as `KeyboardInterrupt`.
    pub fn settings<'k>(
        &'k self,
        site_id: Option<&'k Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Fields<'k>> {
        let mut settings = Fields::with_capacity(1 + options.map_or(0, PyDictMethods::len));
        if let Some(site_id) = site_id {
            settings.push("site_id", self.value(site_id)?);
        }
        let Some(options) = options else {
            return Ok(settings);
        };
        for (name, value) in self.keep_pairs(options)? {
            let path = or_none(value.call_method0(intern!(value.py(), "__fspath__")))?;
            let value = match path {
                Some(path) => self.convert(self.values.alloc(path), LISTS)?,
                None => self.convert(value, LISTS)?,
            };
            settings.push(self.key(name)?, value);
        }
        Ok(settings)
    }

    fn convert<'k>(&'k self, value: &'k Bound<'py, PyAny>, depth: Depth) -> PyResult<Value<'k>> {
        if let Some(value) = plain(value) {
            return Ok(value);
        }
        if depth >= DEEPEST {
            return Ok(Value::Unsupported);
        }
        // Whatever goes wrong in the caller's own code, the value cannot be sent.
        Ok(or_none(self.special(value, depth))?.unwrap_or(Value::Unsupported))
    }

    fn special<'k>(&'k self, value: &'k Bound<'py, PyAny>, depth: Depth) -> PyResult<Value<'k>> {
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            return self.map(self.keep_pairs(dict)?, depth);
        }
        if let Ok(list) = value.cast::<PyList>() {
            return self.list(list.iter(), depth);
        }
        if known::DECIMAL.is_type_of(value) {
            return Ok(Value::Decimal(self.text_of(value)?));
        }
        if known::DATETIME.is_type_of(value) {
            return Ok(Value::Time(self.iso_format(value)?));
        }
        // Before str and int: members of mixed-in enums are those as well.
        if known::ENUM.has_instance(value)? {
            let inner = self
                .values
                .alloc(value.getattr(intern!(value.py(), "value"))?);
            return self.convert(inner, depth + 1);
        }
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(of_text(text));
        }
        if let Ok(number) = value.cast::<PyInt>() {
            return self.integer(number);
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            return Ok(Value::Float(number.value()));
        }
        self.by_class(value, depth)
    }

    /// What is told apart by class and protocol, from the common to the rare.
    fn by_class<'k>(&'k self, value: &'k Bound<'py, PyAny>, depth: Depth) -> PyResult<Value<'k>> {
        if value.is_instance_of::<PyType>() {
            return Ok(Value::Unsupported);
        }
        if known::DECIMAL.has_instance(value)? {
            return Ok(Value::Decimal(self.text_of(value)?));
        }
        if known::DATE.has_instance(value)? {
            return Ok(Value::Time(self.iso_format(value)?));
        }
        if known::UUID.has_instance(value)? || known::PROMISE.has_instance(value)? {
            return Ok(Value::Text(self.text_of(value)?));
        }
        if let Some(record) = self.record(value)? {
            return self.map(record, depth);
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            return self.list(tuple.iter(), depth);
        }
        if known::MAPPING.has_instance(value)? {
            return self.map(self.keep_items(value)?, depth);
        }
        self.number(value)
    }

    fn list<'k>(
        &'k self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: Depth,
    ) -> PyResult<Value<'k>> {
        if depth != LISTS {
            return Ok(Value::List(Vec::new()));
        }
        // All of them first: converting one may change the list.
        let items: &'k [_] = self.lists.alloc(items.collect());
        let values = items.iter().map(|item| self.convert(item, depth + 1));
        values.collect::<PyResult<_>>().map(Value::List)
    }

    fn map<'k>(&'k self, pairs: &'k [Pair<'py>], depth: Depth) -> PyResult<Value<'k>> {
        let mut fields = Fields::with_capacity(pairs.len() + 4);
        if depth == FIELDS || depth == RECORDS {
            self.push_pairs(&mut fields, pairs, depth)?;
        }
        Ok(Value::Map(fields))
    }

    fn push_pairs<'k>(
        &'k self,
        fields: &mut Fields<'k>,
        pairs: &'k [Pair<'py>],
        depth: Depth,
    ) -> PyResult<()> {
        for (key, value) in pairs {
            fields.push(self.key(key)?, self.convert(value, depth + 1)?);
        }
        Ok(())
    }

    fn keep_pairs<'k>(&'k self, dict: &Bound<'py, PyDict>) -> PyResult<&'k [Pair<'py>]> {
        let pairs = std::cell::RefCell::new(Vec::with_capacity(dict.len()));
        dict.locked_for_each(|key, value| {
            pairs.borrow_mut().push((key, value));
            Ok(())
        })?;
        Ok(self.tables.alloc(pairs.into_inner()))
    }

    fn keep_items<'k>(&'k self, mapping: &Bound<'py, PyAny>) -> PyResult<&'k [Pair<'py>]> {
        let items = mapping.cast::<PyMapping>()?.items()?;
        let pairs: PyResult<Vec<_>> = items.iter().map(|pair| pair.extract()).collect();
        Ok(self.tables.alloc(pairs?))
    }

    /// The names and values of a dataclass or a named tuple.
    fn record<'k>(&'k self, value: &Bound<'py, PyAny>) -> PyResult<Option<&'k [Pair<'py>]>> {
        let py = value.py();
        let class = value.get_type();
        let names: Vec<Bound<'py, PyAny>> = if let Some(dataclasses) = imported(py, "dataclasses")
            && class.hasattr(intern!(py, "__dataclass_fields__"))?
        {
            let fields = dataclasses.call_method1(intern!(py, "fields"), (value,))?;
            let name_of = |field: PyResult<Bound<'py, PyAny>>| field?.getattr(intern!(py, "name"));
            fields.try_iter()?.map(name_of).collect::<PyResult<_>>()?
        } else if value.is_instance_of::<PyTuple>() && class.hasattr(intern!(py, "_fields"))? {
            let fields = class.getattr(intern!(py, "_fields"))?;
            fields.try_iter()?.collect::<PyResult<_>>()?
        } else {
            return Ok(None);
        };
        let pair_of = |name: Bound<'py, PyAny>| -> PyResult<_> {
            let attribute = value.getattr(name.cast::<PyString>()?)?;
            Ok((name, attribute))
        };
        let pairs: PyResult<Vec<_>> = names.into_iter().map(pair_of).collect();
        Ok(Some(self.tables.alloc(pairs?)))
    }

    /// Numbers of other libraries, such as numpy's. Fractions are refused: they have no exact
    /// decimal form.
    fn number<'k>(&'k self, value: &Bound<'py, PyAny>) -> PyResult<Value<'k>> {
        let py = value.py();
        if value.get_type().hasattr(intern!(py, "__index__"))? {
            let index = value.call_method0(intern!(py, "__index__"))?;
            return self.integer(index.cast::<PyInt>()?);
        }
        if known::REAL.has_instance(value)? && !known::RATIONAL.has_instance(value)? {
            return Ok(Value::Float(value.extract()?));
        }
        Ok(Value::Unsupported)
    }

    /// Beyond 64 bits the digits go on as text; beyond Python's own limit there are none.
    fn integer<'k>(&'k self, number: &Bound<'py, PyInt>) -> PyResult<Value<'k>> {
        match number.extract() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Ok(Value::Decimal(self.text_of(number)?)),
        }
    }

    fn iso_format<'k>(&'k self, time: &Bound<'py, PyAny>) -> PyResult<Cow<'k, str>> {
        let text = time.call_method0(intern!(time.py(), "isoformat"))?;
        Ok(Cow::Borrowed(self.keep_text(text)?))
    }

    fn text_of<'k>(&'k self, value: &Bound<'py, PyAny>) -> PyResult<Cow<'k, str>> {
        Ok(Cow::Borrowed(self.keep_text(value.str()?.into_any())?))
    }

    fn keep_text<'k>(&'k self, text: Bound<'py, PyAny>) -> PyResult<&'k str> {
        let kept: &'k Bound<'py, PyAny> = self.values.alloc(text);
        kept.cast::<PyString>()?.to_str()
    }

    /// A key that is not text, or not valid Unicode, is made one that the core refuses by name.
    fn key<'k>(&'k self, key: &'k Bound<'py, PyAny>) -> PyResult<Cow<'k, str>> {
        if let Ok(text) = key.cast_exact::<PyString>() {
            return Ok(text.to_str().map_or_else(
                |_| Cow::Owned(refusable(&text.to_string_lossy())),
                Cow::Borrowed,
            ));
        }
        match self.convert(key, KEYS)? {
            Value::Text(text) => Ok(text),
            Value::Int(number) => Ok(Cow::Owned(refusable(&number.to_string()))),
            _ => {
                let class = or_none(key.get_type().name())?;
                let name = class.map_or_else(String::new, |name| name.to_string_lossy().into());
                Ok(Cow::Owned(refusable(&name)))
            }
        }
    }
}

/// No key with a control character is sent.
fn refusable(key: &str) -> String {
    format!("{key}\0")
}

/// The values of exact built-in types, by far the most frequent.
fn plain<'k>(value: &'k Bound<'_, PyAny>) -> Option<Value<'k>> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Some(of_text(text));
    }
    if value.is_none() {
        return Some(Value::Null);
    }
    if let Ok(number) = value.cast_exact::<PyInt>() {
        return number.extract().ok().map(Value::Int);
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        return Some(Value::Float(number.value()));
    }
    // A bool is an int as well, though not an exact one.
    value
        .cast_exact::<PyBool>()
        .ok()
        .map(|flag| Value::Bool(flag.is_true()))
}

fn of_text<'k>(text: &'k Bound<'_, PyString>) -> Value<'k> {
    text.to_str()
        .map_or(Value::InvalidText, |text| Value::Text(Cow::Borrowed(text)))
}

/// An `Exception` from the caller's code is no value; a `KeyboardInterrupt` goes its way.
fn or_none<T>(result: PyResult<T>) -> PyResult<Option<T>> {
    result.map(Some).or_else(|error| {
        Python::attach(|py| {
            if error.is_instance_of::<PyException>(py) {
                Ok(None)
            } else {
                Err(error)
            }
        })
    })
}

fn not_a_mapping(value: &Bound<'_, PyAny>) -> PyErr {
    let class = value.get_type().name();
    let class = class
        .as_ref()
        .map_or(Cow::Borrowed("?"), |name| name.to_string_lossy());
    let message = format!("fields must be a mapping or a dataclass, not {class}");
    errors::raised(value.py(), &katalys_core::Error::misuse(message))
}
