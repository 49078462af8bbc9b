//! `katalys_event`: what an observer is given.

use crate::value::{EMPTY, Row, c_string};
use katalys_core::Event;
use std::ffi::{CString, c_char};

/// Something happened to an update of the outbox, or to the outbox itself. Contains no customer
/// data. It belongs to the library, and is valid until the observer returns, like its texts.
///
/// For NULL in place of an event, the accessors return 0 or empty text.
pub struct katalys_event {
    row: Row,
    message: CString,
}

impl From<&Event> for katalys_event {
    fn from(event: &Event) -> Self {
        Self {
            row: Row::of(event),
            message: c_string(&event.to_string()),
        }
    }
}

/// A line for a log, in English.
///
/// # Safety
/// `event` is a live event or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_event_message(event: *const katalys_event) -> *const c_char {
    // SAFETY: live or null, as this function demands.
    unsafe { event.as_ref() }.map_or(c"".as_ptr(), |event| event.message.as_ptr())
}

/// The fields of an event; for the generated accessors.
///
/// # Safety
/// Unless it is null, `event` is a live event.
pub(crate) unsafe fn row<'e>(event: *const katalys_event) -> &'e Row {
    // SAFETY: live or null, as this function demands.
    unsafe { event.as_ref() }.map_or(&EMPTY, |event| &event.row)
}
