//! One order: looked up by any of its ids, with its merged fields and its updates.

use super::Records;
use super::list::Summary;
use super::sql::{json, list, signed, unsigned};
use super::stored_order::{MergedFields, read_fields};
use super::stream::{ENTRY, Entry};
use crate::sandbox::update::{iso_time, text_of};
use katalys_core::{Call, Code, Fields, Problem, Validation, Value};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// The result of looking up an id.
pub enum Lookup<T> {
    NotFound,
    One(T),
    /// The sites that have an order of this id.
    Ambiguous(Vec<String>),
}

impl<T> Lookup<T> {
    fn and_then<U>(
        self,
        map: impl FnOnce(T) -> rusqlite::Result<Option<U>>,
    ) -> rusqlite::Result<Lookup<U>> {
        Ok(match self {
            Self::NotFound => Lookup::NotFound,
            Self::Ambiguous(sites) => Lookup::Ambiguous(sites),
            Self::One(found) => map(found)?.map_or(Lookup::NotFound, Lookup::One),
        })
    }
}

/// One order, for users' tests.
#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the documented names")]
pub struct Order {
    pub order_id: String,
    pub site_id: String,
    #[serde(serialize_with = "values_only")]
    pub fields: MergedFields,
    pub updates: Vec<RecordedUpdate>,
    pub merged_from: Vec<String>,
}

#[derive(Serialize)]
pub struct RecordedUpdate {
    received_at: String,
    payload: Box<RawValue>,
    ignored: Box<RawValue>,
    warnings: Box<RawValue>,
}

/// One order, with everything that the page shows of it.
#[derive(Serialize)]
pub struct Details {
    #[serde(flatten)]
    summary: Summary,
    #[serde(serialize_with = "values_only")]
    fields: MergedFields,
    /// The update that set each field; 0 for a default.
    sources: HashMap<String, i64>,
    merged_from: Vec<String>,
    /// The newest requests, oldest first.
    timeline: Vec<Entry>,
    requests: u64,
    /// What a report of the whole order still requires.
    missing: Vec<Problem>,
}

/// Maximum number of requests of one order that the page shows.
const MAX_TIMELINE: u64 = 500;

impl Records {
    /// The order of an id; without a site, if only one site has it.
    fn locate(&self, order_id: &str, site_id: Option<&str>) -> rusqlite::Result<Lookup<i64>> {
        if let Some(site_id) = site_id {
            let found = self.find(site_id, order_id)?;
            return Ok(found.map_or(Lookup::NotFound, Lookup::One));
        }
        let mut rows = self.connection.prepare_cached(
            "SELECT site_id, order_no FROM ids WHERE order_id = ?1 ORDER BY site_id",
        )?;
        let found = rows.query_map([order_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(String, i64)> = found.collect::<rusqlite::Result<_>>()?;
        Ok(match found.as_slice() {
            [] => Lookup::NotFound,
            [(_, order_no)] => Lookup::One(*order_no),
            _ => Lookup::Ambiguous(found.into_iter().map(|(site, _)| site).collect()),
        })
    }

    pub fn order(&self, order_id: &str, site_id: Option<&str>) -> rusqlite::Result<Lookup<Order>> {
        self.locate(order_id, site_id)?
            .and_then(|order_no| self.order_of(order_no).map(Some))
    }

    fn order_of(&self, order_no: i64) -> rusqlite::Result<Order> {
        let (order_id, site_id, fields) = self
            .connection
            .prepare_cached("SELECT order_id, site_id, fields FROM orders WHERE order_no = ?1")?
            .query_row([order_no], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get(1)?,
                    read_fields(row.get_ref(2)?.as_str()?),
                ))
            })?;
        let mut rows = self.connection.prepare_cached(
            "SELECT received_ms, payload, ignored, warnings FROM updates
             WHERE order_no = ?1 AND outcome = 0 ORDER BY seq",
        )?;
        let updates = rows.query_map([order_no], RecordedUpdate::of_row)?;
        Ok(Order {
            merged_from: self.other_ids(order_no, &order_id)?,
            order_id,
            site_id,
            fields,
            updates: updates.collect::<rusqlite::Result<_>>()?,
        })
    }

    fn other_ids(&self, order_no: i64, own: &str) -> rusqlite::Result<Vec<String>> {
        let mut rows = self.connection.prepare_cached(
            "SELECT order_id FROM ids WHERE order_no = ?1 AND order_id <> ?2 ORDER BY order_id",
        )?;
        rows.query_map(params![order_no, own], |row| row.get(0))?
            .collect()
    }

    pub fn details(&self, order_id: &str, site_id: &str) -> rusqlite::Result<Option<Details>> {
        let Some(order_no) = self.find(site_id, order_id)? else {
            return Ok(None);
        };
        let summary = self.summary(order_no)?;
        let fields = self
            .connection
            .prepare_cached("SELECT fields FROM orders WHERE order_no = ?1")?
            .query_row([order_no], |row| Ok(read_fields(row.get_ref(0)?.as_str()?)))?;
        let requests: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM updates WHERE order_no = ?1")?
            .query_row([order_no], |row| row.get(0))?;
        Ok(Some(Details {
            missing: missing(&summary, &fields),
            sources: fields
                .iter()
                .map(|(key, field)| (key.clone(), field.seq))
                .collect(),
            merged_from: self.other_ids(order_no, &summary.order_id)?,
            summary,
            fields,
            timeline: self.timeline(order_no)?,
            requests: unsigned(requests),
        }))
    }

    fn timeline(&self, order_no: i64) -> rusqlite::Result<Vec<Entry>> {
        let sql = format!("{ENTRY} WHERE order_no = ?1 ORDER BY seq DESC LIMIT ?2");
        let mut rows = self.connection.prepare_cached(&sql)?;
        let newest = rows.query_map(params![order_no, signed(MAX_TIMELINE)], Entry::of_row)?;
        let mut timeline: Vec<Entry> = newest.collect::<rusqlite::Result<_>>()?;
        timeline.reverse();
        Ok(timeline)
    }

    /// Status and number of updates of an order, for callers that wait for them.
    pub fn progress(
        &self,
        order_id: &str,
        site_id: Option<&str>,
    ) -> rusqlite::Result<Lookup<(String, u64)>> {
        self.locate(order_id, site_id)?.and_then(|order_no| {
            self.connection
                .prepare_cached("SELECT status, updates FROM orders WHERE order_no = ?1")?
                .query_row([order_no], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))
                .optional()
        })
    }
}

impl RecordedUpdate {
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            received_at: iso_time(row.get(0)?),
            payload: json(row.get_ref(1)?.as_str()?),
            ignored: list(row.get_ref(2)?.as_str_or_null()?),
            warnings: list(row.get_ref(3)?.as_str_or_null()?),
        })
    }
}

/// The fields that `report_order` requires and the order lacks.
fn missing(summary: &Summary, fields: &MergedFields) -> Vec<Problem> {
    let texts: Vec<(&str, String)> = fields
        .iter()
        .map(|(key, field)| (key.as_str(), text_of(&field.raw)))
        .collect();
    let fields: Fields<'_> = texts
        .iter()
        .map(|(key, text)| (*key, text.as_str()))
        .collect();
    let order_id = Value::from(summary.order_id.as_str());
    let checked = Validation::of(Call::Report, &summary.site_id, &order_id, &fields);
    let is_missing =
        |problem: &Problem| matches!(problem.code, Code::Required | Code::SubtotalMissing);
    checked.problems.into_iter().filter(is_missing).collect()
}

fn values_only<S: Serializer>(fields: &MergedFields, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (key, field) in fields {
        map.serialize_entry(key, &json(&field.raw))?;
    }
    map.end()
}
