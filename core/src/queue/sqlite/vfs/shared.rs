//! The index of the log, which all connections share: a file mapped into memory, with eight locks and
//! one more that every connection holds.

// Mapping a file into memory has no safe interface.
#![allow(unsafe_code)]

use super::descriptor::{Access, Descriptor};
use super::identity::Identity;
use super::locks::{self, Lock, Range};
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

/// Where the locks begin in the file: eight of them, then the one that shows use.
const LOCKS: i64 = 120;
const IN_USE: Range = Range(LOCKS + 8, 1);
/// The file is extended by blocks of this size. Each is written to, so that the disk has space for later
/// writes to the memory.
const BLOCK: u64 = 4096;
/// The first connection truncates the file to this size, which is not a valid one.
const TRUNCATED: u64 = 3;

pub(super) struct SharedIndex {
    file: Descriptor,
    path: PathBuf,
    maps: Vec<Map>,
    shared: u16,
    exclusive: u16,
    is_read_only: bool,
}

/// Why the index cannot be used.
pub(super) enum Obstacle {
    Busy,
    /// It is read-only, and no other connection keeps it up to date.
    ReadOnlyUnused,
    System(Error),
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Self::System(error)
    }
}

impl SharedIndex {
    pub(super) fn open(path: PathBuf, access: Access) -> std::result::Result<Self, Obstacle> {
        let writable = Descriptor::open(&path, access);
        let (file, is_read_only) = match writable {
            Ok(file) => (file, false),
            Err(error) if is_read_only_error(&error) => (
                Descriptor::open(
                    &path,
                    Access {
                        writes: false,
                        ..access
                    },
                )?,
                true,
            ),
            Err(error) => return Err(error.into()),
        };
        let index = Self {
            file,
            path,
            maps: Vec::new(),
            shared: 0,
            exclusive: 0,
            is_read_only,
        };
        index.join()?;
        Ok(index)
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Registers this connection. The first one begins with an empty index, since a crash may have left a
    /// wrong one.
    fn join(&self) -> std::result::Result<(), Obstacle> {
        let file = self.file.get()?;
        match locks::conflicting(file, IN_USE, Lock::Exclusive)? {
            Lock::Exclusive => return Err(Obstacle::Busy),
            Lock::None if self.is_read_only => return Err(Obstacle::ReadOnlyUnused),
            Lock::None => {
                take(file, IN_USE, Lock::Exclusive)?;
                file.set_len(TRUNCATED)?;
            }
            Lock::Shared => {}
        }
        take(file, IN_USE, Lock::Shared)
    }

    /// The memory of a region; none if it does not exist and must not be created.
    pub(super) fn region(
        &mut self,
        index: usize,
        size: usize,
        extends: bool,
    ) -> Result<Option<NonNull<u8>>> {
        let page = rustix::param::page_size();
        let regions_per_map = (page / size).max(1);
        while self.maps.len() * regions_per_map <= index {
            let length = size * regions_per_map;
            let begin = (self.maps.len() * length) as u64;
            if !self.is_large_enough(begin + length as u64, extends)? {
                return Ok(None);
            }
            let map = Map::new(self.file.get()?, begin, length, !self.is_read_only)?;
            self.maps.push(map);
        }
        let map = &self.maps[index / regions_per_map];
        Ok(Some(map.at(index % regions_per_map * size)))
    }

    fn is_large_enough(&self, end: u64, extends: bool) -> Result<bool> {
        let file = self.file.get()?;
        let size = file.metadata()?.len();
        if size >= end {
            return Ok(true);
        }
        if !extends {
            return Ok(false);
        }
        for block in size / BLOCK..end / BLOCK {
            file.write_all_at(&[0], block * BLOCK + BLOCK - 1)?;
        }
        Ok(true)
    }

    /// Takes `count` locks from `first` on, shared or exclusive; false if another connection has one of them.
    pub(super) fn lock(&mut self, first: u8, count: u8, lock: Lock) -> Result<bool> {
        let mask = mask(first, count);
        if lock == Lock::Shared && self.shared & mask != 0 {
            return Ok(true);
        }
        let is_taken = locks::set(self.file.get()?, range(first, count), lock)?;
        match lock {
            _ if !is_taken => {}
            Lock::Exclusive => self.exclusive |= mask,
            Lock::Shared => self.shared |= mask,
            Lock::None => {
                self.exclusive &= !mask;
                self.shared &= !mask;
            }
        }
        Ok(is_taken)
    }

    pub(super) fn unlock(&mut self, first: u8, count: u8) -> Result<bool> {
        if (self.shared | self.exclusive) & mask(first, count) == 0 {
            return Ok(true);
        }
        self.lock(first, count, Lock::None)
    }

    /// Deletes the file, if it is still the one at the path.
    pub(super) fn delete(&self) {
        if Identity::at(&self.path) == Some(self.file.identity) {
            let _ = fs::remove_file(&self.path); // The next connection truncates a file that is left.
        }
    }

    pub(super) fn is_own(&self) -> bool {
        self.file.is_own()
    }
}

/// Whether a connection of any process uses the index at this path.
pub(super) fn is_in_use(path: &Path) -> bool {
    let access = Access {
        locks: true,
        ..Access::default()
    };
    let Ok(file) = Descriptor::open(path, access) else {
        return false;
    };
    let found = file
        .get()
        .and_then(|file| locks::conflicting(file, IN_USE, Lock::Exclusive));
    found.is_ok_and(|lock| lock != Lock::None)
}

fn is_read_only_error(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

fn take(file: &File, range: Range, lock: Lock) -> std::result::Result<(), Obstacle> {
    if locks::set(file, range, lock)? {
        return Ok(());
    }
    Err(Obstacle::Busy)
}

fn mask(first: u8, count: u8) -> u16 {
    ((1 << count) - 1) << first
}

fn range(first: u8, count: u8) -> Range {
    Range(LOCKS + i64::from(first), i64::from(count))
}

/// A part of the file in memory.
struct Map {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: processes share the memory anyway; only SQLite reads and writes it.
unsafe impl Send for Map {}

impl Map {
    fn new(file: &File, begin: u64, length: usize, writes: bool) -> Result<Self> {
        let writes = if writes { libc::PROT_WRITE } else { 0 };
        // SAFETY: the system chooses the address; the range is within the file.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | writes,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                begin.cast_signed(),
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(Error::last_os_error)?;
        Ok(Self { start, length })
    }

    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset < self.length);
        // SAFETY: the offset is within the mapping.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: `new` mapped it, and it is no longer used.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
