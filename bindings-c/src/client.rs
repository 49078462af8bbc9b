//! `katalys_client` and the calls it makes.

use crate::codes::katalys_code;
use crate::fields::katalys_fields;
use crate::guard::guarded;
use crate::input;
use crate::result::{Outcome, deliver, katalys_result};
use crate::shared;
use katalys_core::{Call, Checked, Client, Error, Fields, Language, Value};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

/// Reports orders of one site.
///
/// Make one and keep it: it holds the connections. Any number of threads may use it at once. It
/// works across fork(): the child opens its own connections on its first call. The only threads
/// it starts are those that look up the name of the endpoint.
pub struct katalys_client {
    client: Client,
}

impl From<Client> for katalys_client {
    fn from(client: Client) -> Self {
        Self { client }
    }
}

/// Whether an update is sent or only checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Sending,
    Checking,
}

/// Whether the caller logs each kind of warning the first time it occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logging {
    On,
    Off,
}

impl katalys_client {
    /// All that happens before an update is sent.
    pub(crate) fn check(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Checked, Error> {
        self.client.prepare(call, order_id, fields)
    }

    /// One call from its values to its outcome.
    pub(crate) fn call(
        &self,
        call: Call,
        doing: Doing,
        logging: Logging,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Outcome {
        let began = Instant::now();
        let checked = match self.check(call, order_id, fields) {
            Ok(checked) => checked,
            Err(error) => return Outcome::from(error).within(began.elapsed()),
        };
        if doing == Doing::Checking {
            return Outcome::valid(checked.payload, &checked.warnings).within(began.elapsed());
        }
        let mut outcome = Outcome::done().with_problems(&checked.warnings);
        if logging == Logging::On {
            let unlogged = self.client.unlogged(&checked.warnings);
            outcome.mark_first(unlogged, &checked.warnings);
        }
        outcome.settle(self.client.send(checked), began)
    }
}

/// Makes a client of its own.
///
/// `options` are the settings listed at the top of this header, by name. What is not given is
/// taken from the environment or has its default. NULL stands for no options.
///
/// Writes the client, which the caller owns and frees with katalys_client_free(), or NULL; and
/// the result, unless `result` is NULL. One of the KATALYS_CONFIG codes if a setting cannot be
/// used; the result's message then names it and says how to mend it.
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
        Client::with_options(Language::C, options).map(|client| Arc::new(client.into()))
    };
    // SAFETY: as this function demands.
    unsafe { make_client(options, client, result, make) }
}

/// Gives the client that this process has for these options, and makes it if there is none yet:
/// everyone who asks with equal options (and an equal environment) shares its connections.
///
/// As katalys_client_new() otherwise; each handle is freed once. The client outlives its
/// handles, for those who ask again. The process keeps the 64 clients asked for last.
///
/// # Safety
/// As for katalys_client_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_shared(
    options: *const katalys_fields,
    client: *mut *mut katalys_client,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let make = |options: &Fields<'static>| shared::client(Language::C, options);
    // SAFETY: as this function demands.
    unsafe { make_client(options, client, result, make) }
}

/// # Safety
/// As for [`katalys_client_new`].
unsafe fn make_client(
    options: *const katalys_fields,
    client: *mut *mut katalys_client,
    result: *mut *mut katalys_result,
    make: impl FnOnce(&Fields<'static>) -> Result<Arc<katalys_client>, Error>,
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

/// Frees a handle and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
///
/// # Safety
/// `client` is NULL or points to NULL or to a handle that no call is using.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_client_free(client: *mut *mut katalys_client) {
    guarded((), || {
        if client.is_null() {
            return;
        }
        // SAFETY: not null, and may be read and written as this function demands.
        let taken = unsafe { client.replace(ptr::null_mut()) };
        if !taken.is_null() {
            // SAFETY: a live handle came from Arc::into_raw() and is given back once.
            drop(unsafe { Arc::from_raw(taken) });
        }
    });
}

/// Reports what became of an order, and waits until the endpoint has it.
///
/// `order_id` is exactly the value given on the Thank-You page. It may be NULL if `fields` has
/// an "order_id". `fields` may be NULL for none. Both stay the caller's.
///
/// Writes the result, which the caller owns and frees with katalys_result_free(), unless
/// `result` is NULL. Returns KATALYS_OK when the endpoint has confirmed the update, and the
/// result's code otherwise.
///
/// # Safety
/// `client` and `fields` are live handles or NULL, `order_id` points to as many readable bytes,
/// and `result` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_update_order(
    client: *const katalys_client,
    order_id: *const c_char,
    order_id_len: usize,
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
) -> katalys_code {
    let order_id = (order_id, order_id_len);
    // SAFETY: as this function demands.
    unsafe {
        call(
            client,
            order_id,
            fields,
            result,
            Call::Update,
            Doing::Sending,
        )
    }
}

/// Reports an order as a whole, with the fields the endpoint requires of it, and waits until the
/// endpoint has it. Without an "order_time", the time of this call is sent. As
/// katalys_update_order() otherwise.
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
    // SAFETY: as this function demands.
    unsafe {
        call(
            client,
            order_id,
            fields,
            result,
            Call::Report,
            Doing::Sending,
        )
    }
}

/// Checks what katalys_update_order() would send, and sends nothing. The result of KATALYS_OK
/// has the payload, the exact bytes that would be sent, and any warnings; that of
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
    // SAFETY: as this function demands.
    unsafe {
        call(
            client,
            order_id,
            fields,
            result,
            Call::Update,
            Doing::Checking,
        )
    }
}

/// Checks what katalys_report_order() would send, and sends nothing. As
/// katalys_validate_update() otherwise.
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
    // SAFETY: as this function demands.
    unsafe {
        call(
            client,
            order_id,
            fields,
            result,
            Call::Report,
            Doing::Checking,
        )
    }
}

/// # Safety
/// As for [`katalys_update_order`].
unsafe fn call(
    client: *const katalys_client,
    (order_id, order_id_len): (*const c_char, usize),
    fields: *const katalys_fields,
    result: *mut *mut katalys_result,
    call: Call,
    doing: Doing,
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
        Ok(client.call(call, doing, Logging::On, &order_id, fields))
    };
    // SAFETY: `result` may be written to or is null, as this function demands.
    unsafe { deliver(result, run) }
}
