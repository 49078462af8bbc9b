//! `katalys_client`: a client of the core, and the calls that C and PHP make with it.

use crate::bounded::BoundedQueue;
use crate::gate::Gate;
use crate::outcome::{Ending, Outcome};
use katalys_core::bridge::Bridge as _;
use katalys_core::{
    Call, Checked, Client, Error, Event, Fields, Language, Validation, Value, WorkingFolder,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Reports the orders of one site.
///
/// Create one client and keep it: it owns the connections. Any number of threads may use it at
/// once. It works across fork(): the child opens its own connections, and its own outbox, with its
/// first call. It starts threads only to resolve the endpoint's name and to deliver the updates of
/// its outbox.
///
/// With an outbox, exit() and a return from main() first finish the requests in flight, for up to
/// EXIT_WAIT seconds; pending updates stay in the file for the next process.
pub struct katalys_client {
    pub(crate) core: Client,
    /// Passes events to the observer of a C program.
    pub(crate) gate: Arc<Gate>,
    /// Collects events for PHP.
    pub(crate) events: Arc<CollectedEvents>,
}

/// What a call does with an update.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Send,
    Enqueue,
    Validate,
}

/// Whether the caller logs each kind of warning the first time it occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logging {
    On,
    Off,
}

impl katalys_client {
    pub(crate) fn new(
        language: Language,
        folder: WorkingFolder,
        options: &Fields<'_>,
    ) -> Result<Self, Error> {
        Ok(Self {
            core: Client::with_options_in(folder, language, options)?,
            gate: Arc::default(),
            events: Arc::default(),
        })
    }

    /// Makes one call, from its values to its outcome. Not inlined: the compiler would repeat
    /// it for each function of the interface.
    #[inline(never)]
    pub(crate) fn call(
        &self,
        call: Call,
        operation: Operation,
        logging: Logging,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Outcome {
        let began = Instant::now();
        let ending = match operation {
            Operation::Send => self.send(call, order_id, fields),
            Operation::Enqueue => self.enqueue(call, order_id, fields),
            Operation::Validate => self.validate(call, order_id, fields),
        };
        let elapsed = match &ending {
            Ending::Received(receipt) => receipt.elapsed,
            _ => began.elapsed(),
        };
        let mut outcome = Outcome::new(ending).within(elapsed);
        if logging == Logging::On && operation != Operation::Validate {
            outcome.mark_first(|problems| self.core.unlogged(problems));
        }
        outcome
    }

    fn check(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Checked, Error> {
        self.core.prepare(call, order_id, fields)
    }

    fn send(&self, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) -> Ending {
        let checked = match self.check(call, order_id, fields) {
            Ok(checked) => checked,
            Err(error) => return Ending::Failed(error, Vec::new()),
        };
        let warnings = checked.warnings.clone();
        match self.core.send(checked) {
            Ok(receipt) => Ending::Received(receipt),
            Err(error) => Ending::Failed(error, warnings),
        }
    }

    fn enqueue(&self, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) -> Ending {
        let checked = self
            .core
            .require_outbox()
            .and_then(|()| self.check(call, order_id, fields));
        let checked = match checked {
            Ok(checked) => checked,
            Err(error) => return Ending::Failed(error, Vec::new()),
        };
        let warnings = checked.warnings.clone();
        match self.core.enqueue(checked) {
            Ok(ticket) => Ending::Accepted(ticket),
            Err(error) => Ending::Failed(error, warnings),
        }
    }

    fn validate(&self, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) -> Ending {
        match self.check(call, order_id, fields) {
            Ok(checked) => Ending::Checked(Validation {
                payload: Some(checked.payload),
                problems: checked.warnings,
            }),
            Err(error) => Ending::Failed(error, Vec::new()),
        }
    }

    /// Collects the events of this client from now on, for PHP.
    pub(crate) fn collect_events(&self) {
        if self.events.is_collecting.swap(true, Ordering::Relaxed) {
            return;
        }
        let events = Arc::clone(&self.events);
        self.core
            .observe(move |new| events.queue.push_all(new.iter().cloned()));
    }
}

/// Events that PHP, which no other thread may call, has not read yet.
#[derive(Default)]
pub(crate) struct CollectedEvents {
    is_collecting: AtomicBool,
    pub queue: BoundedQueue<Event, LARGEST_COLLECTION>,
}

/// Beyond this number, the oldest events are dropped.
const LARGEST_COLLECTION: usize = 1000;
