//! `katalys_result`: what came of a call, and everything that can be asked about it.

use crate::codes::katalys_code;
use crate::guard::guarded;
use katalys_core::{Error, ErrorCode, Problem, Receipt, Severity};
use serde::Serialize;
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::OnceLock;
use std::time::Duration;

/// What came of a call, in Rust's terms.
pub(crate) struct Outcome {
    /// None when it worked.
    code: Option<ErrorCode>,
    message: Cow<'static, str>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    attempts: u32,
    elapsed: Duration,
    payload: Option<Vec<u8>>,
    /// The number of an update that the outbox accepted, also if the call then failed.
    ticket: Option<i64>,
    problems: Vec<Found>,
}

/// A problem, and whether its code occurred for the first time.
struct Found {
    problem: Problem,
    first: bool,
}

impl Outcome {
    pub const fn done() -> Self {
        Self::of(None, "")
    }

    const fn of(code: Option<ErrorCode>, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
            status: None,
            retry_after: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            payload: None,
            ticket: None,
            problems: Vec::new(),
        }
    }

    pub fn valid(payload: Vec<u8>, warnings: &[Problem]) -> Self {
        let mut outcome = Self::done().with_problems(warnings);
        outcome.payload = Some(payload);
        outcome
    }

    pub fn with_problems(mut self, problems: &[Problem]) -> Self {
        self.add_problems(problems, std::iter::empty());
        self
    }

    /// Adds problems, those of them marked that `unlogged` has.
    pub fn add_problems<'p>(
        &mut self,
        problems: &'p [Problem],
        unlogged: impl Iterator<Item = &'p Problem>,
    ) {
        let start = self.problems.len();
        self.problems.extend(problems.iter().map(|problem| Found {
            problem: problem.clone(),
            first: false,
        }));
        for new in unlogged {
            let place = problems.iter().position(|problem| ptr::eq(problem, new));
            if let Some(found) = place.and_then(|place| self.problems.get_mut(start + place)) {
                found.first = true;
            }
        }
    }

    pub fn within(mut self, elapsed: Duration) -> Self {
        self.elapsed = elapsed;
        self
    }

    /// Adds what came of sending to the warnings that are there already.
    pub fn received(self, receipt: &Receipt) -> Self {
        Self {
            attempts: receipt.attempts,
            elapsed: receipt.elapsed,
            ..self
        }
    }

    /// Adds the ticket to the warnings that are there already.
    pub fn accepted(mut self, id: i64) -> Self {
        self.ticket = Some(id);
        self
    }

    /// Adds what went wrong to the warnings that are there already.
    pub fn failed(self, error: Error) -> Self {
        Self {
            problems: self.problems,
            ..Self::from(error)
        }
    }

    pub fn is_ok(&self) -> bool {
        self.code.is_none()
    }

    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    pub fn ticket(&self) -> Option<i64> {
        self.ticket
    }

    pub fn problem_count(&self) -> usize {
        self.problems.len()
    }

    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Writes all of it as one JSON object.
    #[inline(never)]
    pub fn write_json(&self, payload: Option<&[u8]>, json: &mut Vec<u8>) {
        let problems = self.problems.iter().map(|found| ProblemJson {
            problem: &found.problem,
            first: found.first,
        });
        let all = OutcomeJson {
            code: code_name(self.code),
            class: class_name(self.code),
            message: &self.message,
            retryable: self.is_retryable(),
            status: self.status,
            retry_after: self.retry_after.map(|wait| wait.as_secs_f64()),
            attempts: self.attempts,
            elapsed: self.elapsed.as_secs_f64(),
            payload: payload.map(String::from_utf8_lossy),
            ticket: self.ticket,
            problems: problems.collect(),
        };
        let written = serde_json::to_writer(json, &all);
        debug_assert!(written.is_ok(), "text and numbers can always be written");
    }

    fn is_retryable(&self) -> bool {
        self.code.is_some_and(ErrorCode::is_retryable)
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self {
            code: Some(error.code()),
            message: error.message().to_owned().into(),
            status: error.status(),
            retry_after: error.retry_after(),
            attempts: error.attempts(),
            ticket: error.ticket(),
            ..Self::done()
        }
        .with_problems(error.problems())
    }
}

#[derive(Serialize)]
struct OutcomeJson<'o> {
    code: &'static str,
    class: &'static str,
    message: &'o str,
    retryable: bool,
    status: Option<u16>,
    retry_after: Option<f64>,
    attempts: u32,
    elapsed: f64,
    payload: Option<Cow<'o, str>>,
    ticket: Option<i64>,
    problems: Vec<ProblemJson<'o>>,
}

#[derive(Serialize)]
struct ProblemJson<'o> {
    #[serde(flatten)]
    problem: &'o Problem,
    first: bool,
}

fn code_name(code: Option<ErrorCode>) -> &'static str {
    code.map_or("ok", ErrorCode::as_str)
}

fn class_name(code: Option<ErrorCode>) -> &'static str {
    code.map_or("", |code| code.kind().as_str())
}

/// What came of a call. Its owner frees it with katalys_result_free().
///
/// It never changes, and any number of threads may read it. Text that its functions return
/// belongs to it and lives as long as it does; but for a payload that is not there it is never
/// NULL, and it is empty where there is nothing to say. For NULL in place of a result, the
/// functions answer as for KATALYS_MISUSE.
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

/// How grave a problem is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum katalys_severity {
    /// There is no such problem.
    KATALYS_SEVERITY_NONE = 0,
    /// It stops the call.
    KATALYS_SEVERITY_ERROR = 1,
    /// It is only suspicious: the update is sent all the same.
    KATALYS_SEVERITY_WARNING = 2,
}

/// What a caller gets when making a result has failed, or the call itself has panicked. It is
/// never freed.
static PANICKED: katalys_result = katalys_result::standing(
    ErrorCode::Internal,
    c"internal",
    c"a mistake in this library stopped the call",
);

/// What is asked of NULL is answered by this.
static MISSING: katalys_result =
    katalys_result::standing(ErrorCode::Misuse, c"misuse", c"the result is NULL");

impl From<Outcome> for katalys_result {
    fn from(mut outcome: Outcome) -> Self {
        let texts = |found: &Found| ProblemTexts {
            path: c_string(&found.problem.path),
            code: c_string(found.problem.code.as_str()),
            message: c_string(&found.problem.message),
        };
        let payload = outcome.payload.take();
        Self {
            code: c_text(code_name(outcome.code)),
            class: c_text(class_name(outcome.code)),
            message: c_text(&outcome.message),
            // JSON text has no NUL in it.
            payload: payload.and_then(|payload| CString::new(payload).ok()),
            problems: outcome.problems.iter().map(texts).collect(),
            json: OnceLock::new(),
            outcome,
        }
    }
}

impl katalys_result {
    const fn standing(code: ErrorCode, name: &'static CStr, message: &'static CStr) -> Self {
        let text = match message.to_str() {
            Ok(text) => text,
            Err(_) => "",
        };
        Self {
            outcome: Outcome::of(Some(code), text),
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
            let mut json = Vec::new();
            let payload = self.payload.as_deref().map(CStr::to_bytes);
            self.outcome.write_json(payload, &mut json);
            CString::new(json).unwrap_or_default()
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

/// Messages and paths are printable; a NUL would cut them short and is left out.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "")).unwrap_or_default())
}

/// Runs a call, and hands its result to the caller if it wants one.
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
    let code = outcome
        .code
        .map_or(katalys_code::KATALYS_OK, katalys_code::from);
    if !is_wanted {
        return (code, ptr::null_mut());
    }
    let made = Box::new(katalys_result::from(outcome));
    (code, Box::into_raw(made))
}

/// Frees a result and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is fine.
///
/// # Safety
/// `result` is NULL or points to NULL or to a result that is not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_free(result: *mut *mut katalys_result) {
    guarded((), || {
        if result.is_null() {
            return;
        }
        // SAFETY: not null, and may be read and written as this function demands.
        let taken = unsafe { result.replace(ptr::null_mut()) };
        if !taken.is_null() && !ptr::eq(taken, &raw const PANICKED) {
            // SAFETY: every other result is a Box that deliver() made.
            drop(unsafe { Box::from_raw(taken) });
        }
    });
}

/// # Safety
/// Unless it is null, `result` is a live result.
unsafe fn ask<'r, T>(
    result: *const katalys_result,
    fallback: T,
    question: impl FnOnce(&'r katalys_result) -> T,
) -> T {
    // SAFETY: live or null, as this function demands.
    let result = unsafe { result.as_ref() }.unwrap_or(&MISSING);
    guarded(fallback, || question(result))
}

/// The code: KATALYS_OK, or the number of an error. The same that the call returned.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_code(result: *const katalys_result) -> katalys_code {
    let question = |result: &katalys_result| {
        let code = result.outcome.code;
        code.map_or(katalys_code::KATALYS_OK, katalys_code::from)
    };
    // SAFETY: as this function demands.
    unsafe { ask(result, katalys_code::KATALYS_INTERNAL, question) }
}

/// The code's name, the same in every language, such as "config_invalid"; "ok" for KATALYS_OK.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_code_name(result: *const katalys_result) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { ask(result, c"".as_ptr(), |result| result.code.as_ptr()) }
}

/// The name of the error's class, such as "RejectedError"; empty for KATALYS_OK.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_class_name(result: *const katalys_result) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { ask(result, c"".as_ptr(), |result| result.class.as_ptr()) }
}

/// What went wrong and how to mend it; empty for KATALYS_OK. Holds no customer data.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_message(result: *const katalys_result) -> *const c_char {
    // SAFETY: as this function demands.
    unsafe { ask(result, c"".as_ptr(), |result| result.message.as_ptr()) }
}

/// Whether the same call may succeed later without any change.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_is_retryable(result: *const katalys_result) -> bool {
    // SAFETY: as this function demands.
    unsafe { ask(result, false, |result| result.outcome.is_retryable()) }
}

/// The HTTP status of the last answer, where that is why the call failed; otherwise 0.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_status(result: *const katalys_result) -> u16 {
    // SAFETY: as this function demands.
    unsafe { ask(result, 0, |result| result.outcome.status.unwrap_or(0)) }
}

/// The seconds that the endpoint asked to wait before the next attempt; -1 if it did not.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_retry_after(result: *const katalys_result) -> f64 {
    let question = |result: &katalys_result| {
        let wait = result.outcome.retry_after;
        wait.map_or(-1.0, |wait| wait.as_secs_f64())
    };
    // SAFETY: as this function demands.
    unsafe { ask(result, -1.0, question) }
}

/// How many requests were made.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_attempts(result: *const katalys_result) -> u32 {
    // SAFETY: as this function demands.
    unsafe { ask(result, 0, |result| result.outcome.attempts) }
}

/// How many seconds the call took.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_elapsed(result: *const katalys_result) -> f64 {
    // SAFETY: as this function demands.
    unsafe { ask(result, 0.0, |result| result.outcome.elapsed.as_secs_f64()) }
}

/// The number of the update in the outbox; numbers rise in the order of acceptance. 0 if none was
/// accepted. A call that waits, on a client with an outbox, may fail and have one: the update will
/// be sent (KATALYS_TIMEOUT_PENDING) or is a dead letter (KATALYS_REJECTED), so do not send it again.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_ticket(result: *const katalys_result) -> i64 {
    // SAFETY: as this function demands.
    unsafe { ask(result, 0, |result| result.outcome.ticket.unwrap_or(0)) }
}

/// After a successful check: the exact bytes that would be sent, one JSON object, followed by a
/// NUL. Otherwise NULL. Writes their number, without the NUL, unless `len` is NULL.
///
/// # Safety
/// `result` is a live result or NULL; `len` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_payload(
    result: *const katalys_result,
    len: *mut usize,
) -> *const c_char {
    let question = |result: &'static katalys_result| result.payload.as_deref();
    // SAFETY: as this function demands.
    let payload: Option<&CStr> = unsafe { ask(result, None, question) };
    // SAFETY: as this function demands.
    unsafe { hand_out(payload, len) }
}

/// All of the result as one JSON object, followed by a NUL: code, class, message, retryable,
/// status, retry_after, attempts, elapsed, payload, ticket, and problems with path, code,
/// message, severity and first. Writes its length, without the NUL, unless `len` is NULL.
///
/// # Safety
/// `result` is a live result or NULL; `len` may be written to or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_json(
    result: *const katalys_result,
    len: *mut usize,
) -> *const c_char {
    let question = |result: &'static katalys_result| Some(result.json());
    // SAFETY: as this function demands.
    let json = unsafe { ask(result, None, question) };
    // SAFETY: as this function demands.
    unsafe { hand_out(json.or(Some(c"")), len) }
}

/// # Safety
/// `len` may be written to or is null.
pub(crate) unsafe fn hand_out(text: Option<&CStr>, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: not null, and may be written to as this function demands.
        unsafe { len.write(text.map_or(0, CStr::count_bytes)) };
    }
    text.map_or(ptr::null(), CStr::as_ptr)
}

/// How many problems were found: all errors and warnings of an update that was refused, or the
/// warnings of one that was not.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_count(result: *const katalys_result) -> usize {
    // SAFETY: as this function demands.
    unsafe { ask(result, 0, |result| result.problems.len()) }
}

/// Where a problem is, as the caller wrote it: "sale_amount", "discounts[1].amount". Empty for an
/// index that is too large.
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

/// The stable name of the rule that was broken, such as "amount_format". Empty for an index that
/// is too large.
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

/// A sentence that says what is wrong and how to mend it, without customer data. Empty for an
/// index that is too large.
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

/// Whether a problem stopped the call.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_severity(
    result: *const katalys_result,
    index: usize,
) -> katalys_severity {
    let question = |result: &katalys_result| match result.outcome.problems.get(index) {
        None => katalys_severity::KATALYS_SEVERITY_NONE,
        Some(found) if found.problem.severity == Severity::Error => {
            katalys_severity::KATALYS_SEVERITY_ERROR
        }
        Some(_) => katalys_severity::KATALYS_SEVERITY_WARNING,
    };
    // SAFETY: as this function demands.
    unsafe { ask(result, katalys_severity::KATALYS_SEVERITY_NONE, question) }
}

/// Whether a warning's code occurred for the first time in an update that this client sent. Those
/// are the ones to write to a log, which needs each code once and not at every call.
///
/// # Safety
/// `result` is a live result or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_result_problem_is_first(
    result: *const katalys_result,
    index: usize,
) -> bool {
    let question = |result: &katalys_result| {
        let found = result.outcome.problems.get(index);
        found.is_some_and(|found| found.first)
    };
    // SAFETY: as this function demands.
    unsafe { ask(result, false, question) }
}

/// # Safety
/// `result` is a live result or NULL.
unsafe fn problem_text(
    result: *const katalys_result,
    index: usize,
    text: fn(&ProblemTexts) -> &CString,
) -> *const c_char {
    let question = |result: &katalys_result| {
        let problem = result.problems.get(index);
        problem.map_or(c"".as_ptr(), |problem| text(problem).as_ptr())
    };
    // SAFETY: as this function demands.
    unsafe { ask(result, c"".as_ptr(), question) }
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
