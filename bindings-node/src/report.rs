//! Converts results to JSON for JavaScript, except the frequent ones, which are passed as numbers.
//! The core's tables define their fields.

use katalys_core::results::{Record, ResultValue, Spelled};
use katalys_core::{Error, ErrorKind, ErrorProperty, Event, Language, Problem, Receipt, Ticket};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The end of a call.
pub struct Completion {
    pub call: f64,
    pub result: Result<Success, Error>,
    /// Warnings that are to be logged.
    pub unlogged: Vec<Problem>,
}

/// The result of a call that succeeded.
pub enum Success {
    Receipt(Receipt),
    Ticket(Ticket),
    /// As JSON.
    Answer(Box<RawValue>),
}

impl Serialize for Success {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Receipt(receipt) => spelled(receipt).serialize(serializer),
            Self::Ticket(ticket) => spelled(ticket).serialize(serializer),
            Self::Answer(answer) => answer.serialize(serializer),
        }
    }
}

/// A record with its fields named as in JavaScript.
pub fn spelled<R: Record>(record: &R) -> Spelled<'_, R> {
    Spelled(record, Language::Node)
}

/// The answer of a call, as JSON.
pub fn answer(value: &impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| Error::internal(error.to_string()))
}

/// The JSON of a completed call, or of the response when JavaScript starts one.
#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'r Success>,
    /// Warnings that are to be logged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unlogged: Vec<&'r Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure<'r>>,
}

impl<'r> Report<'r> {
    /// The JSON of a call that could not be started.
    pub fn refusal(error: &'r Error) -> Self {
        Self {
            error: Some(Failure(error)),
            ..Self::default()
        }
    }

    /// The JSON of warnings to log, for a call that was started.
    pub fn warnings(unlogged: Vec<&'r Problem>) -> Self {
        Self {
            unlogged,
            ..Self::default()
        }
    }

    /// The JSON of a call that has completed in the background.
    pub fn completion(completion: &'r Completion) -> Self {
        Self {
            call: Some(completion.call),
            result: completion.result.as_ref().ok(),
            unlogged: completion.unlogged.iter().collect(),
            error: completion.result.as_ref().err().map(Failure),
        }
    }
}

/// An error: its class, its message and the properties of its class.
struct Failure<'r>(&'r Error);

impl Serialize for Failure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = self.0;
        let classes = std::iter::successors(Some(error.kind()), |kind| kind.parent());
        let own = classes.flat_map(ErrorKind::properties);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", error.kind().as_str())?;
        map.serialize_entry("message", error.message())?;
        for property in ErrorProperty::COMMON.iter().chain(own) {
            let name = Language::Node.spell(property.name());
            map.serialize_entry(&name, &error.value(*property))?;
        }
        map.end()
    }
}

/// Events of the outbox, and lines of the core's log.
#[derive(serde::Serialize)]
pub struct News<'r> {
    events: Vec<ClientEvent<'r>>,
    logged: &'r [String],
}

#[derive(serde::Serialize)]
struct ClientEvent<'r> {
    client: f64,
    event: Spelled<'r, Event>,
}

impl<'r> News<'r> {
    pub fn new(events: &'r [(f64, Event)], logged: &'r [String]) -> Self {
        let client_event = |(client, event): &'r (f64, Event)| ClientEvent {
            client: *client,
            event: spelled(event),
        };
        Self {
            events: events.iter().map(client_event).collect(),
            logged,
        }
    }
}

/// Adds a record's fields as numbers, apart from an empty list of problems. Adds nothing and
/// returns false if there is any other field.
#[allow(clippy::cast_precision_loss, reason = "no count or id reaches 2^53")]
pub fn add_numbers<R: Record>(numbers: &mut Vec<f64>, record: &R) -> bool {
    let before = numbers.len();
    for place in 0..R::TABLE.fields.len() {
        match record.value(place) {
            ResultValue::Id(id) => numbers.push(id as f64),
            ResultValue::Whole(number) => numbers.push(number as f64),
            ResultValue::Seconds(seconds) => numbers.push(seconds),
            ResultValue::Problems([]) => {}
            _ => {
                numbers.truncate(before);
                return false;
            }
        }
    }
    true
}

/// Cannot fail: all keys are text, and all numbers are finite.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use katalys_core::{Code, ErrorCode, Severity};
    use serde_json::{Value, from_str};
    use std::time::Duration;

    fn receipt(warnings: Vec<Problem>) -> Receipt {
        Receipt {
            attempts: 2,
            elapsed: Duration::from_millis(1500),
            warnings,
        }
    }

    fn warning() -> Problem {
        Problem {
            path: "order_status".into(),
            code: Code::StatusMisspelled,
            message: "order_status looks misspelled".into(),
            severity: Severity::Warning,
        }
    }

    #[test]
    fn only_a_record_without_warnings_is_numbers_alone() {
        let mut numbers = vec![7.0];
        assert!(add_numbers(&mut numbers, &receipt(Vec::new())));
        assert_eq!(numbers, [7.0, 2.0, 1.5]);
        assert!(!add_numbers(&mut numbers, &receipt(vec![warning()])));
        assert_eq!(numbers, [7.0, 2.0, 1.5]);
    }

    #[test]
    fn a_failure_has_the_properties_of_its_class() {
        let error = Error::validation(vec![warning()]);
        let report: Value = from_str(&json(&Report::refusal(&error))).unwrap();
        let failure = &report["error"];
        assert_eq!(failure["kind"], "ValidationError");
        assert_eq!(failure["code"], ErrorCode::Validation.as_str());
        assert_eq!(failure["attempts"], 0);
        assert_eq!(failure["ticket"], Value::Null);
        assert_eq!(failure["problems"][0]["code"], "status_misspelled");
        assert_eq!(failure.get("status"), None);
    }
}
