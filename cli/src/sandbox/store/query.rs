//! Answers questions about the records: lists, one order, the stream of updates.

use super::record::{Merged, Outcome, count_up, read_fields};
use super::{Books, Names, Tick};
use crate::sandbox::update::iso_time;
use katalys_core::{Call, Fields, Problem, Validation, Value};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Which orders a list is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the id, or of one that was merged into it.
    pub order_id: Option<String>,
    pub status: Option<String>,
    pub site_id: Option<String>,
    /// The order's time in Unix milliseconds, from and up to.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Only those with something ignored or suspicious.
    pub flagged: bool,
}

/// What an id leads to.
pub enum Found<T> {
    Nothing,
    One(T),
    /// Several sites have an order of this id.
    Sites(Vec<String>),
}

/// One page of a list, newest change first.
#[derive(Serialize)]
pub struct Page {
    orders: Vec<Summary>,
    /// How many orders the filter lets through.
    total: u64,
    offset: u64,
    /// How many there are per status and per site, whatever the filter.
    statuses: HashMap<String, u64>,
    sites: HashMap<String, u64>,
    #[serde(flatten)]
    tick: Counts,
}

/// How much there is altogether.
#[derive(Serialize)]
struct Counts {
    revision: u64,
    /// The newest request's number.
    cursor: i64,
    all_orders: u64,
    all_updates: u64,
}

#[derive(Serialize)]
struct Summary {
    order_id: String,
    site_id: String,
    order_status: String,
    sale_amount: Option<String>,
    currency: Option<String>,
    order_time: Option<String>,
    first_received_at: String,
    last_received_at: String,
    updates: i64,
    ignored: i64,
    warnings: i64,
    returning_customer: bool,
    revision: i64,
}

/// One order, in the agreed form.
#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the agreed names")]
pub struct Order {
    pub order_id: String,
    pub site_id: String,
    #[serde(serialize_with = "plain_fields")]
    pub fields: Merged,
    pub updates: Vec<Recorded>,
    pub merged_from: Vec<String>,
}

#[derive(Serialize)]
pub struct Recorded {
    received_at: String,
    payload: Box<RawValue>,
    ignored: Box<RawValue>,
    warnings: Box<RawValue>,
}

/// One order with everything the page shows of it.
#[derive(Serialize)]
pub struct Details {
    #[serde(flatten)]
    summary: Summary,
    #[serde(serialize_with = "plain_fields")]
    fields: Merged,
    /// The update each field came from; 0 for a default.
    sources: HashMap<String, i64>,
    merged_from: Vec<String>,
    /// The newest requests, the oldest of them first.
    timeline: Vec<Entry>,
    requests: u64,
    /// What a whole report of this order would still be told.
    missing: Vec<Problem>,
}

/// One request in the stream.
#[derive(Serialize)]
pub struct Entry {
    seq: i64,
    received_at: String,
    site_id: Option<String>,
    order_id: Option<String>,
    outcome: &'static str,
    /// What it was answered with; 0 for no answer.
    status: i64,
    fault: Option<Box<RawValue>>,
    refusal: Option<String>,
    /// JSON where it was JSON, otherwise the text.
    payload: Box<RawValue>,
    /// The body as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    ignored: Box<RawValue>,
    warnings: Box<RawValue>,
}

/// A part of the stream.
#[derive(Serialize)]
pub struct Stream {
    updates: Vec<Entry>,
    /// Give it as `since` to continue from here.
    cursor: i64,
    more: bool,
}

const SUMMARY: &str = "SELECT order_id, site_id, status, sale, currency, order_time, first_ms, \
    last_ms, updates, ignored, warnings, order_count, last_seq, order_no FROM orders";
const ENTRY: &str = "SELECT seq, received_ms, site_id, order_id, outcome, status, fault, refusal, \
    payload, ignored, warnings FROM updates";
/// An id that more orders have in theirs is looked for in the list instead.
const MOST_NAMED: usize = 1000;
/// The most requests of one order that the page shows.
const LONGEST_TIMELINE: u64 = 500;

impl Books {
    /// Counts what there is, when a file is opened or a group was taken back.
    pub(super) fn count(&mut self) -> rusqlite::Result<()> {
        let number = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        let last = number("SELECT coalesce(max(seq), 0) FROM updates")?;
        let all = number("SELECT count(*) FROM updates")?;
        let with = |outcome: Outcome| {
            number(&format!(
                "SELECT count(*) FROM updates WHERE outcome > 0 AND outcome = {}",
                outcome as i64
            ))
        };
        let (refused, faulted) = (with(Outcome::Refused)?, with(Outcome::Faulted)?);
        let orders = number("SELECT count(*) FROM orders")?;
        self.names = None;
        self.tick = Tick {
            revision: self.tick.revision.max(unsigned(last)) + 1,
            orders: unsigned(orders),
            updates: unsigned(all - refused - faulted),
            refused: unsigned(refused),
            faulted: unsigned(faulted),
        };
        self.next_seq = self.next_seq.max(last + 1);
        let (mut statuses, mut sites) = (HashMap::new(), HashMap::new());
        let mut rows = self
            .connection
            .prepare("SELECT status, site_id FROM orders")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            count_up(&mut statuses, row.get_ref(0)?.as_str()?);
            count_up(&mut sites, row.get_ref(1)?.as_str()?);
        }
        (self.statuses, self.sites) = (statuses, sites);
        Ok(())
    }

    pub fn page(&mut self, filter: &Filter, offset: u64, limit: u64) -> rusqlite::Result<Page> {
        let (total, orders) = if *filter == Filter::default() {
            let sql = format!("{SUMMARY} ORDER BY last_seq DESC LIMIT ?1 OFFSET ?2");
            let mut rows = self.connection.prepare_cached(&sql)?;
            let orders = rows.query_map(params![signed(limit), signed(offset)], Summary::of_row)?;
            (self.tick.orders, orders.collect::<rusqlite::Result<_>>()?)
        } else {
            let matching = self.matching(filter)?;
            let total = matching.len() as u64;
            let wanted = matching
                .iter()
                .skip(index(offset))
                .take(index(limit))
                .copied();
            let wanted: Vec<i64> = wanted.collect();
            (total, self.summaries(&wanted)?)
        };
        Ok(Page {
            orders,
            total,
            offset,
            statuses: self.statuses.clone(),
            sites: self.sites.clone(),
            tick: Counts {
                revision: self.tick.revision,
                cursor: self.next_seq - 1,
                all_orders: self.tick.orders,
                all_updates: self.tick.updates,
            },
        })
    }

    fn summaries(&self, wanted: &[i64]) -> rusqlite::Result<Vec<Summary>> {
        let mut row = self
            .connection
            .prepare_cached(&format!("{SUMMARY} WHERE order_no = ?1"))?;
        wanted
            .iter()
            .map(|order_no| row.query_row([order_no], Summary::of_row))
            .collect()
    }

    /// Every order that a filter lets through; scrolling through them costs nothing more.
    fn matching(&mut self, filter: &Filter) -> rusqlite::Result<&[i64]> {
        let revision = self.tick.revision;
        let holds =
            matches!(&self.listed, Some((of, asked, _)) if *of == revision && asked == filter);
        if !holds {
            let matching = match self.named(filter)? {
                Some(orders) => self.narrow(filter, &orders)?,
                None => self.scan(filter)?,
            };
            self.listed = Some((revision, filter.clone(), matching));
        }
        Ok(self
            .listed
            .as_ref()
            .map_or(&[], |(_, _, matching)| matching))
    }

    /// The few orders that have the wanted part in one of their ids; none if they are many.
    fn named(&mut self, filter: &Filter) -> rusqlite::Result<Option<Vec<i64>>> {
        let Some(part) = &filter.order_id else {
            return Ok(None);
        };
        if self.names.is_none() {
            self.names = Some(self.all_names()?);
        }
        let names = self.names.as_ref();
        Ok(names.and_then(|names| names.find(part, MOST_NAMED)))
    }

    fn all_names(&self) -> rusqlite::Result<Names> {
        let mut names = Names::default();
        let mut rows = self
            .connection
            .prepare_cached("SELECT order_id, order_no FROM ids")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            names.add(row.get_ref(0)?.as_str()?, row.get(1)?);
        }
        Ok(names)
    }

    /// Those of some orders that the rest of the filter lets through, newest change first.
    fn narrow(&self, filter: &Filter, orders: &[i64]) -> rusqlite::Result<Vec<i64>> {
        let rest = Filter {
            order_id: None,
            ..filter.clone()
        };
        let (conditions, values) = rest.conditions();
        let sql = format!("SELECT last_seq FROM orders WHERE order_no = ?{conditions}");
        let mut row = self.connection.prepare_cached(&sql)?;
        let mut found = Vec::with_capacity(orders.len());
        for order_no in orders {
            let values: Vec<&dyn ToSql> = std::iter::once(order_no as &dyn ToSql)
                .chain(values.iter().copied())
                .collect();
            let last_seq: Option<i64> = row
                .query_row(values.as_slice(), |row| row.get(0))
                .optional()?;
            found.extend(last_seq.map(|last_seq| (Reverse(last_seq), *order_no)));
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, order_no)| order_no).collect())
    }

    fn scan(&self, filter: &Filter) -> rusqlite::Result<Vec<i64>> {
        let (conditions, values) = filter.conditions();
        let sql = format!(
            "SELECT order_no FROM orders INDEXED BY listed WHERE 1{conditions} ORDER BY last_seq DESC"
        );
        let mut rows = self.connection.prepare_cached(&sql)?;
        rows.query_map(values.as_slice(), |row| row.get(0))?
            .collect()
    }

    /// The order that an id leads to; without a site, if only one site has it.
    fn locate(&self, order_id: &str, site_id: Option<&str>) -> rusqlite::Result<Found<i64>> {
        if let Some(site_id) = site_id {
            return Ok(self
                .find(site_id, order_id)?
                .map_or(Found::Nothing, Found::One));
        }
        let mut rows = self.connection.prepare_cached(
            "SELECT site_id, order_no FROM ids WHERE order_id = ?1 ORDER BY site_id",
        )?;
        let found = rows.query_map([order_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(String, i64)> = found.collect::<rusqlite::Result<_>>()?;
        Ok(match found.as_slice() {
            [] => Found::Nothing,
            [(_, order_no)] => Found::One(*order_no),
            _ => Found::Sites(found.into_iter().map(|(site, _)| site).collect()),
        })
    }

    /// One order, in the agreed form.
    pub fn order(&self, order_id: &str, site_id: Option<&str>) -> rusqlite::Result<Found<Order>> {
        let order_no = match self.locate(order_id, site_id)? {
            Found::One(order_no) => order_no,
            Found::Nothing => return Ok(Found::Nothing),
            Found::Sites(sites) => return Ok(Found::Sites(sites)),
        };
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
        let updates = rows.query_map([order_no], Recorded::of_row)?;
        Ok(Found::One(Order {
            merged_from: self.other_ids(order_no, &order_id)?,
            order_id,
            site_id,
            fields,
            updates: updates.collect::<rusqlite::Result<_>>()?,
        }))
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
        let summary = self.summaries(&[order_no])?.remove(0);
        let fields = self
            .connection
            .prepare_cached("SELECT fields FROM orders WHERE order_no = ?1")?
            .query_row([order_no], |row| Ok(read_fields(row.get_ref(0)?.as_str()?)))?;
        let requests: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM updates WHERE order_no = ?1")?
            .query_row([order_no], |row| row.get(0))?;
        let sql = format!("{ENTRY} WHERE order_no = ?1 ORDER BY seq DESC LIMIT ?2");
        let mut rows = self.connection.prepare_cached(&sql)?;
        let newest = rows.query_map(params![order_no, signed(LONGEST_TIMELINE)], Entry::of_row)?;
        let mut timeline: Vec<Entry> = newest.collect::<rusqlite::Result<_>>()?;
        timeline.reverse();
        Ok(Some(Details {
            missing: missing(&summary, &fields),
            sources: fields
                .iter()
                .map(|(key, field)| (key.clone(), field.seq))
                .collect(),
            merged_from: self.other_ids(order_no, &summary.order_id)?,
            summary,
            fields,
            timeline,
            requests: unsigned(requests),
        }))
    }

    /// Everything that was read after a cursor, or the newest of it.
    pub fn stream(&self, since: Option<i64>, limit: u64) -> rusqlite::Result<Stream> {
        let mut updates = if let Some(since) = since {
            self.entries("WHERE seq > ?1 ORDER BY seq LIMIT ?2", since, limit + 1)?
        } else {
            let mut newest = self.entries("WHERE seq > ?1 ORDER BY seq DESC LIMIT ?2", 0, limit)?;
            newest.reverse();
            newest
        };
        let more = updates.len() as u64 > limit;
        updates.truncate(index(limit));
        let cursor = updates
            .last()
            .map_or(since.unwrap_or(self.next_seq - 1), |last| last.seq);
        Ok(Stream {
            updates,
            cursor,
            more,
        })
    }

    fn entries(&self, tail: &str, since: i64, limit: u64) -> rusqlite::Result<Vec<Entry>> {
        let mut rows = self.connection.prepare_cached(&format!("{ENTRY} {tail}"))?;
        rows.query_map(params![since, signed(limit)], Entry::of_row)?
            .collect()
    }

    /// The status and the number of updates of an order, for those who wait for them.
    pub fn progress(
        &self,
        order_id: &str,
        site_id: Option<&str>,
    ) -> rusqlite::Result<Found<(String, u64)>> {
        Ok(match self.locate(order_id, site_id)? {
            Found::Nothing => Found::Nothing,
            Found::Sites(sites) => Found::Sites(sites),
            Found::One(order_no) => {
                let row = self
                    .connection
                    .prepare_cached("SELECT status, updates FROM orders WHERE order_no = ?1")?
                    .query_row([order_no], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))
                    .optional()?;
                row.map_or(Found::Nothing, Found::One)
            }
        })
    }

    pub const fn tick(&self) -> Tick {
        self.tick
    }
}

impl Filter {
    /// What stands after WHERE, and its values.
    fn conditions(&self) -> (String, Vec<&dyn ToSql>) {
        let mut sql = String::new();
        let mut values: Vec<&dyn ToSql> = Vec::new();
        let mut add = |condition: &str, value| {
            sql.push_str(condition);
            values.push(value);
        };
        if let Some(part) = &self.order_id {
            add(" AND instr(order_id, ?) > 0", part);
        }
        if let Some(status) = &self.status {
            add(" AND status = ?", status);
        }
        if let Some(site_id) = &self.site_id {
            add(" AND site_id = ?", site_id);
        }
        if let Some(from) = &self.from {
            add(" AND placed_ms >= ?", from);
        }
        if let Some(to) = &self.to {
            add(" AND placed_ms < ?", to);
        }
        if self.flagged {
            sql.push_str(" AND flagged");
        }
        (sql, values)
    }
}

impl Summary {
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            order_id: row.get(0)?,
            site_id: row.get(1)?,
            order_status: row.get(2)?,
            sale_amount: row.get(3)?,
            currency: row.get(4)?,
            order_time: row.get(5)?,
            first_received_at: iso_time(row.get(6)?),
            last_received_at: iso_time(row.get(7)?),
            updates: row.get(8)?,
            ignored: row.get(9)?,
            warnings: row.get(10)?,
            returning_customer: row.get::<_, i64>(11)? > 1,
            revision: row.get(12)?,
        })
    }
}

impl Recorded {
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            received_at: iso_time(row.get(0)?),
            payload: json(row.get_ref(1)?.as_str()?),
            ignored: list(row.get_ref(2)?.as_str_or_null()?),
            warnings: list(row.get_ref(3)?.as_str_or_null()?),
        })
    }
}

impl Entry {
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let body: String = row.get(8)?;
        Ok(Self {
            seq: row.get(0)?,
            received_at: iso_time(row.get(1)?),
            site_id: row.get(2)?,
            order_id: row.get(3)?,
            outcome: Outcome::name(row.get(4)?),
            status: row.get(5)?,
            fault: row.get::<_, Option<String>>(6)?.as_deref().map(json),
            refusal: row.get(7)?,
            payload: json(&body),
            raw: Some(body),
            ignored: list(row.get_ref(9)?.as_str_or_null()?),
            warnings: list(row.get_ref(10)?.as_str_or_null()?),
        })
    }
}

impl Stream {
    /// Without the bodies a second time, for users' own tests.
    pub fn without_raw(mut self) -> Self {
        self.updates.iter_mut().for_each(|entry| entry.raw = None);
        self
    }
}

/// What `report_order` would say of the order as it stands, as far as something is missing.
fn missing(summary: &Summary, fields: &Merged) -> Vec<Problem> {
    let texts: Vec<(&str, String)> = fields
        .iter()
        .map(|(key, field)| (key.as_str(), crate::sandbox::update::text_of(&field.raw)))
        .collect();
    let fields: Fields<'_> = texts
        .iter()
        .map(|(key, text)| (*key, text.as_str()))
        .collect();
    let order_id = Value::from(summary.order_id.as_str());
    let checked = Validation::of(Call::Report, &summary.site_id, &order_id, &fields);
    let is_missing = |problem: &Problem| {
        use katalys_core::Code;
        matches!(problem.code, Code::Required | Code::SubtotalMissing)
    };
    checked.problems.into_iter().filter(is_missing).collect()
}

/// JSON as it stands; text that is not JSON, as a JSON text.
fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned())
        .or_else(|_| serde_json::value::to_raw_value(&text))
        .unwrap_or_default()
}

fn list(text: Option<&str>) -> Box<RawValue> {
    json(text.unwrap_or("[]"))
}

fn plain_fields<S: Serializer>(fields: &Merged, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (key, field) in fields {
        map.serialize_entry(key, &json(&field.raw))?;
    }
    map.end()
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
