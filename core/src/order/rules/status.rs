//! The rule for order statuses: any text is sent, with a hint for misspellings of documented ones.

use crate::order::fields::{STATUSES, Stage, Status};

/// How far an order with this status has progressed.
pub(in crate::order) fn stage(text: &str) -> Stage {
    let documented = STATUSES.iter().find(|status| status.name == text);
    documented.map_or(Stage::Unknown, |status| status.stage)
}

/// The documented status that `text` is probably a misspelling of; none if it is a documented one.
pub(in crate::order) fn near_miss(text: &str) -> Option<&'static str> {
    if STATUSES.iter().any(|status| status.name == text) {
        return None;
    }
    let folded = text.trim().to_lowercase();
    let near = |status: &&Status| {
        status.inflections.contains(&folded.as_str())
            || strsim::osa_distance(&folded, status.name) <= 1
    };
    STATUSES.iter().find(near).map(|status| status.name)
}

#[cfg(test)]
mod tests {
    use super::near_miss;

    #[test]
    fn misspellings_are_named_and_other_statuses_pass() {
        for (written, documented) in [
            ("canceled", "cancelled"),
            ("cancel", "cancelled"),
            ("Cancelled", "cancelled"),
            ("PAID", "paid"),
            ("Paid ", "paid"),
            ("refund", "refunded"),
            ("pendng", "pending"),
        ] {
            assert_eq!(near_miss(written), Some(documented));
        }
        for free in [
            "paid",
            "fulfilled",
            "rejected",
            "wc-completed",
            "on-hold",
            "shipped",
        ] {
            assert_eq!(near_miss(free), None, "{free}");
        }
    }
}
