//! How JSON text is read, and that `serde_json` reads it in the same way except for numbers.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

fn read_text(text: &str) -> Fields<'_> {
    fields_from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn error_of(text: &[u8]) -> JsonError {
    fields_from_json(text).expect_err("not an update")
}

#[test]
fn order_repetition_and_digits_are_kept() {
    let fields = read_text(
        r#"{"b": 1, "a": [null, {"c": "x"}], "b": 1.50, "big": 18446744073709551615,
            "amount": 12345678901234567.89, "small": -1e-7, "yes": true, "no": false, "": -0.0}"#,
    );
    let item = Value::Map(Fields::new().set("c", "x"));
    let decimal = |digits: &'static str| Value::Decimal(digits.into());
    let expected = Fields::new()
        .set("b", 1)
        .set("a", vec![Value::Null, item])
        .set("b", decimal("1.50"))
        .set("big", decimal("18446744073709551615"))
        .set("amount", decimal("12345678901234567.89"))
        .set("small", decimal("-1e-7"))
        .set("yes", true)
        .set("no", false)
        .set("", decimal("-0.0"));
    assert!(fields == expected);
}

#[test]
fn text_is_borrowed_unless_it_is_escaped() {
    let text = r#"{"a": "Köln", "b": "K\u00f6ln \ud83d\ude00"}"#;
    let values: Vec<Value<'_>> = read_text(text)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert!(matches!(&values[0], Value::Text(Cow::Borrowed("Köln"))));
    assert!(matches!(&values[1], Value::Text(Cow::Owned(text)) if text == "Köln 😀"));
}

#[test]
fn an_error_says_what_and_where_without_the_content() {
    for (text, kind, place, message) in [
        (
            "",
            JsonErrorKind::Syntax,
            (1, 0),
            "EOF while parsing a value",
        ),
        (
            "{",
            JsonErrorKind::Syntax,
            (1, 1),
            "EOF while parsing an object",
        ),
        (
            "{\"secret\": secret}",
            JsonErrorKind::Syntax,
            (1, 12),
            "expected value",
        ),
        (
            "{} {}",
            JsonErrorKind::Syntax,
            (1, 4),
            "trailing characters",
        ),
        (
            "[1,",
            JsonErrorKind::Syntax,
            (1, 3),
            "EOF while parsing a value",
        ),
        (
            "{\n\"a\":\n [1, \"\\ud800\"]}",
            JsonErrorKind::Syntax,
            (3, 13),
            "surrogate",
        ),
        (
            "{\"\\udc00\": 1}",
            JsonErrorKind::Syntax,
            (1, 8),
            "surrogate",
        ),
        (
            "{\"a\": 01}",
            JsonErrorKind::Syntax,
            (1, 8),
            "invalid number",
        ),
        (
            " [1, \"secret\"]",
            JsonErrorKind::NotAnObject,
            (1, 1),
            "not an object",
        ),
        ("1.5", JsonErrorKind::NotAnObject, (1, 1), "not an object"),
    ] {
        let error = error_of(text.as_bytes());
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert_eq!((error.line(), error.column()), place, "{text}: {error}");
        let shown = error.to_string();
        assert!(
            shown.starts_with("the text is ") && shown.contains(message),
            "{text}: {shown}"
        );
        assert!(!shown.contains("secret"), "{shown}");
    }
    assert_eq!(error_of(b"{\"a\": \"\xff\"}").kind(), JsonErrorKind::Syntax);
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth| format!("{{\"a\":\n {}{}}}", "[".repeat(depth), "]".repeat(depth));
    read_text(&nested(MAX_DEPTH));
    let error = error_of(nested(MAX_DEPTH + 1).as_bytes());
    assert_eq!(error.kind(), JsonErrorKind::TooDeep);
    assert_eq!(
        (error.line(), error.column()),
        (2, MAX_DEPTH + 2),
        "{error}"
    );
    assert!(error.to_string().contains("more than 16 deep"), "{error}");
    let error = error_of(nested(100_000).as_bytes());
    assert_eq!(error.kind(), JsonErrorKind::TooDeep);
    assert_eq!(
        error_of("[".repeat(100_000).as_bytes()).kind(),
        JsonErrorKind::Syntax
    );
}

#[test]
fn size_has_a_limit() {
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_LENGTH));
    let error = error_of(long.as_bytes());
    assert_eq!(error.kind(), JsonErrorKind::TooLong);
    assert!(error.to_string().contains("longer than 16 MiB"), "{error}");
}

#[test]
fn entries_beyond_the_limit_are_not_read_and_the_update_is_refused() {
    let list = format!("{{\"a\": [{}0], \"b\": [0, 0]}}", "0,".repeat(MAX_KEYS));
    let fields = read_text(&list);
    assert!(fields.count_against(MAX_KEYS).is_none());
    assert!(fields.count_against(2 * MAX_KEYS).is_some());
    let pairs = format!("{{{}\"b\": 0}}", "\"a\": 0,".repeat(3 * MAX_KEYS));
    assert_eq!(read_text(&pairs).len(), MAX_KEYS + 1);
    let broken = format!("{{{}\"b\": }}", "\"a\": 0,".repeat(3 * MAX_KEYS));
    assert_eq!(error_of(broken.as_bytes()).kind(), JsonErrorKind::Syntax);
}

/// Whether a value is the same as the one that `serde_json` read.
fn is_same(ours: &Value<'_>, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(ours), Json::Bool(theirs)) => ours == theirs,
        (Value::Text(ours), Json::String(theirs)) => ours == theirs,
        (Value::Int(ours), Json::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Value::Decimal(ours), Json::Number(theirs)) => {
            !theirs.is_i64() && ours.parse().ok() == theirs.as_f64()
        }
        (Value::List(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Map(ours), Json::Object(theirs)) => are_same(ours, theirs),
        _ => false,
    }
}

fn are_same(ours: &Fields<'_>, theirs: &Map<String, Json>) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|((our_key, ours), (their_key, theirs))| {
                our_key == their_key && is_same(ours, theirs)
            })
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".*".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::vec((".*", inner), 0..8)
                .prop_map(|pairs| pairs.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Pieces that make JSON, nearly JSON, or neither.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"a\":",
    "\\",
    "\\u00e9",
    "\\ud800",
    "1",
    "-",
    ".5",
    "e9",
    "01",
    "true",
    "null",
    "nul",
    " ",
    "\n",
    "é",
    "\u{0}",
    "{\"a\":1}",
    "[1,2]",
];

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_with_the_same_structure(
        pairs in prop::collection::vec((".*", json()), 0..8),
        is_pretty in any::<bool>(),
    ) {
        let object = Json::Object(pairs.into_iter().collect());
        let text = if is_pretty { format!("{object:#}") } else { object.to_string() };
        let fields = fields_from_json(text.as_bytes()).expect("JSON");
        prop_assert!(are_same(&fields, object.as_object().expect("an object")), "{text}");
    }

    #[test]
    fn the_same_texts_are_json(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12),
        is_object in any::<bool>(),
    ) {
        let inner = pieces.concat();
        let text = if is_object { format!("{{\"x\": {inner}}}") } else { inner };
        let ours = fields_from_json(text.as_bytes());
        let theirs = serde_json::from_str::<Map<String, Json>>(&text);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}: {:?}", text, ours.err());
        if let Err(error) = ours {
            prop_assert!(error.line() <= 1 + text.matches('\n').count());
            prop_assert!(error.column() <= text.len());
            let is_json = serde_json::from_str::<Json>(&text).is_ok();
            prop_assert_eq!(error.kind() == JsonErrorKind::NotAnObject, is_json, "{}", text);
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = fields_from_json(&bytes);
        let in_text = [b"{\"a\": [\"", &bytes[..], b"\"]}"].concat();
        let theirs = serde_json::from_slice::<Json>(&in_text);
        prop_assert_eq!(fields_from_json(&in_text).is_ok(), theirs.is_ok());
    }
}
