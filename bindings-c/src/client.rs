//! `katalys_client` and the calls it makes about an order.

use crate::codes::katalys_code;
use crate::events::{Gate, Gathered};
use crate::exit::{self, GRACE};
use crate::fields::katalys_fields;
use crate::guard::guarded;
use crate::input;
use crate::result::{Outcome, deliver, katalys_result};
use crate::shared;
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Checked, Client, Error, Fields, Language, Problem, Value, WorkingFolder};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

/// Reports orders of one site.
///
/// Make one and keep it: it holds the connections. Any number of threads may use it at once. It
/// works across fork(): the child opens its own connections, and its own outbox, on its first
/// call. The only threads it starts are those that look up the name of the endpoint, and those
/// that deliver what is in its outbox.
///
/// With an outbox, the end of the process by exit() or a return from main() first finishes what
/// is on its way, for 3 seconds at most; the rest stays in the file for the next process.
pub struct katalys_client {
    pub(crate) client: Client,
    /// Lets events through to a C program's observer.
    pub(crate) gate: Arc<Gate>,
    /// Keeps events for PHP.
    pub(crate) gathered: Arc<Gathered>,
}

/// Whether an update is sent, put into the outbox or only checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Sending,
    Enqueueing,
    Checking,
}

/// Whether the caller logs each kind of warning the first time it occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logging {
    On,
    Off,
}

impl katalys_client {
    pub(crate) fn make(
        language: Language,
        folder: WorkingFolder,
        options: &Fields<'_>,
    ) -> Result<Arc<Self>, Error> {
        let made = Arc::new(Self {
            client: Client::with_options_in(folder, language, options)?,
            gate: Arc::default(),
            gathered: Arc::default(),
        });
        if made.client.has_outbox() {
            exit::watch(&made);
        }
        Ok(made)
    }

    /// All that happens before an update is sent.
    pub(crate) fn check(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Checked, Error> {
        self.client.prepare(call, order_id, fields)
    }

    /// One call from its values to its outcome. Not repeated for each function of the interface.
    #[inline(never)]
    pub(crate) fn call(
        &self,
        call: Call,
        doing: Doing,
        logging: Logging,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Outcome {
        let began = Instant::now();
        if doing == Doing::Enqueueing
            && let Err(error) = self.client.require_outbox()
        {
            return Outcome::from(error).within(began.elapsed());
        }
        let checked = match self.check(call, order_id, fields) {
            Ok(checked) => checked,
            Err(error) => return Outcome::from(error).within(began.elapsed()),
        };
        if doing == Doing::Checking {
            return Outcome::valid(checked.payload, &checked.warnings).within(began.elapsed());
        }
        let mut outcome = Outcome::done();
        self.warn(&mut outcome, &checked.warnings, logging);
        if doing == Doing::Enqueueing {
            return match self.client.enqueue(checked) {
                Ok(ticket) => {
                    self.warn_of_rest(&mut outcome, &ticket.warnings, logging);
                    outcome.accepted(ticket.id).within(began.elapsed())
                }
                Err(error) => outcome.failed(error).within(began.elapsed()),
            };
        }
        match self.client.send(checked) {
            Ok(receipt) => {
                self.warn_of_rest(&mut outcome, &receipt.warnings, logging);
                outcome.received(&receipt)
            }
            Err(error) => outcome.failed(error).within(began.elapsed()),
        }
    }

    /// What the outbox had to say besides, after the warnings of the check.
    fn warn_of_rest(&self, outcome: &mut Outcome, warnings: &[Problem], logging: Logging) {
        let rest = warnings.get(outcome.problem_count()..);
        self.warn(outcome, rest.unwrap_or_default(), logging);
    }

    fn warn(&self, outcome: &mut Outcome, warnings: &[Problem], logging: Logging) {
        let unlogged = (logging == Logging::On).then(|| self.client.unlogged(warnings));
        outcome.add_problems(warnings, unlogged.into_iter().flatten());
    }
}

/// Makes a client of its own.
///
/// `options` are the settings listed at the top of this header, by name. What is not given is
/// taken from the environment or has its default. NULL stands for no options.
///
/// Writes the client, which the caller owns and frees with katalys_client_free(), or NULL; and
/// the result, unless `result` is NULL. One of the KATALYS_CONFIG codes if a setting cannot be
/// used; the result's message then names it and says how to fix it.
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
        katalys_client::make(Language::C, WorkingFolder::Callers, options)
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

/// Frees a handle and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
///
/// A client of katalys_client_new() with an outbox ends its delivery: this waits for what is on
/// its way, 3 seconds at most, and for its observer to return; the rest stays in the file.
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
            let client = unsafe { Arc::from_raw(taken) };
            if let Some(last) = Arc::into_inner(client) {
                last.client.shut_down(GRACE);
                last.gate.close(None);
            }
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

/// Puts what became of an order into the outbox, and returns when it is safe on disk. It is sent
/// in the background, after the earlier updates of the same order.
///
/// As katalys_update_order() otherwise. The result of KATALYS_OK has the ticket, and any
/// warnings. KATALYS_CONFIG_MISSING for a client without the setting "outbox"; one of the
/// KATALYS_OUTBOX codes if the update could not be accepted.
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
    // SAFETY: as this function demands.
    unsafe {
        call(
            client,
            order_id,
            fields,
            result,
            Call::Update,
            Doing::Enqueueing,
        )
    }
}

/// Puts an order as a whole into the outbox, with the fields the endpoint requires of it. Without
/// an "order_time", the time of this call is sent. As katalys_enqueue_update() otherwise.
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
    // SAFETY: as this function demands.
    unsafe {
        call(
            client,
            order_id,
            fields,
            result,
            Call::Report,
            Doing::Enqueueing,
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
#[inline(never)]
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
