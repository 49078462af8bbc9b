//! Everything a call can return, as tables: a receipt, a ticket, counters, a dead letter, an event.
//!
//! A row is a field: its name, its type, and its documentation. Every language's classes, type
//! definitions and accessors, the metrics and the reference are generated from these rows, and
//! bindings convert a result by asking its fields for their values. A row is never moved or removed:
//! its place is its number in the C interface.

use crate::error::Error;
use crate::language::Language;
use crate::order::{Problem, Severity};
pub use crate::table::{Holds, ResultValue, Words};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// How monitoring sees a statistic, with a line of help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// It only rises.
    Counter(&'static str),
    /// It rises and falls.
    Gauge(&'static str),
}

impl Metric {
    /// Its type in Prometheus' format.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
        }
    }

    /// What it counts, in one line.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Counter(help) | Self::Gauge(help) => help,
        }
    }

    /// Its name, for the field of this name.
    pub fn name(self, field: &str) -> String {
        match self {
            Self::Counter(_) => format!("{field}_total"),
            Self::Gauge(_) => field.to_owned(),
        }
    }
}

/// One row: a field of a result.
#[derive(Clone, Copy, Debug)]
pub struct ResultField {
    /// The name, in `snake_case`.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether it may be missing.
    pub is_optional: bool,
    /// Whether it is customer data, which no dump shows.
    pub is_private: bool,
    /// The metric it is, if it is one.
    pub metric: Option<Metric>,
    /// For every language's documentation, one string per line.
    pub doc: &'static [&'static str],
}

impl ResultField {
    /// The documentation in one line.
    pub fn doc(&self) -> String {
        joined(self.doc)
    }
}

/// One table: a result and its fields.
#[derive(Clone, Copy, Debug)]
pub struct ResultTable {
    /// The name of its class, such as `DeadLetter`.
    pub name: &'static str,
    /// For every language's documentation, one string per line.
    pub doc: &'static [&'static str],
    /// Its fields.
    pub fields: &'static [ResultField],
}

impl ResultTable {
    /// The documentation in one line.
    pub fn doc(&self) -> String {
        joined(self.doc)
    }
}

fn joined(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// A result whose fields can be asked for by their place in its table.
pub trait Record {
    /// The table.
    const TABLE: ResultTable;

    /// The value of a field, by its place; `Missing` for a place that is not in the table.
    fn value(&self, place: usize) -> ResultValue<'_>;
}

/// A Rust type that a field can have.
trait FieldType {
    const IS_OPTIONAL: bool = false;

    fn value(&self) -> ResultValue<'_>;
}

macro_rules! field_types {
    ($($type:ty, $self:ident => $value:expr;)*) => {
        $(impl FieldType for $type {
            fn value(&$self) -> ResultValue<'_> { $value }
        })*
    };
}

field_types! {
    i64, self => ResultValue::Id(*self);
    u64, self => ResultValue::Whole(*self);
    u32, self => ResultValue::Whole((*self).into());
    u16, self => ResultValue::Whole((*self).into());
    f64, self => ResultValue::Seconds(*self);
    Duration, self => ResultValue::Seconds(self.as_secs_f64());
    String, self => ResultValue::Text(Cow::Borrowed(self));
    &'static str, self => ResultValue::Text(Cow::Borrowed(self));
    Vec<u8>, self => ResultValue::Payload(self);
    Vec<Problem>, self => ResultValue::Problems(self);
    EventKind, self => ResultValue::Text(Cow::Borrowed(self.as_str()));
    crate::order::Code, self => ResultValue::Text(Cow::Borrowed(self.as_str()));
    Severity, self => ResultValue::Text(Cow::Borrowed(self.as_str()));
}

impl<T: FieldType> FieldType for Option<T> {
    const IS_OPTIONAL: bool = true;

    fn value(&self) -> ResultValue<'_> {
        self.as_ref().map_or(ResultValue::Missing, T::value)
    }
}

macro_rules! metric {
    () => {
        None
    };
    ($metric:expr) => {
        Some($metric)
    };
}

/// The table of a type with these fields.
macro_rules! table {
    (
        $record:ident [$($doc:literal)*]
        $([$($field_doc:literal)*] $name:ident : $type:ty => $holds:expr $(, $private:ident)? $(=> $metric:expr)?;)*
    ) => {
        impl Record for $record {
            const TABLE: ResultTable = ResultTable {
                name: stringify!($record),
                doc: &[$($doc),*],
                fields: &[$(ResultField {
                    name: stringify!($name),
                    holds: $holds,
                    is_optional: <$type as FieldType>::IS_OPTIONAL,
                    is_private: false $(|| stringify!($private).len() > 0)?,
                    metric: metric!($($metric)?),
                    doc: &[$($field_doc),*],
                }),*],
            };

            fn value(&self, place: usize) -> ResultValue<'_> {
                let values = [$(FieldType::value(&self.$name)),*];
                values.into_iter().nth(place).unwrap_or(ResultValue::Missing)
            }
        }
    };
}

/// Declares a result and its table.
macro_rules! results {
    ($(
        $(#[doc = $doc:literal])*
        #[derive($($derive:ident),*)]
        pub struct $record:ident {
            $($(#[doc = $field_doc:literal])* $name:ident : $type:ty => $holds:expr $(, $private:ident)? $(=> $metric:expr)?;)*
        }
    )*) => {
        $(
            $(#[doc = $doc])*
            #[derive($($derive),*)]
            pub struct $record {
                $($(#[doc = $field_doc])* pub $name: $type,)*
            }

            table! {
                $record [$($doc)*]
                $([$($field_doc)*] $name : $type => $holds $(, $private)? $(=> $metric)?;)*
            }

            /// Shows no customer data.
            impl fmt::Debug for $record {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    debug(self, f)
                }
            }
        )*

        /// Every table, in the order of the reference.
        pub const RESULTS: &[ResultTable] = &[<Problem as Record>::TABLE, $(<$record as Record>::TABLE),*];
    };
}

results! {
    /// The endpoint has received the update.
    #[derive(Clone)]
    pub struct Receipt {
        /// Number of requests it took; 0 if another process delivered the update.
        attempts: u32 => Holds::Number;
        /// Time from the call to the answer, in seconds.
        elapsed: Duration => Holds::Seconds;
        /// Suspicious fields, and fields that were left out.
        warnings: Vec<Problem> => Holds::Problems;
    }

    /// The outbox has accepted the update: it will be sent even if this process ends.
    #[derive(Clone)]
    pub struct Ticket {
        /// Number of the update; numbers rise in the order of acceptance.
        id: i64 => Holds::Id;
        /// Suspicious fields, and fields that were left out.
        warnings: Vec<Problem> => Holds::Problems;
    }

    /// The result of a check without sending.
    #[derive(Clone)]
    pub struct Validation {
        /// The exact bytes that would be sent; missing if there is an error among the problems.
        payload: Option<Vec<u8>> => Holds::Payload, private;
        /// Everything that was found, errors and warnings.
        problems: Vec<Problem> => Holds::Problems;
    }

    /// Counters of the updates that an outbox has accepted, in any process: `accepted` always
    /// equals `delivered` + `pending` + `dead` + `discarded`.
    #[derive(Clone, Copy, Default, PartialEq)]
    pub struct Stats {
        /// Updates accepted since the outbox was created.
        accepted: u64 => Holds::Count => Metric::Counter("Updates accepted since the outbox was created.");
        /// Updates that the endpoint has received.
        delivered: u64 => Holds::Count => Metric::Counter("Updates that the endpoint has received.");
        /// Updates that are neither delivered nor dead letters yet.
        pending: u64 => Holds::Count => Metric::Gauge("Updates that are neither delivered nor dead letters yet.");
        /// Pending updates that a process is sending.
        in_flight: u64 => Holds::Count => Metric::Gauge("Pending updates that a process is sending.");
        /// Dead letters: kept until they are replayed or discarded.
        dead: u64 => Holds::Count => Metric::Gauge("Dead letters: kept until they are replayed or discarded.");
        /// Dead letters that were discarded.
        discarded: u64 => Holds::Count => Metric::Counter("Dead letters that were discarded.");
        /// Age of the oldest pending update, in seconds; 0 if there is none.
        oldest_pending_seconds: f64 => Holds::Seconds => Metric::Gauge("Age of the oldest pending update, in seconds.");
    }

    /// An update that will not be sent unless it is replayed.
    #[derive(Clone)]
    pub struct DeadLetter {
        /// Number of the update, as on its ticket.
        id: i64 => Holds::Id;
        /// The order's id.
        order_id: String => Holds::Text, private;
        /// The site it was reported for.
        site_id: String => Holds::Text;
        /// What was sent, as JSON. Customer data.
        payload: Vec<u8> => Holds::Payload, private;
        /// HTTP status, if the endpoint refused the update.
        status: Option<u16> => Holds::Status;
        /// `rejected` (by the endpoint), `interrupted` (three attempts never finished) or
        /// `expired` (older than `max_age`).
        code: String => Holds::Text;
        /// A description of what happened. Holds no customer data.
        reason: String => Holds::Text;
        /// When it became a dead letter.
        died_at: f64 => Holds::Time;
    }

    /// An update in an outbox that is not settled yet.
    #[derive(Clone)]
    pub struct PendingUpdate {
        /// Number of the update, as on its ticket.
        id: i64 => Holds::Id;
        /// The order's id.
        order_id: String => Holds::Text, private;
        /// What will be sent, as JSON. Customer data.
        payload: Vec<u8> => Holds::Payload, private;
        /// Time since it was accepted or replayed, in seconds.
        age_seconds: f64 => Holds::Seconds;
        /// Number of attempts that have failed so far.
        failures: u32 => Holds::Number;
    }

    /// Something happened to an update of the outbox, or to the outbox itself. Holds no customer
    /// data.
    #[derive(Clone)]
    pub struct Event {
        /// What happened.
        kind: EventKind => Holds::Word(Words::EventKind);
        /// Number of the update, as on its ticket; 0 for `failed`.
        id: i64 => Holds::Id;
        /// Sixteen hexadecimal digits, the same for all updates of one order; with
        /// `event_order_ids` as `plain`, the order's id. Empty for `failed`.
        order: String => Holds::Text;
        /// Number of requests made so far; 0 if none was made.
        attempts: u32 => Holds::Number;
        /// HTTP status that led to it, if any.
        status: Option<u16> => Holds::Status;
        /// Why: the code of the error, or of the dead letter.
        code: Option<&'static str> => Holds::Text;
    }
}

table! {
    Problem ["One thing that is wrong or suspicious, where it is, and how to fix it."]
    ["Where it is, as the caller wrote it: `sale_amount`, `discounts[1].amount`."]
    path: String => Holds::Text;
    ["The rule that was broken."]
    code: crate::order::Code => Holds::Word(Words::ProblemCode);
    ["A sentence that says how to fix it. Holds no customer data."]
    message: String => Holds::Text;
    ["`error` stops the call; `warning` is part of the result."]
    severity: Severity => Holds::Word(Words::Severity);
}

/// How important an event is for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `debug`.
    Debug,
    /// `info`.
    Info,
    /// `warning`.
    Warning,
    /// `error`.
    Error,
}

impl Level {
    /// Its name in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! event_kinds {
    ($($kind:ident = $name:literal, $level:ident, $text:literal, $explanation:literal;)*) => {
        /// What happened to an update.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind {
            $(#[doc = concat!("`", $name, "`: ", $explanation, ".")] $kind,)*
        }

        impl EventKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its name in every language, such as `dead_lettered`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// How important it is for a log.
            pub const fn level(self) -> Level {
                match self { $(Self::$kind => Level::$level,)* }
            }

            /// What it means, in one sentence without its full stop.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$kind => $explanation,)* }
            }

            /// A line for a log; `{id}` and `{attempts}` stand for those of the event.
            const fn text(self) -> &'static str {
                match self { $(Self::$kind => $text,)* }
            }
        }
    };
}

event_kinds! {
    Accepted = "accepted", Debug, "update {id} was accepted", "the update is in the outbox";
    Delivered = "delivered", Debug, "update {id} was delivered, attempt {attempts}", "the endpoint has received the update";
    Retried = "retried", Info, "update {id} failed, attempt {attempts}", "an attempt failed; another one follows";
    DeadLettered = "dead_lettered", Error, "update {id} is now a dead letter", "the update will not be sent unless it is replayed";
    Discarded = "discarded", Warning, "dead letter {id} was discarded", "a dead letter was removed for good";
    Failed = "failed", Error, "the outbox cannot be used", "the outbox cannot be read or written, so nothing is delivered; `code` says why";
}

// A client keeps a bit per kind.
const _: () = assert!(EventKind::ALL.len() <= 8);

impl EventKind {
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The target of log records that repeat an event, so that a program which logs events can leave
/// them out.
pub(crate) const OUTBOX_LOG: &str = "katalys::outbox";

impl Event {
    /// An event without a cause.
    pub(crate) fn new(kind: EventKind, id: i64, order: String, attempts: u32) -> Self {
        let (status, code) = (None, None);
        Self {
            kind,
            id,
            order,
            attempts,
            status,
            code,
        }
    }

    /// An event that an error caused.
    pub(crate) fn caused_by(self, error: &Error) -> Self {
        Self {
            status: error.status(),
            code: Some(error.code().as_str()),
            ..self
        }
    }

    /// The event of an outbox that cannot be used.
    pub(crate) fn of_failure(error: &Error) -> Self {
        Self::new(EventKind::Failed, 0, String::new(), 0).caused_by(error)
    }
}

/// A line for a log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.kind.text();
        let text = text.replace("{id}", &self.id.to_string());
        f.write_str(&text.replace("{attempts}", &self.attempts.to_string()))?;
        if let Some(code) = self.code {
            write!(f, ": {code}")?;
        }
        match self.status {
            Some(status) => write!(f, " ({status})"),
            None => Ok(()),
        }
    }
}

/// A record for `serde`, with its fields named as in a language. Seconds and times are numbers, a
/// payload is text.
#[derive(Clone, Copy, Debug)]
pub struct Spelled<'r, R>(pub &'r R, pub Language);

impl<R: Record> Serialize for Spelled<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = R::TABLE.fields;
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (place, field) in fields.iter().enumerate() {
            map.serialize_entry(&self.1.spell(field.name), &self.0.value(place))?;
        }
        map.end()
    }
}

/// `Name { field: value, … }`, with the size of a private field in place of its value.
fn debug<R: Record>(record: &R, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = f.debug_struct(R::TABLE.name);
    for (place, field) in R::TABLE.fields.iter().enumerate() {
        let size = match record.value(place) {
            ResultValue::Text(text) => text.len(),
            ResultValue::Payload(bytes) => bytes.len(),
            _ => 0,
        };
        match record.value(place) {
            value if field.is_private && value != ResultValue::Missing => {
                shown.field(field.name, &format_args!("({size} bytes)"));
            }
            ResultValue::Missing => _ = shown.field(field.name, &None::<()>),
            ResultValue::Id(id) => _ = shown.field(field.name, &id),
            ResultValue::Whole(number) => _ = shown.field(field.name, &number),
            ResultValue::Seconds(seconds) => _ = shown.field(field.name, &seconds),
            ResultValue::Text(text) => _ = shown.field(field.name, &text),
            ResultValue::Payload(bytes) => _ = shown.field(field.name, &bytes),
            ResultValue::Problems(problems) => _ = shown.field(field.name, &problems),
            ResultValue::Flag(flag) => _ = shown.field(field.name, &flag),
        }
    }
    shown.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            id: 7,
            order_id: "1001".into(),
            site_id: "abcd.com".into(),
            payload: b"{\"email\":\"a@b.c\"}".to_vec(),
            status: None,
            code: "expired".into(),
            reason: "it was too old".into(),
            died_at: 1.5,
        }
    }

    #[test]
    fn a_dump_shows_no_private_field() {
        let shown = format!("{:?}", letter());
        let expected = "DeadLetter { id: 7, order_id: (4 bytes), site_id: \"abcd.com\", payload: (17 \
                        bytes), status: None, code: \"expired\", reason: \"it was too old\", \
                        died_at: 1.5 }";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_record_is_written_in_the_spelling_of_a_language() {
        let written = serde_json::to_string(&Spelled(&letter(), Language::Node)).unwrap();
        let expected = r#"{"id":7,"orderId":"1001","siteId":"abcd.com","payload":"{\"email\":\"a@b.c\"}","status":null,"code":"expired","reason":"it was too old","diedAt":1.5}"#;
        assert_eq!(written, expected);
    }

    #[test]
    fn an_event_is_a_line_for_a_log() {
        let event = Event::new(EventKind::Retried, 7, String::new(), 2);
        assert_eq!(event.to_string(), "update 7 failed, attempt 2");
        let error = Error::answered(crate::ErrorCode::Unavailable, 503, None);
        let line = event.caused_by(&error).to_string();
        assert_eq!(line, "update 7 failed, attempt 2: unavailable (503)");
    }
}
