//! Reads one payload as the endpoint does: what of it is taken, what is ignored without an error,
//! and what is suspicious by the core's own rules.

use jiff::Timestamp;
use katalys_core::{Call, Fields, Problem, Validation, Value};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
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
    let pairs = parse(body)?;
    let (mut taken, mut ignored) = (Vec::with_capacity(pairs.len()), Vec::new());
    for (key, raw) in &pairs {
        match read_value(raw.get())? {
            Ok(value) => taken.push((key.as_str(), raw.get(), value)),
            Err(reason) => ignored.push(Ignored {
                field: key.clone(),
                reason,
            }),
        }
    }
    let id_of = |name| last_of(&taken, name).map(|(raw, value)| plain_text(raw, value));
    let (site_id, order_id) = match (id_of("site_id"), id_of("order_id")) {
        (Some(site_id), Some(order_id)) => (site_id, order_id),
        (site_id, order_id) => return Err(anonymous(site_id, order_id, &ignored)),
    };
    let warnings = suspicions(&site_id, &order_id, &taken);
    Ok(Update {
        alias: id_of("order_alias").filter(|alias| *alias != order_id),
        site_id,
        order_id,
        taken: last_of_each(taken),
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

/// A value as the core sees it, or why the endpoint ignores it.
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

type Taken<'t> = (&'t str, &'t str, Value<'t>);

fn last_of<'t>(taken: &'t [Taken<'t>], name: &str) -> Option<(&'t str, &'t Value<'t>)> {
    let mut backwards = taken.iter().rev();
    let found = backwards.find(|(key, ..)| *key == name)?;
    Some((found.1, &found.2))
}

/// A key that comes twice counts once, with its last value, as JSON parsers have it.
fn last_of_each(taken: Vec<Taken<'_>>) -> Vec<(String, String)> {
    let mut places = HashMap::with_capacity(taken.len());
    let mut kept = Vec::with_capacity(taken.len());
    for (key, raw, _) in taken {
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

/// What the client's own check would have said about it.
fn suspicions(site_id: &str, order_id: &str, taken: &[Taken<'_>]) -> Vec<Problem> {
    let mut id = Value::from(order_id);
    let mut fields = Fields::with_capacity(taken.len());
    for (key, _, value) in taken {
        if *key == "order_id" {
            id = value.clone();
        }
        fields.push(*key, value.clone());
    }
    Validation::of(Call::Update, site_id, &id, &fields).problems
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
    match read_value(raw) {
        Ok(Ok(value)) => plain_text(raw, &value),
        _ => raw.to_owned(),
    }
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
