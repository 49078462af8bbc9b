//! Converts Python's values to the core's, by their class; the first class that matches decides.
//! The core decides which values a field accepts.
//!
//! Text is borrowed from Python's own strings. A [`Converter`] keeps alive what is borrowed from,
//! since code of the caller's (a `__str__`, a property) may run between two values and change the
//! dict they came from.

use crate::classes::{self, imported};
use crate::errors;
use katalys_core::{Fields, Value};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView,
    PyString, PyTuple, PyType,
};
use std::borrow::Cow;
use typed_arena::Arena;

/// The nesting depth of a value. Lists and records are read only at the depths where the core reads
/// them; elsewhere they are invalid whatever they contain, and may even contain themselves.
type Depth = usize;
const FIELDS: Depth = 0;
const LISTS: Depth = 1;
const RECORDS: Depth = 2;
const KEYS: Depth = 3;
const DEEPEST: Depth = 6;

/// Maximum number of records and fields that are read: with more, the update exceeds its largest size,
/// and reading all of them would hold the interpreter for seconds.
const MOST: usize = katalys_core::order::MAX_KEYS + 1;

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Converts the values of one call, and holds what the converted values borrow from.
pub struct Converter<'py> {
    /// The client's time zone, in which naive times are read.
    zone: Option<&'py str>,
    values: Arena<Bound<'py, PyAny>>,
    lists: Arena<Vec<Bound<'py, PyAny>>>,
    tables: Arena<Vec<Pair<'py>>>,
}

impl<'py> Converter<'py> {
    /// Without a time zone. Most calls keep one table alive and nothing else.
    pub fn new() -> Self {
        Self::for_zone(None)
    }

    /// With the client's time zone.
    pub fn for_zone(zone: Option<&'py str>) -> Self {
        Self {
            zone,
            values: Arena::with_capacity(0),
            lists: Arena::with_capacity(0),
            tables: Arena::with_capacity(1),
        }
    }

    /// An order id, or any one value.
    ///
    /// # Errors
    /// Exceptions that are not an `Exception`, such as `KeyboardInterrupt`.
    pub fn value<'k>(&'k self, value: &'k Bound<'py, PyAny>) -> PyResult<Value<'k>> {
        self.convert(value, LISTS)
    }

    /// The fields of a call: those of the mapping, then the keyword arguments.
    ///
    /// # Errors
    /// `katalys.Error` (`misuse`) if `mapping` is not a mapping.
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
    /// Exceptions that are not an `Exception`, such as `KeyboardInterrupt`.
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
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            return self.map(self.keep_pairs(dict)?, depth);
        }
        if let Ok(list) = value.cast::<PyList>() {
            return self.list(list.iter().map(Ok), depth);
        }
        // A value whose own code fails cannot be sent.
        match or_none(self.single(value, depth))? {
            Some(Some(single)) => return Ok(single),
            None => return Ok(Value::Unsupported),
            Some(None) => {}
        }
        // An exception of a container that fails while it is read, such as a query, is the caller's.
        if let Some(container) = self.container(value, depth)? {
            return Ok(container);
        }
        Ok(or_none(self.number(value))?
            .flatten()
            .unwrap_or(Value::Unsupported))
    }

    /// A single value, recognised by its class, common classes first.
    fn single<'k>(
        &'k self,
        value: &'k Bound<'py, PyAny>,
        depth: Depth,
    ) -> PyResult<Option<Value<'k>>> {
        if classes::DECIMAL.is_type_of(value) {
            return Ok(Some(Value::Decimal(self.text_of(value)?)));
        }
        if classes::DATETIME.is_type_of(value) {
            return Ok(Some(Value::Time(self.iso_format(value)?)));
        }
        // Before str and int: members of a mixed-in enum are instances of those as well.
        if classes::ENUM.has_instance(value)? {
            let inner = self
                .values
                .alloc(value.getattr(intern!(value.py(), "value"))?);
            return self.convert(inner, depth + 1).map(Some);
        }
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Some(of_text(text)));
        }
        if let Ok(number) = value.cast::<PyInt>() {
            return self.integer(number).map(Some);
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            return Ok(Some(Value::Float(number.value())));
        }
        self.single_by_class(value)
    }

    fn single_by_class<'k>(&'k self, value: &'k Bound<'py, PyAny>) -> PyResult<Option<Value<'k>>> {
        if value.is_instance_of::<PyType>() || is_binary(value) {
            return Ok(Some(Value::Unsupported));
        }
        if classes::DECIMAL.has_instance(value)? {
            return Ok(Some(Value::Decimal(self.text_of(value)?)));
        }
        if classes::DATE.has_instance(value)? {
            return Ok(Some(Value::Time(self.iso_format(value)?)));
        }
        if classes::UUID.has_instance(value)? || classes::PROMISE.has_instance(value)? {
            return Ok(Some(Value::Text(self.text_of(value)?)));
        }
        Ok(None)
    }

    /// Records, and lists of any kind: every value that can be iterated over.
    fn container<'k>(
        &'k self,
        value: &'k Bound<'py, PyAny>,
        depth: Depth,
    ) -> PyResult<Option<Value<'k>>> {
        if let Some(record) = self.record(value)? {
            return self.map(record, depth).map(Some);
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            return self.list(tuple.iter().map(Ok), depth).map(Some);
        }
        if classes::MAPPING.has_instance(value)? {
            return self.map(self.keep_items(value)?, depth).map(Some);
        }
        let class = value.get_type();
        // Arrays without dimensions are numbers, although they have `__iter__`.
        if class.hasattr(intern!(value.py(), "__iter__"))?
            && (!class.hasattr(intern!(value.py(), "__index__"))?
                || or_none(self.number(value))?.is_none())
        {
            return self.list(value.try_iter()?, depth).map(Some);
        }
        Ok(None)
    }

    fn list<'k>(
        &'k self,
        items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        depth: Depth,
    ) -> PyResult<Value<'k>> {
        if depth != LISTS {
            return Ok(Value::List(Vec::new()));
        }
        // All of them first: converting one may change the list. An endless iterator ends here; what
        // was read of it is too large as well.
        let items: PyResult<Vec<_>> = items.take(MOST).collect();
        let items: &'k [_] = self.lists.alloc(items?);
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
        let mut given = 0;
        for (key, value) in pairs {
            let value = self.convert(value, depth + 1)?;
            given += usize::from(!matches!(value, Value::Null));
            if given > MOST {
                break;
            }
            fields.push(self.key(key)?, value);
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
    fn number<'k>(&'k self, value: &Bound<'py, PyAny>) -> PyResult<Option<Value<'k>>> {
        let py = value.py();
        if value.get_type().hasattr(intern!(py, "__index__"))? {
            let index = value.call_method0(intern!(py, "__index__"))?;
            return self.integer(index.cast::<PyInt>()?).map(Some);
        }
        if classes::REAL.has_instance(value)? && !classes::RATIONAL.has_instance(value)? {
            return Ok(Some(Value::Float(value.extract()?)));
        }
        Ok(None)
    }

    /// Beyond 64 bits the digits are sent as text; beyond Python's own limit, `str` raises.
    fn integer<'k>(&'k self, number: &Bound<'py, PyInt>) -> PyResult<Value<'k>> {
        match number.extract() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Ok(Value::Decimal(self.text_of(number)?)),
        }
    }

    /// With `fold=1`, a naive time that occurs twice, at the end of summer time, is the second one.
    fn iso_format<'k>(&'k self, time: &Bound<'py, PyAny>) -> PyResult<Cow<'k, str>> {
        let py = time.py();
        let second = match self.zone {
            Some(zone) => is_second(time)?.then(|| in_zone(time, zone)).transpose()?,
            None => None,
        };
        let time = second.as_ref().unwrap_or(time);
        let text = time.call_method0(intern!(py, "isoformat"))?;
        Ok(Cow::Borrowed(self.keep_text(text)?))
    }

    fn text_of<'k>(&'k self, value: &Bound<'py, PyAny>) -> PyResult<Cow<'k, str>> {
        Ok(Cow::Borrowed(self.keep_text(value.str()?.into_any())?))
    }

    fn keep_text<'k>(&'k self, text: Bound<'py, PyAny>) -> PyResult<&'k str> {
        let kept: &'k Bound<'py, PyAny> = self.values.alloc(text);
        kept.cast::<PyString>()?.to_str()
    }

    /// A key that is not text, or not valid Unicode, becomes one that the core refuses: the name of its
    /// class, or its valid part.
    ///
    /// # Errors
    /// Exceptions that are not an `Exception`.
    fn key<'k>(&'k self, key: &'k Bound<'py, PyAny>) -> PyResult<Cow<'k, str>> {
        if let Ok(text) = key.cast_exact::<PyString>() {
            return Ok(text.to_str().map_or_else(
                |_| Cow::Owned(refusable(&text.to_string_lossy())),
                Cow::Borrowed,
            ));
        }
        match self.convert(key, KEYS)? {
            Value::Text(text) => Ok(text),
            _ => Ok(Cow::Owned(format!("\0{}", class_of(key)))),
        }
    }
}

fn is_second(time: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = time.py();
    let fold = time.getattr_opt(intern!(py, "fold"))?;
    match fold {
        Some(fold) if fold.is_truthy()? => Ok(time.getattr(intern!(py, "tzinfo"))?.is_none()),
        _ => Ok(false),
    }
}

/// The same time of day with the zone's own offset.
fn in_zone<'py>(time: &Bound<'py, PyAny>, zone: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = time.py();
    let tzinfo = PyDict::new(py);
    let zone = py.import("zoneinfo")?.call_method1("ZoneInfo", (zone,))?;
    tzinfo.set_item("tzinfo", zone)?;
    time.call_method("replace", (), Some(&tzinfo))
}

/// The core refuses keys with a control character.
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
    // A bool is an int as well, but not an exact one, so its place does not matter.
    value
        .cast_exact::<PyBool>()
        .ok()
        .map(|flag| Value::Bool(flag.is_true()))
}

fn of_text<'k>(text: &'k Bound<'_, PyString>) -> Value<'k> {
    text.to_str()
        .map_or(Value::InvalidText, |text| Value::Text(Cow::Borrowed(text)))
}

/// `None` for an `Exception` from the caller's code; others, such as `KeyboardInterrupt`, propagate.
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
    let class = class_of(value);
    let message = format!("fields must be a mapping or a dataclass, not {class}");
    errors::raised(value.py(), &katalys_core::Error::misuse(message))
}

fn class_of(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name();
    name.map_or_else(|_| "?".into(), |name| name.to_string_lossy().into())
}

/// Iterating over these gives numbers, which no caller intends.
fn is_binary(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>()
}
