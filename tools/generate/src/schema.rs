//! The JSON Schema of an order update, as the endpoint receives it.

use katalys_core::order::fields::{Field, GROUPS, Kind, ORDER_FIELDS, Required};
use serde_json::{Map, Value, json};

pub(crate) fn schema() -> String {
    let mut properties = Map::new();
    for field in ORDER_FIELDS {
        properties.insert(field.name.to_owned(), describe(field));
    }
    let mut patterns = Map::new();
    for group in GROUPS {
        for field in group.fields {
            let pattern = format!("^{}_[1-9][0-9]*_{}$", group.prefix, field.name);
            patterns.insert(pattern, describe(field));
        }
    }
    let required: Vec<&str> = ORDER_FIELDS
        .iter()
        .filter(|field| field.required == Required::Always)
        .map(|field| field.name)
        .collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Katalys order update",
        "description": "The flat JSON object that is sent to the endpoint.",
        "type": "object",
        "required": required,
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": { "type": ["string", "number"] },
    });
    format!("{schema:#}\n")
}

fn describe(field: &Field) -> Value {
    let mut rule = match field.kind {
        Kind::Count => json!({ "type": "integer", "minimum": 1 }),
        Kind::Quantity => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Kind::Amount => json!({ "type": "string", "pattern": "^[+-]?[0-9]+(\\.[0-9]+)?$" }),
        Kind::Currency => json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
        Kind::Time => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}$",
        }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    if let Value::Object(rule) = &mut rule {
        rule.insert("description".into(), field.doc.into());
        let example = match field.kind {
            Kind::Count | Kind::Quantity => serde_json::from_str(field.example).unwrap_or_default(),
            _ => Value::from(field.example),
        };
        rule.insert("examples".into(), json!([example]));
    }
    rule
}
