//! The functions of the PHP package alone: each call crosses the boundary once, with one string
//! in each direction. They may change with any version; `katalys.h` does not have them.

mod outbox;
mod serialized;

use crate::client::{Doing, Logging, katalys_client};
use crate::guard::guarded;
use crate::input;
use crate::logging;
use crate::result::Outcome;
use crate::shared;
use katalys_core::{Call, Error, Fields, Language, Value};
use std::cell::RefCell;
use std::ffi::c_char;
use std::io::Write as _;
use std::ptr;
use std::sync::Arc;

thread_local! {
    /// What PHP reads after a call. It copies the text at once, so that one buffer is enough.
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that grew beyond this for one large answer is given back.
const LARGEST_KEPT: usize = 64 * 1024;

/// Bits of a call: which of the two it is, whether it only checks, whether PHP logs warnings, and
/// whether it goes into the outbox.
const REPORT: u32 = 1;
const VALIDATE: u32 = 2;
const LOGGED: u32 = 4;
const ENQUEUE: u32 = 8;

/// What the package and the library must agree on: the number grows with every change here.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_php_interface() -> u32 {
    3
}

/// The client of this process for these options, given as PHP's serialize() writes an array.
/// NULL if there is none for them; katalys_php_answer() then says why. Its owner frees it.
///
/// # Safety
/// `options` points to `len` readable bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_client(
    options: *const c_char,
    len: usize,
) -> *mut katalys_client {
    guarded(ptr::null_mut(), || {
        answer(|text| text.extend_from_slice(PANICKED));
        // SAFETY: as this function demands.
        let bytes = unsafe { input::bytes(options, len) };
        let options = bytes.and_then(|bytes| {
            serialized::options(bytes.unwrap_or_default())
                .map_err(|_| Error::misuse("the options are not a serialized array"))
        });
        logging::keep();
        let client = options.and_then(|options| shared::client(Language::Php, &options));
        match client {
            Ok(client) => Arc::into_raw(client).cast_mut(),
            Err(error) => {
                answer(|text| write_all(&Outcome::from(error), text));
                ptr::null_mut()
            }
        }
    })
}

/// Frees a client.
///
/// # Safety
/// `client` came from katalys_php_client() and is freed once, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_free(client: *mut katalys_client) {
    guarded((), || {
        if !client.is_null() {
            // SAFETY: it came from Arc::into_raw() and is given back once.
            drop(unsafe { Arc::from_raw(client) });
        }
    });
}

/// Makes a call. `update` is what PHP's serialize() writes for [order id, fields].
///
/// The answer lives until the next call of the same thread: "=attempts seconds" for an update
/// that was received without warnings, "#ticket" for one that the outbox accepted without any,
/// "{…" (its payload) for one that was checked without any,
/// "&" if the update has references in it and must be given without, and otherwise a "!" before
/// the JSON of katalys_result_json().
///
/// # Safety
/// `client` is a live handle or NULL; `update` points to `len` readable bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_call(
    client: *const katalys_client,
    call: u32,
    update: *const c_char,
    len: usize,
) -> *const c_char {
    guarded(PANICKED.as_ptr().cast(), || {
        // SAFETY: as this function demands.
        let client = unsafe { client.as_ref() };
        // SAFETY: as this function demands.
        let update = unsafe { input::bytes(update, len) };
        let update = update.ok().flatten().unwrap_or_default();
        match (client, serialized::update(update)) {
            (Some(client), Ok((order_id, fields))) if call & VALIDATE != 0 => {
                check(client, call_kind(call), &order_id, &fields);
            }
            (Some(client), Ok((order_id, fields))) => send(client, call, &order_id, &fields),
            (_, Err(serialized::Unreadable::Reference)) => answer(|text| text.push(b'&')),
            _ => answer_misuse(),
        }
        katalys_php_answer()
    })
}

/// What the last function of this thread had to say.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_php_answer() -> *const c_char {
    let text = guarded(None, || {
        ANSWER.with_borrow(|text| (!text.is_empty()).then_some(text.as_ptr()))
    });
    text.unwrap_or(PANICKED.as_ptr()).cast()
}

/// A static answer, for when there is no room for any other.
const PANICKED: &[u8] = b"!{\"code\":\"internal\",\"class\":\"InternalError\",\
\"message\":\"a mistake in this library stopped the call\",\"retryable\":false,\"status\":null,\
\"retry_after\":null,\"attempts\":0,\"elapsed\":0,\"payload\":null,\"ticket\":null,\"problems\":[]}\0";

fn answer(write: impl FnOnce(&mut Vec<u8>)) {
    ANSWER.with_borrow_mut(|text| {
        text.clear();
        text.shrink_to(LARGEST_KEPT);
        write(text);
        text.push(0);
    });
}

fn answer_misuse() {
    let misuse = Error::misuse("the call of the PHP package does not fit this library");
    answer(|text| write_all(&Outcome::from(misuse), text));
}

fn call_kind(call: u32) -> Call {
    if call & REPORT == 0 {
        Call::Update
    } else {
        Call::Report
    }
}

fn check(client: &katalys_client, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) {
    match client.check(call, order_id, fields) {
        Ok(checked) if checked.warnings.is_empty() => answer(|text| *text = checked.payload),
        Ok(checked) => {
            let outcome = Outcome::valid(checked.payload, &checked.warnings);
            answer(|text| write_all(&outcome, text));
        }
        Err(error) => answer(|text| write_all(&Outcome::from(error), text)),
    }
}

fn send(client: &katalys_client, call: u32, order_id: &Value<'_>, fields: &Fields<'_>) {
    let logging = if call & LOGGED == 0 {
        Logging::Off
    } else {
        Logging::On
    };
    let doing = if call & ENQUEUE == 0 {
        Doing::Sending
    } else {
        Doing::Enqueueing
    };
    let outcome = client.call(call_kind(call), doing, logging, order_id, fields);
    answer(|text| {
        if !outcome.is_ok() || outcome.has_problems() {
            return write_all(&outcome, text);
        }
        let seconds = outcome.elapsed().as_secs_f64();
        let written = match outcome.ticket() {
            Some(id) => write!(text, "#{id}"),
            None => write!(text, "={} {seconds}", outcome.attempts()),
        };
        debug_assert!(written.is_ok(), "writing to a Vec does not fail");
    });
}

#[inline(never)]
fn write_all(outcome: &Outcome, text: &mut Vec<u8>) {
    text.push(b'!');
    outcome.write_json(outcome.payload(), text);
}
