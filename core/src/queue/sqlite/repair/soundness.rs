//! Checks whether a file is sound: nothing is damaged, and its tables agree.

use super::pages::Pages;
use super::rows::{Lane, Update};
use super::salvage::Salvaged;
use super::traverse::{MAX_DEPTH, Traversal};
use crate::queue::sqlite::schema::{HELD, LANES_BY_DUE};
use crate::queue::store::{LaneId, UpdateId};
use std::collections::{BTreeMap, HashSet};

/// Whether nothing in the file is damaged, and its tables agree.
pub(super) fn is_sound(pages: &Pages<'_>, all: &Salvaged) -> bool {
    let is_readable = pages.has_main_header()
        && pages.is_marked() == Some(true)
        && !pages.is_log_damaged()
        && all.unreadable.is_empty()
        && all.free.is_some()
        && !all.has_conflicts;
    is_readable
        && are_trees_sound(pages, all)
        && are_counters_correct(all)
        && are_lanes_correct(all)
}

fn are_trees_sound(pages: &Pages<'_>, all: &Salvaged) -> bool {
    let mut traversal = Traversal::new(pages);
    if traversal.table(1, MAX_DEPTH).is_none() {
        return false;
    }
    for row in &all.schema {
        if row.is_index {
            let mut entries = Vec::new();
            if traversal.index(row.root, MAX_DEPTH, &mut entries).is_none()
                || !is_index_correct(&row.name, &entries, &all.lanes)
            {
                return false;
            }
        } else {
            traversal.last = None;
            if traversal.table(row.root, MAX_DEPTH).is_none() {
                return false;
            }
        }
    }
    traversal.leaves == all.leaves
}

/// Whether the index has one entry per lane, in order.
fn is_index_correct(name: &str, entries: &[(i64, i64)], lanes: &BTreeMap<LaneId, Lane>) -> bool {
    let mut expected: Vec<(i64, i64)> = lanes.iter().map(|(id, lane)| (lane.due, *id)).collect();
    expected.sort_unstable();
    name != LANES_BY_DUE || entries == expected
}

fn are_counters_correct(all: &Salvaged) -> bool {
    let Some(row) = &all.counters else {
        return false;
    };
    let (counters, pending) = (&row.counters, row.counters.pending());
    let bytes: i64 = all.updates.values().map(|update| update.size).sum();
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let found = (count(all.updates.len()), bytes, count(all.dead.len()));
    (pending, counters.bytes, counters.dead) == found
}

/// Whether every update is in its lane.
fn are_lanes_correct(all: &Salvaged) -> bool {
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

/// Follows the chain of a lane to its last update; none if it is broken.
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
