//! The newest committed image of each page: the main file, overlaid with the log.

use super::log::{Damage, Image, Log, be32, page_size_of};
use super::tail;
use crate::queue::sqlite::schema::MARK;
use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// How often a page is read before it counts as unreadable: an error may be a passing one.
const READS: u32 = 4;

/// Where an image is.
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
    /// How many pages there are, or should be.
    count: u32,
    newest: HashMap<u32, Image>,
    uncertain: Vec<Image>,
    /// Frames of the log that are lost: what is read of their page is an older image.
    lost: Vec<Damage>,
    is_log_damaged: bool,
    has_main_header: bool,
}

impl<'a> Pages<'a> {
    /// `fallback` is the page size if all headers are destroyed.
    pub(super) fn read(
        main: Option<&'a File>,
        log: Option<&'a File>,
        shared: &[u8],
        fallback: usize,
    ) -> std::io::Result<Self> {
        let header = main.map_or_else(Vec::new, |main| read_up_to(main, HEADER as u64));
        let from_main = page_size_in(&header);
        let mut read = match log {
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
            newest: HashMap::new(),
            uncertain: Vec::new(),
            is_log_damaged: false,
            lost: Vec::new(),
            has_main_header: header.len() == HEADER
                && header.starts_with(MAGIC)
                && mark_of(&header) == Some(true),
        };
        pages.overlay(&read);
        let tail = std::mem::take(&mut read.tail);
        let verdict = tail::judge(&pages, &tail);
        for transaction in tail.into_iter().take(verdict.committed) {
            read.commit(transaction);
        }
        pages.uncertain = verdict.uncertain;
        pages.overlay(&read);
        pages.count = pages.count.max(pages.count_by_header(in_main));
        Ok(pages)
    }

    fn overlay(&mut self, log: &Log) {
        let images = log.committed.iter();
        self.newest = images.map(|image| (image.page, *image)).collect();
        let last = self.newest.keys().copied().max().unwrap_or(0);
        let images = u32::try_from(self.newest.len()).unwrap_or(u32::MAX);
        let most = self.most_pages(images);
        self.count = self.count.max(last.max(log.pages).min(most));
        self.lost.clone_from(&log.damaged);
        self.is_log_damaged = !log.damaged.is_empty()
            || !self.uncertain.is_empty()
            || (log.is_headless && !log.committed.is_empty());
    }

    /// The header's count, unless it is as implausible as a damaged one would be.
    fn count_by_header(&self, in_main: u32) -> u32 {
        let Some(first) = self.header() else { return 0 };
        let (count, is_counted) = (be32(&first, 28), be32(&first, 24) == be32(&first, 92));
        if is_counted && count <= self.most_pages(in_main) {
            count
        } else {
            0
        }
    }

    /// No file has lost so much that it said there are more pages.
    fn most_pages(&self, found: u32) -> u32 {
        self.count.max(found).saturating_mul(64).max(1 << 12)
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether the main file itself begins as it has to, whatever the log says.
    pub(super) fn has_main_header(&self) -> bool {
        self.has_main_header
    }

    /// Whether committed frames of the log are damaged.
    pub(super) fn is_log_damaged(&self) -> bool {
        self.is_log_damaged
    }

    /// How many images are lost of which there is no newer one.
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

    /// Images that are intact, though it is unknown whether they were committed.
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
        for _ in 0..READS {
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

    /// Whether the header says that this is an outbox; none if it says nothing.
    pub(super) fn is_marked(&self) -> Option<bool> {
        mark_of(&self.header()?)
    }
}

fn mark_of(header: &[u8]) -> Option<bool> {
    let mark = &header[68..72];
    (mark != [0; 4]).then_some(mark == MARK)
}

fn page_size_in(header: &[u8]) -> Option<usize> {
    if header.len() < HEADER || !header.starts_with(MAGIC) {
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
        let _ = file.take(length).read_to_end(&mut bytes); // What cannot be read is missing.
    }
    bytes
}

fn read_at(mut file: &File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
