//! Pages of the list of orders, filtered, newest change first.

use super::sql::{index, signed};
use super::{IdIndex, Records};
use crate::sandbox::update::iso_time;
use rusqlite::{OptionalExtension, Row, ToSql, params};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Selects the orders of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the id, or of an id that was merged into it.
    pub order_id: Option<String>,
    pub status: Option<String>,
    pub site_id: Option<String>,
    /// The order's time in Unix milliseconds: the first, and the first after the last.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Only orders with ignored values or warnings.
    pub flagged: bool,
}

/// One page of a list.
#[derive(Serialize)]
pub struct Page {
    orders: Vec<Summary>,
    /// The number of orders that match the filter.
    total: u64,
    offset: u64,
    /// The number of orders per status and per site, whatever the filter.
    statuses: HashMap<String, u64>,
    sites: HashMap<String, u64>,
    #[serde(flatten)]
    totals: Totals,
}

#[derive(Serialize)]
struct Totals {
    revision: u64,
    /// The sequence number of the newest request.
    cursor: i64,
    all_orders: u64,
    all_updates: u64,
}

/// One order in a list.
#[derive(Serialize)]
pub struct Summary {
    pub(super) order_id: String,
    pub(super) site_id: String,
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

const SUMMARY: &str = "SELECT order_id, site_id, status, sale, currency, order_time, first_ms, \
    last_ms, updates, ignored, warnings, order_count, last_seq, order_no FROM orders";
/// For a part of an id with more matches than this, scanning the list's index is faster.
const MAX_ID_MATCHES: usize = 1000;

impl Records {
    pub fn page(&mut self, filter: &Filter, offset: u64, limit: u64) -> rusqlite::Result<Page> {
        let (total, orders) = if *filter == Filter::default() {
            (self.counters.orders, self.newest(offset, limit)?)
        } else {
            let matching = self.matching(filter)?;
            let total = matching.len() as u64;
            let page = matching.iter().skip(index(offset)).take(index(limit));
            let page: Vec<i64> = page.copied().collect();
            (total, self.summaries(&page)?)
        };
        Ok(Page {
            orders,
            total,
            offset,
            statuses: self.statuses.clone(),
            sites: self.sites.clone(),
            totals: Totals {
                revision: self.counters.revision,
                cursor: self.next_seq - 1,
                all_orders: self.counters.orders,
                all_updates: self.counters.updates,
            },
        })
    }

    fn newest(&self, offset: u64, limit: u64) -> rusqlite::Result<Vec<Summary>> {
        let sql = format!("{SUMMARY} ORDER BY last_seq DESC LIMIT ?1 OFFSET ?2");
        let mut rows = self.connection.prepare_cached(&sql)?;
        rows.query_map(params![signed(limit), signed(offset)], Summary::of_row)?
            .collect()
    }

    fn summaries(&self, orders: &[i64]) -> rusqlite::Result<Vec<Summary>> {
        orders
            .iter()
            .map(|order_no| self.summary(*order_no))
            .collect()
    }

    pub(super) fn summary(&self, order_no: i64) -> rusqlite::Result<Summary> {
        self.connection
            .prepare_cached(&format!("{SUMMARY} WHERE order_no = ?1"))?
            .query_row([order_no], Summary::of_row)
    }

    /// Every order that matches a filter. The result is kept, so that scrolling costs nothing more.
    fn matching(&mut self, filter: &Filter) -> rusqlite::Result<&[i64]> {
        let revision = self.counters.revision;
        let is_current =
            matches!(&self.listed, Some((of, asked, _)) if *of == revision && asked == filter);
        if !is_current {
            let matching = match self.matching_ids(filter)? {
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

    /// The orders that have the filter's part in one of their ids; `None` if there are many.
    fn matching_ids(&mut self, filter: &Filter) -> rusqlite::Result<Option<Vec<i64>>> {
        let Some(part) = &filter.order_id else {
            return Ok(None);
        };
        if self.id_index.is_none() {
            self.id_index = Some(self.build_id_index()?);
        }
        let ids = self.id_index.as_ref();
        Ok(ids.and_then(|ids| ids.find(part, MAX_ID_MATCHES)))
    }

    fn build_id_index(&self) -> rusqlite::Result<IdIndex> {
        let mut ids = IdIndex::default();
        let mut rows = self
            .connection
            .prepare_cached("SELECT order_id, order_no FROM ids")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            ids.add(row.get_ref(0)?.as_str()?, row.get(1)?);
        }
        Ok(ids)
    }

    /// The given orders that match the rest of the filter, newest change first.
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
}

impl Filter {
    /// Conditions for a WHERE clause, and their values.
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
