//! `katalys_stats`: the counters of an outbox, read by their numbers.

use crate::guard::free;
use crate::value::{EMPTY, Row};
use katalys_core::Stats;
use std::ffi::c_int;

/// The counters of an outbox at one point in time. The caller owns them and frees them with
/// katalys_stats_free().
///
/// They never change, and any number of threads may read them.
pub struct katalys_stats {
    row: Row,
}

impl From<Stats> for katalys_stats {
    fn from(stats: Stats) -> Self {
        Self {
            row: Row::of(&stats),
        }
    }
}

/// Frees counters and sets the caller's pointer to NULL. NULL, or a pointer to NULL, is allowed.
///
/// # Safety
/// `stats` is NULL or points to NULL or to counters that are not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_stats_free(stats: *mut *mut katalys_stats) {
    // SAFETY: as this function demands; they are a Box that katalys_client_stats() made.
    unsafe { free(stats) };
}

/// The value of a statistic that is a number of updates. `stat` is a katalys_stat.
///
/// Returns 0 for NULL in place of counters, for a statistic in seconds, and for a number that this
/// version does not know.
///
/// # Safety
/// `stats` are live counters or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_stats_count(stats: *const katalys_stats, stat: c_int) -> u64 {
    // SAFETY: as this function demands.
    unsafe { row(stats) }.value(place(stat)).whole()
}

/// The value of a statistic in seconds. `stat` is a katalys_stat.
///
/// Returns 0 for NULL in place of counters, for a statistic that is a number of updates, and for a
/// number that this version does not know.
///
/// # Safety
/// `stats` are live counters or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn katalys_stats_seconds(stats: *const katalys_stats, stat: c_int) -> f64 {
    // SAFETY: as this function demands.
    unsafe { row(stats) }.value(place(stat)).seconds_or(0.0)
}

/// # Safety
/// `stats` are live counters or null.
unsafe fn row<'s>(stats: *const katalys_stats) -> &'s Row {
    // SAFETY: as this function demands.
    unsafe { stats.as_ref() }.map_or(&EMPTY, |stats| &stats.row)
}

/// Numbers start at 1; one that is out of range has no place.
fn place(stat: c_int) -> usize {
    usize::try_from(stat)
        .ok()
        .and_then(|number| number.checked_sub(1))
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats_fields::katalys_stat;
    use std::ptr;

    #[test]
    fn a_statistic_is_read_by_its_number() {
        let stats = katalys_stats::from(Stats {
            accepted: 9,
            in_flight: 2,
            oldest_pending_seconds: 1.5,
            ..Stats::default()
        });
        let count = |stat| {
            // SAFETY: the counters are live.
            unsafe { katalys_stats_count(&raw const stats, stat) }
        };
        assert_eq!(count(katalys_stat::KATALYS_STAT_ACCEPTED as c_int), 9);
        assert_eq!(count(katalys_stat::KATALYS_STAT_IN_FLIGHT as c_int), 2);
        let oldest = katalys_stat::KATALYS_STAT_OLDEST_PENDING_SECONDS as c_int;
        // SAFETY: as above.
        let seconds = unsafe { katalys_stats_seconds(&raw const stats, oldest) };
        assert!((seconds - 1.5).abs() < f64::EPSILON);
        for unknown in [oldest, 0, -1, 99, c_int::MIN, c_int::MAX] {
            assert_eq!(count(unknown), 0, "{unknown}");
        }
        // SAFETY: null is allowed.
        assert_eq!(unsafe { katalys_stats_count(ptr::null(), 1) }, 0);
    }
}
