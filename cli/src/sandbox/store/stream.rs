//! The stream of requests: everything that was read, in order of arrival.

use super::Records;
use super::record::RequestOutcome;
use super::sql::{index, json, list, signed};
use crate::sandbox::update::iso_time;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

/// One request.
#[derive(Serialize)]
pub struct Entry {
    pub(super) seq: i64,
    received_at: String,
    site_id: Option<String>,
    order_id: Option<String>,
    outcome: &'static str,
    /// The status of the response; 0 if there was none.
    status: i64,
    fault: Option<Box<RawValue>>,
    refusal: Option<String>,
    /// The body as JSON, or as a string if it is not JSON.
    payload: Box<RawValue>,
    /// The body exactly as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    ignored: Box<RawValue>,
    warnings: Box<RawValue>,
}

/// A part of the stream.
#[derive(Serialize)]
pub struct Stream {
    updates: Vec<Entry>,
    /// The value of `since` that continues after this part.
    cursor: i64,
    more: bool,
}

/// Selects the columns that `Entry::of_row` reads.
pub const ENTRY: &str = "SELECT seq, received_ms, site_id, order_id, outcome, status, fault, \
    refusal, payload, ignored, warnings FROM updates";

impl Records {
    /// Everything that was read after a cursor; without one, the newest requests.
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
}

impl Entry {
    pub(super) fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let body: String = row.get(8)?;
        Ok(Self {
            seq: row.get(0)?,
            received_at: iso_time(row.get(1)?),
            site_id: row.get(2)?,
            order_id: row.get(3)?,
            outcome: RequestOutcome::name(row.get(4)?),
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
    /// Omits the exact bodies, which users' tests do not need.
    pub fn without_raw(mut self) -> Self {
        self.updates.iter_mut().for_each(|entry| entry.raw = None);
        self
    }
}
