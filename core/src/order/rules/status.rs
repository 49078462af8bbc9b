//! The rule for order statuses: an open set, with a hint for near misses of the documented ones.

use crate::order::fields::STATUSES;

/// The documented status that `text` was probably meant to be, unless it is one already.
pub(in crate::order) fn meant(text: &str) -> Option<&'static str> {
    if STATUSES.iter().any(|status| status.name == text) {
        return None;
    }
    let folded = text.trim().to_lowercase();
    let near = |status: &&super::super::fields::Status| {
        status.inflections.contains(&folded.as_str())
            || strsim::osa_distance(&folded, status.name) <= 1
    };
    STATUSES.iter().find(near).map(|status| status.name)
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn near_misses_are_named_and_free_statuses_pass() {
        for (written, documented) in [
            ("canceled", "cancelled"),
            ("cancel", "cancelled"),
            ("Cancelled", "cancelled"),
            ("PAID", "paid"),
            ("Paid ", "paid"),
            ("refund", "refunded"),
            ("pendng", "pending"),
        ] {
            assert_eq!(meant(written), Some(documented));
        }
        for free in [
            "paid",
            "fulfilled",
            "rejected",
            "wc-completed",
            "on-hold",
            "shipped",
        ] {
            assert_eq!(meant(free), None, "{free}");
        }
    }
}
