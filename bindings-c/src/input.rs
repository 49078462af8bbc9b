//! Reads the arguments of C functions: pointers that may be null, and text that may be any bytes.

use katalys_core::{Error, Value};
use std::borrow::Cow;
use std::ffi::c_char;

/// The bytes at `text`; none for a null pointer.
///
/// # Safety
/// Unless it is null, `text` points to `len` readable bytes that do not change while they are
/// borrowed.
pub unsafe fn bytes<'a>(text: *const c_char, len: usize) -> Result<Option<&'a [u8]>, Error> {
    if text.is_null() {
        let absent = if len == 0 {
            Ok(None)
        } else {
            Err(Error::misuse("a text is NULL but has a length"))
        };
        return absent;
    }
    if isize::try_from(len).is_err() {
        return Err(Error::misuse("a text has an impossible length"));
    }
    // SAFETY: not null, and the length is possible; the rest is this function's own condition.
    Ok(Some(unsafe {
        std::slice::from_raw_parts(text.cast(), len)
    }))
}

/// Text as a value; bytes that are not UTF-8 become a problem of their own.
pub fn text(bytes: &[u8]) -> Value<'_> {
    std::str::from_utf8(bytes).map_or(Value::InvalidText, Value::from)
}

/// A key. In one that is not UTF-8, the core refuses the replacement characters.
pub fn key(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
