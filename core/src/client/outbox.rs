//! What a client with an outbox can do.

use super::bridge::Bridge;
use super::process::Client;
use crate::error::{Error, ErrorCode};
use crate::order::{Call, Fields, Value, fields_from_json};
use crate::pipeline::Outbox;
use crate::results::{DeadLetter, Event, PendingUpdate, Stats, Ticket};
use std::sync::Arc;
use std::time::Duration;

impl Client {
    /// Accepts an order update, and returns when it is safe on disk. It is sent in the background, after
    /// the earlier updates of the same order.
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

    /// Accepts a complete order, with the fields that the endpoint requires, like
    /// [`enqueue_update`](Self::enqueue_update).
    ///
    /// # Errors
    /// As for [`enqueue_update`](Self::enqueue_update).
    pub fn enqueue_report<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Ticket, Error> {
        self.accept(Call::Report, &order_id.into(), &fields.into())
    }

    /// Calls `observer` with the events of this process, in order, on a thread of the client. A client
    /// has one observer; false if it has one already.
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

    /// The counters.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.with_outbox(|outbox| outbox.stats())
    }

    /// Waits until nothing is pending, up to `timeout`; returns the number of pending updates.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn flush(&self, timeout: Duration) -> Result<u64, Error> {
        self.with_outbox(|outbox| outbox.flush(timeout))
    }

    /// Ends delivery: no new request starts, and requests in flight finish, up to `timeout`. Returns the
    /// number of pending updates, which the next process delivers.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn close(&self, timeout: Duration) -> Result<u64, Error> {
        self.with_outbox(|outbox| outbox.close(timeout))
    }

    /// Up to `limit` dead letters from number `from` on, in order.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn dead_letters(&self, from: i64, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.with_outbox(|outbox| outbox.dead_letters(from, limit))
    }

    /// Up to `limit` pending updates from number `from` on, in order.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn pending_updates(&self, from: i64, limit: usize) -> Result<Vec<PendingUpdate>, Error> {
        self.with_outbox(|outbox| outbox.pending(from, limit))
    }

    /// Puts a dead letter back into its order's lane, at its original place. False if there is none.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn replay(&self, id: i64) -> Result<bool, Error> {
        self.with_outbox(|outbox| outbox.replay(id))
    }

    /// Removes a dead letter, and counts it as discarded. False if there is none.
    ///
    /// # Errors
    /// `OutboxError`, or `ConfigError` without an outbox.
    pub fn discard(&self, id: i64) -> Result<bool, Error> {
        self.with_outbox(|outbox| outbox.discard(id))
    }

    /// Changes fields of a dead letter and keeps all others; null removes a field. False if there is no
    /// such dead letter.
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

    pub(super) fn with_outbox<T>(
        &self,
        act: impl FnOnce(&Arc<Outbox>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let process = self.process()?;
        let outbox = process.outbox.as_ref();
        act(outbox.ok_or_else(|| self.without_outbox())?)
    }

    pub(super) fn without_outbox(&self) -> Error {
        let text = format!(
            "{} is not set; give the client the path of a file that keeps updates until they are \
             sent, such as katalys.db",
            self.config.language.spell("outbox")
        );
        Error::new(ErrorCode::ConfigMissing, text)
    }
}

/// The fields of a payload with changes. `order_id` and `site_id` decide the lane and cannot change.
fn merged<'m>(payload: &'m [u8], changes: &Fields<'m>) -> Result<(Value<'m>, Fields<'m>), Error> {
    let unreadable = |_| Error::new(ErrorCode::OutboxCorrupt, "the dead letter cannot be read");
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
            let text = "order_id and site_id of a dead letter cannot change; discard it, and send \
                        a new update";
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
