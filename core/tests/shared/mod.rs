//! Reads the typed values of `tests/vectors.json` and `tests/scenarios.json`.

use katalys_core::{Fields, Value};
use serde_json::Value as Json;
use std::path::PathBuf;

/// Parses a file in the `tests` folder of the repository.
pub fn load(name: &str) -> Json {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// A value as a Rust caller gives it.
pub fn value(json: &Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => text.clone().into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().expect("a double").into(),
        },
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(pairs) => typed(json).unwrap_or_else(|| {
            Value::Map(
                pairs
                    .iter()
                    .map(|(key, item)| (key.clone(), value(item)))
                    .collect(),
            )
        }),
    }
}

fn typed(json: &Json) -> Option<Value<'static>> {
    let pairs = json.as_object().filter(|pairs| pairs.len() == 1)?;
    let (kind, content) = pairs.iter().next()?;
    let text = || content.as_str().expect("text").to_owned();
    Some(match kind.as_str() {
        "$int" => match text().parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => Value::Decimal(text().into()),
        },
        "$float" => text().parse::<f64>().expect("a float").into(),
        "$decimal" => Value::Decimal(text().into()),
        "$time" => Value::Time(text().into()),
        "$bytes" => Value::InvalidText,
        "$repeat" => {
            let times = usize::try_from(content[1].as_u64().expect("a number")).expect("small");
            content[0].as_str().expect("text").repeat(times).into()
        }
        "$utf16" => utf16(content),
        _ => return None,
    })
}

fn utf16(units: &Json) -> Value<'static> {
    let unit = |unit: &Json| u16::try_from(unit.as_u64().expect("a unit")).expect("16 bits");
    let units: Vec<u16> = units.as_array().expect("units").iter().map(unit).collect();
    String::from_utf16(&units).map_or(Value::InvalidText, Value::from)
}

/// A record or the fields of a call.
pub fn fields(json: &Json) -> Fields<'static> {
    let pairs = json.as_object().expect("an object");
    pairs
        .iter()
        .map(|(key, item)| (key.clone(), value(item)))
        .collect()
}

/// Whether a vector or scenario applies to Rust.
pub fn is_for_rust(case: &Json) -> bool {
    case.get("only").is_none_or(|only| {
        only.as_array()
            .expect("languages")
            .iter()
            .any(|language| language == "rust")
    })
}
