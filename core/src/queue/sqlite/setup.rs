//! The settings of an outbox file.

use crate::config::Durability;
use std::path::PathBuf;
use std::time::Duration;

/// Which updates an outbox accepts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// The maximum number of pending updates.
    pub rows: Option<u64>,
    /// The maximum size of their payloads in bytes.
    pub bytes: Option<u64>,
    /// Whether an update that equals the last one of its lane is not added again.
    pub collapse: bool,
}

/// How an outbox is opened.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub path: PathBuf,
    pub durability: Durability,
    /// How long to wait for another process that is writing.
    pub busy_timeout: Duration,
    pub limits: Limits,
}
