//! Gathers every row that can be read, wherever it is: a damaged page or index hides no other.

use super::btree::{Kind, Node};
use super::log::be32;
use super::pages::{Pages, Place};
use super::rows::{BooksRow, Dead, Found, Lane, SchemaRow, Source, Update, recognise};
use super::walk;
use crate::queue::store::{LaneId, UpdateId};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// `SQLite` locks bytes from here on, and never writes to the page that has them.
const LOCKED: u64 = 0x4000_0000;

/// What could be read.
#[derive(Default)]
pub(super) struct Salvaged {
    pub updates: BTreeMap<UpdateId, Update>,
    pub dead: BTreeMap<UpdateId, Dead>,
    pub lanes: BTreeMap<LaneId, Lane>,
    pub books: Option<BooksRow>,
    pub schema: Vec<SchemaRow>,
    /// The highest number that is mentioned anywhere.
    pub highest: UpdateId,
    /// Pages of which something is lost.
    pub unreadable: BTreeSet<u32>,
    /// The leaves of tables that were found.
    pub leaves: BTreeSet<u32>,
    /// The freelist, if it can be read.
    pub free: Option<HashSet<u32>>,
    overflow: HashSet<u32>,
    /// Whether rows were found that rule each other out, as only a damaged file has them.
    pub has_conflicts: bool,
}

impl Salvaged {
    pub(super) fn read(pages: &Pages<'_>) -> Self {
        let mut all = Self {
            free: free_pages(pages),
            ..Self::default()
        };
        let mut strange = Vec::new();
        for page in 1..=pages.count() {
            if !all.is_free(page) && !is_locked(page, pages.size()) {
                all.page(pages, page, &mut strange);
            }
        }
        for page in strange {
            if !all.overflow.contains(&page) {
                all.unreadable.insert(page);
            }
        }
        all.uncertain(pages);
        all.drop_what_is_gone(pages);
        all
    }

    pub(super) fn rows(&self) -> usize {
        self.updates.len() + self.dead.len() + self.lanes.len()
    }

    fn is_free(&self, page: u32) -> bool {
        self.free.as_ref().is_some_and(|free| free.contains(&page))
    }

    /// Whether anything in here shows that the file is an outbox.
    pub(super) fn is_outbox(&self) -> bool {
        let has_table = |name| self.schema.iter().any(|row: &SchemaRow| row.name == name);
        let has_schema = ["updates", "lanes", "dead", "books"]
            .into_iter()
            .all(has_table);
        has_schema || !self.updates.is_empty() || !self.dead.is_empty()
    }

    fn page(&mut self, pages: &Pages<'_>, page: u32, strange: &mut Vec<u32>) {
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
            // The end of a row, or damaged.
            None => strange.push(page),
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
        self.note_ids(&found);
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
            Found::Books(books) => {
                let known = self.books.as_ref();
                self.has_conflicts |= known.is_some();
                if known.is_none_or(|known| known.accepted < books.accepted) {
                    self.books = Some(books);
                }
            }
            Found::Schema(row) => self.schema.push(row),
        }
    }

    fn note_ids(&mut self, found: &Found) {
        let ids = match found {
            Found::Update(update) => [Some(update.id), update.next, None, None],
            Found::Dead(dead) => [Some(dead.update.id), None, None, None],
            Found::Lane(_, lane) => [lane.head, lane.tail, lane.paid, lane.closed],
            Found::Books(books) => [Some(books.accepted), None, None, None],
            Found::Schema(_) => return,
        };
        let highest = ids.into_iter().flatten().max().unwrap_or(0);
        self.highest = self.highest.max(highest);
    }

    /// Adds the rows of images that may not have been committed, unless there is a committed one.
    fn uncertain(&mut self, pages: &Pages<'_>) {
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
        self.note_ids(&found);
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
            Found::Books(books) => {
                let known = self.books.as_ref().map_or(-1, |known| known.accepted);
                if known < books.accepted {
                    self.books = Some(books);
                }
            }
            Found::Schema(_) => {}
        }
    }

    /// Drops updates of older images that other rows show to be delivered, so that they are not sent
    /// again behind later ones, and keeps one of two rows with the same number.
    fn drop_what_is_gone(&mut self, pages: &Pages<'_>) {
        let lanes = walk::leaves(pages, &self.schema, "lanes");
        let are_lanes_whole = lanes.is_some_and(|leaves| {
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
                None => !are_lanes_whole,
            });
        let twice: Vec<UpdateId> = self.dead.keys().copied().collect();
        for id in twice {
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

    /// A number that was never given comes from a damaged row.
    fn drop_impossible_ids(&mut self) {
        let Some(books) = self.books.as_ref().filter(|books| !books.is_stale) else {
            return;
        };
        let last = books.accepted;
        self.has_conflicts |= self.highest > last;
        self.highest = last;
        self.updates.retain(|id, _| *id <= last);
        self.dead.retain(|id, _| *id <= last);
        let is_given = |id: &UpdateId| *id <= last;
        for lane in self.lanes.values_mut() {
            lane.paid = lane.paid.filter(is_given);
            lane.closed = lane.closed.filter(is_given);
        }
    }
}

fn is_locked(page: u32, size: usize) -> bool {
    u64::from(page - 1) == LOCKED / size as u64
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
            let is_good = page > 1 && page <= pages.count() && free.insert(page);
            is_good.then_some(())?;
        }
        trunk = be32(&bytes, 0);
    }
    (u32::try_from(free.len()) == Ok(count)).then_some(free)
}
