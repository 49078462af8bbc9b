//! Records requests: merges an update into its order, and two orders that an alias joins.

use super::Records;
use super::counters::{decrement, increment};
use super::stored_order::{StoredOrder, write_fields};
use crate::sandbox::update::{self, Refusal, Update};
use rusqlite::{OptionalExtension, named_params, params};

/// A request that was read.
pub struct ReceivedRequest {
    pub received_ms: i64,
    pub body: String,
    pub content: Content,
    /// The rule of the fault as JSON, and whether the update is applied nevertheless.
    pub fault: Option<(String, bool)>,
    /// The status of the response; 0 if there is none.
    pub status: u16,
}

/// What a request contains.
pub enum Content {
    Update(Update),
    Unreadable(Refusal),
}

/// The outcome of a request, as stored in `updates.outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    Recorded = 0,
    Refused = 1,
    Faulted = 2,
}

impl RequestOutcome {
    pub const fn name(number: i64) -> &'static str {
        match number {
            0 => "recorded",
            1 => "refused",
            _ => "faulted",
        }
    }
}

impl Records {
    pub(super) fn record(&mut self, request: &ReceivedRequest) -> rusqlite::Result<()> {
        let seq = self.next_seq;
        self.next_seq += 1;
        let is_applied = request
            .fault
            .as_ref()
            .is_none_or(|(_, is_applied)| *is_applied);
        let (outcome, order_no) = match &request.content {
            Content::Update(update) if is_applied => (
                RequestOutcome::Recorded,
                Some(self.apply(update, seq, request.received_ms)?),
            ),
            Content::Update(update) => (
                RequestOutcome::Faulted,
                self.find(&update.site_id, &update.order_id)?,
            ),
            Content::Unreadable(_) if request.fault.is_some() => (RequestOutcome::Faulted, None),
            Content::Unreadable(_) => (RequestOutcome::Refused, None),
        };
        self.insert(request, seq, outcome, order_no)?;
        self.counters.revision += 1;
        match outcome {
            RequestOutcome::Recorded => self.counters.updates += 1,
            RequestOutcome::Refused => self.counters.refused += 1,
            RequestOutcome::Faulted => self.counters.faulted += 1,
        }
        Ok(())
    }

    fn insert(
        &self,
        request: &ReceivedRequest,
        seq: i64,
        outcome: RequestOutcome,
        order_no: Option<i64>,
    ) -> rusqlite::Result<()> {
        let (site_id, order_id, ignored, warnings, refusal) = match &request.content {
            Content::Update(update) => (
                Some(update.site_id.as_str()),
                Some(update.order_id.as_str()),
                json_unless_empty(&update.ignored),
                json_unless_empty(&update.warnings),
                None,
            ),
            Content::Unreadable(refusal) => (
                refusal.site_id.as_deref(),
                refusal.order_id.as_deref(),
                None,
                None,
                Some(refusal.message.as_str()),
            ),
        };
        let fault = request.fault.as_ref().map(|(rule, _)| rule);
        self.connection
            .prepare_cached(
                "INSERT INTO updates VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                seq,
                order_no,
                request.received_ms,
                site_id,
                order_id,
                request.body,
                ignored,
                warnings,
                outcome as i64,
                request.status,
                fault,
                refusal
            ])?;
        Ok(())
    }

    /// Merges an update into its order, and creates the order if it is new.
    fn apply(&mut self, update: &Update, seq: i64, now: i64) -> rusqlite::Result<i64> {
        let found = self.find(&update.site_id, &update.order_id)?;
        let mut order = match found {
            Some(order_no) => self.load_order(order_no)?,
            None => StoredOrder::new(update, now),
        };
        if let Some(alias) = &update.alias
            && let Some(other) = self.find(&update.site_id, alias)?
            && found != Some(other)
        {
            order = self.merge(order, other)?;
        }
        order.add(update, seq, now);
        let order_no = self.save(&mut order)?;
        if found.is_none() {
            self.link_id(&update.site_id, &update.order_id, order_no)?;
        }
        if let Some(alias) = &update.alias {
            self.link_id(&update.site_id, alias, order_no)?;
        }
        Ok(order_no)
    }

    /// The order of an id, which may be an alias.
    pub(super) fn find(&self, site_id: &str, order_id: &str) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT order_no FROM ids WHERE order_id = ?1 AND site_id = ?2")?
            .query_row([order_id, site_id], |row| row.get(0))
            .optional()
    }

    fn link_id(&mut self, site_id: &str, order_id: &str, order_no: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO ids VALUES (?1, ?2, ?3)")?
            .execute(params![order_id, site_id, order_no])?;
        if let Some(ids) = &mut self.id_index {
            ids.add(order_id, order_no);
        }
        Ok(())
    }

    /// Merges two orders. The older one keeps its id; each field keeps its latest value.
    fn merge(&mut self, this: StoredOrder, other: i64) -> rusqlite::Result<StoredOrder> {
        let other = self.load_order(other)?;
        let age = |order: &StoredOrder| order.number.unwrap_or(i64::MAX);
        let (mut older, newer) = if age(&this) < age(&other) {
            (this, other)
        } else {
            (other, this)
        };
        if let (Some(from), Some(to)) = (newer.number, older.number) {
            for statement in [
                "UPDATE updates SET order_no = ?2 WHERE order_no = ?1",
                "UPDATE ids SET order_no = ?2 WHERE order_no = ?1",
            ] {
                self.connection
                    .prepare_cached(statement)?
                    .execute([from, to])?;
            }
            self.connection
                .prepare_cached("DELETE FROM orders WHERE order_no = ?1")?
                .execute([from])?;
            self.counters.orders -= 1;
            self.id_index = None;
            decrement(&mut self.statuses, &newer.status);
            decrement(&mut self.sites, &newer.site_id);
        }
        older.take_over(newer);
        Ok(older)
    }

    fn load_order(&self, order_no: i64) -> rusqlite::Result<StoredOrder> {
        self.connection
            .prepare_cached(
                "SELECT site_id, order_id, fields, status, first_ms, last_ms, last_seq, updates,
                 ignored, warnings, order_no FROM orders WHERE order_no = ?1",
            )?
            .query_row([order_no], StoredOrder::of_row)
    }

    fn save(&mut self, order: &mut StoredOrder) -> rusqlite::Result<i64> {
        let text = |name: &str| {
            order
                .fields
                .get(name)
                .map(|field| update::text_of(&field.raw))
        };
        let status = text("order_status").unwrap_or_default();
        let placed = order
            .fields
            .get("order_time")
            .and_then(|field| update::unix_milliseconds(&field.raw));
        let order_count = text("order_count").and_then(|count| count.parse::<f64>().ok());
        #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
        let order_count = order_count.unwrap_or(0.0) as i64;
        self.connection
            .prepare_cached(
                "INSERT INTO orders VALUES (:order_no, :site_id, :order_id, :fields, :status, :sale,
                 :currency, :order_time, :placed_ms, :first_ms, :last_ms, :last_seq, :updates,
                 :ignored, :warnings, :flagged, :order_count)
                 ON CONFLICT(order_no) DO UPDATE SET fields=:fields, status=:status, sale=:sale,
                 currency=:currency, order_time=:order_time, placed_ms=:placed_ms, first_ms=:first_ms,
                 last_ms=:last_ms, last_seq=:last_seq, updates=:updates, ignored=:ignored,
                 warnings=:warnings, flagged=:flagged, order_count=:order_count",
            )?
            .execute(named_params! {
                ":order_no": order.number, ":site_id": order.site_id, ":order_id": order.order_id,
                ":fields": write_fields(&order.fields), ":status": status, ":sale": text("sale_amount"),
                ":currency": text("currency"), ":order_time": text("order_time"),
                ":placed_ms": placed.unwrap_or(order.first_ms), ":first_ms": order.first_ms,
                ":last_ms": order.last_ms, ":last_seq": order.last_seq, ":updates": order.updates,
                ":ignored": order.ignored, ":warnings": order.warnings,
                ":flagged": order.ignored + order.warnings > 0, ":order_count": order_count,
            })?;
        if order.number.is_none() {
            self.counters.orders += 1;
            increment(&mut self.sites, &order.site_id);
            increment(&mut self.statuses, &status);
        } else if order.status != status {
            decrement(&mut self.statuses, &order.status);
            increment(&mut self.statuses, &status);
        }
        Ok(*order
            .number
            .get_or_insert(self.connection.last_insert_rowid()))
    }
}

fn json_unless_empty<T: serde::Serialize>(items: &[T]) -> Option<String> {
    let json = (!items.is_empty()).then(|| serde_json::to_string(items));
    json.and_then(Result::ok)
}
