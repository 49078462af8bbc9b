//! The intake thread: accepts updates for callers that do not wait, and completes their calls.

use super::accept::{Accepted, after_close, out_of_time};
use super::delivery::Delivery;
use super::handle::{Outbox, unexpected};
use super::intake::{Completion, Intake, PendingEnqueue};
use super::options::POLL;
use super::waiters::{Outcome, Waiter};
use crate::error::Error;
use crate::pipeline::call::CallProgress;
use crate::pipeline::workers::OnReceipt;
use crate::queue::store::UpdateId;
use crate::results::Ticket;
use crate::thread;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Maximum number of updates accepted in one transaction.
const MAX_BATCH: usize = 256;

/// A call that waits for the delivery of its update.
struct Awaited {
    accepted: Accepted,
    call: CallProgress,
    complete: OnReceipt,
}

/// Calls that wait for a delivery, by update. An update has several if equal ones were collapsed
/// into it.
type AwaitedCalls = HashMap<UpdateId, Vec<Awaited>>;

impl Outbox {
    /// Accepts an update on the intake thread. That thread also opens the file, which may block
    /// while another process has it locked.
    pub(crate) fn enqueue_async(outbox: &Arc<Self>, enqueue: PendingEnqueue) -> Result<(), Error> {
        let outbox_of_thread = Arc::clone(outbox);
        let start = || {
            thread::spawn("katalys-accept", move || {
                outbox_of_thread.accept_enqueued();
            })
        };
        outbox.intake.add(enqueue, start)
    }

    fn accept_enqueued(&self) {
        match self.delivery() {
            Ok(delivery) => self.run_intake(delivery),
            Err(error) => self.refuse_enqueued(&error),
        }
    }

    /// Refuses every queued update, since the file cannot be opened.
    fn refuse_enqueued(&self, error: &Error) {
        while let Some(queue) = self.intake.take_last() {
            let count = queue.len();
            for PendingEnqueue { completion, .. } in queue {
                completion.refuse(error.clone());
            }
            self.intake.accepted(count);
        }
    }

    fn run_intake(&self, delivery: &Delivery) {
        let mut awaited = AwaitedCalls::new();
        let mut next_query = Instant::now() + POLL;
        loop {
            let limit =
                (!awaited.is_empty()).then(|| next_query.saturating_duration_since(Instant::now()));
            let Some(news) = self.intake.next(limit) else {
                return;
            };
            self.accept_queue(delivery, news.queue, &mut awaited);
            for (id, outcome) in news.settled {
                for call in awaited.remove(&id).into_iter().flatten() {
                    call.finish(outcome.clone());
                }
            }
            if Instant::now() >= next_query {
                self.query_awaited(delivery, &mut awaited);
                next_query = Instant::now() + POLL;
            }
        }
    }

    fn accept_queue(
        &self,
        delivery: &Delivery,
        mut queue: VecDeque<PendingEnqueue>,
        awaited: &mut AwaitedCalls,
    ) {
        while !queue.is_empty() {
            let count = queue.len().min(MAX_BATCH);
            let batch = queue.drain(..count).filter_map(unless_cancelled);
            let (updates, completions): (Vec<_>, Vec<_>) = batch
                .map(|PendingEnqueue { update, completion }| {
                    ((update, self.waiter_for(&completion)), completion)
                })
                .unzip();
            let accepted = self.accept_all(updates);
            self.intake.accepted(count);
            let mut accepted = accepted.map(Vec::into_iter);
            for completion in completions {
                let result = match &mut accepted {
                    Ok(accepted) => accepted.next().unwrap_or_else(|| Err(unexpected())),
                    Err(error) => Err(error.clone()),
                };
                self.complete(delivery, completion, result, awaited);
            }
        }
    }

    /// The intake itself receives the outcome of an update that a call waits for.
    fn waiter_for(&self, completion: &Completion) -> Option<Arc<dyn Waiter>> {
        match completion {
            Completion::Accepted(_) => None,
            Completion::Delivered { .. } => Some(self.waiter()),
        }
    }

    /// The intake, as the waiter of all its calls.
    fn waiter(&self) -> Arc<dyn Waiter> {
        Arc::<Intake>::clone(&self.intake)
    }

    /// No call of the intake waits for an update any more; waiting threads still may.
    fn forget(&self, delivery: &Delivery, id: UpdateId) {
        delivery.waiters.forget(id, &self.waiter());
    }

    /// Completes a call, or keeps it until its update is settled.
    fn complete(
        &self,
        delivery: &Delivery,
        completion: Completion,
        result: Result<Accepted, Error>,
        awaited: &mut AwaitedCalls,
    ) {
        match (completion, result) {
            (Completion::Accepted(complete), result) => {
                guarded(|| complete(result.map(|accepted| accepted.ticket)));
            }
            (Completion::Delivered { complete, .. }, Err(error)) => {
                guarded(|| complete(Err(error)));
            }
            (Completion::Delivered { call, complete, .. }, Ok(accepted)) => {
                let id = accepted.ticket.id;
                let call = Awaited {
                    accepted,
                    call,
                    complete,
                };
                if delivery.dispatch.is_stopped() {
                    self.forget(delivery, id);
                    return call.finish(Err(after_close(id)));
                }
                awaited.entry(id).or_default().push(call);
            }
        }
    }

    /// Completes calls whose time limit has passed, or whose update another process has settled.
    fn query_awaited(&self, delivery: &Delivery, awaited: &mut AwaitedCalls) {
        awaited.retain(|id, calls| {
            if let Some(call) = calls.first()
                && let Some(outcome) = self.settled_elsewhere(delivery, &call.accepted)
            {
                for call in calls.drain(..) {
                    call.finish(outcome.clone());
                }
            }
            let now = Instant::now();
            for call in calls.extract_if(.., |call| now >= call.call.deadline) {
                call.finish(Err(out_of_time(*id)));
            }
            if calls.is_empty() {
                self.forget(delivery, *id);
            }
            !calls.is_empty()
        });
    }
}

impl Awaited {
    fn finish(mut self, outcome: Outcome) {
        let Ticket { id, warnings } = self.accepted.ticket;
        let receipt = outcome.map(|attempts| {
            self.call.count = attempts;
            self.call.receipt(warnings)
        });
        let receipt = receipt.map_err(|error| error.accepted_as(id));
        guarded(|| (self.complete)(receipt));
    }
}

impl Completion {
    fn refuse(self, error: Error) {
        match self {
            Self::Accepted(complete) => guarded(|| complete(Err(error))),
            Self::Delivered { complete, .. } => guarded(|| complete(Err(error))),
        }
    }
}

/// Completes a cancelled call, and removes it from the batch.
fn unless_cancelled(enqueue: PendingEnqueue) -> Option<PendingEnqueue> {
    match enqueue.completion {
        Completion::Delivered {
            cancelled,
            complete,
            ..
        } if cancelled.load(Ordering::Relaxed) => {
            guarded(|| complete(Err(Error::internal("the call was cancelled"))));
            None
        }
        completion => Some(PendingEnqueue {
            completion,
            ..enqueue
        }),
    }
}

/// Runs a completion; if it panics, other calls are not affected.
fn guarded(complete: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(complete));
}
