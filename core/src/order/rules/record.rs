//! The rule for a record as a whole: which of its fields have to be given.

use crate::order::fields::{GROUPS, Group};

/// The maximum number of fields in a group.
const MAX_PARTS: usize = 8;

const _: () = {
    let mut group = 0;
    while group < GROUPS.len() {
        assert!(GROUPS[group].fields.len() <= MAX_PARTS, "raise MAX_PARTS");
        group += 1;
    }
};

/// The fields of one record by their index in the group.
#[derive(Clone, Copy, Default)]
pub(in crate::order) struct Parts {
    sent: [bool; MAX_PARTS],
    rejected: [bool; MAX_PARTS],
}

/// Whether a record has the fields it needs. Indexes refer to the group's fields.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::order) enum Completeness {
    /// The record can be sent.
    Complete,
    /// The record can be sent, but these identifying fields are missing.
    Partial(Vec<usize>),
    /// The record cannot be sent because these fields are missing. Empty if the cause was reported
    /// with the fields themselves.
    Incomplete(Vec<usize>),
    /// The record cannot be sent: it has none of its identifying fields.
    Unidentified,
}

impl Parts {
    pub(in crate::order) fn mark_sent(&mut self, part: usize) {
        self.sent[part] = true;
    }

    /// The field was rejected, and its problem is reported already.
    pub(in crate::order) fn mark_rejected(&mut self, part: usize) {
        self.rejected[part] = true;
    }

    pub(in crate::order) fn completeness(&self, group: &Group) -> Completeness {
        let needed = if group.all_or_nothing {
            group.fields.len()
        } else {
            group.identifying
        };
        if self.sent[..needed].iter().all(|sent| *sent) {
            return Completeness::Complete;
        }
        let is_unreported = |part: &usize| !self.sent[*part] && !self.rejected[*part];
        let missing: Vec<usize> = (0..needed).filter(is_unreported).collect();
        if group.all_or_nothing {
            return Completeness::Incomplete(missing);
        }
        let has_any = self.sent[..needed].iter().any(|sent| *sent);
        match (has_any, missing.len()) {
            (true, 0) => Completeness::Complete,
            (true, _) => Completeness::Partial(missing),
            (false, count) if count == needed => Completeness::Unidentified,
            (false, _) => Completeness::Incomplete(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completeness(group: usize, sent: &[usize], rejected: &[usize]) -> Completeness {
        let mut parts = Parts::default();
        for part in sent {
            parts.mark_sent(*part);
        }
        for part in rejected {
            parts.mark_rejected(*part);
        }
        parts.completeness(&GROUPS[group])
    }

    #[test]
    fn a_discount_needs_all_its_fields() {
        assert_eq!(completeness(0, &[0, 1], &[]), Completeness::Complete);
        assert_eq!(
            completeness(0, &[0], &[]),
            Completeness::Incomplete(vec![1])
        );
        assert_eq!(
            completeness(0, &[0], &[1]),
            Completeness::Incomplete(vec![])
        );
    }

    #[test]
    fn a_line_item_needs_one_identifying_field_and_should_have_all() {
        assert_eq!(completeness(1, &[0, 1, 2], &[]), Completeness::Complete);
        assert_eq!(
            completeness(1, &[1], &[]),
            Completeness::Partial(vec![0, 2])
        );
        assert_eq!(completeness(1, &[1], &[0, 2]), Completeness::Complete);
        assert_eq!(completeness(1, &[3, 4], &[]), Completeness::Unidentified);
        assert_eq!(
            completeness(1, &[3], &[0]),
            Completeness::Incomplete(vec![])
        );
    }
}
