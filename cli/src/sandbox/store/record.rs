//! Records what arrived: merges an update into its order, and two orders where an alias says
//! that they are one.

use super::Books;
use crate::sandbox::update::{self, Pairs, Refusal, Update};
use indexmap::IndexMap;
use rusqlite::{OptionalExtension, Row, named_params, params};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt::Write;

/// A request that was read.
pub struct Arrival {
    pub received_ms: i64,
    pub body: String,
    pub content: Content,
    /// The rule of the fault it met, as JSON, and whether it counts all the same.
    pub fault: Option<(String, bool)>,
    /// The status it is answered with; 0 for none.
    pub status: u16,
}

/// What the request said.
pub enum Content {
    Update(Update),
    Unreadable(Refusal),
}

/// What became of a request, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Recorded = 0,
    Refused = 1,
    Faulted = 2,
}

impl Outcome {
    pub const fn name(number: i64) -> &'static str {
        match number {
            0 => "recorded",
            1 => "refused",
            _ => "faulted",
        }
    }
}

/// A field's value as JSON, and the update it came from; 0 for a default.
pub struct Sourced {
    pub seq: i64,
    pub raw: String,
}

pub type Merged = IndexMap<String, Sourced>;

/// One row of `orders`.
struct Held {
    number: Option<i64>,
    site_id: String,
    order_id: String,
    fields: Merged,
    status: String,
    first_ms: i64,
    last_ms: i64,
    last_seq: i64,
    updates: i64,
    ignored: i64,
    warnings: i64,
}

const DEFAULT_CURRENCY: &str = "\"USD\"";

impl Books {
    pub(super) fn record(&mut self, arrival: &Arrival) -> rusqlite::Result<()> {
        let seq = self.next_seq;
        self.next_seq += 1;
        let applies = arrival.fault.as_ref().is_none_or(|(_, applies)| *applies);
        let (outcome, order_no) = match &arrival.content {
            Content::Update(update) if applies => (
                Outcome::Recorded,
                Some(self.apply(update, seq, arrival.received_ms)?),
            ),
            Content::Update(update) => (
                Outcome::Faulted,
                self.find(&update.site_id, &update.order_id)?,
            ),
            Content::Unreadable(_) if arrival.fault.is_some() => (Outcome::Faulted, None),
            Content::Unreadable(_) => (Outcome::Refused, None),
        };
        self.keep(arrival, seq, outcome, order_no)?;
        self.tick.revision += 1;
        match outcome {
            Outcome::Recorded => self.tick.updates += 1,
            Outcome::Refused => self.tick.refused += 1,
            Outcome::Faulted => self.tick.faulted += 1,
        }
        Ok(())
    }

    fn keep(
        &self,
        arrival: &Arrival,
        seq: i64,
        outcome: Outcome,
        order_no: Option<i64>,
    ) -> rusqlite::Result<()> {
        let (site_id, order_id, ignored, warnings, refusal) = match &arrival.content {
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
        let fault = arrival.fault.as_ref().map(|(rule, _)| rule);
        self.connection
            .prepare_cached(
                "INSERT INTO updates VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                seq,
                order_no,
                arrival.received_ms,
                site_id,
                order_id,
                arrival.body,
                ignored,
                warnings,
                outcome as i64,
                arrival.status,
                fault,
                refusal
            ])?;
        Ok(())
    }

    /// Merges an update into its order, which is made if it is new.
    fn apply(&mut self, update: &Update, seq: i64, now: i64) -> rusqlite::Result<i64> {
        let found = self.find(&update.site_id, &update.order_id)?;
        let mut order = match found {
            Some(order_no) => self.load(order_no)?,
            None => Held::new(update, now),
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
            self.name(&update.site_id, &update.order_id, order_no)?;
        }
        if let Some(alias) = &update.alias {
            self.name(&update.site_id, alias, order_no)?;
        }
        Ok(order_no)
    }

    /// The order that an id leads to, its own or an alias.
    pub(super) fn find(&self, site_id: &str, order_id: &str) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT order_no FROM ids WHERE order_id = ?1 AND site_id = ?2")?
            .query_row([order_id, site_id], |row| row.get(0))
            .optional()
    }

    fn name(&mut self, site_id: &str, order_id: &str, order_no: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO ids VALUES (?1, ?2, ?3)")?
            .execute(params![order_id, site_id, order_no])?;
        if let Some(names) = &mut self.names {
            names.add(order_id, order_no);
        }
        Ok(())
    }

    /// Makes one order of two. The one that was there first keeps its id; of each field, the
    /// value that arrived last stays.
    fn merge(&mut self, this: Held, other: i64) -> rusqlite::Result<Held> {
        let other = self.load(other)?;
        let is_older = |order: &Held| order.number.unwrap_or(i64::MAX);
        let (mut older, newer) = if is_older(&this) < is_older(&other) {
            (this, other)
        } else {
            (other, this)
        };
        if let (Some(from), Some(to)) = (newer.number, older.number) {
            for repoint in [
                "UPDATE updates SET order_no = ?2 WHERE order_no = ?1",
                "UPDATE ids SET order_no = ?2 WHERE order_no = ?1",
            ] {
                self.connection
                    .prepare_cached(repoint)?
                    .execute([from, to])?;
            }
            self.connection
                .prepare_cached("DELETE FROM orders WHERE order_no = ?1")?
                .execute([from])?;
            self.tick.orders -= 1;
            self.names = None;
            count_down(&mut self.statuses, &newer.status);
            count_down(&mut self.sites, &newer.site_id);
        }
        older.take_over(newer);
        Ok(older)
    }

    fn load(&self, order_no: i64) -> rusqlite::Result<Held> {
        self.connection
            .prepare_cached(
                "SELECT site_id, order_id, fields, status, first_ms, last_ms, last_seq, updates,
                 ignored, warnings, order_no FROM orders WHERE order_no = ?1",
            )?
            .query_row([order_no], Held::of_row)
    }

    fn save(&mut self, order: &mut Held) -> rusqlite::Result<i64> {
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
            .and_then(|field| update::moment_of(&field.raw));
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
            self.tick.orders += 1;
            count_up(&mut self.sites, &order.site_id);
            count_up(&mut self.statuses, &status);
        } else if order.status != status {
            count_down(&mut self.statuses, &order.status);
            count_up(&mut self.statuses, &status);
        }
        Ok(*order
            .number
            .get_or_insert(self.connection.last_insert_rowid()))
    }
}

impl Held {
    fn new(update: &Update, now: i64) -> Self {
        let time = format!("\"{}\"", update::order_time(now));
        let default = |raw: &str| Sourced {
            seq: 0,
            raw: raw.to_owned(),
        };
        Self {
            number: None,
            site_id: update.site_id.clone(),
            order_id: update.order_id.clone(),
            fields: [
                ("order_time".to_owned(), default(&time)),
                ("currency".to_owned(), default(DEFAULT_CURRENCY)),
            ]
            .into_iter()
            .collect(),
            status: String::new(),
            first_ms: now,
            last_ms: now,
            last_seq: 0,
            updates: 0,
            ignored: 0,
            warnings: 0,
        }
    }

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            site_id: row.get(0)?,
            order_id: row.get(1)?,
            fields: read_fields(row.get_ref(2)?.as_str()?),
            status: row.get(3)?,
            first_ms: row.get(4)?,
            last_ms: row.get(5)?,
            last_seq: row.get(6)?,
            updates: row.get(7)?,
            ignored: row.get(8)?,
            warnings: row.get(9)?,
            number: row.get(10)?,
        })
    }

    fn add(&mut self, update: &Update, seq: i64, now: i64) {
        for (key, raw) in &update.taken {
            if key == "site_id" || key == "order_id" {
                continue;
            }
            if let Some(field) = self.fields.get_mut(key) {
                field.seq = seq;
                raw.clone_into(&mut field.raw);
            } else {
                self.fields.insert(
                    key.clone(),
                    Sourced {
                        seq,
                        raw: raw.clone(),
                    },
                );
            }
        }
        self.last_ms = now;
        self.last_seq = seq;
        self.updates += 1;
        self.ignored += count(update.ignored.len());
        self.warnings += count(update.warnings.len());
    }

    fn take_over(&mut self, newer: Self) {
        for (key, field) in newer.fields {
            match self.fields.get_mut(&key) {
                Some(own) if own.seq >= field.seq => {}
                Some(own) => *own = field,
                None => {
                    self.fields.insert(key, field);
                }
            }
        }
        self.first_ms = self.first_ms.min(newer.first_ms);
        self.updates += newer.updates;
        self.ignored += newer.ignored;
        self.warnings += newer.warnings;
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

pub(super) fn count_up(counts: &mut HashMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

fn count_down(counts: &mut HashMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn json_unless_empty<T: serde::Serialize>(items: &[T]) -> Option<String> {
    let json = (!items.is_empty()).then(|| serde_json::to_string(items));
    json.and_then(Result::ok)
}

/// `{"sale_amount":[12,"25.67"]}`: the value as it was sent, after the update's number.
fn write_fields(fields: &Merged) -> String {
    let mut text = String::with_capacity(512);
    for (key, field) in fields {
        text.push(if text.is_empty() { '{' } else { ',' });
        let key = serde_json::to_string(key).unwrap_or_default();
        let _ = write!(text, "{key}:[{},{}]", field.seq, field.raw);
    }
    text.push('}');
    text
}

pub(super) fn read_fields(text: &str) -> Merged {
    let pairs: Result<Pairs<(i64, &RawValue)>, _> = serde_json::from_str(text);
    let pairs = pairs.map_or_else(|_| Vec::new(), |Pairs(pairs)| pairs);
    let sourced = |(seq, raw): (i64, &RawValue)| Sourced {
        seq,
        raw: raw.get().to_owned(),
    };
    pairs
        .into_iter()
        .map(|(key, value)| (key, sourced(value)))
        .collect()
}
