//! Decides which transactions behind a damaged frame of the log were committed.
//!
//! A failed transaction, as after a failed fsync, leaves its frames behind the end of the log, where they
//! look like frames behind a damaged one. Every transaction writes the counters, with the time, and the
//! time of a failed one is older than that of the transaction that overwrote its beginning.

use super::btree::Node;
use super::log::{Damage, Image, Transaction};
use super::pages::{Pages, Place};
use super::rows::{Found, Source, recognise};
use crate::queue::clock::Millis;
use std::fs::File;
use std::io;

/// The page of the counters is one of the first, since the table is created with the file.
const FIRST_PAGES: u32 = 64;

/// Which of the transactions behind a damaged frame were committed.
struct Verdict {
    /// The number of committed transactions, from the first one on.
    committed: usize,
    /// Images of transactions that may have been committed: their counters are damaged.
    uncertain: Vec<Image>,
}

/// Reads the pages with all committed transactions of the log. `shared` and `fallback` are as in
/// [`Pages::read`].
pub(super) fn read_pages<'a>(
    main: Option<&'a File>,
    log: Option<&'a File>,
    shared: &[u8],
    fallback: usize,
) -> io::Result<Pages<'a>> {
    let (mut pages, mut log) = Pages::read(main, log, shared, fallback)?;
    let mut tail = std::mem::take(&mut log.tail);
    let verdict = judge(&pages, &tail);
    tail.truncate(verdict.committed);
    pages.add_tail(log, tail, verdict.uncertain);
    Ok(pages)
}

fn judge(pages: &Pages<'_>, tail: &[Transaction]) -> Verdict {
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

/// When the counters in this image were written, and their sum, for changes within one millisecond; none
/// for an image without counters.
fn time_of(pages: &Pages<'_>, page: u32, place: Place) -> Option<(Millis, i64)> {
    let node = Node::parse(page, place, pages.at(place)?)?;
    let [cell] = node.cells[..] else {
        return None;
    };
    let source = Source { page, place, cell };
    match recognise(&node.row(pages, cell)?, source, false)? {
        Found::Counters(row) => {
            let counters = &row.counters;
            let sum = counters.accepted + counters.delivered + counters.dead + counters.discarded;
            Some((counters.era.seen, sum))
        }
        _ => None,
    }
}
