//! Decides which transactions behind a damaged frame were committed.
//!
//! A transaction that failed, as when an fsync does, leaves its frames behind the end of the log, where
//! they look like those behind a damaged frame. But every transaction writes the counters, with the
//! time. One that failed is older than what was written over its beginning.

use super::btree::Node;
use super::log::{Damage, Image, Transaction};
use super::pages::{Pages, Place};
use super::rows::{Found, Source, recognise};
use crate::queue::clock::Millis;

/// The counters' table is made with the file, so its page is one of these.
const FIRST_PAGES: u32 = 64;

/// What becomes of the transactions behind a damaged frame.
pub(super) struct Verdict {
    /// How many were committed, from the first one on.
    pub committed: usize,
    /// Images of others that cannot be told from committed ones: their counters are damaged.
    pub uncertain: Vec<Image>,
}

pub(super) fn judge(pages: &Pages<'_>, tail: &[Transaction]) -> Verdict {
    let mut verdict = Verdict {
        committed: 0,
        uncertain: Vec::new(),
    };
    if tail.is_empty() {
        return verdict;
    }
    let counters = (1..=pages.count().min(FIRST_PAGES))
        .find(|page| time_of(pages, *page, pages.place(*page)).is_some());
    let mut seen = counters.and_then(|page| time_of(pages, page, pages.place(page)));
    for (number, transaction) in tail.iter().enumerate() {
        for image in &transaction.images {
            let Some(time) = time_of(pages, image.page, Place::Log(*image)) else {
                continue;
            };
            if seen.is_none_or(|before| time > before) {
                seen = Some(time);
                verdict.committed = number + 1;
            }
        }
    }
    for transaction in &tail[verdict.committed..] {
        let may_be_newer = |damage: &Damage| match damage.page {
            Some(page) if damage.page == counters => {
                let offset = damage.offset;
                let time = time_of(pages, page, Place::Log(Image { page, offset }));
                time.is_none() || time > seen
            }
            Some(_) => false,
            None => true,
        };
        if transaction.damaged.iter().any(may_be_newer) {
            verdict.uncertain.extend(&transaction.images);
        }
    }
    verdict
}

/// When the counters in this image were written, and what they add up to, for changes within one
/// millisecond; none if it has no counters.
fn time_of(pages: &Pages<'_>, page: u32, place: Place) -> Option<(Millis, i64)> {
    let node = Node::parse(page, place, pages.at(place)?)?;
    let [cell] = node.cells[..] else {
        return None;
    };
    let source = Source { page, place, cell };
    match recognise(&node.row(pages, cell)?, source, false)? {
        Found::Books(books) => {
            let counted = books.accepted + books.delivered + books.dead + books.discarded;
            Some((books.era.seen, counted))
        }
        _ => None,
    }
}
