//! The operations of an outbox besides accepting updates: counters, dead letters, flush, close.

use super::handle::{Outbox, unexpected};
use crate::config::LONGEST_WAIT;
use crate::error::Error;
use crate::order::Checked;
use crate::pipeline::events::Events;
use crate::queue::store::{Discarded, Effect, Store, UpdateId, Work};
use crate::results::{DeadLetter, Event, EventKind, OUTBOX_LOG, PendingUpdate, Stats};
use std::time::{Duration, Instant};

impl Outbox {
    pub(crate) fn stats(&self) -> Result<Stats, Error> {
        let delivery = self.delivery()?;
        match delivery.status.damage() {
            Some(error) => Err(error),
            None => delivery.group.ask(Store::stats),
        }
    }

    /// Waits until nothing is pending, up to `timeout`; returns the number of pending updates.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<u64, Error> {
        let deadline = deadline_in(timeout);
        let delivery = self.delivery()?;
        self.intake.wait_until_accepted(deadline);
        delivery.group.ask(Store::check)?;
        if self.settings.deliver {
            self.commit(Work::MakeDue)?;
            delivery.probe_now();
        }
        self.wake()?;
        loop {
            let seen = delivery.dispatch.settlements();
            let pending = delivery.group.ask(Store::backlog)?.pending;
            if pending == 0 || Instant::now() >= deadline {
                return Ok(pending);
            }
            delivery.dispatch.wait_for_settlement(seen, deadline);
        }
    }

    /// Stops delivery and waits for the requests in flight, up to `timeout`; returns the number of
    /// pending updates.
    pub(crate) fn close(&self, timeout: Duration) -> Result<u64, Error> {
        let delivery = self.delivery()?;
        delivery.stop();
        self.wait_until_stopped(timeout);
        Ok(delivery.group.ask(Store::backlog)?.pending)
    }

    /// As `close`; does nothing if this process has not used the outbox.
    pub(crate) fn close_if_open(&self, timeout: Duration) {
        if self.opened().is_some() {
            let _ = self.close(timeout); // There is no caller to report an error to.
        }
    }

    /// After `stop`, waits until every request in flight is settled and reported.
    pub(crate) fn wait_until_stopped(&self, timeout: Duration) {
        let deadline = deadline_in(timeout);
        self.intake.wait_until_accepted(deadline);
        if let Some(delivery) = self.opened() {
            delivery.dispatch.wait_until_ended(deadline);
            self.events.drain(deadline);
        }
    }

    pub(crate) fn dead_letters(&self, from: i64, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let delivery = self.delivery()?;
        delivery.group.ask(|store| store.dead_letters(from, limit))
    }

    pub(crate) fn pending(&self, from: i64, limit: usize) -> Result<Vec<PendingUpdate>, Error> {
        let delivery = self.delivery()?;
        delivery.group.ask(|store| store.pending(from, limit))
    }

    pub(crate) fn replay(&self, id: UpdateId) -> Result<bool, Error> {
        let is_found = self.find(Work::Replay(id))?;
        self.wake()?;
        Ok(is_found)
    }

    pub(crate) fn discard(&self, id: UpdateId) -> Result<bool, Error> {
        let Discarded { lane, payload } = match self.commit(Work::Discard(id))? {
            Effect::Discarded(discarded) => discarded,
            Effect::Refused(error) => return Err(error),
            _ => return Ok(false),
        };
        log::warn!(target: OUTBOX_LOG, "dead letter {id} was discarded");
        let order = self
            .events
            .label_stored(EventKind::Discarded, lane, &payload);
        Events::send(&self.events, Event::new(EventKind::Discarded, id, order, 0));
        self.erase()?;
        self.wake()?;
        Ok(true)
    }

    pub(crate) fn edit(&self, id: UpdateId, edited: Checked) -> Result<bool, Error> {
        let (stage, payload) = (edited.stage as i64, edited.payload);
        let is_found = self.find(Work::Edit { id, payload, stage })?;
        if is_found {
            self.erase()?;
        }
        Ok(is_found)
    }

    /// Empties the log, which may still contain removed data.
    fn erase(&self) -> Result<(), Error> {
        let delivery = self.delivery()?;
        delivery.checkpoints.erase(&delivery.group);
        Ok(())
    }

    /// Commits work on one dead letter; false if there is no such dead letter.
    fn find(&self, work: Work) -> Result<bool, Error> {
        match self.commit(work)? {
            Effect::Refused(error) => Err(error),
            Effect::Found(is_found) => Ok(is_found),
            _ => Err(unexpected()),
        }
    }
}

/// The end of a wait. It is limited, since a longer one may overflow the clock.
fn deadline_in(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST_WAIT)
}
