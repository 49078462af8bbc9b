//! Collects every row that can be read, wherever it is: a damaged page or index hides no other one.

use super::btree::{Kind, Node};
use super::log::be32;
use super::pages::{Pages, Place};
use super::rows::{CountersRow, Dead, Found, Lane, SchemaRow, Source, Update, recognise};
use super::traverse;
use crate::queue::sqlite::schema;
use crate::queue::store::{LaneId, UpdateId};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// `SQLite` locks bytes from here on, and never uses the page that contains them.
const LOCK_BYTES: u64 = 0x4000_0000;

/// All rows that could be read.
#[derive(Default)]
pub(super) struct Salvaged {
    pub updates: BTreeMap<UpdateId, Update>,
    pub dead: BTreeMap<UpdateId, Dead>,
    pub lanes: BTreeMap<LaneId, Lane>,
    pub counters: Option<CountersRow>,
    pub schema: Vec<SchemaRow>,
    /// The highest update number in any row.
    pub highest: UpdateId,
    /// Pages that are unreadable, in full or in part.
    pub unreadable: BTreeSet<u32>,
    /// All leaves of tables.
    pub leaves: BTreeSet<u32>,
    /// The freelist, if it can be read.
    pub free: Option<HashSet<u32>>,
    overflow: HashSet<u32>,
    /// Whether rows contradict each other, which happens only in a damaged file.
    pub has_conflicts: bool,
}

impl Salvaged {
    pub(super) fn read(pages: &Pages<'_>) -> Self {
        let mut all = Self {
            free: free_pages(pages),
            ..Self::default()
        };
        let mut unknown = Vec::new();
        for page in 1..=pages.count() {
            if !all.is_free(page) && !is_locked(page, pages.size()) {
                all.page(pages, page, &mut unknown);
            }
        }
        for page in unknown {
            if !all.overflow.contains(&page) {
                all.unreadable.insert(page);
            }
        }
        all.add_uncertain_rows(pages);
        all.drop_outdated(pages);
        all
    }

    pub(super) fn rows(&self) -> usize {
        self.updates.len() + self.dead.len() + self.lanes.len()
    }

    fn is_free(&self, page: u32) -> bool {
        self.free.as_ref().is_some_and(|free| free.contains(&page))
    }

    /// Whether the rows show that the file is an outbox.
    pub(super) fn is_outbox(&self) -> bool {
        let has_table = |name| self.schema.iter().any(|row: &SchemaRow| row.name == name);
        let has_schema = schema::TABLES.into_iter().all(has_table);
        has_schema || !self.updates.is_empty() || !self.dead.is_empty()
    }

    fn page(&mut self, pages: &Pages<'_>, page: u32, unknown: &mut Vec<u32>) {
        let place = pages.place(page);
        let Some(bytes) = pages.at(place) else {
            self.unreadable.insert(page);
            return;
        };
        // A freed page is all zeros.
        if self.free.is_none() && bytes.iter().all(|byte| *byte == 0) {
            return;
        }
        match Node::parse(page, place, bytes) {
            Some(node) if node.kind == Kind::TableLeaf => self.leaf(pages, page, &node),
            Some(_) => {}
            None if page == 1 => {
                self.unreadable.insert(page);
            }
            // An overflow page, or a damaged one.
            None => unknown.push(page),
        }
    }

    fn leaf(&mut self, pages: &Pages<'_>, page: u32, node: &Node) {
        self.leaves.insert(page);
        let is_stale = pages.is_stale(page);
        for cell in &node.cells {
            let (place, cell) = (node.place, *cell);
            let source = Source { page, place, cell };
            let row = node.row(pages, cell);
            match row
                .as_ref()
                .and_then(|row| recognise(row, source, is_stale))
            {
                Some(found) => {
                    let chain = row.map(|row| row.overflow).unwrap_or_default();
                    for page in chain {
                        self.has_conflicts |= !self.overflow.insert(page);
                    }
                    self.add(found);
                }
                None => {
                    self.unreadable.insert(page);
                }
            }
        }
    }

    fn add(&mut self, found: Found) {
        self.record_ids(&found);
        match found {
            Found::Update(update) => {
                let known = self.updates.get(&update.id);
                self.has_conflicts |= known.is_some();
                if known.is_none_or(|known| known.is_stale) {
                    self.updates.insert(update.id, update);
                }
            }
            Found::Dead(dead) => {
                let known = self.dead.get(&dead.update.id);
                self.has_conflicts |= known.is_some();
                if known.is_none_or(|known| known.update.is_stale) {
                    self.dead.insert(dead.update.id, dead);
                }
            }
            Found::Lane(id, lane) => {
                let known = self.lanes.get(&id);
                self.has_conflicts |= known.is_some();
                if known.is_none_or(|known| known.is_stale) {
                    self.lanes.insert(id, lane);
                }
            }
            Found::Counters(row) => {
                let known = self.counters.as_ref();
                self.has_conflicts |= known.is_some();
                self.add_counters(row);
            }
            Found::Schema(row) => self.schema.push(row),
        }
    }

    /// Keeps the newest counters.
    fn add_counters(&mut self, row: CountersRow) {
        let known = self.counters.as_ref();
        if known.is_none_or(|known| known.counters.accepted < row.counters.accepted) {
            self.counters = Some(row);
        }
    }

    fn record_ids(&mut self, found: &Found) {
        let ids = match found {
            Found::Update(update) => [Some(update.id), update.next, None, None],
            Found::Dead(dead) => [Some(dead.update.id), None, None, None],
            Found::Lane(_, lane) => [lane.head, lane.tail, lane.paid, lane.closed],
            Found::Counters(row) => [Some(row.counters.accepted), None, None, None],
            Found::Schema(_) => return,
        };
        let highest = ids.into_iter().flatten().max().unwrap_or(0);
        self.highest = self.highest.max(highest);
    }

    /// Adds rows of images that may not have been committed, unless there is a committed row.
    fn add_uncertain_rows(&mut self, pages: &Pages<'_>) {
        for image in pages.uncertain().iter().rev() {
            let (page, place) = (image.page, Place::Log(*image));
            let node = pages
                .at(place)
                .and_then(|bytes| Node::parse(page, place, bytes));
            let Some(node) = node.filter(|node| node.kind == Kind::TableLeaf) else {
                continue;
            };
            for cell in &node.cells {
                let cell = *cell;
                let source = Source { page, place, cell };
                let row = node.row(pages, cell);
                if let Some(found) = row.and_then(|row| recognise(&row, source, true)) {
                    self.add_uncertain(found);
                }
            }
        }
    }

    fn add_uncertain(&mut self, found: Found) {
        self.record_ids(&found);
        match found {
            Found::Update(update) => {
                self.updates.entry(update.id).or_insert(update);
            }
            Found::Dead(dead) => {
                self.dead.entry(dead.update.id).or_insert(dead);
            }
            Found::Lane(id, lane) => {
                self.lanes.entry(id).or_insert(lane);
            }
            Found::Counters(row) => self.add_counters(row),
            Found::Schema(_) => {}
        }
    }

    /// Drops updates of older images if other rows show that they were delivered, so that they are not sent
    /// again behind later ones. Keeps one of two rows with the same number.
    fn drop_outdated(&mut self, pages: &Pages<'_>) {
        let lanes = traverse::leaves(pages, &self.schema, "lanes");
        let are_lanes_complete = lanes.is_some_and(|leaves| {
            leaves
                .iter()
                .all(|page| !self.unreadable.contains(page) && !pages.is_stale(*page))
        }) && pages.uncertain().is_empty();
        let lanes = &self.lanes;
        self.updates
            .retain(|id, update| match lanes.get(&update.lane) {
                _ if !update.is_stale => true,
                Some(lane) if !lane.is_stale => lane.head.is_some_and(|head| head <= *id),
                Some(_) => true,
                None => !are_lanes_complete,
            });
        let dead: Vec<UpdateId> = self.dead.keys().copied().collect();
        for id in dead {
            match self.updates.get(&id) {
                Some(update) if !update.is_stale && self.dead[&id].update.is_stale => {
                    self.dead.remove(&id);
                }
                Some(_) => {
                    self.updates.remove(&id);
                    self.has_conflicts = true;
                }
                None => {}
            }
        }
        self.drop_impossible_ids();
    }

    /// Drops numbers that were never assigned, which come from damaged rows.
    fn drop_impossible_ids(&mut self) {
        let Some(row) = self.counters.as_ref().filter(|row| !row.is_stale) else {
            return;
        };
        let last = row.counters.accepted;
        self.has_conflicts |= self.highest > last;
        self.highest = last;
        self.updates.retain(|id, _| *id <= last);
        self.dead.retain(|id, _| *id <= last);
        let is_assigned = |id: &UpdateId| *id <= last;
        for lane in self.lanes.values_mut() {
            lane.paid = lane.paid.filter(is_assigned);
            lane.closed = lane.closed.filter(is_assigned);
        }
    }
}

fn is_locked(page: u32, size: usize) -> bool {
    u64::from(page - 1) == LOCK_BYTES / size as u64
}

/// The pages of the freelist; none if it is damaged.
fn free_pages(pages: &Pages<'_>) -> Option<HashSet<u32>> {
    let first = pages.header()?;
    let (mut trunk, count) = (be32(&first, 32), be32(&first, 36));
    let mut free = HashSet::new();
    while trunk != 0 {
        let bytes = pages.get(trunk).filter(|_| trunk <= pages.count())?;
        let leaves = usize::try_from(be32(&bytes, 4)).ok()?;
        let list = bytes.get(8..8 + leaves.checked_mul(4)?)?;
        let leaves = list.chunks_exact(4).map(|leaf| be32(leaf, 0));
        for page in std::iter::once(trunk).chain(leaves) {
            let is_valid = page > 1 && page <= pages.count() && free.insert(page);
            is_valid.then_some(())?;
        }
        trunk = be32(&bytes, 0);
    }
    (u32::try_from(free.len()) == Ok(count)).then_some(free)
}
