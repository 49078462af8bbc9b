//! The outbox: updates that survive the process and the machine, until they are delivered.
//!
//! `intake` accepts updates, `dispatcher` delivers them.

mod dispatcher;
mod intake;

use super::attempt::Attempts;
use super::events::{Events, ObserverPlace};
use super::workers::Engine;
use crate::config::{Config, Language, OutboxSettings};
use crate::error::{Error, ErrorCode};
use crate::interrupt;
use crate::order::Checked;
use crate::queue::sqlite::{FileWatch, Limits, Setup, SqliteStore, SqliteUpkeep};
use crate::queue::store::{Effect, Remains, Store, UpdateId, Whereabouts, Work};
use crate::results::{
    DeadLetter, Event, EventKind, OUTBOX_LOG, PendingUpdate, Receipt, Stats, Ticket,
};
use dispatcher::{IDLE_POLL, Manner, POLL, Parts, Sender, draw_owner};
use intake::Coming;
pub(crate) use intake::{Arrival, Then};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How soon the command, which delivers for others, notices their updates.
const RELAY_POLL: Duration = Duration::from_millis(200);
/// How long a call waits for another process that writes, if its `timeout` is not shorter.
const LONGEST_BUSY_TIMEOUT: Duration = Duration::from_secs(15);

/// The outbox of one client in one process. The file is opened on first use, so that a process
/// which only forks others has no connection for them to inherit.
pub(crate) struct Outbox {
    settings: OutboxSettings,
    manner: Manner,
    engine: Arc<Engine>,
    sender: OnceLock<Arc<Sender>>,
    opening: Mutex<()>,
    /// What callers who do not wait gave, and is not taken in yet.
    coming: Mutex<Coming>,
    taken: Condvar,
    is_stopped: AtomicBool,
    events: Arc<Events>,
}

impl Outbox {
    pub(crate) fn configured(
        config: &Config,
        engine: &Arc<Engine>,
        observer: &ObserverPlace,
    ) -> Result<Option<Self>, Error> {
        let Some(settings) = config.outbox.clone() else {
            return Ok(None);
        };
        let manner = Manner {
            owner: draw_owner()?,
            workers: config.workers,
            timeout: config.timeout,
            on_rejected: settings.on_rejected,
            max_age: settings.max_age,
            idle_poll: match config.language {
                Language::Cli => RELAY_POLL,
                _ => IDLE_POLL,
            },
        };
        let events = Events::new(Arc::clone(observer), settings.event_order_ids);
        Ok(Some(Self {
            settings,
            manner,
            engine: Arc::clone(engine),
            sender: OnceLock::new(),
            opening: Mutex::new(()),
            coming: Mutex::default(),
            taken: Condvar::new(),
            is_stopped: AtomicBool::new(false),
            events,
        }))
    }

    /// Opens the file, so that what cannot work shows at once. It stays open only if something in
    /// it is to be delivered; otherwise a process that only forks others has no use for it.
    pub(crate) fn try_out(&self) -> Result<(), Error> {
        let mut store = self.open()?;
        if self.settings.deliver && store.outlook()?.pending > 0 {
            drop(store);
            self.wake()?;
        }
        Ok(())
    }

    /// Takes an update in and waits until the endpoint has it.
    pub(crate) fn deliver(&self, update: Checked, call: &Attempts) -> Result<Receipt, Error> {
        let Ticket { id, warnings } = self.accept(update)?;
        let sender = self.sender()?;
        if sender.is_closing() {
            return Err(intake::after_close(id));
        }
        sender.await_update(id);
        let result = self.wait_for(sender, id, call.deadline);
        sender.forget(id);
        let attempts = Attempts {
            count: result.map_err(|error| error.accepted_as(id))?,
            ..*call
        };
        Ok(attempts.receipt(warnings))
    }

    /// What this process sends it hears of itself; only now and then does it look into the file,
    /// for what another one sent.
    fn wait_for(&self, sender: &Sender, id: UpdateId, deadline: Instant) -> Result<u32, Error> {
        loop {
            if let Some(result) = self.settled_elsewhere(id) {
                return result;
            }
            let next_look = deadline.min(Instant::now() + interrupt::slice_of(POLL));
            if let Some(result) = sender.result_within(id, next_look) {
                return result;
            }
            if Instant::now() >= deadline || interrupt::is_over() {
                return Err(intake::out_of_time(id));
            }
        }
    }

    /// What came of an update by another process's doing, or before anybody waited for it.
    fn settled_elsewhere(&self, id: UpdateId) -> Option<Result<u32, Error>> {
        let sender = self.sender().ok()?;
        match sender.group.ask_in_time(|store| store.whereabouts(id))? {
            Ok(Whereabouts::Pending) => None,
            Ok(Whereabouts::Gone) => Some(Ok(1)),
            Ok(Whereabouts::Dead) => Some(Err(self.refusal(id))),
            Err(error) => Some(Err(error)),
        }
    }

    fn refusal(&self, id: UpdateId) -> Error {
        let letters = self.dead_letters(id, 1).unwrap_or_default();
        match letters.first().filter(|letter| letter.id == id) {
            Some(letter) => match letter.status {
                Some(status) => Error::answered(ErrorCode::Rejected, status, None),
                None => Error::new(ErrorCode::OutboxFailed, letter.reason.clone()),
            },
            None => Error::new(ErrorCode::OutboxFailed, "the update became a dead letter"),
        }
    }

    pub(crate) fn stats(&self) -> Result<Stats, Error> {
        let sender = self.sender()?;
        match sender.damage() {
            Some(error) => Err(error),
            None => sender.group.ask(Store::stats),
        }
    }

    pub(crate) fn flush(&self, timeout: Duration) -> Result<u64, Error> {
        let deadline = deadline_in(timeout);
        let sender = self.sender()?;
        self.wait_for_intake(deadline);
        sender.group.ask(Store::check)?;
        if self.settings.deliver {
            self.commit(Work::Hasten)?;
            sender.end_pause();
        }
        self.wake()?;
        loop {
            let seen = sender.settlements();
            let left = sender.group.ask(Store::outlook)?.pending;
            if left == 0 || Instant::now() >= deadline {
                return Ok(left);
            }
            sender.wait_for_settlement(seen, deadline);
        }
    }

    pub(crate) fn close(&self, timeout: Duration) -> Result<u64, Error> {
        let sender = self.sender()?;
        sender.stop();
        let deadline = deadline_in(timeout);
        self.wait_for_intake(deadline);
        sender.wait_until_stopped(deadline);
        self.events.settle(deadline);
        Ok(sender.group.ask(Store::outlook)?.pending)
    }

    /// As `close`, unless this process has not used the outbox at all.
    pub(crate) fn close_if_open(&self, timeout: Duration) {
        if self.sender.get().is_some() {
            let _ = self.close(timeout); // Nobody is there to hear of it any more.
        }
    }

    /// Waits until nothing is in flight after `stop`.
    pub(crate) fn wait_until_stopped(&self, timeout: Duration) {
        let deadline = deadline_in(timeout);
        self.wait_for_intake(deadline);
        if let Some(sender) = self.sender.get() {
            sender.wait_until_stopped(deadline);
            self.events.settle(deadline);
        }
    }

    /// Delivers again after `close`, `close_if_open` or `stop`.
    pub(crate) fn resume(&self) {
        self.is_stopped.store(false, Ordering::SeqCst);
        if let Some(sender) = self.sender.get() {
            sender.resume();
        }
    }

    /// Delivers nothing more; does not wait.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        if let Some(sender) = self.sender.get() {
            sender.stop();
        }
    }

    pub(crate) fn dead_letters(&self, from: i64, most: usize) -> Result<Vec<DeadLetter>, Error> {
        let sender = self.sender()?;
        sender.group.ask(|store| store.dead_letters(from, most))
    }

    pub(crate) fn pending(&self, from: i64, most: usize) -> Result<Vec<PendingUpdate>, Error> {
        self.sender()?.group.ask(|store| store.pending(from, most))
    }

    pub(crate) fn replay(&self, id: UpdateId) -> Result<bool, Error> {
        let found = self.found(Work::Replay(id))?;
        self.wake()?;
        Ok(found)
    }

    pub(crate) fn discard(&self, id: UpdateId) -> Result<bool, Error> {
        let Remains { lane, payload } = match self.commit(Work::Discard(id))? {
            Effect::Discarded(remains) => remains,
            Effect::Refused(error) => return Err(error),
            _ => return Ok(false),
        };
        log::warn!(target: OUTBOX_LOG, "dead letter {id} was discarded");
        let order = self.events.label(EventKind::Discarded, lane, &payload);
        let event = Event::new(EventKind::Discarded, id, order, 0);
        Events::tell(&self.events, event);
        self.sender()?.erase();
        self.wake()?;
        Ok(true)
    }

    pub(crate) fn edit(&self, id: UpdateId, edited: Checked) -> Result<bool, Error> {
        let (stage, payload) = (edited.stage as i64, edited.payload);
        let is_found = self.found(Work::Edit { id, payload, stage })?;
        if is_found {
            self.sender()?.erase();
        }
        Ok(is_found)
    }

    fn found(&self, work: Work) -> Result<bool, Error> {
        match self.commit(work)? {
            Effect::Refused(error) => Err(error),
            Effect::Found(found) => Ok(found),
            _ => Err(unexpected()),
        }
    }

    fn commit(&self, work: Work) -> Result<Effect, Error> {
        let effects = self.sender()?.group.commit(vec![work])?;
        let effect = effects.into_iter().next();
        effect.ok_or_else(|| Error::internal("the outbox did nothing"))
    }

    fn wake(&self) -> Result<(), Error> {
        if self.settings.deliver {
            Sender::wake(self.sender()?);
        }
        Ok(())
    }

    fn sender(&self) -> Result<&Arc<Sender>, Error> {
        if let Some(sender) = self.sender.get() {
            return Ok(sender);
        }
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = self.sender.get() {
            return Ok(sender);
        }
        let upkeep = SqliteUpkeep::new(&self.settings.path);
        let store = self.open()?;
        let parts = Parts {
            watch: FileWatch::on(&self.settings.path).ok(),
            store: Box::new(store),
            upkeep: Box::new(upkeep),
            engine: Arc::clone(&self.engine),
            events: Arc::clone(&self.events),
            manner: self.manner.clone(),
        };
        let sender = self.sender.get_or_init(|| Arc::new(Sender::new(parts)));
        // Whatever opened the file: what earlier processes left in it is delivered from now on.
        if self.settings.deliver && sender.group.ask(Store::outlook)?.pending > 0 {
            Sender::wake(sender);
        }
        Ok(sender)
    }

    fn open(&self) -> Result<SqliteStore, Error> {
        let limits = Limits {
            rows: self.settings.capacity_rows,
            bytes: self.settings.capacity_bytes,
            collapse: self.settings.collapse,
        };
        SqliteStore::open(&Setup {
            path: self.settings.path.clone(),
            durability: self.settings.durability,
            busy_timeout: self.manner.timeout.min(LONGEST_BUSY_TIMEOUT),
            limits,
        })
    }
}

/// A wait that is too long for a clock is as good as one of a year.
fn deadline_in(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    Instant::now() + timeout.min(YEAR)
}

fn full(rows: u64, bytes: u64) -> Error {
    let text = format!(
        "the outbox is full: {rows} updates with {bytes} bytes wait in it; the update was not \
         accepted"
    );
    Error::new(ErrorCode::OutboxFull, text)
}

fn unexpected() -> Error {
    Error::internal("the outbox answered something else than it was asked")
}
