//! The stable numbers of statistics.
//!
//! Generated from the core's tables by `make generate`; change core/src/results.rs instead.

/// The statistics of an outbox. katalys_stats_count() reads them, and katalys_stats_seconds()
/// those in seconds. Later versions may add some.
///
/// Counters of the updates that an outbox has accepted, in any process: `accepted` always
/// equals `delivered` + `pending` + `dead` + `discarded`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum katalys_stat {
    /// Updates accepted since the outbox was created.
    KATALYS_STAT_ACCEPTED = 1,
    /// Updates that the endpoint has received.
    KATALYS_STAT_DELIVERED = 2,
    /// Updates that are neither delivered nor dead letters yet.
    KATALYS_STAT_PENDING = 3,
    /// Pending updates that a process is sending.
    KATALYS_STAT_IN_FLIGHT = 4,
    /// Dead letters: kept until they are replayed or discarded.
    KATALYS_STAT_DEAD = 5,
    /// Dead letters that were discarded.
    KATALYS_STAT_DISCARDED = 6,
    /// Age of the oldest pending update, in seconds; 0 if there is none.
    KATALYS_STAT_OLDEST_PENDING_SECONDS = 7,
}
