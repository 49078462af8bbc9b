//! Properties of any input: amounts and times are sent as given, and a payload is flat, valid JSON
//! without empty values.

use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Fields, Severity, Value};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::sync::LazyLock;

static CLIENT: LazyLock<Client> = LazyLock::new(|| Client::new("abcd.com").expect("a client"));

fn checked(fields: &Fields<'_>) -> Option<serde_json::Map<String, Json>> {
    let result = CLIENT.validate(Call::Update, &"1001".into(), fields);
    let errors = result
        .problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .count();
    assert_eq!(
        result.payload.is_none(),
        errors > 0,
        "rejected exactly if there is an error"
    );
    let json: Json = serde_json::from_slice(&result.payload?).expect("valid JSON");
    let Json::Object(pairs) = json else {
        panic!("not an object")
    };
    Some(pairs)
}

fn sent<'v>(key: &'v str, value: impl Into<Value<'v>>) -> Option<Json> {
    checked(&Fields::new().set(key, value))?.remove(key)
}

/// Any value that a caller can pass, two levels deep.
fn any_value() -> impl Strategy<Value = Value<'static>> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[-+]?[0-9]{1,32}(\\.[0-9]{1,32})?([eE][-+]?[0-9]{1,4})?"
            .prop_map(|text| Value::Decimal(text.into())),
        "[0-9T:+Z. -]{0,30}".prop_map(|text| Value::Time(text.into())),
        Just(Value::InvalidText),
        Just(Value::Unsupported),
    ];
    scalar.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((any_key(), inner), 0..6)
                .prop_map(|pairs| Value::Map(pairs.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "order_status",
                "order_time",
                "sale_amount",
                "currency",
                "email_address",
                "ip_address",
                "order_count",
                "site_id",
                "order_id",
                "discounts",
                "line_items",
                "code",
                "amount",
                "title",
                "qty",
                "order_alias",
                "shipping_country",
            ][..]
        )
        .prop_map(str::to_owned),
        "(discount|line_item|lineitem)_[0-9]{1,3}_(code|amount|title|sku|price|qty|x)",
        ".{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_amount_keeps_the_digits_it_was_given(
        text in "[-+]?[0-9]{1,15}(\\.[0-9]{1,15})?",
    ) {
        // A redundant sign is not sent.
        let unsigned = text.trim_start_matches(['+', '-']);
        let is_negative = text.starts_with('-') && unsigned.contains(|digit| matches!(digit, '1'..='9'));
        let plain = if is_negative { text.as_str() } else { unsigned };
        prop_assert_eq!(sent("sale_amount", text.clone()), Some(Json::String(plain.to_owned())));
    }

    #[test]
    fn a_float_amount_is_the_nearest_with_four_places(cents in -99_999_999_999_i64..99_999_999_999) {
        #[allow(clippy::cast_precision_loss)]
        let number = cents as f64 / 10_000.0;
        let Some(Json::String(text)) = sent("sale_amount", number) else { panic!("{number}") };
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), (number + 0.0).to_bits());
        prop_assert!(text.split_once('.').is_none_or(|(_, places)| places.len() <= 4));
    }

    #[test]
    fn a_decimal_in_exponent_notation_is_the_same_number(
        digits in 1_u64..=999_999_999, exponent in -8_i32..=8,
    ) {
        let text = format!("{digits}E{exponent}");
        let Some(Json::String(plain)) = sent("sale_amount", Value::Decimal(text.clone().into()))
        else { panic!("{text}") };
        prop_assert!(!plain.contains(['e', 'E', '+']));
        let (given, sent): (f64, f64) = (text.parse().unwrap(), plain.parse().unwrap());
        prop_assert!((given - sent).abs() <= given * 1e-12, "{} {}", text, plain);
    }

    #[test]
    fn a_time_stays_the_same_moment_in_the_same_offset(
        seconds in 946_684_800_i64..1_700_000_000, quarters in -48_i32..=56,
    ) {
        let offset = jiff::tz::Offset::from_seconds(quarters * 900).unwrap();
        let moment = jiff::Timestamp::from_second(seconds).unwrap();
        let text = moment.display_with_offset(offset).to_string();
        let Some(Json::String(wire)) = sent("order_time", text.clone()) else { panic!("{text}") };
        let expected = text.replace('T', " ");
        prop_assert_eq!(&wire, &expected);
        prop_assert_eq!(wire.replacen(' ', "T", 1).parse::<jiff::Timestamp>().unwrap(), moment);
    }

    #[test]
    fn any_text_without_control_characters_arrives_unchanged(text in "[^\\p{Cc}]{0,60}") {
        let expected = (!text.trim().is_empty()).then(|| Json::String(text.clone()));
        prop_assert_eq!(sent("shipping_city", text), expected);
    }

    #[test]
    fn any_input_is_either_rejected_or_sent_flat_and_without_blanks(
        pairs in prop::collection::vec((any_key(), any_value()), 0..12), dropping in any::<bool>(),
    ) {
        let fields: Fields<'_> = pairs.into_iter().collect();
        if dropping {
            let options = Fields::new().set("site_id", "abcd.com").set("invalid", "drop");
            let client = Client::with_options(katalys_core::Language::Rust, &options).unwrap();
            let result = client.validate(Call::Update, &"1001".into(), &fields);
            let allowed = ["site_id", "order_id", "order_status", ""];
            for problem in result.problems.iter().filter(|p| p.severity == Severity::Error) {
                prop_assert!(allowed.contains(&problem.path.as_str()), "{:?}", problem);
            }
        }
        for (key, value) in checked(&fields).into_iter().flatten() {
            prop_assert!(!key.trim().is_empty());
            match value {
                Json::String(text) => prop_assert!(!text.trim().is_empty(), "{} is blank", key),
                other => prop_assert!(other.is_number(), "{} is {}", key, other),
            }
        }
    }
}
