//! `katalys_dead_letters`: a page of updates that are not sent unless they are replayed.

use crate::guard::free;
use crate::value::{EMPTY, Row};
use katalys_core::DeadLetter;

/// A list of dead letters at one point in time. The caller owns it and frees it with
/// katalys_dead_letters_free().
///
/// It never changes, and any number of threads may read it. Text that an accessor returns belongs
/// to the list and is never NULL. For NULL in place of a list, or an index that is out of range,
/// the accessors return 0 or empty text.
pub struct katalys_dead_letters {
    rows: Vec<Row>,
}

impl From<Vec<DeadLetter>> for katalys_dead_letters {
    fn from(letters: Vec<DeadLetter>) -> Self {
        let rows = letters.iter().map(Row::of).collect();
        Self { rows }
    }
}

/// Frees a list and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
///
/// # Safety
/// `dead_letters` is NULL or points to NULL or to a list that is not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_free(dead_letters: *mut *mut katalys_dead_letters) {
    // SAFETY: as this function demands; a list is a Box that katalys_client_dead_letters() made.
    unsafe { free(dead_letters) };
}

/// Number of dead letters in the list.
///
/// # Safety
/// `dead_letters` is a live list or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_dead_letters_count(
    dead_letters: *const katalys_dead_letters,
) -> usize {
    // SAFETY: live or null, as this function demands.
    unsafe { dead_letters.as_ref() }.map_or(0, |list| list.rows.len())
}

/// The fields of one dead letter; for the generated accessors.
///
/// # Safety
/// Unless it is null, `dead_letters` is a live list.
pub(crate) unsafe fn row<'l>(dead_letters: *const katalys_dead_letters, index: usize) -> &'l Row {
    // SAFETY: live or null, as this function demands.
    let list = unsafe { dead_letters.as_ref() };
    list.and_then(|list| list.rows.get(index)).unwrap_or(&EMPTY)
}
