//! The rule for identifiers: sent exactly as given, with a warning where the order id looks wrong.

use super::amount;
use super::text;
use crate::order::problem::Code;
use crate::order::value::Value;
use std::borrow::Cow;

/// The maximum length of an order id, in characters, without a warning.
const MAX_ORDER_ID: usize = 150;

/// An identifier as text. A float that may have lost digits is rejected.
pub(in crate::order) fn identifier<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, Code> {
    match value {
        Value::Float(number) if !is_exact_integer(*number) => Err(Code::WrongType),
        Value::Time(_) => Err(Code::WrongType),
        other => text::of_value(other),
    }
}

/// Whether a double holds this whole number without loss.
fn is_exact_integer(number: f64) -> bool {
    number.fract() == 0.0 && !amount::is_inexact(number)
}

/// What looks wrong with an order id.
pub(in crate::order) fn order_id_warnings(text: &str) -> impl Iterator<Item = Code> {
    let has_blanks = text::has_outer_blanks(text).then_some(Code::OrderIdBlanks);
    let is_long = text.len() > MAX_ORDER_ID && text.chars().count() > MAX_ORDER_ID;
    let too_long = is_long.then_some(Code::OrderIdLong);
    has_blanks.into_iter().chain(too_long)
}
