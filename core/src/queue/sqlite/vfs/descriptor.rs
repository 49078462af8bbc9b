//! One open descriptor, kept apart from other users of the same file in this process.
//!
//! A forked child never uses a descriptor of its parent. Closing a descriptor releases the locks that
//! *another* copy of `SQLite` in this process has on the file, since those belong to the process; so
//! the descriptor of a locked file is not closed, but parked for the next connection.

use super::fork::{self, Parked, Registry};
use super::identity::Identity;
use super::locks::{self, Lock, Range};
use std::fs::{self, File, OpenOptions};
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Access {
    pub writes: bool,
    pub creates: bool,
    /// Whether connections lock the file, and not only read and write it.
    pub locks: bool,
    /// The permissions of a new file, and its owner if it is another user.
    pub mode: u32,
    pub owner: Option<(u32, u32)>,
}

/// With more parked descriptors than this, those that can be closed are looked for.
const MAX_PARKED: usize = 64;

pub(super) struct Descriptor {
    /// None only during the drop.
    file: Option<File>,
    generation: u32,
    access: Access,
    pub identity: Identity,
}

impl Descriptor {
    pub(super) fn open(path: &Path, access: Access) -> Result<Self> {
        let mut registry = fork::registry();
        let file = if let Some(parked) = unpark(&mut registry, path, access.writes) {
            parked
        } else {
            let file = open(path, access)?;
            registry.open.push(file.as_raw_fd());
            file
        };
        Ok(Self {
            identity: Identity::of(&file.metadata()?),
            file: Some(file),
            generation: fork::generation(),
            access,
        })
    }

    /// The file, unless the parent process opened it.
    pub(super) fn get(&self) -> Result<&File> {
        let file = self.file.as_ref().filter(|_| self.is_own());
        file.ok_or_else(|| Error::from_raw_os_error(libc::EBADF))
    }

    pub(super) fn is_own(&self) -> bool {
        self.generation == fork::generation()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else {
            return;
        };
        if !self.is_own() {
            let _closed_at_the_fork = file.into_raw_fd();
            return;
        }
        let mut registry = fork::registry();
        if !self.access.locks {
            return close(&mut registry, file);
        }
        let _ = locks::set(&file, Range(0, 0), Lock::None);
        let (identity, writes) = (self.identity, self.access.writes);
        registry.parked.push(Parked {
            file,
            identity,
            writes,
        });
        sweep(&mut registry);
    }
}

/// Closes descriptors of deleted files, and the oldest one without locks if there are too many.
fn sweep(registry: &mut Registry) {
    let is_deleted = |parked: &Parked| parked.file.metadata().is_ok_and(|found| found.nlink() == 0);
    while let Some(place) = registry.parked.iter().position(is_deleted) {
        let parked = registry.parked.swap_remove(place);
        close(registry, parked.file);
    }
    if registry.parked.len() > MAX_PARKED {
        let is_free = |parked: &Parked| !is_locked_by_this_process(parked.identity);
        if let Some(free) = registry.parked.iter().position(is_free) {
            let parked = registry.parked.remove(free);
            close(registry, parked.file);
        }
    }
}

fn close(registry: &mut Registry, file: File) {
    let number = file.as_raw_fd();
    registry.open.retain(|one| *one != number);
    drop(file);
}

fn open(path: &Path, access: Access) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(access.writes)
        .create(access.creates && access.writes)
        .mode(access.mode)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(path)?;
    if let Some((user, group)) = access.owner {
        // Only root can change the owner, and only root creates files for other users.
        let _ = fchown(&file, Some(user), Some(group));
    }
    Ok(file)
}

fn unpark(registry: &mut Registry, path: &Path, writes: bool) -> Option<File> {
    if registry.parked.is_empty() {
        return None;
    }
    let wanted = Identity::at(path)?;
    let fits = |parked: &Parked| (parked.identity, parked.writes) == (wanted, writes);
    let found = registry.parked.iter().position(fits)?;
    Some(registry.parked.swap_remove(found).file)
}

/// Whether this process has locks on the file that belong to the process, not to a descriptor.
fn is_locked_by_this_process(identity: Identity) -> bool {
    let Ok(all) = fs::read_to_string("/proc/locks") else {
        return false;
    };
    let (process, inode) = (std::process::id().to_string(), identity.inode.to_string());
    all.lines().any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "POSIX", _, _, owner, file, ..] = words[..] else {
            return false;
        };
        owner == process && file.rsplit(':').next() == Some(&inode)
    })
}
