//! The outcome of a call, before it is converted to a `katalys_result` or to text for PHP.

use katalys_core::results::ResultValue;
use katalys_core::{Error, ErrorCode, ErrorProperty, Problem, Receipt, Ticket, Validation};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::ptr;
use std::time::Duration;

/// The outcome of a call, its duration, and which of its warnings are new.
pub(crate) struct Outcome {
    pub ending: Ending,
    pub elapsed: Duration,
    /// The places of those problems whose code occurs for the first time.
    pub first: Vec<usize>,
}

pub(crate) enum Ending {
    /// Success, with nothing to return.
    Done,
    Received(Receipt),
    Accepted(Ticket),
    Checked(Validation),
    /// An error, and the warnings found before it.
    Failed(Error, Vec<Problem>),
    /// An error that is known at compile time: it needs no allocation.
    Fixed(ErrorCode, &'static str),
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        Self::new(ending)
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self::new(Ending::Failed(error, Vec::new()))
    }
}

impl Outcome {
    pub const fn new(ending: Ending) -> Self {
        Self {
            ending,
            elapsed: Duration::ZERO,
            first: Vec::new(),
        }
    }

    pub fn done() -> Self {
        Self::new(Ending::Done)
    }

    pub fn within(mut self, elapsed: Duration) -> Self {
        self.elapsed = elapsed;
        self
    }

    /// Marks the problems that `first` selects from this outcome's own.
    pub fn mark_first<'o, I>(&'o mut self, first: impl FnOnce(&'o [Problem]) -> I)
    where
        I: Iterator<Item = &'o Problem>,
    {
        let problems = self.ending.problems();
        let place = |new: &Problem| problems.iter().position(|problem| ptr::eq(problem, new));
        self.first = first(problems).filter_map(place).collect();
    }

    pub fn code(&self) -> Option<ErrorCode> {
        match &self.ending {
            Ending::Failed(error, _) => Some(error.code()),
            Ending::Fixed(code, _) => Some(*code),
            _ => None,
        }
    }

    pub fn code_name(&self) -> &'static str {
        self.code().map_or("ok", ErrorCode::as_str)
    }

    pub fn class_name(&self) -> &'static str {
        self.code().map_or("", |code| code.kind().as_str())
    }

    pub fn message(&self) -> &str {
        match &self.ending {
            Ending::Failed(error, _) => error.message(),
            Ending::Fixed(_, message) => message,
            _ => "",
        }
    }

    pub fn problems(&self) -> &[Problem] {
        self.ending.problems()
    }

    pub fn is_first(&self, place: usize) -> bool {
        self.first.contains(&place)
    }

    /// A property of the error, or the same of a success.
    pub fn property(&self, property: ErrorProperty) -> ResultValue<'_> {
        match (&self.ending, property) {
            (_, ErrorProperty::Problems) => ResultValue::Problems(self.problems()),
            (Ending::Failed(error, _), _) => error.value(property),
            (_, ErrorProperty::Code) => ResultValue::Text(self.code_name().into()),
            (_, ErrorProperty::Retryable) => {
                ResultValue::Flag(self.code().is_some_and(ErrorCode::is_retryable))
            }
            (Ending::Received(receipt), ErrorProperty::Attempts) => {
                ResultValue::Whole(receipt.attempts.into())
            }
            (_, ErrorProperty::Attempts) => ResultValue::Whole(0),
            (Ending::Accepted(ticket), ErrorProperty::Ticket) => ResultValue::Id(ticket.id),
            _ => ResultValue::Missing,
        }
    }
}

impl Ending {
    fn problems(&self) -> &[Problem] {
        match self {
            Self::Received(receipt) => &receipt.warnings,
            Self::Accepted(ticket) => &ticket.warnings,
            Self::Checked(validation) => &validation.problems,
            Self::Failed(error, warnings) if error.problems().is_empty() => warnings,
            Self::Failed(error, _) => error.problems(),
            Self::Done | Self::Fixed(..) => &[],
        }
    }
}

/// Everything as one JSON object, for katalys_result_json().
pub(crate) struct Json<'o> {
    pub outcome: &'o Outcome,
    pub payload: Option<&'o [u8]>,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outcome = self.outcome;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", outcome.code_name())?;
        map.serialize_entry("class", outcome.class_name())?;
        map.serialize_entry("message", outcome.message())?;
        for property in ErrorProperty::ALL {
            if !matches!(property, ErrorProperty::Code | ErrorProperty::Problems) {
                map.serialize_entry(property.name(), &outcome.property(*property))?;
            }
        }
        map.serialize_entry("elapsed", &outcome.elapsed.as_secs_f64())?;
        let payload = self
            .payload
            .map_or(ResultValue::Missing, ResultValue::Payload);
        map.serialize_entry("payload", &payload)?;
        map.serialize_entry("problems", &Problems(outcome))?;
        map.end()
    }
}

struct Problems<'o>(&'o Outcome);

impl Serialize for Problems<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let problems = self.0.problems().iter().enumerate();
        serializer.collect_seq(problems.map(|(place, problem)| ProblemJson {
            problem,
            first: self.0.is_first(place),
        }))
    }
}

#[derive(serde::Serialize)]
struct ProblemJson<'o> {
    #[serde(flatten)]
    problem: &'o Problem,
    first: bool,
}
