//! The dispatcher: one thread that claims updates for the workers and settles their attempts, in
//! batches.

use super::checkpoints::{QUIET, Written};
use super::delivery::Delivery;
use super::dispatch_state::Attempted;
use super::leases::Lease;
use super::options::{LEASE, POLL};
use crate::error::{Error, ErrorCode};
use crate::pipeline::breaker::State as BreakerState;
use crate::pipeline::events::Events;
use crate::queue::sqlite::FileWatch;
use crate::queue::store::{Backlog, Effect, Settlement, Store, Verdict, Work};
use crate::results::{Event, EventKind, OUTBOX_LOG};
use crate::thread;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The wait after a failure of the store.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// At most two updates per worker and this many more are leased at a time, so that workers seldom
/// wait for a claim.
const LEASED_AHEAD: usize = 32;

/// Wakes the dispatcher, or starts it, because an update may be due; not while delivery is stopped.
pub(super) fn wake(delivery: &Arc<Delivery>) {
    if !delivery.dispatch.is_stopped() {
        start_or_wake(delivery);
    }
}

/// Sends updates that were claimed in the transaction of an append. The dispatcher settles them, so
/// it is started even if delivery was stopped meanwhile, and woken if fewer updates were claimed than
/// were appended.
pub(super) fn take_claimed(
    delivery: &Arc<Delivery>,
    claimed: Effect,
    appended: usize,
    lease: Lease,
) {
    let sent = Delivery::send(delivery, claimed, lease);
    if sent < appended || !delivery.dispatch.is_active() {
        start_or_wake(delivery);
    }
}

fn start_or_wake(delivery: &Arc<Delivery>) {
    if !delivery.dispatch.needs_start() {
        return;
    }
    let own = Arc::clone(delivery);
    if thread::spawn("katalys-outbox", move || dispatch(&own)).is_err() {
        delivery.dispatch.not_started(); // The updates are on disk; the next call tries again.
    }
}

/// Starts the watch thread, which wakes the dispatcher when the file is moved, deleted or replaced. It
/// ends with the watch; without one, the dispatcher only polls.
fn start_watch(delivery: &Arc<Delivery>) -> Option<Arc<FileWatch>> {
    let watch = Arc::new(FileWatch::on(&delivery.path).ok()?);
    let (own, watched) = (Arc::clone(delivery), Arc::clone(&watch));
    let run = move || {
        while watched.wait() {
            own.dispatch.notify();
        }
    };
    thread::spawn("katalys-watch", run).ok().map(|()| watch)
}

/// The body of the dispatcher thread.
fn dispatch(delivery: &Arc<Delivery>) {
    let mut renewed = Instant::now();
    let mut written = Written::default();
    let watch = start_watch(delivery);
    loop {
        delivery.status.checked(delivery.group.ask(Store::check));
        let backlog = match delivery.group.ask(Store::backlog) {
            Ok(backlog) => backlog,
            Err(error) if delivery.gives_up(&error) => break,
            Err(_) => {
                delivery.release_ready(); // What is sent now could not be settled.
                delivery.dispatch.wait_to_retry(STORE_RETRY);
                continue;
            }
        };
        let (attempted, work) = delivery.plan(backlog, &mut renewed);
        if attempted.is_empty() && work.is_empty() {
            if delivery.ends() {
                break;
            }
            delivery.status.works();
            let is_idle = backlog.pending == 0;
            delivery
                .checkpoints
                .if_due(&delivery.group, &mut written, is_idle);
            let pause = delivery.idle_wait(backlog, &written);
            delivery.dispatch.pause(pause);
            continue;
        }
        written.add();
        commit(delivery, attempted, work);
        delivery
            .checkpoints
            .if_due(&delivery.group, &mut written, false);
    }
    if let Some(watch) = watch {
        watch.end();
    }
}

/// Writes settlements and further work, such as a claim, in one transaction.
fn commit(delivery: &Arc<Delivery>, attempted: Vec<Attempted>, work: Vec<Work>) {
    let settlements = attempted
        .iter()
        .map(|attempted| attempted.settlement.clone());
    let mut all: Vec<Work> = settlements.map(Work::Settle).collect();
    all.extend(work);
    let lease = delivery.lease_from_now();
    match delivery.group.commit(all.into()) {
        Ok(effects) => apply(delivery, attempted, effects, lease),
        Err(error) => {
            delivery.status.failed(&error);
            delivery.dispatch.put_back(attempted);
            delivery.dispatch.wait_to_retry(STORE_RETRY);
        }
    }
}

/// Acts on the effects of a transaction: reports settlements, renews leases, hands over claims.
fn apply(delivery: &Arc<Delivery>, attempted: Vec<Attempted>, effects: Vec<Effect>, lease: Lease) {
    let mut attempted = attempted.into_iter();
    for effect in effects {
        match effect {
            Effect::Settled(is_mine) => {
                if let Some(attempted) = attempted.next() {
                    delivery.report(attempted, is_mine);
                }
            }
            Effect::Renewed { lost } => delivery.leases.renew(lease, &lost),
            claimed => _ = Delivery::send(delivery, claimed, lease),
        }
    }
    delivery.status.works();
    delivery.dispatch.settled();
}

impl Delivery {
    /// Plans the next transaction: the attempts to settle, and a renewal of leases or a claim if
    /// due.
    fn plan(&self, backlog: Backlog, renewed: &mut Instant) -> (Vec<Attempted>, Vec<Work>) {
        let is_failing = self.status.is_failing();
        let is_paused = matches!(self.state(), BreakerState::Open(_));
        let is_stopped = self.dispatch.is_stopped();
        // While the store fails, attempts cannot be settled, and their updates would be sent again.
        if is_stopped || is_failing || is_paused {
            self.release_ready();
        }
        let mut attempted = self.dispatch.take_attempted();
        // Before the commit: right after it, a caller may lease the lane for its next update.
        attempted.retain_mut(|attempted| self.release(attempted));
        let mut work = Vec::new();
        if renewed.elapsed() > LEASE / 3 {
            *renewed = Instant::now();
            work.extend(self.renewal());
        }
        let max = self.options.workers * 2 + LEASED_AHEAD;
        let capacity = if is_stopped || is_paused {
            0
        } else if is_failing {
            usize::from(attempted.is_empty()) // One claim tests whether the store works again.
        } else {
            self.capacity(max)
        };
        let is_due = backlog.next_due == Some(Duration::ZERO) || !attempted.is_empty();
        let is_worth_it = capacity > max / 2 || !self.workers.has_ready();
        if capacity > 0 && is_due && is_worth_it {
            let is_probe = self.state() != BreakerState::Closed;
            work.push(self.claim_order(capacity, is_probe));
        }
        (attempted, work)
    }

    /// Releases the lease of an attempt; false if it was lost, or the lane was leased again: another
    /// claim settles the update then.
    fn release(&self, attempted: &mut Attempted) -> bool {
        let lane = attempted.settlement.lane;
        let is_mine = if attempted.is_released {
            !self.leases.holds(lane)
        } else {
            self.leases.release(lane, attempted.claim)
        };
        attempted.is_released = true;
        is_mine
    }

    /// Ends a stopped dispatcher that has nothing left to do. The log is emptied first, so that it is
    /// when the wait for the end is over.
    fn ends(&self) -> bool {
        let is_done = || self.leases.count() == 0;
        if !self.dispatch.may_end() || !is_done() {
            return false;
        }
        self.checkpoints.finish();
        self.dispatch.ends(is_done)
    }

    fn renewal(&self) -> Option<Work> {
        let lanes = self.leases.lanes();
        (!lanes.is_empty()).then_some(Work::Renew {
            owner: self.options.owner,
            lanes,
            lease: self.options.lease(),
        })
    }

    /// Records that the store cannot be read; true if the dispatcher ends, because delivery is
    /// stopped.
    fn gives_up(&self, error: &Error) -> bool {
        if error.code() != ErrorCode::OutboxMoved {
            self.status.failed(error);
        }
        self.dispatch.ends_unsettled()
    }

    /// How long the dispatcher pauses when there is nothing to do.
    fn idle_wait(&self, backlog: Backlog, written: &Written) -> Duration {
        if let BreakerState::Open(left) = self.state() {
            return left.min(LEASE / 3);
        }
        match backlog.next_due {
            _ if backlog.pending == 0 && written.is_nothing() => self.options.idle_poll,
            _ if backlog.pending == 0 => QUIET.min(self.options.idle_poll),
            Some(due) if !due.is_zero() => due.min(POLL),
            _ => POLL,
        }
    }

    /// Logs the outcome of an attempt, sends its event, and wakes the callers that wait for it.
    fn report(&self, attempted: Attempted, is_mine: bool) {
        let Attempted {
            settlement,
            error,
            attempts,
            order,
            ..
        } = attempted;
        let Settlement { id, verdict, .. } = settlement;
        match (&verdict, &error) {
            (Verdict::Rejected { .. }, Some(error)) if is_mine => {
                log::error!(target: OUTBOX_LOG, "update {id} is now a dead letter: {error}");
            }
            (_, Some(error)) => log::info!(target: OUTBOX_LOG, "update {id}: {error}"),
            (_, None) => {}
        }
        if !is_mine {
            return;
        }
        let event = |kind| Event::new(kind, id, order, attempts);
        match (verdict, error) {
            (Verdict::Delivered, _) => {
                Events::send(&self.events, event(EventKind::Delivered));
                self.waiters.settle(id, &Ok(attempts));
            }
            (Verdict::Rejected { .. }, Some(error)) => {
                Events::send(
                    &self.events,
                    event(EventKind::DeadLettered).caused_by(&error),
                );
                self.waiters.settle(id, &Err(error));
            }
            (Verdict::Retry(_), Some(error)) => {
                Events::send(&self.events, event(EventKind::Retried).caused_by(&error));
            }
            _ => {}
        }
    }
}
