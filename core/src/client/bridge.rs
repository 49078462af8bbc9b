//! What bindings need beyond the public interface: calls in two halves, so that a runtime can release
//! its lock in between, calls that do not block, and the end of a process. Not for applications; it
//! may change with any version.

use super::process::Client;
use super::submission::Submission;
use crate::error::Error;
use crate::order::{self, Call, Checked, Fields, Problem, Value};
use crate::pipeline::{CallProgress, Completion, Job, Outbox, PendingEnqueue};
use crate::results::{EventKind, Receipt, Ticket, Validation};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The methods of [`Client`] for bindings.
pub trait Bridge {
    /// Checks an update and sends nothing.
    fn validate(&self, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) -> Validation;

    /// The first half of a call: everything that reads the caller's values.
    ///
    /// # Errors
    /// `ValidationError` with every problem.
    fn prepare(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Checked, Error>;

    /// The second half of a waiting call: sends on this thread, after the earlier updates of the same
    /// order.
    ///
    /// # Errors
    /// `RejectedError`, `TransportError`, `TimeoutError` or `OutboxError`.
    fn send(&self, update: Checked) -> Result<Receipt, Error>;

    /// The second half of a call that does not block: sends on a thread of the client, which calls
    /// `complete` with the result.
    ///
    /// # Errors
    /// `ConfigError` if, after a fork, a file that the settings name can no longer be read.
    fn submit(
        &self,
        update: Checked,
        complete: impl FnOnce(Result<Receipt, Error>) + Send + 'static,
    ) -> Result<Submission, Error>;

    /// The second half of `enqueue_update` and `enqueue_report`.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    fn enqueue(&self, update: Checked) -> Result<Ticket, Error>;

    /// As `enqueue`, on a thread of the client, which calls `complete` with the result. Does not block,
    /// even while the file is being opened.
    ///
    /// # Errors
    /// `ConfigError` without an outbox, or `InternalError` if the system refuses a thread; then
    /// `complete` is not called.
    fn enqueue_async(
        &self,
        update: Checked,
        complete: impl FnOnce(Result<Ticket, Error>) + Send + 'static,
    ) -> Result<(), Error>;

    /// Runs `query` on a thread of its own, which calls `complete` with its result, for callers that
    /// must not block.
    ///
    /// # Errors
    /// `InternalError` if the system refuses a thread; then `complete` is not called.
    fn spawn_blocking<T>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> T + Send + 'static,
        complete: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), Error>;

    /// The warnings whose code this client has not logged yet: each code is logged once, while
    /// receipts contain all warnings.
    fn unlogged<'p>(&self, warnings: &'p [Problem]) -> impl Iterator<Item = &'p Problem>;

    /// Limits the observer to events of these kinds; no others are created from now on.
    fn listen_for(&self, kinds: &[EventKind]);

    /// Whether this client has an outbox.
    fn has_outbox(&self) -> bool;

    /// Fails without an outbox. For calls that need one, before they read the caller's values.
    ///
    /// # Errors
    /// `ConfigError` without an outbox.
    fn require_outbox(&self) -> Result<(), Error>;

    /// As `close`, at the end of a process: does nothing if this process has not used the outbox.
    fn shut_down(&self, timeout: Duration);

    /// Stops delivery, for a process that may or may not be about to end: requests in flight
    /// finish, and no new one starts before [`resume`](Self::resume). Does not block.
    fn pause(&self);

    /// Waits until a paused client has nothing in flight or is resumed, up to `timeout`.
    fn wait_until_paused(&self, timeout: Duration);

    /// Undoes [`pause`](Self::pause) and [`shut_down`](Self::shut_down): the next update starts delivery
    /// again.
    fn resume(&self);
}

impl Bridge for Client {
    fn validate(&self, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) -> Validation {
        order::check(&self.context(call), order_id, fields).into()
    }

    fn prepare(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Checked, Error> {
        order::check(&self.context(call), order_id, fields).map_err(Error::validation)
    }

    fn send(&self, update: Checked) -> Result<Receipt, Error> {
        let call = CallProgress::within(self.config.timeout);
        let process = self.process()?;
        match &process.outbox {
            Some(outbox) => outbox.deliver(update, &call),
            None => process.direct.send(update, call),
        }
    }

    fn submit(
        &self,
        update: Checked,
        complete: impl FnOnce(Result<Receipt, Error>) + Send + 'static,
    ) -> Result<Submission, Error> {
        let process = self.process()?;
        let cancelled = Arc::new(AtomicBool::new(false));
        let submission = Submission {
            cancelled: Arc::clone(&cancelled),
        };
        let call = CallProgress::within(self.config.timeout);
        let complete = Box::new(complete);
        let Some(outbox) = &process.outbox else {
            process.direct.submit(Job {
                update,
                call,
                cancelled,
                complete,
            });
            return Ok(submission);
        };
        let completion = Completion::Delivered {
            call,
            cancelled,
            complete,
        };
        Outbox::enqueue_async(outbox, PendingEnqueue { update, completion })?;
        Ok(submission)
    }

    fn enqueue(&self, update: Checked) -> Result<Ticket, Error> {
        self.with_outbox(|outbox| outbox.accept(update))
    }

    fn enqueue_async(
        &self,
        update: Checked,
        complete: impl FnOnce(Result<Ticket, Error>) + Send + 'static,
    ) -> Result<(), Error> {
        let completion = Completion::Accepted(Box::new(complete));
        self.with_outbox(|outbox| {
            Outbox::enqueue_async(outbox, PendingEnqueue { update, completion })
        })
    }

    fn spawn_blocking<T>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> T + Send + 'static,
        complete: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), Error> {
        let client = Arc::clone(self);
        let run = move || complete(query(&client));
        let started = crate::thread::spawn_with_large_stack("katalys-query", run);
        started.map_err(|error| Error::internal(format!("no thread can be started: {error}")))
    }

    fn unlogged<'p>(&self, warnings: &'p [Problem]) -> impl Iterator<Item = &'p Problem> {
        warnings.iter().filter(|warning| {
            let bit = 1_u64 << (warning.code as u8);
            self.logged.fetch_or(bit, Ordering::Relaxed) & bit == 0
        })
    }

    fn listen_for(&self, kinds: &[EventKind]) {
        self.observer.listen_for(kinds);
    }

    fn has_outbox(&self) -> bool {
        self.config.outbox.is_some()
    }

    fn require_outbox(&self) -> Result<(), Error> {
        match self.config.outbox {
            Some(_) => Ok(()),
            None => Err(self.without_outbox()),
        }
    }

    fn shut_down(&self, timeout: Duration) {
        self.in_this_process(|outbox| outbox.close_if_open(timeout));
    }

    fn pause(&self) {
        self.in_this_process(Outbox::stop);
    }

    fn wait_until_paused(&self, timeout: Duration) {
        self.in_this_process(|outbox| outbox.wait_until_stopped(timeout));
    }

    fn resume(&self) {
        self.in_this_process(Outbox::resume);
    }
}

impl Client {
    /// A forked child does not touch its parent's outbox.
    fn in_this_process(&self, act: impl FnOnce(&Outbox)) {
        let process = self.process.load();
        if process.id == std::process::id()
            && let Some(outbox) = &process.outbox
        {
            act(outbox);
        }
    }
}
