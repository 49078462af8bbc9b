//! The outbox: lanes on disk, so that what was accepted survives the process and the machine.

mod clock;
mod group;
mod sqlite;
mod store;

pub use store::{DeadLetter, Stats};
