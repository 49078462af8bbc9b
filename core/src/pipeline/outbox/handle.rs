//! A client's outbox in one process. The file is opened on first use, so that a process which only
//! forks others has no connection for them to inherit.

use super::delivery::{Delivery, Parts};
use super::dispatcher;
use super::intake::Intake;
use super::options::DeliveryOptions;
use crate::config::{Config, OutboxSettings};
use crate::error::Error;
use crate::pipeline::events::{Events, ObserverSlot};
use crate::pipeline::link::Link;
use crate::queue::sqlite::{Limits, Setup, SqliteCheckpointer, SqliteStore};
use crate::queue::store::{Effect, Store, Work};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How long a call waits while another process writes to the file; at most the client's `timeout`.
const LONGEST_BUSY_TIMEOUT: Duration = Duration::from_secs(15);

/// The outbox of one client in one process.
pub(crate) struct Outbox {
    pub(super) settings: OutboxSettings,
    pub(super) intake: Arc<Intake>,
    pub(super) events: Arc<Events>,
    options: DeliveryOptions,
    link: Arc<Link>,
    delivery: OnceLock<Arc<Delivery>>,
    opening: Mutex<()>,
    is_stopped: AtomicBool,
}

impl Outbox {
    /// The outbox of a client, if its settings name one.
    pub(crate) fn configured(
        config: &Config,
        link: &Arc<Link>,
        observer: &Arc<ObserverSlot>,
    ) -> Result<Option<Self>, Error> {
        let Some(settings) = config.outbox.clone() else {
            return Ok(None);
        };
        Ok(Some(Self {
            options: DeliveryOptions::new(config, &settings)?,
            events: Events::new(Arc::clone(observer), settings.event_order_ids),
            intake: Arc::default(),
            link: Arc::clone(link),
            delivery: OnceLock::new(),
            opening: Mutex::new(()),
            is_stopped: AtomicBool::new(false),
            settings,
        }))
    }

    /// Opens the file, so that the caller learns at once if it cannot be used. Keeps it open only
    /// if it has updates that this client delivers.
    pub(crate) fn try_open(&self) -> Result<(), Error> {
        let mut store = self.open_store()?;
        if self.settings.deliver && store.backlog()?.pending > 0 {
            drop(store);
            self.wake()?;
        }
        Ok(())
    }

    /// The open outbox; opens it on first use.
    pub(super) fn delivery(&self) -> Result<&Arc<Delivery>, Error> {
        if let Some(delivery) = self.delivery.get() {
            return Ok(delivery);
        }
        let _guard = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(delivery) = self.delivery.get() {
            return Ok(delivery);
        }
        let delivery = self.open()?;
        let delivery = self.delivery.get_or_init(|| delivery);
        if self.is_stopped.load(Ordering::SeqCst) {
            delivery.stop(); // Stopped before it was opened.
        }
        // The file may have updates of earlier processes, which no later call would deliver.
        if self.settings.deliver && delivery.group.ask(Store::backlog)?.pending > 0 {
            dispatcher::wake(delivery);
        }
        Ok(delivery)
    }

    /// The open outbox; `None` if this process has not used it yet.
    pub(super) fn opened(&self) -> Option<&Arc<Delivery>> {
        self.delivery.get()
    }

    /// Wakes the dispatcher, unless this client does not deliver.
    pub(super) fn wake(&self) -> Result<(), Error> {
        if self.settings.deliver {
            dispatcher::wake(self.delivery()?);
        }
        Ok(())
    }

    /// Commits one piece of work, and returns its effect.
    pub(super) fn commit(&self, work: Work) -> Result<Effect, Error> {
        let effects = self.delivery()?.group.commit(vec![work].into())?;
        effects.into_iter().next().ok_or_else(unexpected)
    }

    /// Stops delivery; does not wait for the requests in flight.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        if let Some(delivery) = self.opened() {
            delivery.stop();
        }
    }

    /// Allows delivery again after `stop` or `close`.
    pub(crate) fn resume(&self) {
        self.is_stopped.store(false, Ordering::SeqCst);
        if let Some(delivery) = self.opened() {
            delivery.resume();
        }
    }

    fn open(&self) -> Result<Arc<Delivery>, Error> {
        let store = self.open_store()?;
        Ok(Arc::new(Delivery::new(Parts {
            path: self.settings.path.clone(),
            checkpointer: Box::new(SqliteCheckpointer::new(&self.settings.path)),
            store: Box::new(store),
            link: Arc::clone(&self.link),
            events: Arc::clone(&self.events),
            options: self.options.clone(),
        })))
    }

    fn open_store(&self) -> Result<SqliteStore, Error> {
        let limits = Limits {
            rows: self.settings.capacity_rows,
            bytes: self.settings.capacity_bytes,
            collapse: self.settings.collapse,
        };
        SqliteStore::open(&Setup {
            path: self.settings.path.clone(),
            durability: self.settings.durability,
            busy_timeout: self.options.timeout.min(LONGEST_BUSY_TIMEOUT),
            limits,
        })
    }
}

pub(super) fn unexpected() -> Error {
    Error::internal("the outbox returned an unexpected result")
}
