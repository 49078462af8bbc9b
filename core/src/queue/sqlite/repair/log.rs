//! Reads the frames of a write-ahead log that can be verified, including those behind a damaged one.
//!
//! The checksum of a frame continues that of the frame before, which stores it in its header. So a frame
//! behind a damaged one can be verified if the header of that one is intact.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FORMAT: u32 = 3_007_000;
const MAGIC: u32 = 0x377f_0682;
/// Bytes of one copy of the shared-memory header, of which the last eight are its checksum.
const SHARED_HEADER: usize = 48;

type Checksum = (u32, u32);

/// A page image in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub page: u32,
    /// The offset of the image in the log.
    pub offset: u64,
}

/// A frame that is damaged or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// None if its header is damaged as well.
    pub page: Option<u32>,
    pub offset: u64,
}

/// The frames up to and including the one that commits them.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub images: Vec<Image>,
    pub damaged: Vec<Damage>,
    /// The size of the file after it, in pages.
    pub pages: u32,
}

/// The content of a log.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub page_size: Option<usize>,
    /// Committed images, oldest first.
    pub committed: Vec<Image>,
    /// Transactions behind a damaged frame, which may or may not have been committed.
    pub tail: Vec<Transaction>,
    /// Committed images that are damaged or missing.
    pub damaged: Vec<Damage>,
    /// Whether the header of the log is damaged, so that `SQLite` would ignore the log.
    pub is_headless: bool,
    /// The size of the file after the last commit, in pages.
    pub pages: u32,
}

impl Log {
    /// Reads the log. `shared` is the content of the `-shm` file, which has the number of committed frames;
    /// `page_size` is used if the header of the log is damaged.
    pub(super) fn read(
        file: &File,
        shared: &[u8],
        page_size: Option<usize>,
    ) -> std::io::Result<Self> {
        let mut file = file;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        if length <= HEADER as u64 {
            return Ok(Self::default());
        }
        let mut input = BufReader::with_capacity(1 << 18, file);
        let mut header = [0; HEADER];
        input.read_exact(&mut header)?;
        let header = Header::parse(&header);
        let shared = Shared::parse(shared);
        let from_header = header.as_ref().map(|header| header.page_size);
        let from_shared = shared.as_ref().map(|shared| shared.page_size);
        let Some(page_size) = from_header.or(from_shared).or(page_size) else {
            return Ok(Self::default());
        };
        let mut scan = Scan::new(page_size, header.as_ref(), shared);
        let mut frame = vec![0; FRAME_HEADER + page_size];
        let mut offset = HEADER as u64;
        while read_whole(&mut input, &mut frame)? {
            scan.frame(&frame, offset + FRAME_HEADER as u64);
            offset += frame.len() as u64;
        }
        Ok(scan.finish(offset))
    }
}

impl Log {
    /// Adds a transaction that is known to be committed.
    pub(super) fn commit(&mut self, mut transaction: Transaction) {
        self.committed.append(&mut transaction.images);
        self.damaged.append(&mut transaction.damaged);
        if transaction.pages > 0 {
            self.pages = transaction.pages;
        }
    }
}

/// Fills the buffer; false at the end of the file, where a partial frame is ignored.
fn read_whole(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match input.read_exact(buffer) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        done => done.map(|()| true),
    }
}

struct Header {
    page_size: usize,
    is_big_endian: bool,
    salts: [u8; 8],
    checksum: Checksum,
}

impl Header {
    fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let magic = be32(bytes, 0);
        let is_big_endian = magic & 1 == 1;
        let page_size = page_size_of(be32(bytes, 8))?;
        let checksum = checksum(&bytes[..24], (0, 0), is_big_endian);
        let is_valid = magic & !1 == MAGIC
            && be32(bytes, 4) == FORMAT
            && checksum == (be32(bytes, 24), be32(bytes, 28));
        let salts = bytes[16..24].try_into().ok()?;
        is_valid.then_some(Self {
            page_size,
            is_big_endian,
            salts,
            checksum,
        })
    }
}

/// The header of the shared memory.
struct Shared {
    page_size: usize,
    frames: u32,
    salts: [u8; 8],
    is_big_endian: bool,
}

impl Shared {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (one, other) = (bytes.get(..48)?, bytes.get(48..96)?);
        let native =
            |at: usize| u32::from_ne_bytes([one[at], one[at + 1], one[at + 2], one[at + 3]]);
        let stored = (native(40), native(44));
        let is_big = cfg!(target_endian = "big");
        let is_valid = one == other
            && native(0) == FORMAT
            && one[12] == 1
            && checksum(&one[..SHARED_HEADER - 8], (0, 0), is_big) == stored;
        let size = u16::from_ne_bytes([one[14], one[15]]);
        // 65536 is written as 1.
        let page_size = page_size_of(if size == 1 { 65536 } else { size.into() })?;
        is_valid.then_some(Self {
            page_size,
            frames: native(16),
            salts: one[32..40].try_into().ok()?,
            is_big_endian: one[13] == 1,
        })
    }
}

/// A frame of a transaction whose commit has not been read yet.
enum Frame {
    Intact(Image),
    Damaged(Damage),
}

/// Verifies the frames one after the other.
struct Scan {
    log: Log,
    salts: Option<[u8; 8]>,
    is_big_endian: bool,
    /// The checksum that the next frame continues.
    seed: Option<Checksum>,
    /// The minimum number of committed frames. After a power failure there may be more.
    known: u32,
    count: u32,
    /// Whether a frame before this one could not be verified.
    is_behind: bool,
    open: Vec<Frame>,
}

impl Scan {
    fn new(page_size: usize, header: Option<&Header>, shared: Option<Shared>) -> Self {
        let salts = header.map(|header| header.salts);
        let shared = shared.filter(|shared| salts.is_none_or(|salts| salts == shared.salts));
        let known_order = header
            .map(|header| header.is_big_endian)
            .or(shared.as_ref().map(|shared| shared.is_big_endian));
        Self {
            log: Log {
                page_size: Some(page_size),
                is_headless: header.is_none(),
                ..Log::default()
            },
            salts: salts.or(shared.as_ref().map(|shared| shared.salts)),
            is_big_endian: known_order.unwrap_or(cfg!(target_endian = "big")),
            seed: header.map(|header| header.checksum),
            known: shared.map_or(0, |shared| shared.frames),
            count: 0,
            is_behind: false,
            open: Vec::new(),
        }
    }

    fn frame(&mut self, frame: &[u8], offset: u64) {
        self.count += 1;
        let (page, pages) = (be32(frame, 0), be32(frame, 4));
        let has_salts = self.has_salts(&frame[8..16]);
        let stored = (be32(frame, 16), be32(frame, 20));
        let is_intact = has_salts && page > 0 && self.verifies(frame, stored);
        self.seed = Some(stored);
        if is_intact {
            self.open.push(Frame::Intact(Image { page, offset }));
        } else {
            self.is_behind = true;
            let page = Some(page).filter(|_| has_salts);
            self.open.push(Frame::Damaged(Damage { page, offset }));
        }
        if self.count <= self.known {
            // The frame that commits the others may be damaged.
            if self.count == self.known || (is_intact && pages > 0) {
                self.close(true, pages);
            }
        } else if is_intact && pages > 0 {
            self.close(!self.is_behind, pages);
        }
    }

    /// Whether a frame has the salts of this log. Without a header, those of the first frame count.
    fn has_salts(&mut self, found: &[u8]) -> bool {
        let salts = *self.salts.get_or_insert_with(|| {
            let mut salts = [0; 8];
            salts.copy_from_slice(found);
            salts
        });
        salts == found
    }

    /// Whether the checksum is correct. Without a header, the first frame cannot be verified.
    fn verifies(&self, frame: &[u8], stored: Checksum) -> bool {
        let Some(seed) = self.seed else { return true };
        let sum = checksum(&frame[..8], seed, self.is_big_endian);
        checksum(&frame[FRAME_HEADER..], sum, self.is_big_endian) == stored
    }

    /// The end of a transaction.
    fn close(&mut self, is_certain: bool, pages: u32) {
        let mut transaction = Transaction {
            pages,
            ..Transaction::default()
        };
        for frame in self.open.drain(..) {
            match frame {
                Frame::Intact(image) => transaction.images.push(image),
                Frame::Damaged(damage) => transaction.damaged.push(damage),
            }
        }
        if is_certain {
            self.log.commit(transaction);
        } else {
            self.log.tail.push(transaction);
        }
    }

    fn finish(mut self, offset: u64) -> Log {
        if self.count < self.known {
            let page = None;
            self.open.push(Frame::Damaged(Damage { page, offset }));
            self.close(true, 0);
        }
        self.log
    }
}

fn checksum(bytes: &[u8], seed: Checksum, is_big_endian: bool) -> Checksum {
    let read = |word: &[u8]| {
        let word = [word[0], word[1], word[2], word[3]];
        if is_big_endian {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        }
    };
    bytes.chunks_exact(8).fold(seed, |(one, two), pair| {
        let one = one.wrapping_add(read(&pair[..4])).wrapping_add(two);
        (one, two.wrapping_add(read(&pair[4..])).wrapping_add(one))
    })
}

/// A page size that `SQLite` allows.
pub(super) fn page_size_of(size: u32) -> Option<usize> {
    let is_allowed = size.is_power_of_two() && (512..=65536).contains(&size);
    usize::try_from(size).ok().filter(|_| is_allowed)
}

pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
