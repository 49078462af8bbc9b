//! `katalys_fields`: keys and values in the order they were set, for an update or for a client.

use crate::codes::katalys_code;
use crate::guard::{free, guarded};
use crate::input;
use crate::outcome::Outcome;
use crate::result::{deliver, katalys_result};
use katalys_core::order::fields_from_json;
use katalys_core::{Error, Fields, Value};
use std::ffi::c_char;
use std::ptr;

/// Keys and values in the order they were set: the fields of an order update, or the options of
/// a client.
///
/// All text is copied. The first misuse of a setter (a NULL key, a list that is closed twice) is
/// remembered, and every call with these fields then fails with KATALYS_MISUSE: there is no need to
/// check the return value of each setter.
///
/// Only one thread may change it at a time; any number may use it while none changes it.
#[derive(Default)]
pub struct katalys_fields {
    root: Fields<'static>,
    open: Vec<Open>,
    misuse: Option<&'static str>,
}

/// A list or record that is not closed yet, with its key in the enclosing one.
struct Open {
    key: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Value<'static>>),
    Record(Fields<'static>),
}

/// Deeper than any order update, and shallow enough to be dropped by recursion.
const DEEPEST: usize = 32;

impl katalys_fields {
    pub(crate) fn holding(root: Fields<'static>) -> Self {
        Self {
            root,
            ..Self::default()
        }
    }

    /// The finished fields.
    pub(crate) fn finished(&self) -> Result<&Fields<'static>, Error> {
        match self.misuse {
            Some(misuse) => Err(Error::misuse(misuse)),
            None if self.open.is_empty() => Ok(&self.root),
            None => Err(Error::misuse("a list or record was opened and not closed")),
        }
    }

    fn add(&mut self, key: Option<String>, value: Value<'static>) -> Result<(), &'static str> {
        match (self.open.last_mut().map(|open| &mut open.content), key) {
            (Some(Content::List(items)), None) => items.push(value),
            (Some(Content::List(_)), Some(_)) => return Err("within a list, the key must be NULL"),
            (_, None) => return Err("a key is NULL"),
            (Some(Content::Record(fields)), Some(key)) => fields.push(key, value),
            (None, Some(key)) => self.root.push(key, value),
        }
        Ok(())
    }

    fn open(&mut self, key: Option<String>, content: Content) -> Result<(), &'static str> {
        let in_list = matches!(
            self.open.last().map(|open| &open.content),
            Some(Content::List(_))
        );
        if in_list != key.is_none() {
            return Err("a key is NULL where one is needed, or given within a list");
        }
        if self.open.len() == DEEPEST {
            return Err("lists and records are nested too deeply");
        }
        self.open.push(Open { key, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let Some(Open { key, content }) = self.open.pop() else {
            return Err("a list or record was closed that was not open");
        };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Record(fields) => Value::Map(fields),
        };
        self.add(key, value)
    }
}

/// Runs one change, and remembers the first misuse.
///
/// # Safety
/// Unless it is null, `fields` is a live handle that is not used elsewhere during the call.
unsafe fn change(
    fields: *mut katalys_fields,
    change: impl FnOnce(&mut katalys_fields) -> Result<(), &'static str>,
) -> katalys_code {
    guarded(katalys_code::KATALYS_INTERNAL, || {
        // SAFETY: live and not used by anyone else, as this function demands.
        let Some(fields) = (unsafe { fields.as_mut() }) else {
            return katalys_code::KATALYS_MISUSE;
        };
        match change(fields) {
            Ok(()) => katalys_code::KATALYS_OK,
            Err(misuse) => {
                fields.misuse.get_or_insert(misuse);
                katalys_code::KATALYS_MISUSE
            }
        }
    })
}

/// Sets one value.
///
/// # Safety
/// As for [`change`]; and `key` points to `key_len` readable bytes unless it is null.
unsafe fn set(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: impl FnOnce() -> Result<Value<'static>, &'static str>,
) -> katalys_code {
    let set = |fields: &mut katalys_fields| {
        // SAFETY: the key is readable, as this function demands.
        let key = unsafe { owned_key(key, key_len) }?;
        fields.add(key, value()?)
    };
    // SAFETY: the handle is as this function demands.
    unsafe { change(fields, set) }
}

/// # Safety
/// Unless it is null, `key` points to `len` readable bytes.
unsafe fn owned_key(key: *const c_char, len: usize) -> Result<Option<String>, &'static str> {
    // SAFETY: as this function demands.
    match unsafe { input::bytes(key, len) } {
        Ok(bytes) => Ok(bytes.map(|bytes| input::key(bytes).into_owned())),
        Err(_) => Err("a key is NULL but has a length, or its length is impossible"),
    }
}

/// # Safety
/// Unless it is null, `text` points to `len` readable bytes.
unsafe fn owned_text(
    text: *const c_char,
    len: usize,
    kind: fn(String) -> Value<'static>,
) -> Result<Value<'static>, &'static str> {
    // SAFETY: as this function demands.
    match unsafe { input::bytes(text, len) } {
        Ok(Some(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(kind(text.to_owned())),
            Err(_) => Ok(Value::InvalidText),
        },
        // As of an empty std::string_view.
        Ok(None) => Ok(kind(String::new())),
        Err(_) => Err("a text is NULL but has a length, or its length is impossible"),
    }
}

/// Creates empty fields, which the caller owns and frees with katalys_fields_free(). NULL only after
/// an internal error.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_fields_new() -> *mut katalys_fields {
    guarded(ptr::null_mut(), || {
        Box::into_raw(Box::new(katalys_fields::default()))
    })
}

/// Creates fields from the text of one JSON object, in its order. A key that occurs twice is kept
/// twice, which is a problem of the update. A number keeps all its digits, as with
/// katalys_fields_set_decimal().
///
/// Writes the fields, which the caller owns and frees with katalys_fields_free(), or NULL; and
/// the result, unless `result` is NULL. Returns KATALYS_MISUSE if the text is not one JSON
/// object, is longer than 16 MiB or nested more than 16 deep; the message says where.
///
/// # Safety
/// `text` points to `len` readable bytes; `fields` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_from_json(
    text: *const c_char,
    len: usize,
    fields: *mut *mut katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let parse = || {
        if fields.is_null() {
            return Err(Error::misuse(
                "fields is NULL; give the address of a pointer",
            ));
        }
        // SAFETY: not null, and may be written to as this function demands.
        unsafe { fields.write(ptr::null_mut()) };
        // SAFETY: readable, as this function demands.
        let text = unsafe { input::bytes(text, len) }?;
        let parsed = fields_from_json(text.unwrap_or_default())
            .map_err(|error| Error::misuse(error.to_string()))?;
        let made = Box::into_raw(Box::new(katalys_fields::holding(parsed.into_owned())));
        // SAFETY: as above.
        unsafe { fields.write(made) };
        Ok(Outcome::done())
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, parse) }
}

/// Frees fields and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
///
/// # Safety
/// `fields` is NULL or points to NULL or to a handle that is not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_free(fields: *mut *mut katalys_fields) {
    // SAFETY: as this function demands; a live handle is a Box of this module.
    unsafe { free(fields) };
}

/// Sets text. It must be UTF-8; other text is a problem of the update (invalid_unicode). NULL with a
/// length of 0 is empty text; katalys_fields_set_null() omits a field. Within an open list, `key` is
/// NULL and the text is the next item.
///
/// # Safety
/// `fields` is a live handle or NULL; `key` and `value` point to `key_len` and `value_len`
/// readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_text(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: *const c_char,
    value_len: usize,
) -> katalys_code {
    // SAFETY: as this function demands.
    let value = || unsafe { owned_text(value, value_len, Value::from) };
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, value) }
}

/// Sets an exact decimal, in ASCII digits with or without an exponent: "25.67", "1E+2".
///
/// # Safety
/// As for katalys_fields_set_text().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_decimal(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: *const c_char,
    value_len: usize,
) -> katalys_code {
    let kind = |text: String| Value::Decimal(text.into());
    // SAFETY: as this function demands.
    let value = || unsafe { owned_text(value, value_len, kind) };
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, value) }
}

/// Sets a point in time, in ISO 8601 with an offset: "2018-01-01T01:23:40-08:00".
///
/// # Safety
/// As for katalys_fields_set_text().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_time(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: *const c_char,
    value_len: usize,
) -> katalys_code {
    let kind = |text: String| Value::Time(text.into());
    // SAFETY: as this function demands.
    let value = || unsafe { owned_text(value, value_len, kind) };
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, value) }
}

/// Sets a whole number.
///
/// # Safety
/// `fields` is a live handle or NULL; `key` points to `key_len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_int(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: i64,
) -> katalys_code {
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, || Ok(value.into())) }
}

/// Sets a binary floating-point number. Prefer text or decimals for amounts: they are exact, and a
/// float is rounded to 4 places.
///
/// # Safety
/// As for katalys_fields_set_int().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_float(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: f64,
) -> katalys_code {
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, || Ok(value.into())) }
}

/// Sets true or false, for the options of a client. No field of an order update is a boolean.
///
/// # Safety
/// As for katalys_fields_set_int().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_bool(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
    value: bool,
) -> katalys_code {
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, || Ok(value.into())) }
}

/// Sets a field to null, which is the same as omitting it.
///
/// # Safety
/// As for katalys_fields_set_int().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_set_null(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
) -> katalys_code {
    // SAFETY: as this function demands.
    unsafe { set(fields, key, key_len, || Ok(Value::Null)) }
}

/// Begins a list, such as "line_items". The values set next, with NULL for the key, are its items,
/// until katalys_fields_close().
///
/// # Safety
/// As for katalys_fields_set_int().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_open_list(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
) -> katalys_code {
    let open = |fields: &mut katalys_fields| {
        // SAFETY: the key is readable, as this function demands.
        let key = unsafe { owned_key(key, key_len) }?;
        fields.open(key, Content::List(Vec::new()))
    };
    // SAFETY: as this function demands.
    unsafe { change(fields, open) }
}

/// Begins a record, such as one line item; within a list, `key` is NULL. The values set next are its
/// fields, until katalys_fields_close().
///
/// # Safety
/// As for katalys_fields_set_int().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_open_record(
    fields: *mut katalys_fields,
    key: *const c_char,
    key_len: usize,
) -> katalys_code {
    let open = |fields: &mut katalys_fields| {
        // SAFETY: the key is readable, as this function demands.
        let key = unsafe { owned_key(key, key_len) }?;
        fields.open(key, Content::Record(Fields::new()))
    };
    // SAFETY: as this function demands.
    unsafe { change(fields, open) }
}

/// Ends the list or record that was opened last.
///
/// # Safety
/// `fields` is a live handle or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_fields_close(fields: *mut katalys_fields) -> katalys_code {
    // SAFETY: as this function demands.
    unsafe { change(fields, katalys_fields::close) }
}
