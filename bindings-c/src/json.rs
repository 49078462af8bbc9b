//! Reads a JSON object into `Fields`: in its order, with repeated keys kept, in one pass.

use katalys_core::{Error, Fields, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

pub fn parse(text: &[u8]) -> Result<Fields<'static>, Error> {
    match serde_json::from_slice(text) {
        Ok(Json(Value::Map(fields))) => Ok(fields),
        Ok(_) => Err(Error::misuse("the JSON text is not an object")),
        // Only the place: the library's own message may repeat what stands there.
        Err(error) => Err(Error::misuse(format!(
            "the text is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))),
    }
}

struct Json(Value<'static>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.to_owned().into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Json(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::new();
        while let Some((key, Json(value))) = pairs.next_entry::<String, Json>()? {
            fields.push(key, value);
        }
        Ok(Value::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_are_kept() {
        let parsed = parse(br#"{"b":1,"a":[null,{"c":"x"}],"b":1.5,"d":18446744073709551615}"#);
        let item = Value::Map(Fields::new().set("c", "x"));
        let expected = Fields::new()
            .set("b", 1)
            .set("a", vec![Value::Null, item])
            .set("b", 1.5)
            .set("d", Value::Decimal("18446744073709551615".into()));
        assert!(parsed.unwrap() == expected);
    }

    #[test]
    fn what_is_not_an_object_is_refused_without_repeating_it() {
        for text in ["[]", "1", "", "{", "{\"secret\":secret}", "{} {}", "\u{0}"] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), katalys_core::ErrorCode::Misuse);
            assert!(!error.message().contains("secret"), "{error}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
