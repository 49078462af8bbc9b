//! The answer that PHP reads after a call: one text per thread.

use crate::guard::guarded;
use crate::outcome::{Ending, Outcome};
use katalys_core::results::{Record, ResultValue, Spelled};
use katalys_core::{ErrorKind, ErrorProperty, Language, Problem};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::cell::RefCell;
use std::ffi::c_char;
use std::io::Write as _;

thread_local! {
    /// PHP copies the text at once, so that one buffer is enough.
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that grew beyond this for one large answer is freed.
const LARGEST_BUFFER: usize = 64 * 1024;

/// The answer after a panic, which needs no allocation.
pub const PANICKED: &[u8] = b"!{\"class\":\"InternalError\",\"fields\":{\
\"message\":\"an internal error stopped the call\",\"errorCode\":\"internal\"},\"warnings\":[]}\0";

/// Replaces the answer of this thread.
pub fn set(write: impl FnOnce(&mut Vec<u8>)) {
    ANSWER.with_borrow_mut(|text| {
        text.clear();
        text.shrink_to(LARGEST_BUFFER);
        write(text);
        text.push(0);
    });
}

/// The answer of this thread, which ends in a NUL.
pub fn pointer() -> *const c_char {
    let text = guarded(None, || {
        ANSWER.with_borrow(|text| (!text.is_empty()).then_some(text.as_ptr()))
    });
    text.unwrap_or(PANICKED.as_ptr()).cast()
}

pub fn set_json(value: &impl Serialize) {
    set(|text| write_json(value, text));
}

/// "!" and one JSON object: the class of the result or error, its fields by the names of the PHP
/// constructor's arguments, and the warnings that are new.
#[inline(never)]
pub fn set_outcome(outcome: &Outcome) {
    set(|text| {
        text.push(b'!');
        write_json(&Detailed(outcome), text);
    });
}

/// A letter, and the fields of a record without warnings, separated by spaces: cheaper to read than
/// JSON.
pub fn set_compact<R: Record>(letter: u8, record: &R) {
    set(|text| {
        text.push(letter);
        for place in 0..R::TABLE.fields.len() {
            let written = match record.value(place) {
                ResultValue::Id(id) => write!(text, "{id} "),
                ResultValue::Whole(number) => write!(text, "{number} "),
                ResultValue::Seconds(seconds) => write!(text, "{seconds} "),
                ResultValue::Flag(flag) => write!(text, "{} ", u8::from(flag)),
                _ => Ok(()),
            };
            debug_assert!(written.is_ok(), "writing to a Vec does not fail");
        }
        text.pop();
    });
}

fn write_json(value: &impl Serialize, text: &mut Vec<u8>) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok(), "text and numbers can always be written");
}

struct Detailed<'o>(&'o Outcome);

impl Serialize for Detailed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outcome = self.0;
        let mut map = serializer.serialize_map(Some(3))?;
        match &outcome.ending {
            Ending::Received(receipt) => entries(&mut map, receipt)?,
            Ending::Accepted(ticket) => entries(&mut map, ticket)?,
            Ending::Checked(validation) => entries(&mut map, validation)?,
            Ending::Done | Ending::Failed(..) | Ending::Fixed(..) => {
                map.serialize_entry("class", outcome.class_name())?;
                map.serialize_entry("fields", &ErrorFields(outcome))?;
            }
        }
        let problems = outcome.problems().iter().enumerate();
        let new = problems.filter(|(place, _)| outcome.is_first(*place));
        let new: Vec<&Problem> = new.map(|(_, problem)| problem).collect();
        map.serialize_entry("warnings", &new)?;
        map.end()
    }
}

fn entries<M: SerializeMap, R: Record>(map: &mut M, record: &R) -> Result<(), M::Error> {
    map.serialize_entry("class", R::TABLE.name)?;
    map.serialize_entry("fields", &Spelled(record, Language::Php))
}

/// The arguments of an exception's constructor.
struct ErrorFields<'o>(&'o Outcome);

impl Serialize for ErrorFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.0.code().map(katalys_core::ErrorCode::kind);
        let own = kind.map_or(&[][..], ErrorKind::properties);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("message", self.0.message())?;
        for property in ErrorProperty::COMMON.iter().chain(own) {
            let name = property.spelled(Language::Php);
            map.serialize_entry(&name, &self.0.property(*property))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use katalys_core::{Error, ErrorCode, Receipt, Ticket};
    use std::time::Duration;

    fn answer() -> String {
        ANSWER.with_borrow(|text| String::from_utf8(text.clone()).unwrap())
    }

    #[test]
    fn a_result_without_warnings_is_its_fields() {
        set_compact(
            b'=',
            &Receipt {
                attempts: 2,
                elapsed: Duration::from_millis(1500),
                warnings: Vec::new(),
            },
        );
        assert_eq!(answer(), "=2 1.5\0");
        set_compact(
            b'#',
            &Ticket {
                id: 7,
                warnings: Vec::new(),
            },
        );
        assert_eq!(answer(), "#7\0");
    }

    #[test]
    fn the_answer_after_a_panic_has_the_form_of_any_other_error() {
        set_outcome(&Outcome::new(Ending::Fixed(
            ErrorCode::Internal,
            "an internal error stopped the call",
        )));
        let read = |bytes: &[u8]| -> serde_json::Value {
            serde_json::from_slice(&bytes[1..bytes.len() - 1]).unwrap()
        };
        let panicked = read(PANICKED);
        let made = read(answer().as_bytes());
        assert_eq!(panicked["class"], made["class"]);
        for (name, value) in panicked["fields"].as_object().unwrap() {
            assert_eq!(&made["fields"][name], value, "{name}");
        }
    }

    #[test]
    fn an_error_has_the_properties_of_its_class() {
        set_outcome(&Outcome::from(Error::misuse("not like this")));
        let expected = concat!(
            r#"!{"class":"InternalError","fields":{"message":"not like this","#,
            r#""errorCode":"misuse","retryable":false,"attempts":0,"ticket":null},"warnings":[]}"#,
            "\0"
        );
        assert_eq!(answer(), expected);
    }
}
