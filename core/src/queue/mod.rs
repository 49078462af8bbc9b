//! Where an update waits: behind the earlier updates of its own order, and behind no others.

pub(crate) mod clock;
pub(crate) mod group;
mod lanes;
pub(crate) mod sqlite;
pub(crate) mod store;

pub(crate) use lanes::{Lanes, Pass};
