//! The rule for the numbers of records: they start at 1 and have no gap.
//!
//! A gap in the caller's numbering is an error. Leaving out a record would create one as well, so
//! the records that are sent get consecutive numbers of their own.

use crate::order::problem::Code;

/// The numbering of one group of records: the caller's, and the one that is sent.
pub(in crate::order) struct Numbering {
    expected: u32,
    sent: u32,
}

impl Numbering {
    pub(in crate::order) fn new() -> Self {
        let (expected, sent) = (1, 0);
        Self { expected, sent }
    }

    /// Checks the caller's number of the next record.
    pub(in crate::order) fn check(&self, number: u32) -> Result<(), Code> {
        match number {
            0 => Err(Code::NumberingStart),
            number if number == self.expected => Ok(()),
            _ => Err(Code::NumberingGap),
        }
    }

    /// The number under which the next record is sent.
    pub(in crate::order) fn next(&self) -> u32 {
        self.sent + 1
    }

    /// Counts a record as sent.
    pub(in crate::order) fn count_sent(&mut self) {
        self.sent += 1;
    }

    /// Continues the caller's numbering behind this record.
    pub(in crate::order) fn continue_behind(&mut self, number: u32) {
        self.expected = number.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_at_one_and_have_no_gap() {
        let mut numbering = Numbering::new();
        assert_eq!(numbering.check(0), Err(Code::NumberingStart));
        assert_eq!(numbering.check(2), Err(Code::NumberingGap));
        for number in 1..=3 {
            assert_eq!(numbering.check(number), Ok(()));
            numbering.continue_behind(number);
        }
        assert_eq!(numbering.check(5), Err(Code::NumberingGap));
    }

    #[test]
    fn sent_records_are_numbered_without_the_ones_left_out() {
        let mut numbering = Numbering::new();
        numbering.count_sent();
        numbering.continue_behind(1);
        // The second record is left out.
        numbering.continue_behind(2);
        assert_eq!((numbering.check(3), numbering.next()), (Ok(()), 2));
    }
}
