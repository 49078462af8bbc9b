//! The functions of the PHP package alone: each call crosses the boundary once, with one string
//! in each direction. They may change with any version; `katalys.h` does not have them.

mod answer;
mod outbox;
mod serialized;

use crate::guard::guarded;
use crate::handle::{Logging, Operation, katalys_client};
use crate::input;
use crate::logging;
use crate::outcome::{Ending, Outcome};
use crate::shared;
use answer::PANICKED;
use katalys_core::{Call, Error, ErrorCode, Fields, Language, Validation, Value, WorkingFolder};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// Bits of a call: a report instead of an update, check only, PHP logs warnings, and put it into
/// the outbox.
const REPORT: u32 = 1;
const VALIDATE: u32 = 2;
const LOGGED: u32 = 4;
const ENQUEUE: u32 = 8;

/// The version of this interface: the number increases with every change here.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_php_interface() -> u32 {
    4
}

/// Returns the client of this process for these options, an array as PHP's serialize() writes it.
/// NULL after an error, which is then the answer. The caller frees it. With `serves`, PHP runs in a web
/// server, in whose working folder no outbox may be.
///
/// # Safety
/// `options` points to `len` readable bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_php_client(
    options: *const c_char,
    len: usize,
    serves: bool,
) -> *mut katalys_client {
    guarded(ptr::null_mut(), || {
        answer::set(|text| text.extend_from_slice(PANICKED));
        // SAFETY: as this function demands.
        let bytes = unsafe { input::bytes(options, len) };
        let options = bytes.and_then(|bytes| {
            serialized::options(bytes.unwrap_or_default())
                .map_err(|_| Error::misuse("the options are not a serialized array"))
        });
        logging::collect();
        let folder = if serves {
            WorkingFolder::WebServers
        } else {
            WorkingFolder::Callers
        };
        let client = options.and_then(|options| shared::client(Language::Php, folder, &options));
        match client {
            Ok(client) => Arc::into_raw(client).cast_mut(),
            Err(error) => {
                answer::set_outcome(&Outcome::from(error));
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
/// The answer is valid until the next call of the same thread: "=" and a receipt without warnings,
/// "#" and a ticket without warnings, "{" for a payload without warnings, "&" if the update contains
/// references and must be given without, and otherwise "!" and the result in JSON.
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
            (Some(client), Ok((order_id, fields))) => run(client, call, &order_id, &fields),
            (_, Err(serialized::Unreadable::Reference)) => answer::set(|text| text.push(b'&')),
            _ => answer::set_outcome(&Outcome::from(mismatch())),
        }
        answer::pointer()
    })
}

/// The answer of this thread's last call.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_php_answer() -> *const c_char {
    answer::pointer()
}

/// The error of a call that this library does not know: the package is of another version.
fn mismatch() -> Error {
    Error::misuse("the call of the PHP package does not match this library")
}

fn run(client: &katalys_client, call: u32, order_id: &Value<'_>, fields: &Fields<'_>) {
    let logging = if call & LOGGED == 0 {
        Logging::Off
    } else {
        Logging::On
    };
    let operation = match call & (VALIDATE | ENQUEUE) {
        0 => Operation::Send,
        ENQUEUE => Operation::Enqueue,
        _ => Operation::Validate,
    };
    let kind = if call & REPORT == 0 {
        Call::Update
    } else {
        Call::Report
    };
    let mut outcome = client.call(kind, operation, logging, order_id, fields);
    if operation == Operation::Validate {
        outcome = validation(outcome);
    }
    match outcome.ending {
        Ending::Received(receipt) if receipt.warnings.is_empty() => {
            answer::set_compact(b'=', &receipt);
        }
        Ending::Accepted(ticket) if ticket.warnings.is_empty() => {
            answer::set_compact(b'#', &ticket);
        }
        Ending::Checked(Validation {
            payload: Some(payload),
            problems,
        }) if problems.is_empty() => answer::set(|text| *text = payload),
        ending => answer::set_outcome(&Outcome { ending, ..outcome }),
    }
}

/// PHP gets the problems of an invalid update as a result, not as an error.
fn validation(outcome: Outcome) -> Outcome {
    match outcome.ending {
        Ending::Failed(error, _) if error.code() == ErrorCode::Validation => {
            Outcome::new(Ending::Checked(Validation {
                payload: None,
                problems: error.problems().to_vec(),
            }))
        }
        _ => outcome,
    }
}
