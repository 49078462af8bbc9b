//! Taking updates in. A caller who may wait appends on its own thread; for one who may not, a
//! thread of the outbox appends whatever has come meanwhile in one transaction, and completes
//! each call when its update is durable, or delivered.

use super::dispatcher::{POLL, Sender, no_thread, start_thread};
use super::{Outbox, full, unexpected};
use crate::error::Error;
use crate::order::{Checked, Code, Problem};
use crate::pipeline::attempt::Attempts;
use crate::pipeline::events::Events;
use crate::pipeline::workers::Completion;
use crate::queue::store::{Append, Effect, UpdateId, Work};
use crate::results::{Event, EventKind, Ticket};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many share a transaction at most.
const MOST_AT_ONCE: usize = 256;
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// An update of a caller who does not wait.
pub(crate) struct Arrival {
    pub update: Checked,
    pub then: Then,
}

/// Arrivals that are not taken in yet.
#[derive(Default)]
pub(crate) struct Coming {
    count: usize,
    /// Those that came while the file is being opened for them.
    early: Option<VecDeque<Arrival>>,
}

/// When the caller of an [`Arrival`] is told.
pub(crate) enum Then {
    Accepted(Box<dyn FnOnce(Result<Ticket, Error>) + Send>),
    Delivered {
        attempts: Attempts,
        cancelled: Arc<AtomicBool>,
        complete: Completion,
    },
}

/// A call that waits for the delivery of its update.
struct Awaited {
    ticket: Ticket,
    attempts: Attempts,
    complete: Completion,
}

impl Outbox {
    /// Takes an update in; it is durable when this returns.
    pub(crate) fn accept(&self, update: Checked) -> Result<Ticket, Error> {
        let ticket = self.accept_all(vec![update])?.pop();
        ticket.unwrap_or_else(|| Err(unexpected()))
    }

    /// Takes updates in, in one transaction, and with them a lease on as much as can be sent at
    /// once: otherwise that would be a second transaction before the first byte leaves.
    fn accept_all(&self, updates: Vec<Checked>) -> Result<Vec<Result<Ticket, Error>>, Error> {
        let sender = self.sender()?;
        let mut rest = Vec::with_capacity(updates.len());
        let mut work = Vec::with_capacity(updates.len() + 1);
        for update in updates {
            let lane = update.lane.cast_signed();
            let label = sender
                .events
                .label(EventKind::Accepted, lane, &update.payload);
            rest.push((update.warnings, label));
            work.push(Work::Append(Append {
                lane,
                stage: update.stage as i64,
                payload: update.payload,
            }));
        }
        if let Some(damage) = sender.damage() {
            return Err(damage);
        }
        if self.settings.deliver {
            work.extend(sender.claim_for(rest.len()));
        }
        let (count, lease) = (rest.len(), sender.lease_from_now());
        let mut effects = sender.group.commit(work)?.into_iter();
        let accepted = rest.into_iter().zip(effects.by_ref());
        let tickets = accepted.map(|((warnings, order), effect)| {
            let ticket = ticket(warnings, &effect)?;
            let event = Event::new(EventKind::Accepted, ticket.id, order, 0);
            Events::tell(&sender.events, event);
            Ok(ticket)
        });
        let tickets = tickets.collect();
        match effects.next() {
            Some(claimed) => Sender::take_in(sender, claimed, lease),
            None if self.settings.deliver => Sender::wake(sender),
            None => Sender::appended(sender, count),
        }
        Ok(tickets)
    }

    /// Takes an update in on a thread of the outbox. The file is opened there too, since that may
    /// take as long as another process keeps it locked.
    pub(crate) fn accept_soon(outbox: &Arc<Self>, arrival: Arrival) -> Result<(), Error> {
        let mut coming = outbox.coming();
        if let Some(early) = &mut coming.early {
            early.push_back(arrival);
            coming.count += 1;
            return Ok(());
        }
        let own = Arc::clone(outbox);
        if let Some(sender) = outbox.sender.get() {
            coming.count += 1;
            drop(coming);
            if sender.add_arrivals([arrival]) {
                start_thread("katalys-accept", move || own.take_arrivals()).map_err(|refused| {
                    outbox.took(1);
                    sender.without_intake(&refused)
                })?;
            }
            return Ok(());
        }
        start_thread("katalys-accept", move || own.open_for_arrivals())
            .map_err(|refused| no_thread(&refused))?;
        coming.early = Some(VecDeque::from([arrival]));
        coming.count += 1;
        Ok(())
    }

    /// Begins with what has come while the file was being opened, so that nothing overtakes it.
    fn open_for_arrivals(&self) {
        let opened = self.sender();
        let mut coming = self.coming();
        let arrivals = coming.early.take().unwrap_or_default();
        let sender = match opened {
            Ok(sender) => sender,
            Err(error) => {
                drop(coming);
                self.took(arrivals.len());
                for Arrival { then, .. } in arrivals {
                    self.answer(then, Err(error.clone()));
                }
                return;
            }
        };
        if self.is_stopped.load(Ordering::SeqCst) {
            sender.stop(); // The client went while there was nothing to be stopped yet.
        }
        let is_first = sender.add_arrivals(arrivals);
        drop(coming);
        if is_first {
            self.take_arrivals();
        }
    }

    /// So many were taken in, or refused.
    fn took(&self, count: usize) {
        self.coming().count -= count;
        self.taken.notify_all();
    }

    /// Waits until everything is taken in that was given before.
    pub(super) fn wait_for_intake(&self, deadline: Instant) {
        let mut coming = self.coming();
        while coming.count > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.taken.wait_timeout(coming, left);
            coming = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn coming(&self) -> MutexGuard<'_, Coming> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_arrivals(&self) {
        let Ok(sender) = self.sender() else {
            return;
        };
        let mut awaited: Vec<Awaited> = Vec::new();
        let mut looked = Instant::now();
        loop {
            let wait = if awaited.is_empty() {
                LONGEST_IDLE
            } else {
                POLL
            };
            let Some(arrivals) = sender.next_arrivals(wait, awaited.is_empty()) else {
                return;
            };
            self.take(arrivals, &mut awaited);
            let looks = looked.elapsed() >= POLL;
            if looks {
                looked = Instant::now();
            }
            self.complete(sender, &mut awaited, looks);
        }
    }

    fn take(&self, mut arrivals: VecDeque<Arrival>, awaited: &mut Vec<Awaited>) {
        while !arrivals.is_empty() {
            let most = arrivals.len().min(MOST_AT_ONCE);
            let (updates, thens): (Vec<_>, Vec<_>) = arrivals
                .drain(..most)
                .filter_map(unless_cancelled)
                .map(|Arrival { update, then }| (update, then))
                .unzip();
            let tickets = self.accept_all(updates);
            self.took(most);
            let mut tickets = tickets.map(Vec::into_iter);
            for then in thens {
                let ticket = match &mut tickets {
                    Ok(tickets) => tickets.next().unwrap_or_else(|| Err(unexpected())),
                    Err(error) => Err(error.clone()),
                };
                awaited.extend(self.answer(then, ticket));
            }
        }
    }

    /// Tells the caller, or returns what there is to wait for.
    fn answer(&self, then: Then, ticket: Result<Ticket, Error>) -> Option<Awaited> {
        match (then, ticket) {
            (Then::Accepted(complete), ticket) => guarded(|| complete(ticket)),
            (Then::Delivered { complete, .. }, Err(error)) => guarded(|| complete(Err(error))),
            (
                Then::Delivered {
                    attempts, complete, ..
                },
                Ok(ticket),
            ) => {
                if let Ok(sender) = self.sender() {
                    if sender.is_closing() {
                        guarded(|| complete(Err(after_close(ticket.id))));
                        return None;
                    }
                    sender.await_update(ticket.id);
                }
                let awaited = Awaited {
                    ticket,
                    attempts,
                    complete,
                };
                // It may have been delivered before anybody waited for it.
                match self.settled_elsewhere(awaited.ticket.id) {
                    None => return Some(awaited),
                    Some(result) => awaited.finish(result),
                }
            }
        }
        None
    }

    /// Tells those whose update was delivered, or refused, or whose time is up.
    fn complete(&self, sender: &Sender, awaited: &mut Vec<Awaited>, looks: bool) {
        let mut index = 0;
        while index < awaited.len() {
            let call = &awaited[index];
            let id = call.ticket.id;
            let mut result = sender.result_of(id);
            if result.is_none() && looks {
                result = self.settled_elsewhere(id);
            }
            if result.is_none() && Instant::now() >= call.attempts.deadline {
                result = Some(Err(out_of_time(id)));
            }
            match result {
                None => index += 1,
                Some(result) => {
                    sender.forget(id);
                    awaited.swap_remove(index).finish(result);
                }
            }
        }
    }
}

impl Awaited {
    fn finish(mut self, result: Result<u32, Error>) {
        let id = self.ticket.id;
        let receipt = result.map(|attempts| {
            self.attempts.count = attempts;
            self.attempts.receipt(self.ticket.warnings)
        });
        let receipt = receipt.map_err(|error| error.accepted_as(id));
        guarded(|| (self.complete)(receipt));
    }
}

/// The update is safe, but the caller's time is up.
pub(super) fn out_of_time(id: UpdateId) -> Error {
    let text = format!(
        "the update is in the outbox (ticket {id}) and will be sent, but was not delivered within \
         the time limit; do not send it again"
    );
    Error::new(crate::error::ErrorCode::TimeoutPending, text).accepted_as(id)
}

/// The update is safe, but this client delivers nothing any more.
pub(super) fn after_close(id: UpdateId) -> Error {
    let text = format!(
        "the update is in the outbox (ticket {id}) and will be sent by another process, since this \
         client was closed; do not send it again"
    );
    Error::new(crate::error::ErrorCode::TimeoutPending, text).accepted_as(id)
}

fn unless_cancelled(arrival: Arrival) -> Option<Arrival> {
    match arrival.then {
        Then::Delivered {
            cancelled,
            complete,
            ..
        } if cancelled.load(Ordering::Relaxed) => {
            guarded(|| complete(Err(Error::internal("the call was cancelled"))));
            None
        }
        then => Some(Arrival { then, ..arrival }),
    }
}

fn ticket(mut warnings: Vec<Problem>, effect: &Effect) -> Result<Ticket, Error> {
    let id: UpdateId = match *effect {
        Effect::Refused(ref error) => return Err(error.clone()),
        Effect::Appended { id, stale } => {
            if stale {
                warnings.push(Problem::new("order_status", Code::StatusStale));
            }
            id
        }
        Effect::Collapsed { id } => id,
        Effect::Full { rows, bytes } => return Err(full(rows, bytes)),
        _ => return Err(unexpected()),
    };
    Ok(Ticket { id, warnings })
}

/// A completion that panics takes its own result with it, and nothing else.
fn guarded(complete: impl FnOnce()) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(complete));
}
