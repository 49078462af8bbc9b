//! The outbox in an `SQLite` file.
//!
//! A module uses only modules to its right: `inspect → reader → store → checkpoint, claim, settle →
//! append, dead, location, reserve → lane, open, setup → migration → counters → fault, schema → vfs →
//! format`. `repair` uses those from `lane` on; `watch` uses none.

mod append;
mod checkpoint;
mod claim;
mod counters;
mod dead;
mod fault;
mod format;
mod inspect;
mod lane;
mod location;
mod migration;
mod open;
mod reader;
mod repair;
mod reserve;
mod schema;
mod settle;
mod setup;
mod store;
#[cfg(test)]
mod tests;
mod vfs;
mod watch;

pub(crate) use checkpoint::SqliteCheckpointer;
pub use inspect::{OutboxReport, inspect};
pub use reader::OutboxReader;
pub use repair::{RepairReport, repair};
pub(crate) use setup::{Limits, Setup};
pub(crate) use store::SqliteStore;
pub(crate) use watch::FileWatch;
