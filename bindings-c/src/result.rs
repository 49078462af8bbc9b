//! `katalys_result`: the result of a call, and its accessors.

use crate::codes::katalys_code;
use crate::guard::{free, guarded, take};
use crate::outcome::{Ending, Json, Outcome};
use crate::value::{CValue, c_string, with_length};
use katalys_core::{Error, ErrorCode, ErrorProperty, Problem, Severity};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::OnceLock;

/// The result of a call. The caller owns it and frees it with katalys_result_free().
///
/// A result never changes, and any number of threads may read it. Text that an accessor returns
/// belongs to the result and is valid until it is freed. Text is never NULL, except for the payload
/// of a result that has none; it is empty where it does not apply. For NULL in place of a result,
/// the accessors return the values of KATALYS_MISUSE.
pub struct katalys_result {
    outcome: Outcome,
    code: CText,
    class: CText,
    message: CText,
    payload: Option<CString>,
    problems: Vec<ProblemTexts>,
    json: OnceLock<CString>,
}

type CText = Cow<'static, CStr>;

struct ProblemTexts {
    path: CString,
    code: CString,
    message: CString,
}

/// The severity of a problem.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum katalys_severity {
    /// There is no such problem.
    KATALYS_SEVERITY_NONE = 0,
    /// It stops the call.
    KATALYS_SEVERITY_ERROR = 1,
    /// It is suspicious; the update is sent.
    KATALYS_SEVERITY_WARNING = 2,
}

/// The result of a call that panicked, or whose result could not be made. It is never freed.
static PANICKED: katalys_result = katalys_result::fixed(
    ErrorCode::Internal,
    c"internal",
    c"an internal error stopped the call",
);

/// The result that is read in place of NULL.
static MISSING: katalys_result =
    katalys_result::fixed(ErrorCode::Misuse, c"misuse", c"the result is NULL");

impl From<Outcome> for katalys_result {
    fn from(mut outcome: Outcome) -> Self {
        let texts = |problem: &Problem| ProblemTexts {
            path: c_string(&problem.path),
            code: c_string(problem.code.as_str()),
            message: c_string(&problem.message),
        };
        // There is one copy, as a C string.
        let payload = match &mut outcome.ending {
            Ending::Checked(validation) => validation.payload.take(),
            _ => None,
        };
        Self {
            code: c_text(outcome.code_name()),
            class: c_text(outcome.class_name()),
            message: c_text(outcome.message()),
            // JSON text contains no NUL.
            payload: payload.and_then(|payload| CString::new(payload).ok()),
            problems: outcome.problems().iter().map(texts).collect(),
            json: OnceLock::new(),
            outcome,
        }
    }
}

impl katalys_result {
    const fn fixed(code: ErrorCode, name: &'static CStr, message: &'static CStr) -> Self {
        let text = match message.to_str() {
            Ok(text) => text,
            Err(_) => "",
        };
        Self {
            outcome: Outcome::new(Ending::Fixed(code, text)),
            code: Cow::Borrowed(name),
            class: Cow::Borrowed(c"InternalError"),
            message: Cow::Borrowed(message),
            payload: None,
            problems: Vec::new(),
            json: OnceLock::new(),
        }
    }

    fn json(&self) -> &CStr {
        self.json.get_or_init(|| {
            let payload = self.payload.as_deref().map(CStr::to_bytes);
            let outcome = &self.outcome;
            let json = serde_json::to_vec(&Json { outcome, payload });
            debug_assert!(json.is_ok(), "text and numbers can always be written");
            CString::new(json.unwrap_or_default()).unwrap_or_default()
        })
    }
}

fn c_text(text: &str) -> CText {
    match text {
        "" => Cow::Borrowed(c""),
        "ok" => Cow::Borrowed(c"ok"),
        other => Cow::Owned(c_string(other)),
    }
}

/// Runs a call, and writes its result if the caller wants one.
///
/// # Safety
/// `result` may be written to or is null.
pub(crate) unsafe fn deliver(
    result: *mut *mut katalys_result,
    call: impl FnOnce() -> Result<Outcome, Error>,
) -> katalys_code {
    let panicked = (
        katalys_code::KATALYS_INTERNAL,
        (&raw const PANICKED).cast_mut(),
    );
    let (code, made) = guarded(panicked, || {
        let outcome = call().unwrap_or_else(Outcome::from);
        made_of(outcome, !result.is_null())
    });
    if !result.is_null() {
        // SAFETY: not null, and may be written to as this function demands.
        unsafe { result.write(made) };
    }
    code
}

/// Apart from `deliver`, which the compiler repeats for each function of the interface.
#[inline(never)]
fn made_of(outcome: Outcome, is_wanted: bool) -> (katalys_code, *mut katalys_result) {
    let code = number(outcome.code());
    if !is_wanted {
        return (code, ptr::null_mut());
    }
    let made = Box::new(katalys_result::from(outcome));
    (code, Box::into_raw(made))
}

fn number(code: Option<ErrorCode>) -> katalys_code {
    code.map_or(katalys_code::KATALYS_OK, katalys_code::from)
}

/// Frees a result and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
///
/// # Safety
/// `result` is NULL or points to NULL or to a result that is not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_free(result: *mut *mut katalys_result) {
    // SAFETY: as this function demands.
    let Some(mut made) = (unsafe { take(result) }) else {
        return;
    };
    if !ptr::eq(made, &raw const PANICKED) {
        // SAFETY: every other result is a Box that deliver() made.
        unsafe { free(&raw mut made) };
    }
}

/// # Safety
/// Unless it is null, `result` is a live result.
unsafe fn read<'r, T>(
    result: *const katalys_result,
    fallback: T,
    field: impl FnOnce(&'r katalys_result) -> T,
) -> T {
    // SAFETY: live or null, as this function demands.
    let result = unsafe { result.as_ref() }.unwrap_or(&MISSING);
    guarded(fallback, || field(result))
}

/// A property of the error; for the generated accessors.
///
/// # Safety
/// Unless it is null, `result` is a live result.
pub(crate) unsafe fn property(result: *const katalys_result, property: ErrorProperty) -> CValue {
    // SAFETY: as this function demands.
    unsafe {
        read(result, CValue::Missing, |result| {
            result.outcome.property(property).into()
        })
    }
}

/// The code: KATALYS_OK, or the number of an error. The call returned the same.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_code(result: *const katalys_result) -> katalys_code {
    let code = |result: &katalys_result| number(result.outcome.code());
    // SAFETY: as this function demands.
    unsafe { read(result, katalys_code::KATALYS_INTERNAL, code) }
}

/// The name of the code, the same in every language, such as "config_invalid"; "ok" for KATALYS_OK.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_code_name(result: *const katalys_result) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { read(result, c"".as_ptr(), |result| result.code.as_ptr()) }
}

/// The name of the error's class, such as "RejectedError"; empty for KATALYS_OK.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_class_name(result: *const katalys_result) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { read(result, c"".as_ptr(), |result| result.class.as_ptr()) }
}

/// What went wrong and how to fix it; empty for KATALYS_OK. Contains no customer data.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_message(result: *const katalys_result) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { read(result, c"".as_ptr(), |result| result.message.as_ptr()) }
}

/// Duration of the call, in seconds.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_elapsed(result: *const katalys_result) -> f64 {
    // SAFETY: as this function demands.
    unsafe { read(result, 0.0, |result| result.outcome.elapsed.as_secs_f64()) }
}

/// After a successful check: the exact bytes that would be sent, one JSON object, followed by a
/// NUL. Otherwise NULL. Writes the length, without the NUL, unless `len` is NULL.
///
/// # Safety
/// `result` is a live result or NULL; `len` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_payload(
    result: *const katalys_result,
    len: *mut usize,
) -> *const c_char {
    let payload = |result: &'static katalys_result| result.payload.as_deref();
    // SAFETY: as this function demands.
    let payload: Option<&CStr> = unsafe { read(result, None, payload) };
    // SAFETY: as this function demands.
    let text = unsafe { with_length(payload.unwrap_or_default(), len) };
    payload.map_or(ptr::null(), |_| text)
}

/// The whole result as one JSON object, followed by a NUL: code, class, message, retryable,
/// attempts, ticket, status, retry_after, elapsed, payload, and problems with path, code, message,
/// severity and first. Writes the length, without the NUL, unless `len` is NULL.
///
/// # Safety
/// `result` is a live result or NULL; `len` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_json(
    result: *const katalys_result,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    let json = unsafe { read(result, c"", katalys_result::json) };
    // SAFETY: as this function demands.
    unsafe { with_length(json, len) }
}

/// Number of problems: all errors and warnings of an update that was refused, or the warnings of
/// one that was not.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_count(result: *const katalys_result) -> usize {
    // SAFETY: as this function demands.
    unsafe { read(result, 0, |result| result.problems.len()) }
}

/// The path of a problem, as the caller wrote it: "sale_amount", "discounts[1].amount". Empty if
/// `index` is out of range.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_path(
    result: *const katalys_result,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { problem_text(result, index, |problem| &problem.path) }
}

/// The stable name of the rule that was broken, such as "amount_format". Empty if `index` is out
/// of range.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_code(
    result: *const katalys_result,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { problem_text(result, index, |problem| &problem.code) }
}

/// A sentence that says what is wrong and how to fix it, without customer data. Empty if `index` is
/// out of range.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_message(
    result: *const katalys_result,
    index: usize,
) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { problem_text(result, index, |problem| &problem.message) }
}

/// The severity of a problem; KATALYS_SEVERITY_NONE if `index` is out of range.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_severity(
    result: *const katalys_result,
    index: usize,
) -> katalys_severity {
    let severity = |result: &katalys_result| match result.outcome.problems().get(index) {
        None => katalys_severity::KATALYS_SEVERITY_NONE,
        Some(problem) if problem.severity == Severity::Error => {
            katalys_severity::KATALYS_SEVERITY_ERROR
        }
        Some(_) => katalys_severity::KATALYS_SEVERITY_WARNING,
    };
    // SAFETY: as this function demands.
    unsafe { read(result, katalys_severity::KATALYS_SEVERITY_NONE, severity) }
}

/// Whether a warning's code occurs for the first time in an update that this client sends. Log these
/// warnings: a log needs each code once, not with every call.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_is_first(
    result: *const katalys_result,
    index: usize,
) -> bool {
    // SAFETY: as this function demands.
    unsafe { read(result, false, |result| result.outcome.is_first(index)) }
}

/// # Safety
/// `result` is a live result or NULL.
unsafe fn problem_text(
    result: *const katalys_result,
    index: usize,
    text: fn(&ProblemTexts) -> &CString,
) -> *const c_char {
    let read_text = |result: &katalys_result| {
        let problem = result.problems.get(index);
        problem.map_or(c"".as_ptr(), |problem| text(problem).as_ptr())
    };
    // SAFETY: as this function demands.
    unsafe { read(result, c"".as_ptr(), read_text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_delivered_as_a_result_that_can_be_freed() {
        let mut result = ptr::null_mut();
        // SAFETY: the pointer is a local one.
        let code = unsafe { deliver(&raw mut result, || panic!("on purpose")) };
        assert_eq!(code, katalys_code::KATALYS_INTERNAL);
        // SAFETY: the result is live.
        assert_eq!(unsafe { katalys_result_code(result) }, code);
        // SAFETY: as above.
        let json = unsafe { katalys_result_json(result, ptr::null_mut()) };
        // SAFETY: the text lives as long as the result.
        let json = unsafe { CStr::from_ptr(json) };
        assert!(json.to_str().unwrap().contains(r#""code":"internal""#));
        for _ in 0..2 {
            // SAFETY: a result, then the null pointer it left.
            unsafe { katalys_result_free(&raw mut result) };
            assert!(result.is_null());
        }
        // SAFETY: null is allowed.
        let code = unsafe { deliver(ptr::null_mut(), || panic!("on purpose")) };
        assert_eq!(code, katalys_code::KATALYS_INTERNAL);
    }

    #[test]
    fn every_error_code_has_a_number_of_its_own() {
        for code in ErrorCode::ALL {
            let number = katalys_code::from(*code) as i32;
            assert_eq!(number, *code as i32, "{}", code.as_str());
        }
    }
}
