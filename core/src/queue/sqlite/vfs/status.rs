//! Where the file of a connection is.

/// Where the file of a connection is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Place {
    /// At its path.
    AtPath,
    /// Deleted: it exists until the last process closes it.
    Deleted,
    /// At another path, where another program may open it.
    Moved,
}

/// The file of a connection, and where it is now.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct FileStatus {
    pub place: Place,
    pub device: u64,
    pub inode: u64,
    /// Whether another process writes a log of this name for another file, which was at this path before.
    pub has_foreign_log: bool,
}
