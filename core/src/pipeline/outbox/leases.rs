//! The leases of this process: the lanes from which it may send, and until when.

use crate::queue::clock::{Millis, millis, since_boot};
use crate::queue::store::LaneId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The end of a lease, in milliseconds since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease(Millis);

impl Lease {
    pub(super) fn from_now(duration: Duration) -> Self {
        Self(since_boot() + millis(duration))
    }

    fn left(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - since_boot()).unwrap_or(0))
    }
}

/// Every lane that is leased to this process.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<LaneId, Lease>>);

impl Leases {
    /// Records leases on these lanes.
    pub(super) fn hold(&self, lanes: impl Iterator<Item = LaneId>, lease: Lease) {
        self.lock().extend(lanes.map(|lane| (lane, lease)));
    }

    /// Removes the leases of lanes whose updates are about to be settled. It is called before the
    /// commit, since another thread may lease the lanes for their next updates right after it.
    pub(super) fn release(&self, lanes: impl Iterator<Item = LaneId>) {
        let mut held = self.lock();
        for lane in lanes {
            held.remove(&lane);
        }
    }

    /// Renews every lease.
    pub(super) fn renew(&self, lease: Lease) {
        self.lock().values_mut().for_each(|held| *held = lease);
    }

    /// The time left on the lease of a lane; zero without a lease.
    pub(super) fn left(&self, lane: LaneId) -> Duration {
        let lease = self.lock().get(&lane).copied();
        lease.map_or(Duration::ZERO, Lease::left)
    }

    pub(super) fn lanes(&self) -> Vec<LaneId> {
        self.lock().keys().copied().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LaneId, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_runs_out_unless_it_is_renewed() {
        let leases = Leases::default();
        assert_eq!(leases.left(1), Duration::ZERO, "never leased");
        leases.hold([1, 2].into_iter(), Lease::from_now(Duration::ZERO));
        assert_eq!(leases.left(1), Duration::ZERO, "ran out");
        leases.renew(Lease::from_now(Duration::from_secs(60)));
        assert!(leases.left(1) > Duration::from_secs(59));
        leases.release([1].into_iter());
        assert_eq!((leases.count(), leases.lanes()), (1, vec![2]));
        assert_eq!(leases.left(1), Duration::ZERO, "released");
    }
}
