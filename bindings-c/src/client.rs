//! The functions that create and free a client, and those that report an order.

use crate::codes::katalys_code;
use crate::fields::katalys_fields;
use crate::guard::{guarded, take};
use crate::handle::{Logging, Operation, katalys_client};
use crate::input;
use crate::outcome::Outcome;
use crate::result::{deliver, katalys_result};
use crate::shared;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::EXIT_WAIT;
use katalys_core::{Call, Error, Fields, Language, Value, WorkingFolder};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// Creates a client.
///
/// `options` are the settings listed at the top of this header, by name. A setting that is not given
/// is read from its environment variable, or has its default. NULL means no options.
///
/// Writes the client, which the caller owns and frees with katalys_client_free(), or NULL; and
/// the result, unless `result` is NULL. Returns one of the KATALYS_CONFIG codes if a setting cannot
/// be used; the result's message then names it and says how to fix it.
///
/// # Safety
/// `options` is a live handle or NULL; `client` and `result` may be written to or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_new(
    options: *const katalys_fields,
    client: *mut *mut katalys_client,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let make = |options: &Fields<'static>| {
        shared::new_client(Language::C, WorkingFolder::Callers, options)
    };
    // SAFETY: as this function demands.
    unsafe { make_client(options, client, result, make) }
}

/// Returns the client that this process has for these options, and creates it if there is none yet:
/// callers with equal options (and an equal environment) share its connections.
///
/// Otherwise like katalys_client_new(); each handle is freed once. The client outlives its handles,
/// for later callers. The process keeps the 64 clients that were requested last.
///
/// # Safety
/// As for katalys_client_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_shared(
    options: *const katalys_fields,
    client: *mut *mut katalys_client,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let make =
        |options: &Fields<'static>| shared::client(Language::C, WorkingFolder::Callers, options);
    // SAFETY: as this function demands.
    unsafe { make_client(options, client, result, make) }
}

/// # Safety
/// As for [`katalys_client_new`].
unsafe fn make_client(
    options: *const katalys_fields,
    client: *mut *mut katalys_client,
    result: *mut *mut katalys_result,
    make: fn(&Fields<'static>) -> Result<Arc<katalys_client>, Error>,
) -> katalys_code {
    let make_and_write = || {
        if client.is_null() {
            return Err(Error::misuse(
                "client is NULL; give the address of a pointer",
            ));
        }
        // SAFETY: not null, and may be written to as this function demands.
        unsafe { client.write(ptr::null_mut()) };
        // SAFETY: live or null, as this function demands.
        let options = unsafe { options.as_ref() };
        let none = Fields::new();
        let options = options.map_or(Ok(&none), katalys_fields::finished);
        let new = options.and_then(make)?;
        // SAFETY: as above.
        unsafe { client.write(Arc::into_raw(new).cast_mut()) };
        Ok(Outcome::done())
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, make_and_write) }
}

/// Frees a handle and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
///
/// For a client of katalys_client_new() with an outbox, this ends delivery: it waits for the requests
/// in flight, up to EXIT_WAIT seconds, and for the observer to return; pending updates stay in the file.
///
/// # Safety
/// `client` is NULL or points to NULL or to a handle that no call is using.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_free(client: *mut *mut katalys_client) {
    guarded((), || {
        // SAFETY: as this function demands.
        let Some(taken) = (unsafe { take(client) }) else {
            return;
        };
        // SAFETY: a live handle came from Arc::into_raw() and is given back once.
        let client = unsafe { Arc::from_raw(taken) };
        if let Some(last) = Arc::into_inner(client) {
            last.core.shut_down(EXIT_WAIT);
            last.gate.close(None);
        }
    });
}

/// Reports the state of an order, and waits until the endpoint has received it.
///
/// `order_id` is exactly the value given on the Thank-You page. It may be NULL if `fields` has
/// an "order_id". `fields` may be NULL for none. Both remain the caller's.
///
/// Writes the result, which the caller owns and frees with katalys_result_free(), unless
/// `result` is NULL. Returns KATALYS_OK when the endpoint has confirmed the update, and the
/// result's code otherwise.
///
/// # Safety
/// `client` and `fields` are live handles or NULL, `order_id` points to `order_id_len` readable
/// bytes, and `result` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_update_order(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    let what = (Call::Update, Operation::Send);
    // SAFETY: as this function demands.
    unsafe { call(client, order_id, fields, result, what) }
}

/// Reports a whole order, with the fields that the endpoint requires, and waits until the endpoint
/// has received it. Without an "order_time", the time of this call is sent. Otherwise like
/// katalys_update_order().
///
/// # Safety
/// As for katalys_update_order().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_report_order(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    let what = (Call::Report, Operation::Send);
    // SAFETY: as this function demands.
    unsafe { call(client, order_id, fields, result, what) }
}

/// Puts an update into the outbox, and returns once it is stored on disk. It is sent in the
/// background, after the earlier updates of the same order.
///
/// Otherwise like katalys_update_order(). The result of KATALYS_OK has the ticket, and any warnings.
/// Returns KATALYS_CONFIG_MISSING for a client without the setting "outbox", and one of the
/// KATALYS_OUTBOX codes if the update was not accepted.
///
/// # Safety
/// As for katalys_update_order().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_enqueue_update(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    let what = (Call::Update, Operation::Enqueue);
    // SAFETY: as this function demands.
    unsafe { call(client, order_id, fields, result, what) }
}

/// Puts a whole order into the outbox, with the fields that the endpoint requires. Without an
/// "order_time", the time of this call is sent. Otherwise like katalys_enqueue_update().
///
/// # Safety
/// As for katalys_update_order().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_enqueue_report(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    let what = (Call::Report, Operation::Enqueue);
    // SAFETY: as this function demands.
    unsafe { call(client, order_id, fields, result, what) }
}

/// Checks what katalys_update_order() would send, and sends nothing. The result of KATALYS_OK has
/// the payload, which is the exact bytes that would be sent, and any warnings; the result of
/// KATALYS_VALIDATION has all problems.
///
/// # Safety
/// As for katalys_update_order().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_validate_update(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    let what = (Call::Update, Operation::Validate);
    // SAFETY: as this function demands.
    unsafe { call(client, order_id, fields, result, what) }
}

/// Checks what katalys_report_order() would send, and sends nothing. Otherwise like
/// katalys_validate_update().
///
/// # Safety
/// As for katalys_update_order().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_validate_report(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    let what = (Call::Report, Operation::Validate);
    // SAFETY: as this function demands.
    unsafe { call(client, order_id, fields, result, what) }
}

/// # Safety
/// As for [`katalys_update_order`].
#[inline(never)]
unsafe fn call(
    client: *const katalys_client,
    (order_id, order_id_len): (*const c_char, usize),
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
    (call, operation): (Call, Operation),
) -> katalys_code {
    let run = || {
        // SAFETY: live or null, as this function demands.
        let client = unsafe { client.as_ref() };
        let client = client.ok_or_else(|| Error::misuse("client is NULL"))?;
        // SAFETY: live or null, as this function demands.
        let fields = unsafe { fields.as_ref() };
        let none = Fields::new();
        let fields = fields.map_or(Ok(&none), katalys_fields::finished)?;
        // SAFETY: readable, as this function demands.
        let order_id = unsafe { input::bytes(order_id, order_id_len) }?;
        let order_id = order_id.map_or(Value::Null, input::text);
        Ok(client.call(call, operation, Logging::On, &order_id, fields))
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, run) }
}
