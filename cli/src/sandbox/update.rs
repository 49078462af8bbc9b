//! Reads one payload as the endpoint does: what of it is taken, what is ignored without an error,
//! and what is suspicious by the core's own rules.

use indexmap::IndexMap;
use jiff::Timestamp;
use katalys_core::order::{JsonError, JsonErrorKind, fields_from_json};
use katalys_core::{Call, Fields, Problem, Validation, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// One update that can be told apart from all others, and so can be recorded.
pub struct Update {
    pub site_id: String,
    pub order_id: String,
    /// The other id this order goes by, if the update says so.
    pub alias: Option<String>,
    /// Keys and values as JSON, in the order given; a key comes once.
    pub taken: Vec<(String, String)>,
    pub ignored: Vec<Ignored>,
    pub warnings: Vec<Problem>,
}

/// A value that the endpoint drops without an error.
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
            Self::Null => "is null; the endpoint ignores it and keeps what the order had",
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

/// Why a request cannot be recorded at all. The vendor's page does not say what happens then.
#[derive(Debug)]
pub struct Refusal {
    pub message: String,
    /// What could be read of the order's identity.
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

/// The pairs of a JSON object in their order, also those whose key comes twice.
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
    let (mut taken, mut ignored) = (Fields::with_capacity(fields.len()), Vec::new());
    for (key, value) in fields {
        match reason_to_ignore(&value) {
            None => taken.push(key, value),
            Some(reason) => ignored.push(Ignored {
                field: key.into_owned(),
                reason,
            }),
        }
    }
    let id_of = |name| last_of(&taken, name).map(plain_text);
    let (site_id, order_id) = match (id_of("site_id"), id_of("order_id")) {
        (Some(site_id), Some(order_id)) => (site_id, order_id),
        (site_id, order_id) => return Err(anonymous(site_id, order_id, &ignored)),
    };
    Ok(Update {
        alias: id_of("order_alias").filter(|alias| *alias != order_id),
        taken: last_of_each(&taken),
        warnings: suspicions(&site_id, &order_id, &taken),
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

/// A value that was taken: JSON has text and numbers besides those that are ignored.
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

fn last_of<'t>(taken: &'t Fields<'_>, name: &str) -> Option<&'t Value<'t>> {
    let found = taken.iter().filter(|(key, _)| *key == name).last()?;
    Some(found.1)
}

/// A key that comes twice counts once, with its last value, as JSON parsers have it.
fn last_of_each(taken: &Fields<'_>) -> Vec<(String, String)> {
    let mut kept: IndexMap<&str, &Value<'_>> = IndexMap::with_capacity(taken.len());
    kept.extend(taken.iter());
    let written = kept.into_iter();
    written
        .map(|(key, value)| (key.to_owned(), as_json(value)))
        .collect()
}

/// What the client's own check would have said about it.
fn suspicions(site_id: &str, order_id: &str, taken: &Fields<'_>) -> Vec<Problem> {
    let id = last_of(taken, "order_id").cloned();
    let id = id.unwrap_or_else(|| order_id.into());
    Validation::of(Call::Update, site_id, &id, taken).problems
}

fn anonymous(site_id: Option<String>, order_id: Option<String>, ignored: &[Ignored]) -> Refusal {
    let missing = |name: &str, given: bool| {
        let reason = ignored.iter().find(|ignored| ignored.field == name);
        match (given, reason) {
            (true, _) => None,
            (false, Some(ignored)) => Some(format!("{name} {}", ignored.reason.text())),
            (false, None) => Some(format!("{name} is missing")),
        }
    };
    let complaints = [
        missing("site_id", site_id.is_some()),
        missing("order_id", order_id.is_some()),
    ];
    let complaints: Vec<String> = complaints.into_iter().flatten().collect();
    Refusal {
        message: format!(
            "{}; every update needs both, as text",
            complaints.join(", and ")
        ),
        site_id,
        order_id,
    }
}

/// The text of a JSON string, or the digits of a number.
pub fn text_of(raw: &str) -> String {
    serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())
}

/// The moment an `order_time` stands for, in Unix milliseconds.
pub fn moment_of(raw: &str) -> Option<i64> {
    let text = text_of(raw);
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// A moment as `order_time` is written on the wire.
pub fn order_time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M:%S+00:00")
        .to_string()
}

/// A moment as this sandbox's answers write it.
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
    fn what_the_endpoint_ignores_is_named_and_the_rest_is_taken_as_written() {
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
            let found = update.taken.iter().find(|(key, _)| key == name);
            found.map(|(_, raw)| raw.as_str())
        };
        assert_eq!(raw("sale_amount"), Some("25.670"));
        assert_eq!(raw("a"), Some("\"x\""));
        assert_eq!(update.taken.len(), 5);
    }

    #[test]
    fn refusals_say_what_is_wrong() {
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
    fn times_are_read_with_any_offset() {
        assert_eq!(moment_of("\"1970-01-01 01:00:01+01:00\""), Some(1000));
        assert_eq!(moment_of("\"1970-01-01T00:00:01Z\""), Some(1000));
        assert_eq!(moment_of("\"soon\""), None);
        assert_eq!(iso_time(1001), "1970-01-01T00:00:01.001Z");
        assert_eq!(order_time(1001), "1970-01-01 00:00:01+00:00");
    }
}
