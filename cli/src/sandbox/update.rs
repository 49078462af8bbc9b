//! Parses a payload as the endpoint does: which values are accepted, which are ignored without an
//! error, and what the core's rules warn about.

use indexmap::IndexMap;
use jiff::Timestamp;
use katalys_core::order::{JsonError, JsonErrorKind, fields_from_json};
use katalys_core::{Call, Fields, Problem, Validation, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// An update with a site id and an order id, which can be recorded.
pub struct Update {
    pub site_id: String,
    pub order_id: String,
    /// Another id of the order, if the update gives one.
    pub alias: Option<String>,
    /// Keys and values as JSON, in the order given; each key once.
    pub accepted: Vec<(String, String)>,
    pub ignored: Vec<Ignored>,
    pub warnings: Vec<Problem>,
}

/// A value that the endpoint ignores without an error.
#[derive(Debug, PartialEq, Eq)]
pub struct Ignored {
    pub field: String,
    pub reason: Reason,
}

/// Why a value is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Null,
    Empty,
    Boolean,
    List,
    Record,
}

impl Reason {
    const fn text(self) -> &'static str {
        match self {
            Self::Null => "is null; the endpoint ignores it and keeps the previous value",
            Self::Empty => {
                "is empty; the endpoint ignores it, so a field cannot be cleared this way"
            }
            Self::Boolean => "is a boolean; the endpoint takes text and numbers only",
            Self::List => {
                "is a list; the endpoint takes text and numbers only, so number its records: \
                 discount_1_code, line_item_1_sku"
            }
            Self::Record => {
                "is an object; the endpoint takes text and numbers only, so give each of its \
                 values a key of its own"
            }
        }
    }
}

impl Serialize for Ignored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ignored = serializer.serialize_struct("Ignored", 2)?;
        ignored.serialize_field("field", &self.field)?;
        ignored.serialize_field("reason", self.reason.text())?;
        ignored.end()
    }
}

/// Why a request cannot be recorded. The vendor's page does not document this case.
#[derive(Debug)]
pub struct Refusal {
    pub message: String,
    /// The ids of the order, as far as they could be read.
    pub site_id: Option<String>,
    pub order_id: Option<String>,
}

impl Refusal {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            site_id: None,
            order_id: None,
        }
    }
}

/// The pairs of a JSON object in their order, duplicate keys included.
pub struct Pairs<V>(pub Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
    type Value = Pairs<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(16);
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

/// Reads the body of a request.
pub fn read(body: &[u8]) -> Result<Update, Refusal> {
    let fields = fields_from_json(body).map_err(|error| refusal(body, &error))?;
    let (mut accepted, mut ignored) = (Fields::with_capacity(fields.len()), Vec::new());
    for (key, value) in fields {
        match reason_to_ignore(&value) {
            None => accepted.push(key, value),
            Some(reason) => ignored.push(Ignored {
                field: key.into_owned(),
                reason,
            }),
        }
    }
    let id_of = |name| last_of(&accepted, name).map(plain_text);
    let (site_id, order_id) = match (id_of("site_id"), id_of("order_id")) {
        (Some(site_id), Some(order_id)) => (site_id, order_id),
        (site_id, order_id) => return Err(missing_ids(site_id, order_id, &ignored)),
    };
    Ok(Update {
        alias: id_of("order_alias").filter(|alias| *alias != order_id),
        accepted: without_duplicates(&accepted),
        warnings: check(&site_id, &order_id, &accepted),
        site_id,
        order_id,
        ignored,
    })
}

fn refusal(body: &[u8], error: &JsonError) -> Refusal {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Refusal::new("the body is empty; send one JSON object");
    }
    let reason = error.reason();
    match error.kind() {
        JsonErrorKind::NotAnObject => {
            Refusal::new(format!("the body {reason}; send one flat object of fields"))
        }
        _ => Refusal::new(format!("the body {reason}")),
    }
}

/// Why the endpoint ignores a value, if it does.
fn reason_to_ignore(value: &Value<'_>) -> Option<Reason> {
    match value {
        Value::Null => Some(Reason::Null),
        Value::Bool(_) => Some(Reason::Boolean),
        Value::List(_) => Some(Reason::List),
        Value::Map(_) => Some(Reason::Record),
        Value::Text(text) if text.trim().is_empty() => Some(Reason::Empty),
        _ => None,
    }
}

/// The text of an accepted value, which is text or a number.
fn plain_text(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) | Value::Decimal(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    }
}

fn as_json(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
        number => plain_text(number),
    }
}

fn last_of<'a>(accepted: &'a Fields<'_>, name: &str) -> Option<&'a Value<'a>> {
    let found = accepted.iter().filter(|(key, _)| *key == name).last()?;
    Some(found.1)
}

/// Removes duplicate keys. The last value is kept, as in JSON parsers.
fn without_duplicates(accepted: &Fields<'_>) -> Vec<(String, String)> {
    let mut kept: IndexMap<&str, &Value<'_>> = IndexMap::with_capacity(accepted.len());
    kept.extend(accepted.iter());
    kept.into_iter()
        .map(|(key, value)| (key.to_owned(), as_json(value)))
        .collect()
}

/// The problems that the client's own check finds.
fn check(site_id: &str, order_id: &str, accepted: &Fields<'_>) -> Vec<Problem> {
    let id = last_of(accepted, "order_id").cloned();
    let id = id.unwrap_or_else(|| order_id.into());
    Validation::of(Call::Update, site_id, &id, accepted).problems
}

fn missing_ids(site_id: Option<String>, order_id: Option<String>, ignored: &[Ignored]) -> Refusal {
    let missing = |name: &str, given: bool| {
        let reason = ignored.iter().find(|ignored| ignored.field == name);
        match (given, reason) {
            (true, _) => None,
            (false, Some(ignored)) => Some(format!("{name} {}", ignored.reason.text())),
            (false, None) => Some(format!("{name} is missing")),
        }
    };
    let problems = [
        missing("site_id", site_id.is_some()),
        missing("order_id", order_id.is_some()),
    ];
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    Refusal {
        message: format!(
            "{}; every update needs both, as text",
            problems.join(", and ")
        ),
        site_id,
        order_id,
    }
}

/// The text of a JSON string, or the digits of a number.
pub fn text_of(raw: &str) -> String {
    serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())
}

/// An `order_time` in Unix milliseconds.
pub fn unix_milliseconds(raw: &str) -> Option<i64> {
    let text = text_of(raw);
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Formats a time as `order_time` on the wire.
pub fn order_time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M:%S+00:00")
        .to_string()
}

/// Formats a time for the sandbox's responses.
pub fn iso_time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_values_are_listed_and_the_rest_is_accepted_unchanged() {
        let body = br#"{"site_id":"a.com","order_id":1001,"a":null,"b":"","c":true,"d":[1],"e":{},"sale_amount":25.670,"a":"x","note":"\u00e9"}"#;
        let update = read(body).expect("an update");
        assert_eq!(update.order_id, "1001");
        let reasons: Vec<Reason> = update
            .ignored
            .iter()
            .map(|ignored| ignored.reason)
            .collect();
        assert_eq!(
            reasons,
            [
                Reason::Null,
                Reason::Empty,
                Reason::Boolean,
                Reason::List,
                Reason::Record
            ]
        );
        let raw = |name| {
            let found = update.accepted.iter().find(|(key, _)| key == name);
            found.map(|(_, raw)| raw.as_str())
        };
        assert_eq!(raw("sale_amount"), Some("25.670"));
        assert_eq!(raw("a"), Some("\"x\""));
        assert_eq!(update.accepted.len(), 5);
    }

    #[test]
    fn a_refusal_names_the_problem() {
        for (body, expected) in [
            (&b""[..], "empty"),
            (b"{", "not JSON"),
            (b"[1]", "not an object"),
            (b"\"{\"", "not an object"),
            (b"{\"site_id\":\"a\"} x", "not JSON"),
            (b"{\"site_id\":\"a\"}", "order_id is missing"),
            (b"{\"site_id\":\"a\",\"order_id\":null}", "order_id is null"),
            (b"{\"site_id\":\"\\ud800\",\"order_id\":\"1\"}", "surrogate"),
            (b"\xff", "not JSON"),
        ] {
            let refusal = read(body).err().expect("a refusal");
            assert!(refusal.message.contains(expected), "{}", refusal.message);
        }
    }

    #[test]
    fn times_are_parsed_with_any_offset() {
        assert_eq!(
            unix_milliseconds("\"1970-01-01 01:00:01+01:00\""),
            Some(1000)
        );
        assert_eq!(unix_milliseconds("\"1970-01-01T00:00:01Z\""), Some(1000));
        assert_eq!(unix_milliseconds("\"soon\""), None);
        assert_eq!(iso_time(1001), "1970-01-01T00:00:01.001Z");
        assert_eq!(order_time(1001), "1970-01-01 00:00:01+00:00");
    }
}
