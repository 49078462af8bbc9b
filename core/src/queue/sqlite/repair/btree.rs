//! B-tree pages and their records, as `SQLite`'s file format describes them. Nothing that is read is
//! trusted: every length is checked, and the length of every chain is limited.

use super::log::be32;
use super::pages::{Pages, Place};

/// The maximum size of a record of an outbox.
const MAX_RECORD: usize = 8 << 20;

/// The kinds of b-tree pages, by their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    IndexInterior = 2,
    TableInterior = 5,
    IndexLeaf = 10,
    TableLeaf = 13,
}

/// One page of a b-tree.
pub(super) struct Node {
    pub kind: Kind,
    pub place: Place,
    pub bytes: Vec<u8>,
    /// The offsets of its cells, in the order of their keys.
    pub cells: Vec<usize>,
    /// The rightmost child of an interior page.
    pub right: u32,
}

/// A row of a table.
pub(super) struct Row {
    pub id: i64,
    pub values: Vec<Value>,
    /// The overflow pages with its end.
    pub overflow: Vec<u32>,
}

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real,
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Node {
    /// None if the page does not belong to a b-tree.
    pub(super) fn parse(page: u32, place: Place, bytes: Vec<u8>) -> Option<Self> {
        let at = if page == 1 { 100 } else { 0 };
        let kind = match bytes.get(at)? {
            2 => Kind::IndexInterior,
            5 => Kind::TableInterior,
            10 => Kind::IndexLeaf,
            13 => Kind::TableLeaf,
            _ => return None,
        };
        let is_leaf = matches!(kind, Kind::IndexLeaf | Kind::TableLeaf);
        let pointers = at + if is_leaf { 8 } else { 12 };
        let count = usize::from(be16(&bytes, at + 3)?);
        let end = pointers + 2 * count;
        if end > bytes.len() {
            return None;
        }
        let cells = (0..count).map(|number| be16(&bytes, pointers + 2 * number).map(usize::from));
        let cells: Vec<usize> = cells.collect::<Option<_>>()?;
        let right = if is_leaf { 0 } else { be32(&bytes, at + 8) };
        Some(Self {
            kind,
            place,
            bytes,
            cells,
            right,
        })
    }

    /// Whether a cell begins within the content of the page.
    fn is_in_content(&self, cell: usize) -> bool {
        cell >= 8 + 2 * self.cells.len() && cell + 4 <= self.bytes.len()
    }

    /// The row in a cell of a leaf.
    pub(super) fn row(&self, pages: &Pages<'_>, cell: usize) -> Option<Row> {
        if !self.is_in_content(cell) {
            return None;
        }
        let (length, at) = varint(&self.bytes, cell)?;
        let (id, at) = varint(&self.bytes, at)?;
        let length = usize::try_from(length).ok()?;
        let (record, overflow) = self.payload(pages, at, length)?;
        Some(Row {
            id,
            values: record_of(&record)?,
            overflow,
        })
    }

    /// The child and the key in a cell of an interior table page.
    pub(super) fn child(&self, cell: usize) -> Option<(u32, i64)> {
        if !self.is_in_content(cell) {
            return None;
        }
        Some((be32(&self.bytes, cell), varint(&self.bytes, cell + 4)?.0))
    }

    /// The child, if any, and the record in a cell of an index page. No index record of an outbox overflows.
    pub(super) fn entry(&self, cell: usize) -> Option<(u32, Vec<Value>)> {
        if !self.is_in_content(cell) {
            return None;
        }
        let (child, at) = match self.kind {
            Kind::IndexInterior => (be32(&self.bytes, cell), cell + 4),
            _ => (0, cell),
        };
        let (length, at) = varint(&self.bytes, at)?;
        let end = at.checked_add(usize::try_from(length).ok()?)?;
        Some((child, record_of(self.bytes.get(at..end)?)?))
    }

    fn payload(&self, pages: &Pages<'_>, at: usize, length: usize) -> Option<(Vec<u8>, Vec<u32>)> {
        if length > MAX_RECORD {
            return None;
        }
        let local = local_length(length, self.bytes.len());
        let mut payload = self.bytes.get(at..at + local)?.to_vec();
        let mut chain = Vec::new();
        if local == length {
            return Some((payload, chain));
        }
        let mut next = be32(self.bytes.get(at + local..at + local + 4)?, 0);
        while payload.len() < length {
            if next == 0 || next > pages.count() || chain.contains(&next) {
                return None;
            }
            chain.push(next);
            let page = pages.get(next)?;
            let part = (length - payload.len()).min(page.len() - 4);
            payload.extend_from_slice(&page[4..4 + part]);
            next = be32(&page, 0);
        }
        (next == 0).then_some((payload, chain))
    }
}

/// The number of bytes of a record in the leaf itself.
fn local_length(length: usize, size: usize) -> usize {
    let most = size - 35;
    if length <= most {
        return length;
    }
    let least = (size - 12) * 32 / 255 - 23;
    let fitting = least + (length - least) % (size - 4);
    if fitting <= most { fitting } else { least }
}

fn record_of(bytes: &[u8]) -> Option<Vec<Value>> {
    let (length, mut at) = varint(bytes, 0)?;
    let mut body = usize::try_from(length).ok()?;
    let end = body;
    let mut values = Vec::new();
    while at < end {
        let (kind, next) = varint(bytes, at)?;
        at = next;
        let (value, length) = value_of(bytes.get(body..)?, kind)?;
        values.push(value);
        body += length;
    }
    (at == end && body == bytes.len()).then_some(values)
}

/// Decodes a value of this serial type; returns its length as well.
fn value_of(bytes: &[u8], kind: i64) -> Option<(Value, usize)> {
    let kind = usize::try_from(kind).ok()?;
    let length = match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => (kind - 12) / 2,
    };
    let found = bytes.get(..length)?;
    let value = match kind {
        0 => Value::Null,
        7 => Value::Real,
        8 | 9 => Value::Integer(i64::from(kind == 9)),
        1..=6 => Value::Integer(integer(found)),
        _ if kind % 2 == 0 => Value::Blob(found.to_vec()),
        _ => Value::Text(found.to_vec()),
    };
    Some((value, length))
}

fn integer(bytes: &[u8]) -> i64 {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let start = if is_negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(start, |number, byte| (number << 8) | i64::from(*byte))
}

/// Decodes a number of one to nine bytes; returns its end as well.
fn varint(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut number: u64 = 0;
    for place in 0..9 {
        let byte = *bytes.get(at + place)?;
        if place == 8 {
            number = (number << 8) | u64::from(byte);
        } else {
            number = (number << 7) | u64::from(byte & 0x7f);
        }
        if place == 8 || byte & 0x80 == 0 {
            return Some((number.cast_signed(), at + place + 1));
        }
    }
    None
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}
