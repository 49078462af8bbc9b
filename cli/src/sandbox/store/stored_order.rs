//! An order as it is stored, and how updates change it.

use crate::sandbox::update::{self, Pairs, Update};
use indexmap::IndexMap;
use rusqlite::Row;
use serde_json::value::RawValue;
use std::fmt::Write;

/// A field's value as JSON, and the update that set it; 0 for a default.
pub struct SourcedValue {
    pub seq: i64,
    pub raw: String,
}

pub type MergedFields = IndexMap<String, SourcedValue>;

/// One row of `orders`.
pub struct StoredOrder {
    pub number: Option<i64>,
    pub site_id: String,
    pub order_id: String,
    pub fields: MergedFields,
    pub status: String,
    pub first_ms: i64,
    pub last_ms: i64,
    pub last_seq: i64,
    pub updates: i64,
    pub ignored: i64,
    pub warnings: i64,
}

const DEFAULT_CURRENCY: &str = "\"USD\"";

impl StoredOrder {
    pub fn new(update: &Update, now: i64) -> Self {
        let time = format!("\"{}\"", update::order_time(now));
        let default = |raw: &str| SourcedValue {
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

    pub fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
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

    /// Merges an update.
    pub fn add(&mut self, update: &Update, seq: i64, now: i64) {
        for (key, raw) in &update.accepted {
            if key == "site_id" || key == "order_id" {
                continue;
            }
            if let Some(field) = self.fields.get_mut(key) {
                field.seq = seq;
                raw.clone_into(&mut field.raw);
            } else {
                self.fields.insert(
                    key.clone(),
                    SourcedValue {
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

    /// Adds the fields and counts of an order that is merged into this one.
    pub fn take_over(&mut self, newer: Self) {
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

/// Formats fields as `{"sale_amount":[12,"25.67"]}`: the update's number, and the value as sent.
pub fn write_fields(fields: &MergedFields) -> String {
    let mut text = String::with_capacity(512);
    for (key, field) in fields {
        text.push(if text.is_empty() { '{' } else { ',' });
        let key = serde_json::to_string(key).unwrap_or_default();
        let _ = write!(text, "{key}:[{},{}]", field.seq, field.raw);
    }
    text.push('}');
    text
}

pub fn read_fields(text: &str) -> MergedFields {
    let pairs: Result<Pairs<(i64, &RawValue)>, _> = serde_json::from_str(text);
    let pairs = pairs.map_or_else(|_| Vec::new(), |Pairs(pairs)| pairs);
    let sourced = |(seq, raw): (i64, &RawValue)| SourcedValue {
        seq,
        raw: raw.get().to_owned(),
    };
    pairs
        .into_iter()
        .map(|(key, value)| (key, sourced(value)))
        .collect()
}
