//! The Node.js binding of `katalys-core`: converts values, hands them over, returns results.
//!
//! These functions are for the package's own `lib/` only, which makes of them what a user sees.
//! No libuv thread is ever used: the core has its own threads, and their results come back
//! through a [`CompletionQueue`](completions::CompletionQueue).

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

use completions::{CompletionQueue, Delivery, Outcome, Success};
use katalys_core::bridge::Bridge as _;
use katalys_core::order::MAX_KEYS;
use katalys_core::{
    Call, Client, Code, Error, Language, Problem, Receipt, Severity, Ticket, VERSION,
};
use napi::bindgen_prelude::{Either, External, Function};
use napi::{Env, JsString};
use napi_derive::napi;
use report::{Report, json};
use shapes::Shapes;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// About what a client holds, connections included, so that JavaScript's collector reckons with
/// it: all it sees is a handle.
const CLIENT_SIZE: usize = 256 * 1024;

/// The version of the core, which the package's own version must equal.
#[napi]
pub fn version() -> &'static str {
    VERSION
}

/// More keys and list entries than this are refused, whatever they say: there is no use in
/// handing over all of them.
#[napi]
pub fn max_keys() -> u32 {
    u32::try_from(MAX_KEYS).unwrap_or(u32::MAX)
}

/// Why an update is refused that is too large to be handed over, as JSON.
#[napi]
pub fn too_large() -> String {
    refusal(
        "",
        Code::PayloadTooLarge,
        Code::PayloadTooLarge.explanation().to_owned(),
    )
}

/// Why fields are refused that are not a record but what this text says, as JSON.
#[napi]
pub fn wrong_fields(found: String) -> String {
    refusal("fields", Code::WrongType, format!("fields is {found}"))
}

/// Contains every client of this process, for a test run: see `katalys_core::testing`.
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

/// What all clients of one JavaScript environment share; made once, by `lib/environment.js`.
pub struct Environment {
    completions: Arc<CompletionQueue>,
    shapes: Rc<RefCell<Shapes>>,
}

/// A client, with what it needs of its environment.
pub struct ClientHandle {
    client: Arc<Client>,
    completions: Arc<CompletionQueue>,
    shapes: Rc<RefCell<Shapes>>,
}

impl ClientHandle {
    /// What the core calls, on a thread of its own, with the result of that call.
    fn completion<T: Warned + 'static>(
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
            completions.put(Outcome {
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

/// Makes the environment's share; `deliver` will be called with the results of calls.
///
/// # Errors
/// Only if Node has no resources left.
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

/// Lets the process live on until this is taken back.
#[napi]
pub fn keep_process_alive(env: Env, environment: &External<Environment>, alive: bool) {
    environment.completions.keep_process_alive(env, alive);
}

/// Takes `count` keys separated by `\0`, and returns the number of their shape.
#[napi]
pub fn learn_shape(environment: &External<Environment>, keys: String, count: u32) -> u32 {
    environment.shapes.borrow_mut().learn(&keys, count)
}

/// All numbers of shapes become free again.
#[napi]
pub fn forget_shapes(environment: &External<Environment>) {
    environment.shapes.borrow_mut().forget();
}

// Of these functions, those that take packed values return nothing at all if the values have to
// be packed with care; nothing has happened then.

/// A client from packed options, or what is wrong with them.
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
/// Returns an empty text, or JSON: why it was not sent, or what is to be logged.
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
    let news = if unlogged.is_empty() {
        String::new()
    } else {
        json(&Report::warnings(unlogged))
    };
    let complete = handle.completion(number, Success::Receipt);
    let submitted = handle.client.submit(checked, complete);
    Some(submitted.map_or_else(|error| json(&Report::refusal(&error)), |_| news))
}

/// The payload; or, if there are problems, the payload (if there is one) and the problems as JSON.
type Verdict<'e> = Either<JsString<'e>, (Option<JsString<'e>>, String)>;

/// Checks a packed order.
///
/// # Errors
/// Only if Node has no memory left.
#[napi(catch_unwind)]
pub fn validate<'e>(
    env: &'e Env,
    handle: &External<ClientHandle>,
    is_report: bool,
    packed: String,
    tokens: u32,
) -> napi::Result<Option<Verdict<'e>>> {
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

/// V8 copies Latin-1 as it is, while UTF-8 it decodes, several times more slowly.
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

/// Whole chunks are looked at with few instructions.
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
