//! The newest committed image of each page: the main file, overlaid with the log.

use super::log::{Damage, Image, Log, Transaction, be32, page_size_of};
use crate::queue::sqlite::format::{HEADER_SIZE, MAGIC, MARK, MARK_AT};
use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

/// How often a page is read before it counts as unreadable: an error may be temporary.
const MAX_READS: u32 = 4;

/// Where the image of a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Main(u32),
    Log(Image),
}

/// Random access to page images.
pub(super) struct Pages<'a> {
    main: Option<&'a File>,
    log: Option<&'a File>,
    size: usize,
    /// The number of pages that exist, or should exist.
    count: u32,
    /// The number of pages in the main file.
    in_main: u32,
    newest: HashMap<u32, Image>,
    uncertain: Vec<Image>,
    /// Lost frames of the log: of their pages, only an older image can be read.
    lost: Vec<Damage>,
    is_log_damaged: bool,
    has_main_header: bool,
}

impl<'a> Pages<'a> {
    /// Reads the pages, and the log without the transactions behind a damaged frame. `fallback` is the
    /// page size if all headers are destroyed.
    pub(super) fn read(
        main: Option<&'a File>,
        log: Option<&'a File>,
        shared: &[u8],
        fallback: usize,
    ) -> std::io::Result<(Self, Log)> {
        let header = main.map_or_else(Vec::new, |main| read_up_to(main, HEADER_SIZE as u64));
        let from_main = page_size_in(&header);
        let read = match log {
            Some(log) => Log::read(log, shared, from_main.or(Some(fallback)))?,
            None => Log::default(),
        };
        let size = read.page_size.or(from_main).unwrap_or(fallback);
        let mut main_length = 0;
        if let Some(mut main) = main {
            main_length = main.seek(SeekFrom::End(0))?;
        }
        let in_main = u32::try_from(main_length.div_ceil(size as u64)).unwrap_or(u32::MAX);
        let mut pages = Self {
            main,
            log,
            size,
            count: in_main,
            in_main,
            newest: HashMap::new(),
            uncertain: Vec::new(),
            is_log_damaged: false,
            lost: Vec::new(),
            has_main_header: header.len() == HEADER_SIZE
                && header.starts_with(MAGIC)
                && mark_of(&header) == Some(true),
        };
        pages.overlay(&read);
        Ok((pages, read))
    }

    /// Adds the transactions behind a damaged frame: those that were committed, and the images of those
    /// that may have been.
    pub(super) fn add_tail(
        &mut self,
        mut log: Log,
        committed: Vec<Transaction>,
        uncertain: Vec<Image>,
    ) {
        for transaction in committed {
            log.commit(transaction);
        }
        self.uncertain = uncertain;
        self.overlay(&log);
        self.count = self.count.max(self.count_by_header());
    }

    fn overlay(&mut self, log: &Log) {
        let images = log.committed.iter();
        self.newest = images.map(|image| (image.page, *image)).collect();
        let last = self.newest.keys().copied().max().unwrap_or(0);
        let images = u32::try_from(self.newest.len()).unwrap_or(u32::MAX);
        let max = self.max_pages(images);
        self.count = self.count.max(last.max(log.pages).min(max));
        self.lost.clone_from(&log.damaged);
        self.is_log_damaged = !log.damaged.is_empty()
            || !self.uncertain.is_empty()
            || (log.is_headless && !log.committed.is_empty());
    }

    /// The number of pages according to the header; 0 if it is implausible, and so probably damaged.
    fn count_by_header(&self) -> u32 {
        let Some(first) = self.header() else { return 0 };
        let (count, is_counted) = (be32(&first, 28), be32(&first, 24) == be32(&first, 92));
        if is_counted && count <= self.max_pages(self.in_main) {
            count
        } else {
            0
        }
    }

    /// The maximum plausible number of pages: a larger one comes from a damaged header.
    fn max_pages(&self, found: u32) -> u32 {
        self.count.max(found).saturating_mul(64).max(1 << 12)
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether the main file itself has the header of an outbox, apart from the log.
    pub(super) fn has_main_header(&self) -> bool {
        self.has_main_header
    }

    /// Whether committed frames of the log are damaged.
    pub(super) fn is_log_damaged(&self) -> bool {
        self.is_log_damaged
    }

    /// The number of lost images without a newer one.
    pub(super) fn lost(&self) -> usize {
        let is_last = |lost: &&Damage| lost.page.is_none_or(|page| self.is_stale(page));
        self.lost.iter().filter(is_last).count()
    }

    /// Whether a newer image than the one that is read may be lost.
    pub(super) fn is_stale(&self, page: u32) -> bool {
        let offset = self.newest.get(&page).map_or(0, |image| image.offset);
        let is_newer = |lost: &Damage| lost.offset > offset;
        let is_same = |lost: &Damage| lost.page.is_none_or(|lost| lost == page);
        self.lost.iter().any(|lost| is_newer(lost) && is_same(lost))
            || self.uncertain.iter().any(|image| image.page == page)
    }

    /// Intact images that may not have been committed.
    pub(super) fn uncertain(&self) -> &[Image] {
        &self.uncertain
    }

    /// The newest image of a page.
    pub(super) fn get(&self, page: u32) -> Option<Vec<u8>> {
        self.at(self.place(page))
    }

    pub(super) fn place(&self, page: u32) -> Place {
        let image = self.newest.get(&page);
        image.map_or(Place::Main(page), |image| Place::Log(*image))
    }

    /// The image at this place; none if it cannot be read.
    pub(super) fn at(&self, place: Place) -> Option<Vec<u8>> {
        let (file, offset) = match place {
            Place::Main(page) => {
                let before = u64::from(page.checked_sub(1)?);
                (self.main?, before * self.size as u64)
            }
            Place::Log(image) => (self.log?, image.offset),
        };
        for _ in 0..MAX_READS {
            match read_at(file, offset, self.size) {
                Ok(bytes) => return Some(bytes),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(_) => {}
            }
        }
        None
    }

    /// The first page, if it is one of an `SQLite` file.
    pub(super) fn header(&self) -> Option<Vec<u8>> {
        self.get(1).filter(|first| first.starts_with(MAGIC))
    }

    /// Whether the header marks the file as an outbox; none without a header or a mark.
    pub(super) fn is_marked(&self) -> Option<bool> {
        mark_of(&self.header()?)
    }
}

fn mark_of(header: &[u8]) -> Option<bool> {
    let mark = &header[MARK_AT..MARK_AT + MARK.len()];
    (mark != [0; 4]).then_some(mark == MARK)
}

fn page_size_in(header: &[u8]) -> Option<usize> {
    if header.len() < HEADER_SIZE || !header.starts_with(MAGIC) {
        return None;
    }
    match u16::from_be_bytes([header[16], header[17]]) {
        1 => page_size_of(65536),
        size => page_size_of(size.into()),
    }
}

fn read_up_to(mut file: &File, length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(0)).is_ok() {
        let _ = file.take(length).read_to_end(&mut bytes); // Missing bytes show that the file cannot be read.
    }
    bytes
}

fn read_at(mut file: &File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
