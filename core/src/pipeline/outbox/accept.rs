//! Accepting updates, and waiting for their outcome.

use super::delivery::Delivery;
use super::dispatcher;
use super::handle::{Outbox, unexpected};
use super::options::POLL;
use super::waiters::{Outcome, Waiter, Waiters, WaitingThread};
use crate::error::{Error, ErrorCode};
use crate::interrupt;
use crate::order::{Checked, Code, Problem};
use crate::pipeline::call::CallProgress;
use crate::pipeline::events::Events;
use crate::queue::group::{Batch, OnAccepted};
use crate::queue::store::{Append, Effect, UpdateId, UpdateState, Work};
use crate::results::{Event, EventKind, Receipt, Ticket};
use std::sync::Arc;
use std::time::Instant;

/// An update that the outbox has accepted.
pub(super) struct Accepted {
    pub ticket: Ticket,
    /// The outbox's count of discarded dead letters at that time. If it has not changed when the
    /// update is gone, the update was delivered.
    discarded: u64,
}

/// Sends the event of an accepted update and registers its waiter. Runs before the store is
/// unlocked, so that neither comes after the settlement.
struct Acceptance {
    events: Arc<Events>,
    order: String,
    waiters: Arc<Waiters>,
    waiter: Option<Arc<dyn Waiter>>,
}

impl OnAccepted for Acceptance {
    fn accepted(&self, id: UpdateId) {
        let event = Event::new(EventKind::Accepted, id, self.order.clone(), 0);
        Events::send(&self.events, event);
        if let Some(waiter) = &self.waiter {
            self.waiters.register(id, Arc::clone(waiter));
        }
    }
}

impl Outbox {
    /// Accepts an update; it is durable when this returns.
    pub(crate) fn accept(&self, update: Checked) -> Result<Ticket, Error> {
        Ok(self.accept_one(update, None)?.ticket)
    }

    /// Accepts an update, and waits until the endpoint has received it.
    pub(crate) fn deliver(&self, update: Checked, call: &CallProgress) -> Result<Receipt, Error> {
        let thread = Arc::new(WaitingThread::default());
        let waiter: Arc<dyn Waiter> = Arc::clone(&thread) as _;
        let accepted = self.accept_one(update, Some(Arc::clone(&waiter)))?;
        let id = accepted.ticket.id;
        let delivery = self.delivery()?;
        let outcome = self.wait_for(delivery, &accepted, &thread, call.deadline);
        delivery.waiters.forget(id, &waiter);
        let call = CallProgress {
            count: outcome.map_err(|error| error.accepted_as(id))?,
            ..*call
        };
        Ok(call.receipt(accepted.ticket.warnings))
    }

    /// Waits for the outcome of an update until `deadline`. A settlement by this process wakes the
    /// thread; every `POLL`, the thread queries the file for a settlement by another process.
    fn wait_for(
        &self,
        delivery: &Delivery,
        accepted: &Accepted,
        thread: &WaitingThread,
        deadline: Instant,
    ) -> Outcome {
        let id = accepted.ticket.id;
        if delivery.dispatch.is_stopped() {
            return Err(after_close(id));
        }
        let mut next_query = Instant::now() + POLL;
        loop {
            if let Some(outcome) = thread.wait(deadline.min(next_query)) {
                return outcome;
            }
            if Instant::now() >= deadline || interrupt::is_over() {
                return Err(out_of_time(id));
            }
            if Instant::now() >= next_query {
                if let Some(outcome) = self.settled_elsewhere(delivery, accepted) {
                    return outcome;
                }
                next_query = Instant::now() + POLL;
            }
        }
    }

    /// The outcome of an update that another process has settled.
    pub(super) fn settled_elsewhere(
        &self,
        delivery: &Delivery,
        accepted: &Accepted,
    ) -> Option<Outcome> {
        let id = accepted.ticket.id;
        let state = delivery.group.ask_in_time(|store| store.state(id))?;
        match state {
            Ok(UpdateState::Pending) => None,
            // Settled by this process: the waiter has the outcome already, or receives it shortly.
            Ok(_) if delivery.dispatch.is_settling(id) || !delivery.waiters.has(id) => None,
            Ok(UpdateState::Dead) => Some(Err(self.refusal(id))),
            // No dead letter was discarded since acceptance, so the update was delivered.
            Ok(UpdateState::Gone { discarded }) if discarded == accepted.discarded => Some(Ok(0)),
            Ok(UpdateState::Gone { .. }) => Some(Err(outcome_unknown(id))),
            Err(error) => Some(Err(error)),
        }
    }

    /// The error of an update that is a dead letter.
    fn refusal(&self, id: UpdateId) -> Error {
        let letters = self.dead_letters(id, 1).unwrap_or_default();
        match letters.into_iter().find(|letter| letter.id == id) {
            Some(letter) => match letter.status {
                Some(status) => Error::answered(ErrorCode::Rejected, status, None),
                None => Error::new(ErrorCode::OutboxFailed, letter.reason),
            },
            None => Error::new(ErrorCode::OutboxFailed, "the update became a dead letter"),
        }
    }

    fn accept_one(
        &self,
        update: Checked,
        waiter: Option<Arc<dyn Waiter>>,
    ) -> Result<Accepted, Error> {
        let accepted = self.accept_all(vec![(update, waiter)])?.pop();
        accepted.unwrap_or_else(|| Err(unexpected()))
    }

    /// Accepts updates in one transaction. The same transaction claims as many updates as can be
    /// sent at once, since a second one would delay the first request.
    #[inline(never)] // It has two callers, and each copy is large.
    pub(super) fn accept_all(
        &self,
        updates: Vec<(Checked, Option<Arc<dyn Waiter>>)>,
    ) -> Result<Vec<Result<Accepted, Error>>, Error> {
        let delivery = self.delivery()?;
        if let Some(damage) = delivery.status.damage() {
            return Err(damage);
        }
        let count = updates.len();
        let (mut batch, mut warnings) = (Batch::default(), Vec::with_capacity(count));
        for (update, waiter) in updates {
            warnings.push(add_to(&mut batch, delivery, update, waiter));
        }
        if self.settings.deliver {
            batch.work.extend(delivery.claim_for(count));
        }
        let lease = delivery.lease_from_now();
        let mut effects = delivery.group.commit(batch)?.into_iter();
        let accepted = warnings.into_iter().zip(effects.by_ref());
        let accepted = accepted.map(|(warnings, effect)| accepted_as(effect, warnings));
        let accepted = accepted.collect();
        match effects.next() {
            Some(claimed) => dispatcher::take_claimed(delivery, claimed, count, lease),
            None if self.settings.deliver => dispatcher::wake(delivery),
            None => delivery.appended(count),
        }
        Ok(accepted)
    }
}

/// Adds an update to a batch; returns its warnings.
fn add_to(
    batch: &mut Batch,
    delivery: &Delivery,
    update: Checked,
    waiter: Option<Arc<dyn Waiter>>,
) -> Vec<Problem> {
    let lane = update.lane.cast_signed();
    let order = delivery
        .events
        .label(EventKind::Accepted, lane, || update.order_id());
    batch.on_accepted.push(Arc::new(Acceptance {
        events: Arc::clone(&delivery.events),
        order,
        waiters: Arc::clone(&delivery.waiters),
        waiter,
    }));
    batch.work.push(Work::Append(Append {
        lane,
        stage: update.stage as i64,
        payload: update.payload,
    }));
    update.warnings
}

fn accepted_as(effect: Effect, mut warnings: Vec<Problem>) -> Result<Accepted, Error> {
    let (id, discarded) = match effect {
        Effect::Refused(error) => return Err(error),
        Effect::Full { rows, bytes } => return Err(full(rows, bytes)),
        Effect::Appended {
            id,
            stale,
            discarded,
        } => {
            if stale {
                warnings.push(Problem::new("order_status", Code::StatusStale));
            }
            (id, discarded)
        }
        Effect::Collapsed { id, discarded } => (id, discarded),
        _ => return Err(unexpected()),
    };
    Ok(Accepted {
        ticket: Ticket { id, warnings },
        discarded,
    })
}

fn full(rows: u64, bytes: u64) -> Error {
    let text = format!(
        "the outbox is full: {rows} updates with {bytes} bytes are pending; the update was not \
         accepted"
    );
    Error::new(ErrorCode::OutboxFull, text)
}

/// The update is accepted, but the call's time limit has passed.
pub(super) fn out_of_time(id: UpdateId) -> Error {
    let text = format!(
        "the update is in the outbox (ticket {id}) and will be sent, but was not delivered within \
         the time limit; do not send it again"
    );
    Error::new(ErrorCode::TimeoutPending, text).accepted_as(id)
}

/// The update is accepted, but this client no longer delivers.
pub(super) fn after_close(id: UpdateId) -> Error {
    let text = format!(
        "the update is in the outbox (ticket {id}) and will be sent by another process, since this \
         client was closed; do not send it again"
    );
    Error::new(ErrorCode::TimeoutPending, text).accepted_as(id)
}

/// Another process has settled the update, and dead letters were discarded since it was accepted.
fn outcome_unknown(id: UpdateId) -> Error {
    let text = format!(
        "another process has settled the update (ticket {id}), and dead letters were discarded \
         meanwhile: it was delivered, or refused and discarded; do not send it again"
    );
    Error::new(ErrorCode::OutboxOutcome, text).accepted_as(id)
}
