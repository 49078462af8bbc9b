//! An open outbox: the store and the parts that deliver from it. Each part has a state and a lock
//! of its own.

use super::checkpoints::Checkpoints;
use super::dispatch_state::{Attempted, DispatchState};
use super::leases::{Lease, Leases};
use super::options::DeliveryOptions;
use super::policy::{LONGEST_BACKOFF, OutboxPolicy};
use super::store_status::StoreStatus;
use super::waiters::Waiters;
use super::workers::{self, LeasedUpdate, Workers};
use crate::error::Error;
use crate::pipeline::attempt::{Attempt, attempt};
use crate::pipeline::breaker::{CircuitBreaker, State};
use crate::pipeline::events::{self, Events};
use crate::pipeline::link::Link;
use crate::queue::group::Group;
use crate::queue::store::{
    Cause, Checkpointer, Claim, ClaimOrder, DeadUpdate, Effect, Settlement, Store, Verdict, Work,
};
use crate::results::{Event, EventKind, OUTBOX_LOG};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No request starts with less than this left on the lease of its lane.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// What an open outbox is built from.
pub(super) struct Parts {
    pub path: PathBuf,
    pub store: Box<dyn Store>,
    pub checkpointer: Box<dyn Checkpointer>,
    pub link: Arc<Link>,
    pub events: Arc<Events>,
    pub options: DeliveryOptions,
}

/// An open outbox. Locks of different parts nest only in these orders: `checkpoints`, the store,
/// `waiters` or `events`; `dispatch`, `leases`; `status`, `events`.
pub(super) struct Delivery {
    pub group: Arc<Group<Box<dyn Store>>>,
    pub events: Arc<Events>,
    pub waiters: Arc<Waiters>,
    pub status: StoreStatus,
    pub checkpoints: Arc<Checkpoints>,
    pub(super) options: DeliveryOptions,
    pub(super) path: PathBuf,
    pub(super) dispatch: DispatchState,
    pub(super) workers: Workers,
    pub(super) leases: Leases,
    breaker: Mutex<CircuitBreaker>,
    link: Arc<Link>,
}

impl Delivery {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            path,
            store,
            checkpointer,
            link,
            events,
            options,
        } = parts;
        Self {
            group: Arc::new(Group::new(store)),
            waiters: Arc::default(),
            status: StoreStatus::new(&events),
            checkpoints: Arc::new(Checkpoints::new(checkpointer)),
            workers: Workers::new(options.workers),
            dispatch: DispatchState::default(),
            leases: Leases::default(),
            breaker: Mutex::default(),
            events,
            options,
            path,
            link,
        }
    }

    /// Stops sending; requests in flight finish.
    pub(super) fn stop(&self) {
        self.dispatch.stop();
        self.workers.stop();
    }

    /// Undoes `stop`. Threads start with the next update, as in a new client.
    pub(super) fn resume(&self) {
        self.workers.resume();
        self.dispatch.resume();
    }

    /// Lets the next request test at once whether the endpoint is available again.
    pub(super) fn probe_now(&self) {
        self.breaker().half_open();
    }

    /// The claim to add to a transaction that appends `appended` updates: as many as can be sent at
    /// once. None if other updates are ready to be sent, or nothing can be sent now.
    pub(super) fn claim_for(&self, appended: usize) -> Option<Work> {
        let is_free = !self.dispatch.is_stopped()
            && !self.status.is_failing()
            && self.state() == State::Closed
            && !self.workers.has_ready();
        let capacity = self.capacity(self.options.workers);
        (is_free && capacity > 0).then(|| self.claim_order(appended.min(capacity), false))
    }

    /// Hands claimed updates to the workers.
    /// Returns how many there are.
    pub(super) fn send(delivery: &Arc<Self>, claimed: Effect, lease: Lease) -> usize {
        let Effect::Claimed { claims, dead } = claimed else {
            return 0;
        };
        for update in dead {
            delivery.report_dead(update);
        }
        // Before `add`: a worker sends nothing without a lease.
        let lanes = claims.iter().map(|claim| claim.lane);
        let number = delivery.leases.hold(lanes, lease);
        let leased = claims.into_iter();
        let leased = leased.map(|claim| LeasedUpdate { claim, number });
        let updates: Vec<LeasedUpdate> = leased.collect();
        let count = updates.len();
        let send_all = workers::body(delivery, |delivery: &Arc<Self>| delivery.send_all());
        delivery.workers.add(updates, send_all);
        count
    }

    /// Counts appended updates towards a checkpoint, for a client that does not deliver.
    pub(super) fn appended(&self, count: usize) {
        Checkpoints::appended(&self.checkpoints, &self.group, count);
    }

    /// Claims up to `most` updates; `is_probe` claims any one that is due.
    pub(super) fn claim_order(&self, most: usize, is_probe: bool) -> Work {
        Work::Claim(ClaimOrder {
            owner: self.options.owner,
            most,
            any_from: is_probe.then(|| fastrand::i64(..)),
            lease: self.options.lease(),
            max_age: self.options.max_age,
            hold: self.options.holds(),
        })
    }

    pub(super) fn lease_from_now(&self) -> Lease {
        Lease::from_now(self.options.lease())
    }

    /// The state of the circuit breaker.
    pub(super) fn state(&self) -> State {
        self.breaker().state()
    }

    /// How many further updates may be claimed, with `max` leased at a time.
    pub(super) fn capacity(&self, max: usize) -> usize {
        let in_flight = self.leases.count();
        self.breaker().capacity(in_flight, max)
    }

    /// Returns the updates to the store that no thread has begun to send.
    pub(super) fn release_ready(&self) {
        for update in self.workers.take_ready() {
            self.dispatch.add(self.released(&update));
        }
    }

    /// Returns an update to the store without an attempt.
    fn released(&self, LeasedUpdate { claim, number }: &LeasedUpdate) -> Attempted {
        Attempted {
            settlement: self.settlement(claim, Verdict::Released),
            error: None,
            attempts: 0,
            claim: *number,
            is_released: false,
            order: String::new(),
        }
    }

    /// The body of a sending thread.
    fn send_all(&self) {
        while let Some(update) = self.workers.next() {
            let leased = self.leases.left(update.claim.lane, update.number);
            let attempted = if leased > SHORTEST_LEASE {
                self.attempt(&update, leased)
            } else {
                // The lease ran out, for example while the process was suspended: another process
                // may be sending the update.
                self.released(&update)
            };
            self.dispatch.add(attempted);
        }
    }

    fn attempt(&self, update: &LeasedUpdate, leased: Duration) -> Attempted {
        let claim = &update.claim;
        let mut policy = OutboxPolicy {
            breaker: &self.breaker,
            jitter: &self.link.jitter,
            lane: claim.lane,
            failures: claim.failures,
            deadline: Instant::now() + self.options.timeout.min(leased),
        };
        let send = || attempt(&self.link.transport, &claim.payload, &mut policy);
        let attempt = catch_unwind(AssertUnwindSafe(send)).unwrap_or_else(|_| {
            let error = Error::internal("a background thread panicked");
            Attempt::Retry(LONGEST_BACKOFF, error)
        });
        let attempts = claim.failures + 1;
        let (verdict, error) = match attempt {
            Attempt::Delivered => (Verdict::Delivered, None),
            Attempt::Retry(wait, error) => (Verdict::Retry(wait), Some(error)),
            Attempt::Failed(error) => (self.rejected(&error), Some(error.after(attempts))),
        };
        let kind = events::kind_of(&verdict);
        Attempted {
            order: self.events.label_stored(kind, claim.lane, &claim.payload),
            settlement: self.settlement(claim, verdict),
            error,
            attempts,
            claim: update.number,
            is_released: false,
        }
    }

    fn settlement(&self, claim: &Claim, verdict: Verdict) -> Settlement {
        Settlement {
            lane: claim.lane,
            id: claim.id,
            owner: self.options.owner,
            verdict,
        }
    }

    fn rejected(&self, error: &Error) -> Verdict {
        let cause = Cause {
            code: error.code().as_str(),
            status: error.status(),
            reason: error.message().to_owned(),
        };
        let hold = self.options.holds();
        Verdict::Rejected { cause, hold }
    }

    /// Reports an update that a claim moved to the dead letters.
    fn report_dead(&self, dead: DeadUpdate) {
        let DeadUpdate {
            lane,
            id,
            payload,
            cause,
        } = dead;
        log::error!(target: OUTBOX_LOG, "update {id} is now a dead letter: {}", cause.reason);
        let kind = EventKind::DeadLettered;
        let order = self.events.label_stored(kind, lane, &payload);
        let mut event = Event::new(kind, id, order, 0);
        event.code = Some(cause.code);
        Events::send(&self.events, event);
        let error = Error::new(crate::error::ErrorCode::OutboxFailed, cause.reason);
        self.waiters.settle(id, &Err(error));
    }

    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
