//! Traverses b-trees from their roots, as `SQLite` does.

use super::btree::{Kind, Node, Value};
use super::pages::Pages;
use super::rows::SchemaRow;
use std::collections::{BTreeSet, HashSet};

/// A deeper tree contains a cycle.
pub(super) const MAX_DEPTH: u32 = 20;

/// The leaves of a table; none if its tree is damaged.
pub(super) fn leaves(
    pages: &Pages<'_>,
    schema: &[SchemaRow],
    table: &str,
) -> Option<BTreeSet<u32>> {
    let row = schema
        .iter()
        .find(|row| row.name == table && !row.is_index)?;
    let mut traversal = Traversal::new(pages);
    traversal.table(row.root, MAX_DEPTH)?;
    Some(traversal.leaves)
}

/// A traversal of one or more trees. Its methods return none if a tree is damaged.
pub(super) struct Traversal<'a, 'f> {
    pages: &'a Pages<'f>,
    seen: HashSet<u32>,
    pub leaves: BTreeSet<u32>,
    /// The last key; the next one has to be larger.
    pub last: Option<i64>,
}

impl<'a, 'f> Traversal<'a, 'f> {
    pub(super) fn new(pages: &'a Pages<'f>) -> Self {
        Self {
            pages,
            seen: HashSet::new(),
            leaves: BTreeSet::new(),
            last: None,
        }
    }

    fn node(&mut self, page: u32, depth: u32) -> Option<Node> {
        let is_valid =
            depth > 0 && page > 0 && page <= self.pages.count() && self.seen.insert(page);
        is_valid.then_some(())?;
        Node::parse(page, self.pages.place(page), self.pages.get(page)?)
    }

    fn key(&mut self, key: i64) -> Option<()> {
        let rises = self.last.is_none_or(|last| key > last);
        self.last = Some(key);
        rises.then_some(())
    }

    pub(super) fn table(&mut self, page: u32, depth: u32) -> Option<()> {
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

    /// Collects the entries of an index on a number.
    pub(super) fn index(
        &mut self,
        page: u32,
        depth: u32,
        entries: &mut Vec<(i64, i64)>,
    ) -> Option<()> {
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
