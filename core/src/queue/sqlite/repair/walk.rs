//! Walks b-trees from their roots, as `SQLite` does, and says whether a whole file is sound.

use super::btree::{Kind, Node, Value};
use super::pages::Pages;
use super::rows::{Lane, SchemaRow, Update};
use super::salvage::Salvaged;
use crate::queue::sqlite::schema::HELD;
use crate::queue::store::{LaneId, UpdateId};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// No tree is deeper, or it is a circle.
const DEEPEST: u32 = 20;

/// The leaves of a table, if its tree is whole.
pub(super) fn leaves(
    pages: &Pages<'_>,
    schema: &[SchemaRow],
    table: &str,
) -> Option<BTreeSet<u32>> {
    let row = schema
        .iter()
        .find(|row| row.name == table && !row.is_index)?;
    let mut walk = Walk::new(pages);
    walk.table(row.root, DEEPEST)?;
    Some(walk.leaves)
}

/// Whether nothing in the file is damaged, and its tables agree with each other.
pub(super) fn is_sound(pages: &Pages<'_>, all: &Salvaged) -> bool {
    let is_readable = pages.has_main_header()
        && pages.is_marked() == Some(true)
        && !pages.is_log_damaged()
        && all.unreadable.is_empty()
        && all.free.is_some()
        && !all.has_conflicts;
    is_readable && are_trees_sound(pages, all) && are_counters_right(all) && are_lanes_right(all)
}

fn are_trees_sound(pages: &Pages<'_>, all: &Salvaged) -> bool {
    let mut walk = Walk::new(pages);
    if walk.table(1, DEEPEST).is_none() {
        return false;
    }
    for row in &all.schema {
        if row.is_index {
            let mut entries = Vec::new();
            if walk.index(row.root, DEEPEST, &mut entries).is_none()
                || !is_index_right(&row.name, &entries, &all.lanes)
            {
                return false;
            }
        } else {
            walk.last = None;
            if walk.table(row.root, DEEPEST).is_none() {
                return false;
            }
        }
    }
    walk.leaves == all.leaves
}

/// Whether an index has an entry per lane, in order.
fn is_index_right(name: &str, entries: &[(i64, i64)], lanes: &BTreeMap<LaneId, Lane>) -> bool {
    let mut expected: Vec<(i64, i64)> = lanes.iter().map(|(id, lane)| (lane.due, *id)).collect();
    expected.sort_unstable();
    name != "lanes_by_due" || entries == expected
}

fn are_counters_right(all: &Salvaged) -> bool {
    let Some(books) = &all.books else {
        return false;
    };
    let pending = books.accepted - books.delivered - books.dead - books.discarded;
    let bytes: i64 = all.updates.values().map(|update| update.size).sum();
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    (pending, bytes, books.dead) == (count(all.updates.len()), books.bytes, count(all.dead.len()))
}

/// Whether every update is found in its lane.
fn are_lanes_right(all: &Salvaged) -> bool {
    let mut seen = HashSet::new();
    for (id, lane) in &all.lanes {
        match (lane.head, lane.tail) {
            (None, None) if lane.due == HELD => {}
            (Some(head), Some(tail)) => {
                if chain(&all.updates, *id, head, &mut seen) != Some(tail) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    seen.len() == all.updates.len()
}

/// The last update of a lane; none if its chain is broken.
fn chain(
    updates: &BTreeMap<UpdateId, Update>,
    lane: LaneId,
    head: UpdateId,
    seen: &mut HashSet<UpdateId>,
) -> Option<UpdateId> {
    let mut id = head;
    loop {
        let update = updates.get(&id).filter(|update| update.lane == lane)?;
        seen.insert(id).then_some(())?;
        match update.next {
            Some(next) => id = next,
            None => return Some(id),
        }
    }
}

struct Walk<'a, 'f> {
    pages: &'a Pages<'f>,
    seen: HashSet<u32>,
    leaves: BTreeSet<u32>,
    /// The last key, which the next one has to exceed.
    last: Option<i64>,
}

impl<'a, 'f> Walk<'a, 'f> {
    fn new(pages: &'a Pages<'f>) -> Self {
        Self {
            pages,
            seen: HashSet::new(),
            leaves: BTreeSet::new(),
            last: None,
        }
    }

    fn node(&mut self, page: u32, depth: u32) -> Option<Node> {
        let is_new = depth > 0 && page > 0 && page <= self.pages.count() && self.seen.insert(page);
        is_new.then_some(())?;
        Node::parse(page, self.pages.place(page), self.pages.get(page)?)
    }

    fn key(&mut self, key: i64) -> Option<()> {
        let rises = self.last.is_none_or(|last| key > last);
        self.last = Some(key);
        rises.then_some(())
    }

    fn table(&mut self, page: u32, depth: u32) -> Option<()> {
        let node = self.node(page, depth)?;
        match node.kind {
            Kind::TableLeaf => {
                self.leaves.insert(page);
                for cell in &node.cells {
                    self.key(node.row(self.pages, *cell)?.id)?;
                }
                Some(())
            }
            Kind::TableInterior => {
                for cell in &node.cells {
                    let (child, key) = node.child(*cell)?;
                    self.table(child, depth - 1)?;
                    self.last.is_none_or(|last| last <= key).then_some(())?;
                    self.last = Some(key);
                }
                self.table(node.right, depth - 1)
            }
            _ => None,
        }
    }

    /// Gathers the entries of an index on a number.
    fn index(&mut self, page: u32, depth: u32, entries: &mut Vec<(i64, i64)>) -> Option<()> {
        let node = self.node(page, depth)?;
        let is_leaf = match node.kind {
            Kind::IndexLeaf => true,
            Kind::IndexInterior => false,
            _ => return None,
        };
        for cell in &node.cells {
            let (child, values) = node.entry(*cell)?;
            if !is_leaf {
                self.index(child, depth - 1, entries)?;
            }
            match values.as_slice() {
                [Value::Integer(key), Value::Integer(id)] => entries.push((*key, *id)),
                _ => return None,
            }
        }
        if is_leaf {
            return Some(());
        }
        self.index(node.right, depth - 1, entries)
    }
}
