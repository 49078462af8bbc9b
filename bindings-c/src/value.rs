//! The fields of a result as C sees them: numbers, and texts that end in a NUL.

use katalys_core::results::{Record, ResultValue};
use std::ffi::{CStr, CString, c_char};

/// One field. Reading it as another kind than its own gives 0 or empty text.
pub(crate) enum CValue {
    Missing,
    Id(i64),
    Whole(u64),
    Seconds(f64),
    Flag(bool),
    Text(CString),
}

impl From<ResultValue<'_>> for CValue {
    fn from(value: ResultValue<'_>) -> Self {
        match value {
            ResultValue::Id(id) => Self::Id(id),
            ResultValue::Whole(number) => Self::Whole(number),
            ResultValue::Seconds(seconds) => Self::Seconds(seconds),
            ResultValue::Flag(flag) => Self::Flag(flag),
            ResultValue::Text(text) => Self::Text(c_string(&text)),
            // JSON text contains no NUL.
            ResultValue::Payload(bytes) => Self::Text(CString::new(bytes).unwrap_or_default()),
            ResultValue::Missing | ResultValue::Problems(_) => Self::Missing,
        }
    }
}

impl CValue {
    pub fn id(&self) -> i64 {
        match self {
            Self::Id(id) => *id,
            _ => 0,
        }
    }

    pub fn whole<N: TryFrom<u64> + Default>(&self) -> N {
        match self {
            Self::Whole(number) => N::try_from(*number).unwrap_or_default(),
            _ => N::default(),
        }
    }

    pub fn seconds_or(&self, missing: f64) -> f64 {
        match self {
            Self::Seconds(seconds) => *seconds,
            _ => missing,
        }
    }

    pub fn flag(&self) -> bool {
        matches!(self, Self::Flag(true))
    }

    pub fn text(&self) -> &CStr {
        match self {
            Self::Text(text) => text,
            _ => c"",
        }
    }
}

/// The fields of a record, by their place in its table.
pub(crate) struct Row(Vec<CValue>);

/// The row that is read for NULL, and for an index that is out of range.
pub(crate) static EMPTY: Row = Row(Vec::new());
static MISSING: CValue = CValue::Missing;

impl Row {
    pub fn of<R: Record>(record: &R) -> Self {
        let places = 0..R::TABLE.fields.len();
        Self(places.map(|place| record.value(place).into()).collect())
    }

    pub fn value(&self, place: usize) -> &CValue {
        self.0.get(place).unwrap_or(&MISSING)
    }
}

/// Texts of the library contain no NUL; one from elsewhere would cut the text short and is left out.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "")).unwrap_or_default())
}

/// Returns a text, and writes its length if the caller wants it.
///
/// # Safety
/// `len` may be written to or is null.
pub(crate) unsafe fn with_length(text: &CStr, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: not null, and may be written to as this function demands.
        unsafe { len.write(text.count_bytes()) };
    }
    text.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use katalys_core::Ticket;

    #[test]
    fn a_value_of_another_kind_reads_as_nothing() {
        let ticket = Ticket {
            id: 7,
            warnings: Vec::new(),
        };
        let row = Row::of(&ticket);
        assert_eq!(row.value(0).id(), 7);
        assert_eq!(row.value(0).whole::<u64>(), 0);
        assert_eq!(row.value(0).text(), c"");
        assert!(row.value(9).seconds_or(-1.0) < 0.0 && !row.value(9).flag());
        assert_eq!(EMPTY.value(0).id(), 0);
        assert_eq!(CValue::Whole(70_000).whole::<u16>(), 0);
    }

    #[test]
    fn a_nul_within_a_text_is_left_out() {
        assert_eq!(c_string("a\0b").as_c_str(), c"ab");
    }
}
