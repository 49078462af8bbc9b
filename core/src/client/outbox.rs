//! What a client can do that has an outbox.

use super::Client;
use crate::error::{Error, ErrorCode};
use crate::order::{Call, Checked, Fields, Value, fields_from_json};
use crate::pipeline::outbox::{Arrival, Outbox, Then};
use crate::results::{DeadLetter, Event, EventKind, PendingUpdate, Stats, Ticket};
use std::sync::Arc;
use std::time::Duration;

impl Client {
    /// Accepts what became of an order, and returns when it is safe on disk. It is sent in the
    /// background, after the earlier updates of the same order.
    ///
    /// # Errors
    /// `ValidationError`; `OutboxError` or `OutboxFullError` if it could not be accepted;
    /// `ConfigError` on a client without an outbox.
    pub fn enqueue_update<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Ticket, Error> {
        self.accept(Call::Update, &order_id.into(), &fields.into())
    }

    /// Accepts an order as a whole, with the fields the endpoint requires of it, as
    /// [`enqueue_update`](Self::enqueue_update) does.
    ///
    /// # Errors
    /// As there.
    pub fn enqueue_report<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Ticket, Error> {
        self.accept(Call::Report, &order_id.into(), &fields.into())
    }

    /// The second half of the two, for bindings.
    ///
    /// # Errors
    /// As there, without `ValidationError`.
    pub fn enqueue(&self, update: Checked) -> Result<Ticket, Error> {
        self.with_outbox(|outbox| outbox.accept(update))
    }

    /// As [`enqueue`](Self::enqueue), on a thread of the client's own, which calls `complete` with
    /// the result. Never waits, not even for the file to be opened.
    ///
    /// # Errors
    /// `ConfigError` without an outbox, or `InternalError` if the system gives no thread; then
    /// `complete` is not called.
    pub fn enqueue_soon(
        &self,
        update: Checked,
        complete: impl FnOnce(Result<Ticket, Error>) + Send + 'static,
    ) -> Result<(), Error> {
        let process = self.process()?;
        let outbox = process
            .outbox
            .as_ref()
            .ok_or_else(|| self.without_outbox())?;
        let then = Then::Accepted(Box::new(complete));
        Outbox::accept_soon(outbox, Arrival { update, then })
    }

    /// Calls `observer` with what happens to updates in this process, in order, on a thread of the
    /// client's own. The first observer stays; false if there was one already.
    ///
    /// ```no_run
    /// # use katalys_core::{Client, EventKind, Fields, Language};
    /// # let options = Fields::new().set("site_id", "abcd.com").set("outbox", "katalys.db");
    /// # let client = Client::with_options(Language::Rust, &options)?;
    /// client.observe(|events| {
    ///     for event in events.iter().filter(|event| event.kind == EventKind::DeadLettered) {
    ///         eprintln!("update {} was refused: {:?}", event.id, event.status);
    ///     }
    /// });
    /// # Ok::<(), katalys_core::Error>(())
    /// ```
    pub fn observe(&self, observer: impl Fn(&[Event]) + Send + Sync + 'static) -> bool {
        self.observer.set(Arc::new(observer))
    }

    /// From now on the observer hears of these kinds only; the others cost nothing.
    pub fn listen_for(&self, kinds: &[EventKind]) {
        self.observer.listen_for(kinds);
    }

    /// For bindings, which ask before they look at the caller's values.
    ///
    /// # Errors
    /// `ConfigError` without an outbox.
    pub fn require_outbox(&self) -> Result<(), Error> {
        match self.config.outbox {
            Some(_) => Ok(()),
            None => Err(self.without_outbox()),
        }
    }

    /// Asks on a thread of its own, for those who must not wait, and calls `complete` there with
    /// the answer.
    ///
    /// # Errors
    /// `InternalError` if the system gives no thread; then `complete` is not called.
    pub fn aside<T>(
        self: &Arc<Self>,
        question: impl FnOnce(&Self) -> T + Send + 'static,
        complete: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), Error> {
        let client = Arc::clone(self);
        let run = move || complete(question(&client));
        let started = crate::thread::spawn_with_large_stack("katalys-aside", run);
        let refused = |error| Error::internal(format!("no thread can be started: {error}"));
        started.map_err(refused)
    }

    /// Whether this client has an outbox.
    pub fn has_outbox(&self) -> bool {
        self.config.outbox.is_some()
    }

    /// As [`close`](Self::close), for the end of a process: does nothing if this process has not
    /// used the outbox.
    pub fn shut_down(&self, timeout: Duration) {
        let process = self.process.load();
        if process.id == std::process::id()
            && let Some(outbox) = &process.outbox
        {
            outbox.close_if_open(timeout);
        }
    }

    /// Ends delivery for now, where the process may end or not: updates in flight finish, and no
    /// further one is sent before [`resume`](Self::resume). Does not wait.
    pub fn pause(&self) {
        self.in_this_process(Outbox::stop);
    }

    /// Waits until a paused client has nothing in flight, for `timeout` at most, or until it resumes.
    pub fn wait_until_paused(&self, timeout: Duration) {
        self.in_this_process(|outbox| outbox.wait_until_stopped(timeout));
    }

    /// Takes back [`pause`](Self::pause) and [`shut_down`](Self::shut_down): the next update starts
    /// delivery again.
    pub fn resume(&self) {
        self.in_this_process(Outbox::resume);
    }

    /// A forked child leaves its parent's outbox alone.
    fn in_this_process(&self, act: impl FnOnce(&Outbox)) {
        let process = self.process.load();
        if process.id == std::process::id()
            && let Some(outbox) = &process.outbox
        {
            act(outbox);
        }
    }

    /// The books.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.with_outbox(Outbox::stats)
    }

    /// Waits until nothing is pending, for so long at most; returns how many updates are left.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn flush(&self, timeout: Duration) -> Result<u64, Error> {
        self.with_outbox(|outbox| outbox.flush(timeout))
    }

    /// Ends delivery: nothing new is sent, what is on its way comes to its end, for so long at
    /// most. Returns how many updates are left in the file, for the next process.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn close(&self, timeout: Duration) -> Result<u64, Error> {
        self.with_outbox(|outbox| outbox.close(timeout))
    }

    /// Dead letters from this number on, in order, at most so many.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn dead_letters(&self, from: i64, most: usize) -> Result<Vec<DeadLetter>, Error> {
        self.with_outbox(|outbox| outbox.dead_letters(from, most))
    }

    /// Pending updates from this number on, in order, at most so many.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn pending_updates(&self, from: i64, most: usize) -> Result<Vec<PendingUpdate>, Error> {
        self.with_outbox(|outbox| outbox.pending(from, most))
    }

    /// Puts a dead letter back into its order's lane, at its old place. False if there is none.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn replay(&self, id: i64) -> Result<bool, Error> {
        self.with_outbox(|outbox| outbox.replay(id))
    }

    /// Removes a dead letter for good; it is counted. False if there is none.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn discard(&self, id: i64) -> Result<bool, Error> {
        self.with_outbox(|outbox| outbox.discard(id))
    }

    /// Changes fields of a dead letter, all others staying as they are; null takes one out. False
    /// if there is no such dead letter.
    ///
    /// # Errors
    /// `ValidationError`, `OutboxError`, or `ConfigError` without an outbox.
    pub fn edit<'v>(&self, id: i64, fields: impl Into<Fields<'v>>) -> Result<bool, Error> {
        let changes = fields.into();
        let found = self.with_outbox(|outbox| outbox.dead_letters(id, 1))?;
        let Some(letter) = found.into_iter().find(|letter| letter.id == id) else {
            return Ok(false);
        };
        let (order_id, fields) = merged(&letter.payload, &changes)?;
        let edited = self.prepare(Call::Update, &order_id, &fields)?;
        self.with_outbox(|outbox| outbox.edit(id, edited))
    }

    fn accept(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Ticket, Error> {
        self.require_outbox()?;
        let update = self.prepare(call, order_id, fields)?;
        let ticket = self.enqueue(update)?;
        for warning in self.unlogged(&ticket.warnings) {
            log::warn!(target: "katalys", "{warning}");
        }
        Ok(ticket)
    }

    fn with_outbox<T>(&self, act: impl FnOnce(&Outbox) -> Result<T, Error>) -> Result<T, Error> {
        let process = self.process()?;
        let outbox = process.outbox.as_ref();
        act(outbox.ok_or_else(|| self.without_outbox())?)
    }

    fn without_outbox(&self) -> Error {
        let text = format!(
            "{} is not set; give the client the path of a file that keeps updates until they are \
             sent, such as katalys.db",
            self.config.language.spell("outbox")
        );
        Error::new(ErrorCode::ConfigMissing, text)
    }
}

/// The fields of a payload with changes to them. `order_id` and `site_id` decide which lane the
/// update is in, so these two stay.
fn merged<'m>(payload: &'m [u8], changes: &Fields<'m>) -> Result<(Value<'m>, Fields<'m>), Error> {
    let unreadable = |_| Error::new(ErrorCode::OutboxCorrupt, "the dead letter is not readable");
    let mut order_id = Value::Null;
    let mut fields = Fields::new();
    for (key, value) in fields_from_json(payload).map_err(unreadable)? {
        if key == "order_id" {
            order_id = value;
        } else if is_identity(&key) || changes.iter().all(|(changed, _)| changed != key) {
            fields.push(key, value);
        }
    }
    for (key, value) in changes.pairs() {
        if is_identity(key) {
            let text = "a dead letter keeps its order_id and site_id; discard it and report anew";
            return Err(Error::misuse(text));
        }
        fields.push(key.clone(), value.clone());
    }
    Ok((order_id, fields))
}

fn is_identity(key: &str) -> bool {
    matches!(key, "order_id" | "site_id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_what_is_given_and_nothing_else() {
        let payload = br#"{"site_id":"a.com","order_id":"1","sale_amount":"5","own":12345678901234567.89,"count":2}"#;
        let changes = Fields::new().set("sale_amount", "6");
        let (order_id, fields) = merged(payload, &changes).expect("readable");
        assert!(order_id == Value::from("1"));
        let expected = Fields::new()
            .set("site_id", "a.com")
            .set("own", Value::Decimal("12345678901234567.89".into()))
            .set("count", 2)
            .set("sale_amount", "6");
        assert!(fields == expected);
        for identity in ["order_id", "site_id"] {
            let error = merged(payload, &Fields::new().set(identity, "x")).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Misuse);
        }
        let error = merged(b"{", &changes).unwrap_err();
        assert_eq!(error.code(), ErrorCode::OutboxCorrupt);
    }
}
