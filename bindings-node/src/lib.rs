//! The Node.js binding of `katalys-core`: converts a call's values for the core and returns its
//! results.
//!
//! These functions are for the package's own `lib/` only, which provides the public interface.
//! No libuv thread is ever used: the core has its own threads, and their results return through a
//! [`CompletionQueue`](completions::CompletionQueue).

#![allow(
    clippy::needless_pass_by_value,
    reason = "napi-rs hands arguments over by value"
)]

mod completions;
mod logger;
pub mod outbox;
mod report;
mod shapes;
mod unpack;

use completions::{CompletionQueue, Delivery};
use katalys_core::bridge::Bridge as _;
use katalys_core::order::MAX_KEYS;
use katalys_core::{
    Call, Client, Code, Error, Language, Problem, Receipt, Severity, Ticket, VERSION,
};
use napi::bindgen_prelude::{Either, External, Function};
use napi::{Env, JsString};
use napi_derive::napi;
use report::{Completion, Report, Success, json};
use shapes::Shapes;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// An estimate of what a client allocates, connections included, for JavaScript's garbage
/// collector, which sees only a handle.
const CLIENT_SIZE: usize = 256 * 1024;

/// The version of the core, which the package's own version must equal.
#[napi]
pub fn version() -> &'static str {
    VERSION
}

/// The largest number of keys and list entries that the core accepts; `lib/` stops packing beyond
/// it.
#[napi]
pub fn max_keys() -> u32 {
    u32::try_from(MAX_KEYS).unwrap_or(u32::MAX)
}

/// The error, as JSON, of an update that is too large to be packed.
#[napi]
pub fn too_large() -> String {
    refusal(
        "",
        Code::PayloadTooLarge,
        Code::PayloadTooLarge.explanation().to_owned(),
    )
}

/// The error, as JSON, of fields that are not a record; `found` says what they are.
#[napi]
pub fn wrong_fields(found: String) -> String {
    refusal("fields", Code::WrongType, format!("fields is {found}"))
}

/// Confines every client of this process to a test run: see `katalys_core::testing`.
#[napi]
pub fn contain(folder: String, endpoint: Option<String>) {
    katalys_core::testing::contain(folder, endpoint.as_deref());
}

fn refusal(path: &str, code: Code, message: String) -> String {
    let problem = Problem {
        path: path.to_owned(),
        code,
        message,
        severity: Severity::Error,
    };
    json(&Report::refusal(&Error::validation(vec![problem])))
}

/// What all clients of one JavaScript environment share; created once, by `lib/environment.js`.
pub struct Environment {
    completions: Arc<CompletionQueue>,
    shapes: Rc<RefCell<Shapes>>,
}

/// A client, with its environment's queue and shapes.
pub struct ClientHandle {
    client: Arc<Client>,
    completions: Arc<CompletionQueue>,
    shapes: Rc<RefCell<Shapes>>,
}

impl ClientHandle {
    /// The callback with which the core, on a thread of its own, completes that call.
    fn on_complete<T: Warned + 'static>(
        &self,
        call: f64,
        success: fn(T) -> Success,
    ) -> impl FnOnce(Result<T, Error>) + Send + 'static {
        let completions = Arc::clone(&self.completions);
        let client = Arc::downgrade(&self.client);
        move |result| {
            let warnings = result.as_ref().map_or(&[][..], T::warnings);
            let unlogged = match client.upgrade() {
                Some(client) if !warnings.is_empty() => {
                    client.unlogged(warnings).cloned().collect()
                }
                _ => Vec::new(),
            };
            let result = result.map(success);
            completions.put(Completion {
                call,
                result,
                unlogged,
            });
        }
    }
}

/// A result that may come with warnings.
trait Warned {
    fn warnings(&self) -> &[Problem];
}

impl Warned for Receipt {
    fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

impl Warned for Ticket {
    fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

/// Opens the environment; `deliver` is called with the results of calls.
///
/// # Errors
/// Only if Node is out of resources.
#[napi]
pub fn open_environment(
    deliver: Function<'_, Delivery, ()>,
) -> napi::Result<External<Environment>> {
    let completions = Arc::new(CompletionQueue::new(&deliver)?);
    logger::register(&completions);
    Ok(External::new(Environment {
        completions,
        shapes: Rc::default(),
    }))
}

/// Keeps the process alive, or stops keeping it alive.
#[napi]
pub fn keep_process_alive(env: Env, environment: &External<Environment>, alive: bool) {
    environment.completions.keep_process_alive(env, alive);
}

/// Adds a shape of `count` keys separated by `\0`, and returns its number.
#[napi]
pub fn add_shape(environment: &External<Environment>, keys: String, count: u32) -> u32 {
    environment.shapes.borrow_mut().add(&keys, count)
}

/// Removes all shapes; numbers start over.
#[napi]
pub fn clear_shapes(environment: &External<Environment>) {
    environment.shapes.borrow_mut().clear();
}

// Functions that take packed values return `None`, without any effect, if text has to be escaped.

/// A client from packed options, or as JSON the error.
#[napi(catch_unwind)]
pub fn open_client(
    environment: &External<Environment>,
    packed: String,
    tokens: u32,
) -> Option<Either<External<ClientHandle>, String>> {
    let shapes = environment.shapes.borrow();
    let options = unpack::record(&packed, tokens, &shapes).ok()?;
    let client = match Client::with_options(Language::Node, &options) {
        Ok(client) => client,
        Err(error) => return Some(Either::B(json(&Report::refusal(&error)))),
    };
    let handle = ClientHandle {
        client: Arc::new(client),
        completions: Arc::clone(&environment.completions),
        shapes: Rc::clone(&environment.shapes),
    };
    Some(Either::A(External::new_with_size_hint(handle, CLIENT_SIZE)))
}

/// Checks a packed order and sends it in the background; its result arrives under that number.
/// Returns an empty text, or as JSON the reason why it is not sent, or warnings to be logged.
#[napi(catch_unwind)]
pub fn submit(
    handle: &External<ClientHandle>,
    number: f64,
    is_report: bool,
    packed: String,
    tokens: u32,
) -> Option<String> {
    let shapes = handle.shapes.borrow();
    let (order_id, fields) = unpack::order(&packed, tokens, &shapes).ok()?;
    let checked = match handle.client.prepare(call(is_report), &order_id, &fields) {
        Ok(checked) => checked,
        Err(error) => return Some(json(&Report::refusal(&error))),
    };
    let unlogged: Vec<&Problem> = handle.client.unlogged(&checked.warnings).collect();
    let warnings = if unlogged.is_empty() {
        String::new()
    } else {
        json(&Report::warnings(unlogged))
    };
    let complete = handle.on_complete(number, Success::Receipt);
    let submitted = handle.client.submit(checked, complete);
    Some(submitted.map_or_else(|error| json(&Report::refusal(&error)), |_| warnings))
}

/// The payload alone; or, if there are problems, the payload (if there is one) and the problems as
/// JSON.
type Checked<'e> = Either<JsString<'e>, (Option<JsString<'e>>, String)>;

/// Checks a packed order.
///
/// # Errors
/// Only if Node is out of memory.
#[napi(catch_unwind)]
pub fn validate<'e>(
    env: &'e Env,
    handle: &External<ClientHandle>,
    is_report: bool,
    packed: String,
    tokens: u32,
) -> napi::Result<Option<Checked<'e>>> {
    let shapes = handle.shapes.borrow();
    let Ok((order_id, fields)) = unpack::order(&packed, tokens, &shapes) else {
        return Ok(None);
    };
    let checked = handle.client.validate(call(is_report), &order_id, &fields);
    let payload = checked.payload.map(|utf8| payload_text(env, &utf8));
    let payload = payload.transpose()?;
    Ok(Some(match payload {
        Some(payload) if checked.problems.is_empty() => Either::A(payload),
        payload => Either::B((payload, json(&checked.problems))),
    }))
}

fn call(is_report: bool) -> Call {
    if is_report {
        Call::Report
    } else {
        Call::Update
    }
}

/// V8 copies Latin-1 unchanged; it decodes UTF-8 several times more slowly.
fn payload_text<'e>(env: &'e Env, utf8: &[u8]) -> napi::Result<JsString<'e>> {
    let text = str::from_utf8(utf8).map_err(|error| napi::Error::from_reason(error.to_string()))?;
    match latin1(text) {
        Some(latin1) => env.create_string_latin1(latin1),
        None => env.create_string(text),
    }
}

/// One byte for each character, unless one of them is beyond U+00FF.
fn latin1(text: &str) -> Option<Cow<'_, [u8]>> {
    let mut rest = text;
    let mut latin1 = Vec::new();
    while let Some(at) = first_beyond_ascii(rest.as_bytes()) {
        let character = rest[at..].chars().next()?;
        latin1.reserve(rest.len());
        latin1.extend_from_slice(&rest.as_bytes()[..at]);
        latin1.push(u8::try_from(character).ok()?);
        rest = &rest[at + character.len_utf8()..];
    }
    if latin1.is_empty() {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    latin1.extend_from_slice(rest.as_bytes());
    Some(Cow::Owned(latin1))
}

/// Compares a chunk at a time, which takes few instructions.
fn first_beyond_ascii(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 32;
    let begin = CHUNK * bytes.chunks(CHUNK).position(|chunk| !chunk.is_ascii())?;
    let within = bytes[begin..].iter().position(|byte| !byte.is_ascii())?;
    Some(begin + within)
}

#[cfg(test)]
mod tests {
    use super::latin1;

    #[test]
    fn text_is_latin1_up_to_u_00ff() {
        let long = "a".repeat(100);
        for ascii in ["", "Zurich", &long] {
            assert_eq!(latin1(ascii).unwrap(), ascii.as_bytes());
        }
        assert_eq!(
            latin1("é\u{80}Zürich\u{ff}").unwrap(),
            &b"\xe9\x80Z\xfcrich\xff"[..]
        );
        let late = [long.as_bytes(), b"\xfc", long.as_bytes()].concat();
        assert_eq!(latin1(&format!("{long}ü{long}")).unwrap(), late);
        assert!(latin1("Zürich \u{100}").is_none());
    }
}
