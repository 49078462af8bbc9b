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

/// The number of a claim in this process. It tells a claim from a later one of the same lane, which
/// follows if the process was stopped until the lease ran out.
pub(super) type ClaimNumber = u64;

/// Every lane that is leased to this process.
#[derive(Default)]
pub(super) struct Leases(Mutex<State>);

#[derive(Default)]
struct State {
    held: HashMap<LaneId, (ClaimNumber, Lease)>,
    claims: ClaimNumber,
}

impl Leases {
    /// Records the leases of one claim on these lanes.
    pub(super) fn hold(&self, lanes: impl Iterator<Item = LaneId>, lease: Lease) -> ClaimNumber {
        let mut state = self.lock();
        state.claims += 1;
        let number = state.claims;
        state.held.extend(lanes.map(|lane| (lane, (number, lease))));
        number
    }

    /// Removes the lease of a claim whose update is about to be settled; false if the process has lost
    /// it or has leased the lane again. It is called before the commit, since another thread may lease
    /// the lane for its next update right after it.
    pub(super) fn release(&self, lane: LaneId, number: ClaimNumber) -> bool {
        let mut state = self.lock();
        let is_held = state
            .held
            .get(&lane)
            .is_some_and(|(held, _)| *held == number);
        if is_held {
            state.held.remove(&lane);
        }
        is_held
    }

    /// Renews every lease, apart from those that were lost.
    pub(super) fn renew(&self, lease: Lease, lost: &[LaneId]) {
        let mut state = self.lock();
        for lane in lost {
            state.held.remove(lane);
        }
        state.held.values_mut().for_each(|(_, held)| *held = lease);
    }

    /// The time left on the lease of a claim; zero if it was lost.
    pub(super) fn left(&self, lane: LaneId, number: ClaimNumber) -> Duration {
        match self.lock().held.get(&lane) {
            Some((held, lease)) if *held == number => lease.left(),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn holds(&self, lane: LaneId) -> bool {
        self.lock().held.contains_key(&lane)
    }

    pub(super) fn lanes(&self) -> Vec<LaneId> {
        self.lock().held.keys().copied().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().held.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_lease_runs_out_unless_it_is_renewed() {
        let leases = Leases::default();
        assert_eq!(leases.left(1, 1), Duration::ZERO, "never leased");
        let claim = leases.hold([1, 2].into_iter(), Lease::from_now(Duration::ZERO));
        assert_eq!(leases.left(1, claim), Duration::ZERO, "ran out");
        leases.renew(Lease::from_now(MINUTE), &[]);
        assert!(leases.left(1, claim) > MINUTE / 2);
        assert!(leases.release(1, claim));
        assert_eq!((leases.count(), leases.lanes()), (1, vec![2]));
        assert_eq!(leases.left(1, claim), Duration::ZERO, "released");
    }

    #[test]
    fn a_lost_lease_is_not_renewed() {
        let leases = Leases::default();
        let claim = leases.hold([1, 2].into_iter(), Lease::from_now(Duration::ZERO));
        leases.renew(Lease::from_now(MINUTE), &[1]);
        assert_eq!(leases.left(1, claim), Duration::ZERO);
        assert!(leases.left(2, claim) > MINUTE / 2);
        assert!(!leases.release(1, claim), "it is no longer to be settled");
    }

    #[test]
    fn an_earlier_claim_has_no_part_in_a_later_one() {
        let leases = Leases::default();
        let earlier = leases.hold([1].into_iter(), Lease::from_now(Duration::ZERO));
        let later = leases.hold([1].into_iter(), Lease::from_now(MINUTE));
        assert_eq!(leases.left(1, earlier), Duration::ZERO);
        assert!(!leases.release(1, earlier) && leases.holds(1));
        assert!(leases.left(1, later) > MINUTE / 2);
        assert!(leases.release(1, later) && !leases.holds(1));
    }
}
