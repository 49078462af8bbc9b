//! Parses a payload as the endpoint does: which values are accepted, which are ignored without an
//! error, and what the core's rules warn about.

use jiff::Timestamp;
use katalys_core::{Call, Fields, Problem, Validation, Value};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
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
    let pairs = parse(body)?;
    let (mut accepted, mut ignored) = (Vec::with_capacity(pairs.len()), Vec::new());
    for (key, raw) in &pairs {
        match read_value(raw.get())? {
            Ok(value) => accepted.push((key.as_str(), raw.get(), value)),
            Err(reason) => ignored.push(Ignored {
                field: key.clone(),
                reason,
            }),
        }
    }
    let id_of = |name| last_of(&accepted, name).map(|(raw, value)| plain_text(raw, value));
    let (site_id, order_id) = match (id_of("site_id"), id_of("order_id")) {
        (Some(site_id), Some(order_id)) => (site_id, order_id),
        (site_id, order_id) => return Err(missing_ids(site_id, order_id, &ignored)),
    };
    let warnings = check(&site_id, &order_id, &accepted);
    Ok(Update {
        alias: id_of("order_alias").filter(|alias| *alias != order_id),
        site_id,
        order_id,
        accepted: without_duplicates(accepted),
        ignored,
        warnings,
    })
}

fn parse(body: &[u8]) -> Result<Vec<(String, &RawValue)>, Refusal> {
    let error = match serde_json::from_slice::<Pairs<&RawValue>>(body) {
        Ok(Pairs(pairs)) => return Ok(pairs),
        Err(error) => error,
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::new("the body is empty; send one JSON object"));
    }
    if serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return Err(Refusal::new(
            "the body is JSON, but not an object; send one flat object of fields",
        ));
    }
    Err(Refusal::new(format!("the body is not JSON: {error}")))
}

/// A value for the core, or why the endpoint ignores it.
fn read_value(raw: &str) -> Result<Result<Value<'_>, Reason>, Refusal> {
    Ok(match raw.as_bytes()[0] {
        b'n' => Err(Reason::Null),
        b't' | b'f' => Err(Reason::Boolean),
        b'[' => Err(Reason::List),
        b'{' => Err(Reason::Record),
        b'"' => match read_text(raw)? {
            text if text.trim().is_empty() => Err(Reason::Empty),
            text => Ok(Value::Text(text)),
        },
        _ => Ok(read_number(raw)),
    })
}

fn read_text(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(&raw[1..raw.len() - 1]));
    }
    serde_json::from_str(raw)
        .map(Cow::Owned)
        .map_err(|_| Refusal::new("the body is not JSON: a text has a lone surrogate in it"))
}

fn read_number(raw: &str) -> Value<'_> {
    if let Ok(whole) = raw.parse() {
        return Value::Int(whole);
    }
    match raw.parse::<f64>() {
        Ok(number) if number.is_finite() && raw.contains(['.', 'e', 'E']) => Value::Float(number),
        _ => Value::Decimal(Cow::Borrowed(raw)),
    }
}

fn plain_text(raw: &str, value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        _ => raw.to_owned(),
    }
}

type Accepted<'t> = (&'t str, &'t str, Value<'t>);

fn last_of<'t>(accepted: &'t [Accepted<'t>], name: &str) -> Option<(&'t str, &'t Value<'t>)> {
    let mut backwards = accepted.iter().rev();
    let found = backwards.find(|(key, ..)| *key == name)?;
    Some((found.1, &found.2))
}

/// Removes duplicate keys. The last value is kept, as in JSON parsers.
fn without_duplicates(accepted: Vec<Accepted<'_>>) -> Vec<(String, String)> {
    let mut places = HashMap::with_capacity(accepted.len());
    let mut kept = Vec::with_capacity(accepted.len());
    for (key, raw, _) in accepted {
        if let Some(&place) = places.get(key) {
            let (_, last): &mut (String, String) = &mut kept[place];
            raw.clone_into(last);
        } else {
            places.insert(key, kept.len());
            kept.push((key.to_owned(), raw.to_owned()));
        }
    }
    kept
}

/// The problems that the client's own check finds.
fn check(site_id: &str, order_id: &str, accepted: &[Accepted<'_>]) -> Vec<Problem> {
    let mut id = Value::from(order_id);
    let mut fields = Fields::with_capacity(accepted.len());
    for (key, _, value) in accepted {
        if *key == "order_id" {
            id = value.clone();
        }
        fields.push(*key, value.clone());
    }
    Validation::of(Call::Update, site_id, &id, &fields).problems
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
    match read_value(raw) {
        Ok(Ok(value)) => plain_text(raw, &value),
        _ => raw.to_owned(),
    }
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
