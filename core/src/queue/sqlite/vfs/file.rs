//! A file of the outbox: the database itself, its log, or the journal of its creation.

use super::descriptor::{Access, Descriptor};
use super::identity::Identity;
use super::locks::{self, Lock, Range};
use super::shared::{self, Obstacle, SharedIndex};
use super::status::{FileStatus, Place};
use crate::queue::sqlite::format::{HEADER_SIZE, MAGIC, MARK, MARK_AT, with_suffix};
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The bytes that `SQLite` locks; no page contains them.
const PENDING: Range = Range(0x4000_0000, 1);
const RESERVED: Range = Range(0x4000_0001, 1);
const PENDING_AND_RESERVED: Range = Range(0x4000_0000, 2);
const SHARED: Range = Range(0x4000_0002, 510);
const ALL: Range = Range(0, 0);

/// How far a connection has locked the database, as `SQLite` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    None = 0,
    Shared = 1,
    Reserved = 2,
    Pending = 3,
    Exclusive = 4,
}

impl Level {
    pub(super) fn from_number(number: i32) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Shared,
            2 => Self::Reserved,
            3 => Self::Pending,
            _ => Self::Exclusive,
        }
    }
}

/// The role of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Database,
    /// The log or a journal; it has the permissions of the database.
    Companion,
}

pub(super) struct OutboxFile {
    data: Descriptor,
    path: PathBuf,
    level: Level,
    pub index: Option<SharedIndex>,
    /// Whether the file is new, so that its name has to be made durable as well.
    is_new: bool,
}

impl OutboxFile {
    pub(super) fn open(path: PathBuf, role: Role, writes: bool, creates: bool) -> Result<Self> {
        let is_new = creates && !path.exists();
        let access = match role {
            Role::Database => Access {
                writes,
                creates,
                locks: true,
                mode: 0o600,
                owner: None,
            },
            Role::Companion => companion_access(&database_of(&path), writes, creates)?,
        };
        let data = Descriptor::open(&path, access)?;
        if role == Role::Database {
            check_header(data.get()?)?;
        }
        Ok(Self {
            data,
            path,
            level: Level::None,
            index: None,
            is_new,
        })
    }

    /// Reads until the buffer is full or the file ends; returns the number of bytes.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        read_all(self.data.get()?, buffer, offset)
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.data.get()?.write_all_at(bytes, offset)
    }

    pub(super) fn truncate(&self, size: u64) -> Result<()> {
        self.data.get()?.set_len(size)
    }

    pub(super) fn sync(&mut self) -> Result<()> {
        self.data.get()?.sync_data()?;
        if self.is_new {
            sync_directory(&self.path)?;
            self.is_new = false;
        }
        Ok(())
    }

    pub(super) fn size(&self) -> Result<u64> {
        Ok(self.data.get()?.metadata()?.len())
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Raises the lock on the database; false if another connection has a conflicting one.
    pub(super) fn lock(&mut self, wanted: Level) -> Result<bool> {
        if self.level >= wanted {
            return Ok(true);
        }
        match wanted {
            Level::Shared => self.lock_shared(),
            Level::Reserved => self.raise(RESERVED, Level::Reserved),
            _ => {
                if self.level == Level::Reserved && !self.raise(PENDING, Level::Pending)? {
                    return Ok(false);
                }
                self.raise(SHARED, Level::Exclusive)
            }
        }
    }

    /// Takes a shared lock. A writer locks the pending byte to keep out new readers, so it has to be free.
    fn lock_shared(&mut self) -> Result<bool> {
        let file = self.data.get()?;
        if !locks::set(file, PENDING, Lock::Shared)? {
            return Ok(false);
        }
        let is_taken = locks::set(file, SHARED, Lock::Shared);
        locks::set(file, PENDING, Lock::None)?;
        let is_taken = is_taken?;
        if is_taken {
            self.level = Level::Shared;
        }
        Ok(is_taken)
    }

    fn raise(&mut self, range: Range, level: Level) -> Result<bool> {
        let is_taken = locks::set(self.data.get()?, range, Lock::Exclusive)?;
        if is_taken {
            self.level = level;
        }
        Ok(is_taken)
    }

    /// Lowers the lock to shared or none.
    pub(super) fn unlock(&mut self, wanted: Level) -> Result<()> {
        if self.level <= wanted {
            return Ok(());
        }
        let file = self.data.get()?;
        if wanted == Level::Shared {
            locks::set(file, SHARED, Lock::Shared)?;
            locks::set(file, PENDING_AND_RESERVED, Lock::None)?;
        } else {
            locks::set(file, ALL, Lock::None)?;
        }
        self.level = wanted;
        Ok(())
    }

    /// Whether a connection is about to write.
    pub(super) fn is_reserved(&self) -> Result<bool> {
        if self.level > Level::Shared {
            return Ok(true);
        }
        let found = locks::conflicting(self.data.get()?, RESERVED, Lock::Exclusive)?;
        Ok(found != Lock::None)
    }

    /// The index of the log, opened at the first use.
    pub(super) fn index(&mut self) -> std::result::Result<&mut SharedIndex, Obstacle> {
        if self.index.is_none() {
            let access = Access {
                locks: true,
                ..companion_access(&self.path, true, true)?
            };
            self.index = Some(SharedIndex::open(with_suffix(&self.path, "-shm"), access)?);
        }
        self.index.as_mut().ok_or(Obstacle::Busy)
    }

    pub(super) fn place(&self) -> Place {
        if Identity::at(&self.path) == Some(self.data.identity) {
            return Place::AtPath;
        }
        match self.data.get().and_then(File::metadata) {
            Ok(metadata) if metadata.nlink() > 0 => Place::Moved,
            _ => Place::Deleted,
        }
    }

    pub(super) fn status(&self) -> FileStatus {
        FileStatus {
            place: self.place(),
            device: self.data.identity.device,
            inode: self.data.identity.inode,
            has_foreign_log: self.index.is_none() && self.has_foreign_log(),
        }
    }

    /// Whether the log at this path belongs to another file: every connection that uses the index of the
    /// log also locks its database. Connections open and close, so one check is not enough.
    fn has_foreign_log(&self) -> bool {
        let index = with_suffix(&self.path, "-shm");
        (0..3).all(|round| {
            if round > 0 {
                thread::sleep(Duration::from_millis(10));
            }
            let locked = self
                .data
                .get()
                .and_then(|file| locks::conflicting(file, SHARED, Lock::Exclusive));
            locked.is_ok_and(|lock| lock == Lock::None) && shared::is_in_use(&index)
        })
    }

    pub(super) fn is_own(&self) -> bool {
        self.data.is_own() && self.index.as_ref().is_none_or(SharedIndex::is_own)
    }
}

fn read_all(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(size) => done += size,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Refuses a file that is neither an outbox nor empty, before it is used.
fn check_header(file: &File) -> Result<()> {
    let mut header = [0; HEADER_SIZE];
    let size = read_all(file, &mut header, 0)?;
    let mark = &header[MARK_AT..MARK_AT + 4];
    if size == 0 || (header.starts_with(MAGIC) && mark == MARK) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidData, "not an outbox"))
}

/// A file that belongs to the database has its permissions and its owner.
fn companion_access(database: &Path, writes: bool, creates: bool) -> Result<Access> {
    let metadata = fs::metadata(database)?;
    let owner = (metadata.uid(), metadata.gid());
    Ok(Access {
        writes,
        creates,
        locks: false,
        mode: metadata.mode() & 0o777,
        owner: rustix::process::geteuid().is_root().then_some(owner),
    })
}

fn database_of(companion: &Path) -> PathBuf {
    let name = companion.as_os_str().as_encoded_bytes();
    let end = name
        .iter()
        .rposition(|byte| *byte == b'-')
        .unwrap_or(name.len());
    PathBuf::from(std::ffi::OsStr::from_bytes(&name[..end]))
}

/// Makes the names in the directory of a file durable.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
