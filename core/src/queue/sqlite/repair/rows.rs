//! Recognises the rows of an outbox by their shape and by what they say.

use super::btree::{Node, Row, Value};
use super::pages::{Pages, Place};
use crate::queue::clock::{Era, Millis};
use crate::queue::sqlite::append::size_of;
use crate::queue::store::{CLOSED, LaneId, StageNumber, UpdateId};

/// An id that is larger comes from a damaged row.
const LARGEST_ID: UpdateId = 1 << 53;

/// A row that was recognised.
pub(super) enum Found {
    Update(Update),
    Dead(Dead),
    Lane(LaneId, Lane),
    Books(BooksRow),
    Schema(SchemaRow),
}

/// Where a payload can be read again, so that not all of them are in memory at once.
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
    /// None of a dead letter.
    pub next: Option<UpdateId>,
    pub size: i64,
    pub source: Source,
    /// Whether a newer image of its page may be lost, so that it may be gone already.
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

/// The counters, and the time.
#[derive(Clone, Debug)]
pub(super) struct BooksRow {
    pub accepted: i64,
    pub delivered: i64,
    pub dead: i64,
    pub discarded: i64,
    pub bytes: i64,
    pub era: Era,
    pub is_stale: bool,
}

#[derive(Clone, Debug)]
pub(super) struct SchemaRow {
    pub name: String,
    pub is_index: bool,
    pub root: u32,
}

/// What this row is, if it is one of an outbox.
pub(super) fn recognise(row: &Row, source: Source, is_stale: bool) -> Option<Found> {
    let cells = Cells(&row.values);
    match row.values.len() {
        5 => schema(cells).map(Found::Schema),
        6 => update(row.id, cells, source, is_stale).map(Found::Update),
        9 if matches!(row.values[2], Value::Blob(_)) => {
            dead(row.id, cells, source, is_stale).map(Found::Dead)
        }
        9 if matches!(row.values[5], Value::Text(_)) => books(cells, is_stale).map(Found::Books),
        9 => lane(cells, is_stale).map(|lane| Found::Lane(row.id, lane)),
        _ => None,
    }
}

/// The payload of an update, read again.
pub(super) fn payload(pages: &Pages<'_>, source: Source) -> Option<Vec<u8>> {
    let node = Node::parse(source.page, source.place, pages.at(source.place)?)?;
    let mut row = node.row(pages, source.cell)?;
    match row.values.get_mut(2)? {
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

    /// An integer or null; the outer option is none for anything else.
    #[allow(
        clippy::option_option,
        reason = "the outer one says that the row is damaged"
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
        reason = "the outer one says that the row is damaged"
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

    fn is_null(&self, at: usize) -> bool {
        self.0.get(at) == Some(&Value::Null)
    }
}

fn is_id(id: UpdateId) -> bool {
    (1..LARGEST_ID).contains(&id)
}

fn schema(cells: Cells<'_>) -> Option<SchemaRow> {
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
    let next = cells.id(5)?;
    common(id, cells, next, source, is_stale)
}

fn common(
    id: UpdateId,
    cells: Cells<'_>,
    next: Option<UpdateId>,
    source: Source,
    is_stale: bool,
) -> Option<Update> {
    let Value::Blob(payload) = cells.0.get(2)? else {
        return None;
    };
    let stage = cells.integer(4)?;
    let is_plausible =
        cells.is_null(0) && is_id(id) && (0..=CLOSED).contains(&stage) && is_payload(payload);
    is_plausible.then_some(Update {
        id,
        lane: cells.integer(1)?,
        accepted_at: cells.integer(3)?,
        stage,
        next,
        size: size_of(payload),
        source,
        is_stale,
    })
}

/// A payload is a JSON object about an order.
fn is_payload(payload: &[u8]) -> bool {
    let Ok(fields) = serde_json::from_slice::<serde_json::Value>(payload) else {
        return false;
    };
    let has = |key| fields.get(key).is_some_and(serde_json::Value::is_string);
    has("site_id") && has("order_id")
}

fn dead(id: UpdateId, cells: Cells<'_>, source: Source, is_stale: bool) -> Option<Dead> {
    let update = common(id, cells, None, source, is_stale)?;
    let status = cells.nullable(6)?;
    Some(Dead {
        update,
        died_at: cells.integer(5)?,
        status: status.filter(|status| (0..=999).contains(status)),
        code: cells.text(7)?,
        reason: cells.text(8)?,
    })
}

fn lane(cells: Cells<'_>, is_stale: bool) -> Option<Lane> {
    cells.nullable(4)?; // the owner, whose lease ends with the repair
    let (failures, started) = (cells.integer(5)?, cells.integer(6)?);
    let is_plausible = cells.is_null(0) && failures >= 0 && started >= 0;
    is_plausible.then_some(Lane {
        due: cells.integer(1)?,
        head: cells.id(2)?,
        tail: cells.id(3)?,
        failures,
        started,
        paid: cells.id(7)?,
        closed: cells.id(8)?,
        is_stale,
    })
}

fn books(cells: Cells<'_>, is_stale: bool) -> Option<BooksRow> {
    let books = BooksRow {
        accepted: cells.integer(0)?,
        delivered: cells.integer(1)?,
        dead: cells.integer(2)?,
        discarded: cells.integer(3)?,
        bytes: cells.integer(4)?,
        era: Era {
            boot: cells.text(5)?,
            offset: cells.integer(6)?,
            seen: cells.integer(7)?,
            seen_wall: cells.integer(8)?,
        },
        is_stale,
    };
    let counts = [books.delivered, books.dead, books.discarded];
    let is_plausible = (0..LARGEST_ID).contains(&books.accepted)
        && counts
            .iter()
            .all(|count| (0..=books.accepted).contains(count));
    is_plausible.then_some(books)
}
