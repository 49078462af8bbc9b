//! The rules that look at several fields of an update: what a report requires, and which values
//! contradict each other.

use super::amount::Units;
use crate::order::fields::{Field, Required};
use crate::order::problem::Code;

/// The problem of a field that is not given, if it is required. `is_given` looks up other fields.
pub(in crate::order) fn missing(
    field: &Field,
    is_report: bool,
    is_given: impl Fn(&str) -> bool,
) -> Option<Code> {
    match field.required {
        Required::Always => Some(Code::Required),
        Required::InReport => is_report.then_some(Code::Required),
        Required::InReportUnless(others) => (is_report
            && !others.iter().all(|other| is_given(other)))
        .then_some(Code::SubtotalMissing),
        Required::No => None,
    }
}

/// `subtotal_amount` is `sale_amount` minus `shipping_amount` and `tax_amount`.
pub(in crate::order) fn subtotal(
    subtotal: Option<Units>,
    sale: Option<Units>,
    shipping: Option<Units>,
    tax: Option<Units>,
) -> Option<Code> {
    let parts = [sale?, shipping?, tax?];
    subtotal?
        .differs_by_a_cent(parts)
        .then_some(Code::SubtotalMismatch)
}

/// A discount is not larger than `sale_amount`.
pub(in crate::order) fn discount(amount: Units, sale: Option<Units>) -> Option<Code> {
    (amount > sale?).then_some(Code::DiscountExceedsSale)
}

/// An alias that equals the order id merges nothing.
pub(in crate::order) fn alias(alias: &str, order_id: &str) -> Option<Code> {
    (alias == order_id).then_some(Code::AliasSame)
}

/// An update with amounts counts the order again unless it has `order_time`.
pub(in crate::order) fn order_time(has_amounts: bool, is_given: bool) -> Option<Code> {
    (has_amounts && !is_given).then_some(Code::TimeMissing)
}
