//! Recognises the rows of an outbox by their columns and their content.

use super::btree::{Node, Row, Value};
use super::pages::{Pages, Place};
use crate::order::{self, fields_from_json};
use crate::queue::clock::Millis;
use crate::queue::sqlite::counters::Counters;
use crate::queue::sqlite::lane::size_of;
use crate::queue::sqlite::schema::{self, counters, lanes, updates};
use crate::queue::store::{CLOSED, LaneId, StageNumber, UpdateId};

/// A larger id comes from a damaged row.
const MAX_ID: UpdateId = 1 << 53;

/// A recognised row.
pub(super) enum Found {
    Update(Update),
    Dead(Dead),
    Lane(LaneId, Lane),
    Counters(CountersRow),
    Schema(SchemaRow),
}

/// Where a payload can be read again, so that not all payloads are in memory at once.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub page: u32,
    pub place: Place,
    pub cell: usize,
}

/// An update: pending, or a dead letter.
#[derive(Clone)]
pub(super) struct Update {
    pub id: UpdateId,
    pub lane: LaneId,
    pub accepted_at: Millis,
    pub stage: StageNumber,
    /// None for a dead letter.
    pub next: Option<UpdateId>,
    pub size: i64,
    pub source: Source,
    /// Whether a newer image of its page may be lost, so that the update may not exist any more.
    pub is_stale: bool,
}

#[derive(Clone)]
pub(super) struct Dead {
    pub update: Update,
    pub died_at: Millis,
    pub status: Option<i64>,
    pub code: String,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub due: Millis,
    pub head: Option<UpdateId>,
    pub tail: Option<UpdateId>,
    pub failures: i64,
    pub started: i64,
    pub paid: Option<UpdateId>,
    pub closed: Option<UpdateId>,
    pub is_stale: bool,
}

/// The row of the counters.
#[derive(Clone, Debug)]
pub(super) struct CountersRow {
    pub counters: Counters,
    pub is_stale: bool,
}

#[derive(Clone, Debug)]
pub(super) struct SchemaRow {
    pub name: String,
    pub is_index: bool,
    pub root: u32,
}

/// The number of columns of `sqlite_schema`.
const SCHEMA_COLUMNS: usize = 5;

/// Recognises a row; none if it does not belong to an outbox.
pub(super) fn recognise(row: &Row, source: Source, is_stale: bool) -> Option<Found> {
    let cells = Cells(&row.values);
    let width = row.values.len();
    if width == SCHEMA_COLUMNS {
        return schema_row(cells).map(Found::Schema);
    }
    if width == updates::NAMES.len() {
        return update(row.id, cells, source, is_stale).map(Found::Update);
    }
    // The other tables have the same number of columns, of different types.
    if width != counters::NAMES.len() {
        return None;
    }
    if cells.is_blob(schema::dead::PAYLOAD) {
        return dead(row.id, cells, source, is_stale).map(Found::Dead);
    }
    if cells.is_text(counters::BOOT) {
        return counters(cells, is_stale).map(Found::Counters);
    }
    lane(cells, is_stale).map(|lane| Found::Lane(row.id, lane))
}

/// Reads the payload of an update again.
pub(super) fn payload(pages: &Pages<'_>, source: Source) -> Option<Vec<u8>> {
    let node = Node::parse(source.page, source.place, pages.at(source.place)?)?;
    let mut row = node.row(pages, source.cell)?;
    match row.values.get_mut(updates::PAYLOAD)? {
        Value::Blob(payload) => Some(std::mem::take(payload)),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Cells<'a>(&'a [Value]);

impl Cells<'_> {
    fn integer(&self, at: usize) -> Option<i64> {
        match self.0.get(at)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// An integer or null; the outer option is none for any other value.
    #[allow(
        clippy::option_option,
        reason = "the outer one is none for a damaged row"
    )]
    fn nullable(&self, at: usize) -> Option<Option<i64>> {
        match self.0.get(at)? {
            Value::Null => Some(None),
            Value::Integer(number) => Some(Some(*number)),
            _ => None,
        }
    }

    #[allow(
        clippy::option_option,
        reason = "the outer one is none for a damaged row"
    )]
    fn id(&self, at: usize) -> Option<Option<UpdateId>> {
        self.nullable(at).filter(|id| id.is_none_or(is_id))
    }

    fn text(&self, at: usize) -> Option<String> {
        match self.0.get(at)? {
            Value::Text(text) => String::from_utf8(text.clone()).ok(),
            _ => None,
        }
    }

    fn is_blob(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Value::Blob(_)))
    }

    fn is_text(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Value::Text(_)))
    }

    fn is_null(&self, at: usize) -> bool {
        self.0.get(at) == Some(&Value::Null)
    }
}

fn is_id(id: UpdateId) -> bool {
    (1..MAX_ID).contains(&id)
}

fn schema_row(cells: Cells<'_>) -> Option<SchemaRow> {
    let (kind, name, sql) = (cells.text(0)?, cells.text(1)?, cells.text(4)?);
    let root = u32::try_from(cells.integer(3)?).ok()?;
    let is_known = matches!(kind.as_str(), "table" | "index");
    (is_known && sql.starts_with("CREATE ")).then_some(SchemaRow {
        name,
        is_index: kind == "index",
        root,
    })
}

fn update(id: UpdateId, cells: Cells<'_>, source: Source, is_stale: bool) -> Option<Update> {
    let next = cells.id(updates::NEXT)?;
    common(id, cells, next, source, is_stale)
}

fn common(
    id: UpdateId,
    cells: Cells<'_>,
    next: Option<UpdateId>,
    source: Source,
    is_stale: bool,
) -> Option<Update> {
    let Value::Blob(payload) = cells.0.get(updates::PAYLOAD)? else {
        return None;
    };
    let stage = cells.integer(updates::STAGE)?;
    let is_plausible = cells.is_null(updates::ID)
        && is_id(id)
        && (0..=CLOSED).contains(&stage)
        && is_payload(payload);
    is_plausible.then_some(Update {
        id,
        lane: cells.integer(updates::LANE)?,
        accepted_at: cells.integer(updates::ACCEPTED_AT)?,
        stage,
        next,
        size: size_of(payload),
        source,
        is_stale,
    })
}

/// Whether a payload is a JSON object with the ids of an order.
fn is_payload(payload: &[u8]) -> bool {
    let Ok(fields) = fields_from_json(payload) else {
        return false;
    };
    let has = |key| {
        let mut fields = fields.iter();
        fields.any(|(name, value)| name == key && matches!(value, order::Value::Text(_)))
    };
    has("site_id") && has("order_id")
}

fn dead(id: UpdateId, cells: Cells<'_>, source: Source, is_stale: bool) -> Option<Dead> {
    let update = common(id, cells, None, source, is_stale)?;
    let status = cells.nullable(schema::dead::STATUS)?;
    Some(Dead {
        update,
        died_at: cells.integer(schema::dead::DIED_AT)?,
        status: status.filter(|status| (0..=999).contains(status)),
        code: cells.text(schema::dead::CODE)?,
        reason: cells.text(schema::dead::REASON)?,
    })
}

fn lane(cells: Cells<'_>, is_stale: bool) -> Option<Lane> {
    cells.nullable(lanes::OWNER)?; // Its lease ends with the repair.
    let (failures, started) = (
        cells.integer(lanes::FAILURES)?,
        cells.integer(lanes::STARTED)?,
    );
    let is_plausible = cells.is_null(lanes::LANE) && failures >= 0 && started >= 0;
    is_plausible.then_some(Lane {
        due: cells.integer(lanes::DUE)?,
        head: cells.id(lanes::HEAD)?,
        tail: cells.id(lanes::TAIL)?,
        failures,
        started,
        paid: cells.id(lanes::PAID)?,
        closed: cells.id(lanes::CLOSED)?,
        is_stale,
    })
}

fn counters(cells: Cells<'_>, is_stale: bool) -> Option<CountersRow> {
    let integer = |column| cells.integer(column).ok_or(());
    let text = |column| cells.text(column).ok_or(());
    let counters = Counters::from_columns(integer, text).ok()?;
    let counts = [counters.delivered, counters.dead, counters.discarded];
    let is_plausible = (0..MAX_ID).contains(&counters.accepted)
        && counts
            .iter()
            .all(|count| (0..=counters.accepted).contains(count));
    is_plausible.then_some(CountersRow { counters, is_stale })
}
